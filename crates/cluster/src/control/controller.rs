//! The task that decides.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordination::{Leadership, Maintenance, Standing, Versioned};
use tokio::sync::{mpsc, watch};
use topology::{Extra, Writes};

use super::acknowledging::Acknowledging;
use super::healing::{Cure, Healing};
use super::preparing::Preparation;
use super::saving;
use super::{Coordination, Order, OrderError, OrderReport, Ordered, Orders, Steering};
use crate::board::Picture;
use crate::detect::death::{self, Patience, ReplicaSigns, Verdict};
use crate::events::EventKind;
use crate::execute::{Outcome, Runner, StepError, fence, plan_of, promote, replica};
use crate::options::{FailoverMode, ObserveOptions};
use crate::plan::{self, Kind, Member, Plan, Refusal, Situation};

/// Without news, the leadership and the flags are looked at this often.
const TICK: Duration = Duration::from_millis(250);
/// A replica that hears nothing from its source for this long has lost it, where heartbeats are frequent.
const QUIET: Duration = Duration::from_millis(2000);
/// Between two attempts to fail over, where the first came to nothing.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);
/// Commits that wait this long for an acknowledgement of what every replica has will not get it.
const STUCK: Duration = Duration::from_millis(1500);
const UNSTICK_PAUSE: Duration = Duration::from_millis(500);
/// Between two attempts to open a primary that has come back.
const REOPEN_PAUSE: Duration = Duration::from_secs(2);
/// How often the store is asked who is in maintenance.
const FLAGS_EVERY: Duration = Duration::from_secs(2);

/// Decides for one cluster.
pub(crate) struct Controller {
    options: Arc<ObserveOptions>,
    coordination: Coordination,
    steering: Steering,
    pictures: watch::Receiver<Arc<Picture>>,
    gate: Orders,
    orders: mpsc::Receiver<Ordered>,
    verdict: Option<&'static str>,
    healing: Healing,
    acknowledging: Acknowledging,
    acknowledgers: Option<Versioned<coordination::Acknowledgers>>,
    maintenance: HashSet<String>,
    flags_read: Option<Instant>,
    /// In which term the journal was read.
    term: Option<coordination::Token>,
    last_failover: Option<Instant>,
    /// When a failover last came to nothing.
    last_attempt: Option<Instant>,
    /// Why the last automatic failover did not come about.
    refused: Option<String>,
    preparation: Preparation,
    /// When waiting was last ended.
    unstuck: Option<Instant>,
    /// When a primary that had come back was last opened, or could not be.
    reopened: Option<Instant>,
    /// What the service was told last: every directive makes a picture, and a picture wakes the controller.
    heals: Option<bool>,
}

impl Controller {
    pub(crate) fn new(
        options: Arc<ObserveOptions>,
        coordination: Coordination,
        steering: Steering,
        pictures: watch::Receiver<Arc<Picture>>,
        gate: Orders,
        orders: mpsc::Receiver<Ordered>,
    ) -> Self {
        Self {
            options,
            coordination,
            steering,
            pictures,
            gate,
            orders,
            verdict: None,
            healing: Healing::default(),
            acknowledging: Acknowledging::default(),
            acknowledgers: None,
            maintenance: HashSet::new(),
            flags_read: None,
            term: None,
            last_failover: None,
            last_attempt: None,
            refused: None,
            preparation: Preparation::default(),
            unstuck: None,
            reopened: None,
            heals: None,
        }
    }

    /// Decides until the service ends.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                changed = self.pictures.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
            let picture = self.pictures.borrow_and_update().clone();
            if let Err(error) = self.consider(&picture).await {
                if matches!(error, StepError::Stopping) {
                    return;
                }
                tracing::warn!(cluster = picture.situation.cluster, %error, "the controller");
            }
        }
    }

    /// One look at how things are.
    async fn consider(&mut self, picture: &Picture) -> Result<(), StepError> {
        let Some(leadership) = self.coordination.election.leadership() else {
            if self.term.take().is_some() {
                // Whoever leads now decides; what happens is seen on the servers.
                self.steering.writes(Writes::Open).await?;
                self.steering.note(EventKind::Leadership, None, "leading", "not leading", "").await;
            }
            let others =
                matches!(self.coordination.election.standing(), Standing::Following { leader: Some(_) });
            return self
                .tell_whether_it_heals(others && self.options.control.failover == FailoverMode::Auto)
                .await;
        };
        self.begin_term(picture, &leadership).await?;
        if self.term != Some(leadership.token()) {
            // Something unfinished comes first.
            return Ok(());
        }
        self.read_flags(&picture.situation.cluster).await?;
        let situation = self.situation(picture);
        self.record_acknowledgers(&situation, &leadership).await?;
        self.healing.look(&situation);
        let dead = self.judge(picture).await?;
        let auto = self.options.control.failover == FailoverMode::Auto;
        self.tell_whether_it_heals(auto).await?;
        if auto {
            self.preparation.consider(&self.options, picture, self.verdict).await;
        }
        if let Some(why) = dead
            && auto
            && picture.complete
        {
            self.fail_over(&situation, &leadership, &why).await
        } else if auto && picture.complete && self.has_come_back_closed(&situation) {
            self.reopen(&situation, &leadership).await
        } else if auto && picture.stuck_for >= STUCK {
            self.unstick(&situation).await
        } else {
            self.heal(&situation).await
        }
    }

    async fn tell_whether_it_heals(&mut self, heals: bool) -> Result<(), StepError> {
        if self.heals != Some(heals) {
            self.steering.heals(heals).await?;
            self.heals = Some(heals);
        }
        Ok(())
    }

    /// What a term of office begins with: the epoch, and what a former leader left half-done.
    async fn begin_term(&mut self, picture: &Picture, leadership: &Leadership) -> Result<(), StepError> {
        if self.term == Some(leadership.token()) {
            return Ok(());
        }
        let cluster = &picture.situation.cluster;
        if let Some(epoch) = self.coordination.epochs.current(cluster).await? {
            self.steering.epoch(epoch.value.number).await?;
        }
        self.acknowledgers = self.coordination.acknowledgers.current(cluster).await?;
        for action in self.coordination.journal.history(cluster).await? {
            let done = action.outcome.as_ref().is_some_and(|outcome| outcome["done"] == true);
            if let (true, Ok(plan)) = (done, plan_of(&action)) {
                self.remember_deposed(&plan);
            }
        }
        if let Some(action) = self.coordination.journal.unfinished(cluster).await? {
            if !picture.complete {
                return Ok(());
            }
            let Ok(plan) = plan_of(&action.value) else {
                let outcome = serde_json::json!({"done": false, "undone": "its plan cannot be read"});
                self.coordination.journal.finish(cluster, action, outcome, leadership).await?;
                return Ok(());
            };
            let steps = action.value.steps.len();
            let text = format!("a {} was left after {steps} steps; going on with it", plan.kind.as_str());
            self.steering
                .note(EventKind::Action, Some(plan.new.clone()), "unfinished", "resumed", &text)
                .await;
            let runner = Runner {
                options: &self.options,
                coordination: &self.coordination,
                leadership,
                steering: &self.steering,
                situation: self.situation(picture),
                allow_loss: !plan.proof.is_lossless(),
                plan: plan.clone(),
                action: Some(action),
                stragglers: Vec::new(),
                epoch: None,
            };
            let outcome = runner.run().await;
            self.after(&plan, &outcome).await;
            if matches!(outcome, Outcome::Unfinished(_)) {
                return Ok(());
            }
        }
        self.term = Some(leadership.token());
        self.steering.note(EventKind::Leadership, None, "not leading", "leading", "").await;
        Ok(())
    }

    fn remember_deposed(&mut self, plan: &Plan) {
        if let Some(old) = &plan.old {
            self.healing.depose(old);
        }
        self.healing.promoted(&plan.new);
    }

    async fn read_flags(&mut self, cluster: &str) -> Result<(), StepError> {
        if self.flags_read.is_some_and(|at| at.elapsed() < FLAGS_EVERY) {
            return Ok(());
        }
        let flags = self.coordination.maintenance.list(cluster).await?;
        self.maintenance = flags.into_iter().map(|(server, _)| server).collect();
        self.flags_read = Some(Instant::now());
        Ok(())
    }

    /// The board's, with what only the store knows.
    fn situation(&self, picture: &Picture) -> Situation {
        let mut situation = picture.situation.clone();
        for member in &mut situation.members {
            member.maintenance = self.maintenance.contains(&member.server);
        }
        situation.acknowledgers = self.acknowledgers.as_ref().map(|recorded| plan::Acknowledgers {
            servers: recorded.value.servers.clone(),
            wait_for: recorded.value.wait_for,
        });
        situation
    }

    async fn record_acknowledgers(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let Some(next) = self.acknowledging.next(situation, situation.acknowledgers.as_ref()) else {
            return Ok(());
        };
        let next = coordination::Acknowledgers { servers: next.servers, wait_for: next.wait_for };
        let sets = &self.coordination.acknowledgers;
        let recorded =
            sets.replace(&situation.cluster, self.acknowledgers.as_ref(), next, leadership).await?;
        self.acknowledgers = Some(recorded);
        Ok(())
    }

    /// Whether the primary is dead, and the words for it.
    async fn judge(&mut self, picture: &Picture) -> Result<Option<String>, StepError> {
        let Some(primary) = &picture.primary else { return Ok(None) };
        let patience = Patience { silence: self.options.control.silence, quiet: QUIET };
        let replicas: Vec<_> = picture
            .replicas
            .iter()
            .map(|(server, signs)| {
                let by_us = self.preparation.has_asked(server);
                ReplicaSigns { stopped: signs.stopped && !by_us, ..signs.clone() }
            })
            .collect();
        let verdict = death::judge(primary, &replicas, patience);
        let (word, why) = match &verdict {
            Verdict::Alive => ("alive", ""),
            Verdict::Refusing(why) => ("refusing", why.as_str()),
            Verdict::Suspect(why) => ("suspect", why.as_str()),
            Verdict::CutOff(why) => ("cut off", why.as_str()),
            Verdict::Isolated => ("isolated", "no server of the cluster answers: the fault may be here"),
            Verdict::Dead(why) => ("dead", why.as_str()),
        };
        if self.verdict != Some(word) {
            let before = self.verdict.replace(word);
            let server = picture.situation.primary.clone();
            if before.is_some() || word != "alive" {
                self.steering.note(EventKind::Verdict, server, before.unwrap_or("unknown"), word, why).await;
            }
            if word == "alive" && self.refused.take().is_some() {
                self.steering.writes(Writes::Open).await?;
            }
        }
        Ok(match verdict {
            Verdict::Dead(why) => Some(why),
            _ => None,
        })
    }

    async fn fail_over(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
        why: &str,
    ) -> Result<(), StepError> {
        if situation.primary().is_some_and(|p| p.maintenance) {
            return self.hold_back("the primary is in maintenance".to_owned()).await;
        }
        if self.last_attempt.is_some_and(|at| at.elapsed() < ATTEMPT_PAUSE) {
            return Ok(());
        }
        let pause = self.options.control.pause_between_failovers;
        if self.last_failover.is_some_and(|at| at.elapsed() < pause) {
            let text = format!("the last failover was less than {} s ago", pause.as_secs());
            return self.hold_back(format!("{text}; `hadal failover` does it nevertheless")).await;
        }
        let lossless = self.options.control.lossless;
        match plan::failover(situation, !lossless) {
            Err(refusal) => self.hold_back(refusal.explained()).await,
            Ok(plan) => {
                tracing::warn!(cluster = situation.cluster, why, "the primary is dead\n{plan}");
                self.refused = None;
                let outcome = self.carry_out(situation, plan, !lossless, leadership).await;
                if matches!(outcome, Outcome::Done { .. }) {
                    self.last_failover = Some(Instant::now());
                    self.preparation.forget();
                }
                if !matches!(outcome, Outcome::Done { .. }) {
                    self.last_attempt = Some(Instant::now());
                }
                if let Outcome::Undone(error) = outcome {
                    self.hold_back(error.to_string()).await?;
                }
                Ok(())
            }
        }
    }

    /// Ends the wait for an acknowledgement that will not come. Every replica has what is waited for; whoever waits hears that
    /// the outcome is unknown, and all others go on.
    async fn unstick(&mut self, situation: &Situation) -> Result<(), StepError> {
        let due = self.unstuck.is_none_or(|at| at.elapsed() > UNSTICK_PAUSE);
        let Some(primary) = situation.primary.clone().filter(|_| due) else { return Ok(()) };
        self.unstuck = Some(Instant::now());
        let (to, why) = match fence::end_waiting(&self.options, &primary).await {
            Ok(ended) => {
                ("ended", format!("{ended} commits waited for acknowledgements of what every replica has"))
            }
            Err(error) => ("failed", error.to_string()),
        };
        self.steering.note(EventKind::Action, Some(primary), "waiting", to, &why).await;
        Ok(())
    }

    /// Whether the primary was started again before anybody took its place: servers start read-only.
    fn has_come_back_closed(&self, situation: &Situation) -> bool {
        let closed =
            |p: &Member| p.up && p.read_only && p.restarted && p.replication.is_none() && !p.maintenance;
        let due = self.reopened.is_none_or(|at| at.elapsed() > REOPEN_PAUSE);
        due && situation.primary().is_some_and(closed)
    }

    /// The primary takes writes again, if it has all that its replicas have; if it has lost the end of its binary log, one of
    /// them takes over.
    async fn reopen(&mut self, situation: &Situation, leadership: &Leadership) -> Result<(), StepError> {
        self.reopened = Some(Instant::now());
        let Some(primary) = situation.primary() else { return Ok(()) };
        let lossless = self.options.control.lossless;
        if situation.replicas().any(|replica| !primary.has().covers(&replica.has())) {
            return match plan::failover(situation, !lossless) {
                Err(refusal) => self.hold_back(refusal.explained()).await,
                Ok(plan) => {
                    tracing::warn!(
                        cluster = situation.cluster,
                        "the primary came back with less than its replicas\n{plan}"
                    );
                    self.refused = None;
                    self.carry_out(situation, plan, !lossless, leadership).await;
                    Ok(())
                }
            };
        }
        let missing = situation.acknowledgers.iter().flat_map(|a| &a.servers);
        let missing: Vec<_> =
            missing.filter(|s| !situation.member(s).is_some_and(|m| m.up)).cloned().collect();
        if lossless && !missing.is_empty() {
            let text = format!(
                "the primary {} came back; whether it has everything is not certain before {} is back, too \
                 (`hadal failover {} --allow-loss --force`, or SET GLOBAL read_only=0 there)",
                primary.server,
                missing.join(", "),
                situation.cluster
            );
            return self.hold_back(text).await;
        }
        let waits = lossless && situation.replicas().next().is_some();
        let server = primary.server.clone();
        let opened = match leadership.is_held() {
            true => promote::reopen(&self.options, &server, waits).await,
            false => return Ok(()),
        };
        let (to, why) = match &opened {
            Ok(()) => ("opened", String::new()),
            Err(error) => ("not opened", error.to_string()),
        };
        if opened.is_ok() {
            self.refused = None;
            self.steering.writes(Writes::Open).await?;
        }
        self.steering.note(EventKind::Action, Some(server), "came back", to, &why).await;
        Ok(())
    }

    /// No failover: clients hear so at once, and why.
    async fn hold_back(&mut self, why: String) -> Result<(), StepError> {
        if self.refused.as_ref() == Some(&why) {
            return Ok(());
        }
        self.steering.note(EventKind::Action, None, "failover", "refused", &why).await;
        self.refused = Some(why.clone());
        self.steering.writes(Writes::Refused { why: why.into() }).await
    }

    async fn carry_out(
        &mut self,
        situation: &Situation,
        plan: Plan,
        allow_loss: bool,
        leadership: &Leadership,
    ) -> Outcome {
        let _closed = self.gate.close();
        let runner = Runner {
            options: &self.options,
            coordination: &self.coordination,
            leadership,
            steering: &self.steering,
            situation: situation.clone(),
            allow_loss,
            plan: plan.clone(),
            action: None,
            stragglers: Vec::new(),
            epoch: None,
        };
        let outcome = runner.run().await;
        self.after(&plan, &outcome).await;
        outcome
    }

    async fn after(&mut self, plan: &Plan, outcome: &Outcome) {
        let (to, why) = match outcome {
            Outcome::Done { took, held, stragglers } => {
                self.remember_deposed(plan);
                stragglers.iter().for_each(|server| self.healing.left_out(server));
                plan.left_out.iter().for_each(|left| self.healing.left_out(&left.server));
                (
                    "done",
                    format!("in {} ms, statements were held for {} ms", took.as_millis(), held.as_millis()),
                )
            }
            Outcome::Undone(error) => ("undone", error.to_string()),
            Outcome::Unfinished(error) => {
                // Taken up again as if somebody else had left it.
                self.term = None;
                ("unfinished", error.to_string())
            }
        };
        let server = Some(plan.new.clone());
        self.steering.note(EventKind::Action, server, plan.kind.as_str(), to, &why).await;
    }

    async fn heal(&mut self, situation: &Situation) -> Result<(), StepError> {
        let Some(cure) = self.healing.next(situation, Instant::now()) else { return Ok(()) };
        let primary = situation.primary.clone().unwrap_or_default();
        let (server, what, outcome) = match &cure {
            Cure::Fence(server) => (server, "fenced", fence::fence(&self.options, server).await),
            Cure::Follow(server) => {
                (server, "follows the primary", replica::follow(&self.options, server, &primary).await)
            }
            Cure::Start(server) => (server, "started", replica::start(&self.options, server).await),
            Cure::Quarantine(server, why, extra) => {
                let why = &format!("{why}{}", self.save(situation, server, extra).await);
                let server = Some(server.clone());
                self.steering.note(EventKind::Action, server, "rejoin", "quarantined", why).await;
                return Ok(());
            }
        };
        self.healing.tried(server, outcome.is_ok(), Instant::now());
        let (to, why) = match &outcome {
            Ok(()) => (what, String::new()),
            Err(error) => ("not healed", error.to_string()),
        };
        self.steering.note(EventKind::Action, Some(server.clone()), "rejoin", to, &why).await;
        Ok(())
    }

    /// Keeps what only this server has; says where, or why not.
    async fn save(&self, situation: &Situation, server: &str, extra: &[Extra]) -> String {
        if extra.is_empty() {
            return String::new();
        }
        let position = situation.member(server).map(|m| m.position.clone()).unwrap_or_default();
        match saving::save(&self.options, &situation.cluster, server, extra, &position).await {
            Ok(path) => format!("; they are kept in {}", path.display()),
            Err(why) => format!("; they could not be kept: {why}"),
        }
    }

    async fn obey(&mut self, ordered: Ordered) {
        let outcome = self.try_obey(ordered.order, ordered.dry_run).await;
        // Who asked may have gone.
        drop(ordered.closed);
        let _ = ordered.answer.send(outcome);
    }

    async fn try_obey(&mut self, order: Order, dry_run: bool) -> Result<OrderReport, OrderError> {
        let leadership = self.coordination.election.leadership().ok_or_else(|| {
            OrderError::Unavailable(
                "this node does not lead the cluster now, or the coordination store does not answer".into(),
            )
        })?;
        let picture = self.pictures.borrow().clone();
        let situation = self.situation(&picture);
        let refused = |refusal: Refusal| OrderError::Refused(refusal.explained());
        match order {
            Order::Switchover { to } => {
                let plan = plan::switchover(&situation, to.as_deref()).map_err(refused)?;
                self.order(&situation, plan, false, dry_run, &leadership).await
            }
            Order::Failover { allow_loss, force } => {
                let alive = situation.primary().is_some_and(|p| p.up);
                if alive && !force && !dry_run {
                    let text =
                        "the primary answers: use `hadal switchover`, or --force if it must go at once";
                    return Err(OrderError::Refused(text.into()));
                }
                let allow_loss = allow_loss || !self.options.control.lossless;
                let plan = plan::failover(&situation, allow_loss).map_err(refused)?;
                self.order(&situation, plan, allow_loss, dry_run, &leadership).await
            }
            Order::Rejoin { server } => self.rejoin(&situation, &server, dry_run).await,
            Order::Maintenance { server, on, reason, by } => {
                self.set_maintenance(&situation, &server, on, reason, by).await
            }
        }
    }

    async fn order(
        &mut self,
        situation: &Situation,
        plan: Plan,
        allow_loss: bool,
        dry_run: bool,
        leadership: &Leadership,
    ) -> Result<OrderReport, OrderError> {
        let text = plan.to_string();
        if dry_run {
            return Ok(OrderReport { plan: Some(plan), text, done: false, took_ms: 0, held_ms: 0 });
        }
        match self.carry_out(situation, plan.clone(), allow_loss, leadership).await {
            Outcome::Done { took, held, .. } => {
                if plan.kind == Kind::Failover {
                    self.last_failover = Some(Instant::now());
                }
                let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
                Ok(OrderReport { plan: Some(plan), text, done: true, took_ms: ms(took), held_ms: ms(held) })
            }
            Outcome::Undone(error) => {
                Err(OrderError::Failed(format!("{error}; everything is as it was before")))
            }
            Outcome::Unfinished(error) => {
                Err(OrderError::Failed(format!("{error}; it is not finished, and hadal goes on with it")))
            }
        }
    }

    async fn rejoin(
        &mut self,
        situation: &Situation,
        server: &str,
        dry_run: bool,
    ) -> Result<OrderReport, OrderError> {
        use plan::Rejoin;
        let found = plan::rejoin(situation, server).map_err(|r| OrderError::Refused(r.explained()))?;
        let primary = situation.primary.clone().unwrap_or_default();
        let text = match &found {
            Rejoin::Replicates => format!("{server} replicates from {primary} already"),
            Rejoin::Follow => format!("{server} follows {primary}"),
            Rejoin::Start => format!("the threads of {server} are started"),
            Rejoin::Ahead(extra) => {
                let list: Vec<_> = extra.iter().map(ToString::to_string).collect();
                return Err(OrderError::Refused(format!(
                    "{server} has transactions that the primary never had: {}; it has to be rebuilt",
                    list.join(", ")
                )));
            }
            Rejoin::Broken(why) => {
                return Err(OrderError::Refused(format!("the applying thread of {server} is broken: {why}")));
            }
        };
        let began = Instant::now();
        if !dry_run {
            let outcome = match found {
                Rejoin::Follow => replica::follow(&self.options, server, &primary).await,
                Rejoin::Start => replica::start(&self.options, server).await,
                _ => Ok(()),
            };
            outcome.map_err(|error| OrderError::Failed(error.to_string()))?;
        }
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(OrderReport { plan: None, text, done: !dry_run, took_ms, held_ms: 0 })
    }

    async fn set_maintenance(
        &mut self,
        situation: &Situation,
        server: &str,
        on: bool,
        reason: String,
        by: String,
    ) -> Result<OrderReport, OrderError> {
        if situation.member(server).is_none() {
            return Err(OrderError::Refused(format!("{server} is no server of this cluster")));
        }
        let (cluster, flags) = (&situation.cluster, &self.coordination.maintenance);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let done = match on {
            true => flags.set(cluster, server, &Maintenance { reason: reason.clone(), by, since_ms }).await,
            false => flags.clear(cluster, server).await,
        };
        done.map_err(|error| OrderError::Failed(error.to_string()))?;
        self.flags_read = None;
        let (from, to) = if on { ("in service", "in maintenance") } else { ("in maintenance", "in service") };
        self.steering.note(EventKind::Action, Some(server.to_owned()), from, to, &reason).await;
        let text = format!("{server} is {to}");
        Ok(OrderReport { plan: None, text, done: true, took_ms: 0, held_ms: 0 })
    }
}
