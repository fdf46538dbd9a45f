//! Going through a plan.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Action, Leadership, Schedule, Versioned};
use serde_json::{Value, json};
use tokio::time::Instant;
use topology::{Position, Writes};

use super::looking::{last_position, look, look_again};
use super::together::{all, each, while_leading};
use super::{StepError, demote, events, promote, replica};
use crate::control::{Coordination, Steering};
use crate::options::ObserveOptions;
use crate::plan::{Kind, Member, Plan, Situation, Step, failover, most_advanced};

/// How a plan ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// `stragglers` do not follow the new primary yet.
    /// `reaches`: what the new primary had when it was promoted, where that was everything.
    Done { took: Duration, held: Duration, stragglers: Vec<String>, reaches: Option<Position> },
    /// Everything is as it was before.
    Undone(StepError),
    /// It stands half-way, and whoever leads goes on with it.
    Unfinished(StepError),
}

/// Carries out one plan.
pub(crate) struct Runner<'a> {
    pub(crate) options: &'a Arc<ObserveOptions>,
    pub(crate) coordination: &'a Coordination,
    pub(crate) leadership: &'a Leadership,
    pub(crate) steering: &'a Steering,
    /// As it was when the plan was made.
    pub(crate) situation: Situation,
    pub(crate) allow_loss: bool,
    pub(crate) plan: Plan,
    pub(crate) action: Option<Versioned<Action>>,
    /// Servers that could not be pointed to the new primary.
    pub(crate) stragglers: Vec<String>,
    /// The epoch that this run has opened.
    pub(crate) epoch: Option<u64>,
    /// What the new primary has when it is promoted, where that is everything that was acknowledged.
    pub(crate) reaches: Option<Position>,
}

impl Runner<'_> {
    /// From the first step that the journal does not have.
    pub(crate) async fn run(mut self) -> Outcome {
        let began = Instant::now();
        let mut held = None;
        let mut at = 0;
        let mut failures = 0;
        if let Err(error) = self.begin().await {
            // It may have been written nevertheless, or somebody else's is unfinished: the journal is to be read first.
            return match error.is_of_the_store() {
                true => Outcome::Unfinished(error),
                false => Outcome::Undone(error),
            };
        }
        if let Some(why) = self.action.as_ref().and_then(|action| undoing(&action.value)) {
            let server = self.plan.new.clone();
            return self.undo(StepError::Unexpected { server, why }).await;
        }
        let done = self.action.as_ref().map_or(0, |action| steps_made(&action.value));
        self.reaches = self.action.as_ref().and_then(|action| reaches_of(&action.value));
        while let Some(step) = self.plan.steps.get(at).cloned() {
            let repeat = self.is_repeated(&step);
            if at >= done || repeat {
                if matches!(step, Step::Hold { .. }) {
                    held.get_or_insert_with(Instant::now);
                }
                tracing::info!(cluster = self.plan.cluster, step = step.name(), "a step begins");
                let leadership = self.leadership;
                let made = while_leading(leadership, self.make(&step)).await;
                tracing::info!(
                    cluster = self.plan.cluster,
                    step = step.name(),
                    ?made,
                    ms = began.elapsed().as_millis(),
                    "a step was made"
                );
                if let Err(error) = made {
                    failures += 1;
                    if error.ends_our_part() {
                        return Outcome::Unfinished(error);
                    }
                    if self.may_undo(at.max(done)) || self.is_not_promoted(&step, at.max(done)).await {
                        return self.undo(error).await;
                    }
                    if failures > MOST_FAILURES {
                        return Outcome::Unfinished(error);
                    }
                    tracing::warn!(cluster = self.plan.cluster, step = step.name(), %error, "a step failed and is repeated");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
                if at >= done
                    && let Err(error) = self.note(&step).await
                {
                    return Outcome::Unfinished(error);
                }
            }
            at += 1;
        }
        let stragglers = std::mem::take(&mut self.stragglers);
        let (took, held) = (began.elapsed(), held.map_or(Duration::ZERO, |held| held.elapsed()));
        let outcome =
            json!({"done": true, "ms": took.as_millis() as u64, "held_ms": held.as_millis() as u64});
        match self.finish(outcome).await {
            Ok(()) => Outcome::Done { took, held, stragglers, reaches: self.reaches },
            Err(error) => Outcome::Unfinished(error),
        }
    }

    /// The demotion stopped the server's event scheduler.
    async fn run_events_again(&self, server: &str) {
        let recorded = self.coordination.schedules.current(&self.plan.cluster).await;
        let had = |schedule: &Schedule| schedule.of == server && schedule.scheduler;
        if matches!(recorded, Ok(Some(recorded)) if had(&recorded.value))
            && let Err(error) = events::start(self.options, server).await
        {
            tracing::warn!(server, %error, "its event scheduler was not started again");
        }
    }

    async fn begin(&mut self) -> Result<(), StepError> {
        if self.action.is_some() {
            return Ok(());
        }
        let plan = serde_json::to_value(&self.plan).unwrap_or(Value::Null);
        let (cluster, kind) = (&self.plan.cluster, self.plan.kind.as_str());
        self.action = Some(self.coordination.journal.begin(cluster, kind, plan, self.leadership).await?);
        Ok(())
    }

    async fn note(&mut self, step: &Step) -> Result<(), StepError> {
        let Some(action) = self.action.take() else { return Ok(()) };
        let mut detail = serde_json::to_value(step).unwrap_or(Value::Null);
        if let (Step::Drain { .. } | Step::CatchUp { .. }, Some(reaches)) = (step, &self.reaches) {
            detail[REACHES] = Value::String(reaches.to_string());
        }
        let (cluster, name) = (&self.plan.cluster, step.name());
        self.action =
            Some(self.coordination.journal.append(cluster, action, name, detail, self.leadership).await?);
        Ok(())
    }

    /// Whoever goes on after us goes on with the plan as it is now.
    async fn note_plan(&mut self) -> Result<(), StepError> {
        let Some(action) = self.action.take() else { return Ok(()) };
        let plan = serde_json::to_value(&self.plan).unwrap_or(Value::Null);
        let journal = &self.coordination.journal;
        self.action =
            Some(journal.append(&self.plan.cluster, action, REPLANNED, plan, self.leadership).await?);
        Ok(())
    }

    /// Before anything is undone: the old primary takes writes then, and its replicas receive them. Whoever goes on with the plan
    /// after that would promote a server that lacks them.
    async fn note_undoing(&mut self, error: &StepError) -> Result<(), StepError> {
        let Some(action) = self.action.take_if(|action| undoing(&action.value).is_none()) else {
            return Ok(());
        };
        let (cluster, why) = (&self.plan.cluster, Value::String(error.to_string()));
        let journal = &self.coordination.journal;
        self.action = Some(journal.append(cluster, action, UNDOING, why, self.leadership).await?);
        Ok(())
    }

    async fn finish(&mut self, outcome: Value) -> Result<(), StepError> {
        let Some(action) = self.action.take() else { return Ok(()) };
        self.coordination.journal.finish(&self.plan.cluster, action, outcome, self.leadership).await?;
        Ok(())
    }

    /// Until a server is promoted, everything can be as it was. Of what somebody else began, the step after the last one that was
    /// noted may have been made, too.
    fn may_undo(&self, at: usize) -> bool {
        promotion(&self.plan).is_none_or(|promoted| at < promoted)
    }

    /// Its promotion failed, and it still replicates: nothing of it was made that matters.
    async fn is_not_promoted(&self, step: &Step, at: usize) -> bool {
        let Step::Promote { server } = step else { return false };
        let replicates = while_leading(self.leadership, look(self.options, server)).await;
        promotion(&self.plan) == Some(at) && replicates.is_ok_and(|seen| !seen.channels.is_empty())
    }

    async fn undo(mut self, error: StepError) -> Outcome {
        let leadership = self.leadership;
        match while_leading(leadership, self.try_undo(&error)).await {
            Ok(()) => Outcome::Undone(error),
            Err(undoing) => {
                tracing::error!(cluster = self.plan.cluster, %error, %undoing, "a plan cannot be undone now");
                Outcome::Unfinished(undoing)
            }
        }
    }

    async fn try_undo(&mut self, error: &StepError) -> Result<(), StepError> {
        self.note_undoing(error).await?;
        let mut closed = None;
        for step in self.plan.steps.clone().iter().rev() {
            match step {
                // Once restarted it may lack what it had; it is looked at before it is opened again.
                Step::Demote { server } if self.situation.member(server).is_some_and(|m| m.restarted) => {
                    tracing::warn!(
                        server,
                        "it was restarted, and is not made writable before it is known to have everything"
                    );
                }
                // Whoever leads looks after it, as after any primary that is lost.
                Step::Demote { server } if self.situation.member(server).is_none_or(|m| !m.up) => {
                    tracing::warn!(server, "it does not answer, and is made writable when it is back");
                    closed = Some(server.clone());
                }
                Step::Demote { server } => {
                    demote::restore(self.options, server).await?;
                    self.run_events_again(server).await;
                }
                Step::StopReceiving { servers } => {
                    let resumed = each(self.options, servers, |options, server| async move {
                        replica::resume_receiving(&options, &server).await
                    });
                    for (server, resumed) in resumed.await {
                        if let Err(error) = resumed {
                            tracing::warn!(server, %error, "a replica does not receive again yet");
                        }
                    }
                }
                _ => {}
            }
        }
        let writes = match self.plan.kind {
            Kind::Switchover => Writes::Open,
            Kind::Failover => Writes::Refused { why: error.to_string().into() },
        };
        look_again(self.options, self.steering, &self.situation).await;
        self.steering.writes(writes).await?;
        self.finish(json!({"done": false, "undone": error.to_string(), "closed": closed})).await
    }

    async fn make(&mut self, step: &Step) -> Result<(), StepError> {
        if !self.leadership.is_held() {
            return Err(coordination::NotLeading::LeaseOver.into());
        }
        match step {
            Step::Hold { finish } => {
                let why = format!("a {} is under way", self.plan.kind.as_str()).into();
                self.steering.writes(Writes::Held { why, finish: *finish }).await
            }
            Step::Demote { server } => demote::demote(self.options, server).await,
            Step::CatchUp { server, with } => {
                let position = last_position(self.options, with).await?;
                let limit = self.options.control.switchover_timeout;
                replica::catch_up(self.options, server, &position, limit).await?;
                self.reaches = Some(position);
                Ok(())
            }
            Step::Fence => self.fence().await,
            Step::StopReceiving { servers } => {
                all(each(self.options, servers, |o, s| async move { replica::stop_receiving(&o, &s).await })
                    .await)
            }
            Step::Drain { servers } => {
                all(each(self.options, servers, |o, s| async move { replica::drain(&o, &s).await }).await)?;
                self.plan_again().await
            }
            Step::Level { server, from } => replica::level(self.options, server, from).await,
            Step::Promote { server } => {
                let waits = self.options.control.lossless && self.has_followers();
                promote::promote(self.options, server, waits).await
            }
            Step::Repoint { servers, to } => self.repoint(servers, to).await,
            Step::AwaitAcknowledger { server } => promote::await_acknowledger(self.options, server).await,
            Step::Open { server } => promote::open(self.options, server).await,
            Step::Release => {
                look_again(self.options, self.steering, &self.situation).await;
                self.steering.writes(Writes::Open).await
            }
        }
    }

    /// What gateways were told is forgotten with the process that told them; and what a server was told does not outlive its
    /// process: one that was restarted after it was promoted, or after it was pointed to another source, neither waits nor
    /// replicates. Everything else lasts.
    fn is_repeated(&self, step: &Step) -> bool {
        match step {
            Step::Hold { .. } | Step::Fence | Step::Promote { .. } | Step::Repoint { .. } | Step::Release => {
                true
            }
            Step::Open { server } => self.is_whole(server),
            _ => false,
        }
    }

    /// Whether it has everything that servers have which were pointed to it: a primary that was restarted may have dropped the
    /// end of its binary log.
    fn is_whole(&self, server: &str) -> bool {
        let Some(new) = self.situation.member(server) else { return false };
        let covers = |other: &String| {
            let other = self.situation.member(other).filter(|other| other.up && !other.is_forgetful());
            other.is_some_and(|other| new.has().covers(&other.has()))
        };
        self.plan.steps.iter().all(|step| match step {
            Step::Repoint { servers, .. } => servers.iter().all(covers),
            _ => true,
        })
    }

    fn has_followers(&self) -> bool {
        self.plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::Repoint { servers, .. } if !servers.is_empty()))
    }

    /// One epoch to a run: who goes on with a plan that somebody else began opens another, which does no harm.
    async fn fence(&mut self) -> Result<(), StepError> {
        if self.epoch.is_none() {
            let cluster = &self.plan.cluster;
            let current = self.coordination.epochs.current(cluster).await?;
            let next = self.coordination.epochs.open_next(cluster, current, self.leadership).await?;
            self.epoch = Some(next.value.number);
        }
        // Where commits wait for nobody, a node that is cut off may still write to the old primary: until its session is over.
        // And where they wait, a server that is lost with the old primary may acknowledge there, although it has left the record.
        let lost = |m: &Member| !m.up && Some(&m.server) != self.plan.old.as_ref();
        let unsafe_until_heard = !self.options.control.lossless || self.situation.members.iter().any(lost);
        let patience = (self.plan.kind == Kind::Failover && unsafe_until_heard)
            .then_some(self.options.control.session_end);
        self.steering.next_epoch(self.epoch.unwrap_or_default(), patience).await
    }

    /// One that cannot follow now is looked after later; one at least must.
    async fn repoint(&mut self, servers: &[String], to: &str) -> Result<(), StepError> {
        let to = to.to_owned();
        let outcomes = each(self.options, servers, move |o, s| {
            let to = to.clone();
            async move { replica::follow(&o, &s, &to).await }
        })
        .await;
        let mut failed = None;
        let mut followed = false;
        for (server, outcome) in outcomes {
            match outcome {
                Ok(()) => followed = true,
                Err(error) => {
                    tracing::warn!(cluster = self.plan.cluster, server, %error, "a server does not follow the new primary yet");
                    self.stragglers.push(server);
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if !followed => Err(error),
            _ => Ok(()),
        }
    }

    /// With everything applied it may show that another server has more, or that one has broken on the way.
    async fn plan_again(&mut self) -> Result<(), StepError> {
        let stopped = self.plan.steps.iter().find_map(|step| match step {
            Step::StopReceiving { servers } => Some(servers.clone()),
            _ => None,
        });
        for server in &stopped.unwrap_or_default() {
            let seen = look(self.options, server).await?;
            if let Some(member) = self.situation.members.iter_mut().find(|m| m.server == *server) {
                member.position = seen.reached.clone();
                member.history = seen.durability.history.clone();
                member.base = seen.durability.base.clone();
                if let (Some(replication), Some(channel)) = (&mut member.replication, seen.channels.first()) {
                    replication.received = channel.received.clone();
                }
            }
        }
        let plan = failover(&self.situation, self.allow_loss)?;
        let promotes = |plan: &Plan| -> Vec<Step> {
            plan.steps
                .iter()
                .filter(|s| matches!(s, Step::Level { .. } | Step::Promote { .. }))
                .cloned()
                .collect()
        };
        if promotes(&plan) != promotes(&self.plan) {
            tracing::warn!(
                cluster = plan.cluster,
                from = self.plan.new,
                to = plan.new,
                "the plan changed after draining"
            );
            self.plan = Plan { epoch: self.plan.epoch, ..plan };
            self.note_plan().await?;
        }
        self.reaches = self.plan.proof.is_lossless().then(|| most_advanced(&self.situation));
        Ok(())
    }
}

/// After so many failed steps the servers are looked at anew.
const MOST_FAILURES: u32 = 5;

/// Where the journal keeps what a new primary has when it is promoted.
const REACHES: &str = "reaches";

/// See [`Runner::reaches`].
pub(crate) fn reaches_of(action: &Action) -> Option<Position> {
    let noted = |step: &coordination::Step| step.detail[REACHES].as_str()?.parse().ok();
    action.steps.iter().rev().find_map(noted)
}

fn promotion(plan: &Plan) -> Option<usize> {
    plan.steps.iter().position(|s| matches!(s, Step::Promote { .. }))
}

/// Whether the new primary was promoted, or may have been: the step after the last one that was noted may have been made, too.
pub(crate) fn may_have_promoted(action: &Action, plan: &Plan) -> bool {
    undoing(action).is_none() && promotion(plan).is_some_and(|promotion| steps_made(action) >= promotion)
}

/// As the journal calls a plan that replaces the one of the beginning.
const REPLANNED: &str = "replanned";

/// As the journal calls it that a plan is taken back.
const UNDOING: &str = "undoing";

/// Why an action is being undone, if it is.
fn undoing(action: &Action) -> Option<String> {
    let step = action.steps.iter().find(|step| step.name == UNDOING)?;
    Some(step.detail.as_str().unwrap_or_default().to_owned())
}

/// The plan of an action as it was when its last step was noted.
pub(crate) fn plan_of(action: &Action) -> Result<Plan, serde_json::Error> {
    let newest = action.steps.iter().rev().find(|step| step.name == REPLANNED).map(|step| &step.detail);
    serde_json::from_value(newest.unwrap_or(&action.plan).clone())
}

fn steps_made(action: &Action) -> usize {
    action.steps.iter().filter(|step| step.name != REPLANNED && step.name != UNDOING).count()
}

#[cfg(test)]
mod tests {
    use coordination::Token;

    use super::*;
    use crate::plan::Proof;

    fn plan(new: &str) -> Value {
        let plan = Plan {
            kind: Kind::Failover,
            cluster: "main".into(),
            epoch: 1,
            old: Some("a:1".into()),
            new: new.into(),
            why: String::new(),
            proof: Proof::Lossless { why: String::new() },
            steps: vec![Step::Promote { server: new.into() }],
            left_out: Vec::new(),
            warnings: Vec::new(),
        };
        serde_json::to_value(plan).unwrap()
    }

    #[test]
    fn a_successor_goes_on_with_the_plan_as_it_was_changed() {
        let step =
            |name: &str, detail: Value| coordination::Step { name: name.into(), detail, token: Token(7) };
        let steps = vec![step("hold", Value::Null), step(REPLANNED, plan("c:1")), step("drain", Value::Null)];
        let (kind, token) = ("failover".to_owned(), Token(7));
        let mut action = Action { number: 1, kind, plan: plan("b:1"), token, steps, outcome: None };
        assert_eq!(plan_of(&action).unwrap().new, "c:1");
        assert_eq!((steps_made(&action), undoing(&action)), (2, None));
        action.steps.push(step(UNDOING, "no answer".into()));
        assert_eq!((steps_made(&action), undoing(&action)), (2, Some("no answer".to_owned())));
        action.steps.clear();
        assert_eq!(plan_of(&action).unwrap().new, "b:1");
    }
}
