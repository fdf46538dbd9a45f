//! What a term of office begins with, and what only the store knows.

use coordination::{Acknowledgers, Leadership};
use std::collections::BTreeMap;
use tokio::time::Instant;
use topology::Writes;

use super::succession::Past;
use super::{Controller, FLAGS_EVERY};
use crate::board::Picture;
use crate::control::acknowledging;
use crate::events::EventKind;
use crate::execute::{Outcome, Runner, StepError, may_have_promoted, plan_of};
use crate::plan::{self, Plan, Situation};

impl Controller {
    /// What a term of office begins with: the epoch, and what a former leader left half-done.
    pub(super) async fn begin_term(
        &mut self,
        picture: &Picture,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        if self.term == Some(leadership.token()) {
            return Ok(());
        }
        let cluster = &picture.situation.cluster;
        self.steering.lead(Some(leadership));
        if let Some(epoch) = self.coordination.epochs.current(cluster).await? {
            self.steering.begin_with_epoch(epoch.value.number).await?;
        }
        self.acknowledgers = self.coordination.acknowledgers.current(cluster).await?;
        self.scheduling.begin(self.coordination.schedules.current(cluster).await?);
        // What a former leader did to them is not known.
        picture.situation.members.iter().for_each(|member| self.healing.touched(&member.server));
        let told = self.assembly.borrow().announcement.clone();
        self.preparation.adopt(told.map(|told| told.value.prepared).unwrap_or_default());
        if !self.rebuilding.is_of(leadership.token()) {
            self.stop_rebuilding().await?;
            let records = self.coordination.rebuilds.list(cluster).await?;
            self.rebuilding.begin_term(leadership.token(), records);
        }
        self.past = Past::default();
        for action in self.coordination.journal.history(cluster).await? {
            if let Some(plan) = self.past.read(&action) {
                self.remember_deposed(&plan);
            }
        }
        if self.past.closed.is_some() {
            // Whom they would receive from may be the primary of before.
            self.preparation.forget();
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
            let situation = self.situation(picture);
            let is_lost = |server: &str| situation.member(server).is_none_or(|m| !m.up);
            if may_have_promoted(&action.value, &plan) && is_lost(&plan.new) {
                return self.let_go(&plan, action, leadership).await;
            }
            let closes = plan.old.clone().filter(|old| plan.demotes(old) && is_lost(old));
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
                situation,
                allow_loss: !plan.proof.is_lossless(),
                plan: plan.clone(),
                action: Some(action),
                stragglers: Vec::new(),
                epoch: None,
                reaches: None,
            };
            let outcome = runner.run().await;
            self.after(&plan, &outcome).await;
            if let Outcome::Undone(error) = &outcome {
                // Where the primary lives, its return opens the line again.
                (self.refused, self.verdict) = (Some(error.to_string()), None);
                self.past.closed = closes;
            }
            if matches!(outcome, Outcome::Unfinished(_)) {
                return Ok(());
            }
        } else {
            // Whatever all nodes were told before: nothing is under way. What speaks against writes is told again.
            self.refused = None;
            self.steering.writes(Writes::Open).await?;
        }
        self.term = Some(leadership.token());
        self.steering.note(EventKind::Leadership, None, "not leading", "leading", "").await;
        Ok(())
    }

    pub(super) fn remember_deposed(&mut self, plan: &Plan) {
        if let Some(old) = &plan.old {
            self.healing.depose(old);
        }
        self.healing.promoted(&plan.new);
    }

    pub(super) async fn read_flags(&mut self, cluster: &str) -> Result<(), StepError> {
        if self.flags_read.is_some_and(|at| at.elapsed() < FLAGS_EVERY) {
            return Ok(());
        }
        let flags = self.coordination.maintenance.list(cluster).await?;
        let flags: BTreeMap<_, _> = flags.into_iter().map(|(server, flag)| (server, flag.reason)).collect();
        if flags != self.maintenance {
            self.steering.maintenance(flags.clone()).await?;
            self.maintenance = flags;
        }
        self.flags_read = Some(Instant::now());
        Ok(())
    }

    /// The board's, with what only the store knows.
    pub(super) fn situation(&self, picture: &Picture) -> Situation {
        let mut situation = picture.situation.clone();
        for member in &mut situation.members {
            member.maintenance =
                self.maintenance.contains_key(&member.server) || self.cloning.is_at_work_on(&member.server);
            member.rebuilding = self.rebuilding.of(&member.server);
        }
        if let Some(recorded) = &self.acknowledgers {
            acknowledging::recall(&mut situation, &picture.starts, &recorded.value);
        }
        let recorded = self.acknowledgers.as_ref().map(|recorded| plan::Acknowledgers {
            servers: recorded.value.servers.clone(),
            wait_for: recorded.value.wait_for,
        });
        situation.acknowledgers = recorded.map(|recorded| self.past.acknowledgers(&situation, recorded));
        situation
    }

    pub(super) async fn record_acknowledgers(
        &mut self,
        situation: &Situation,
        picture: &Picture,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let present = self.acknowledgers.as_ref().map(|recorded| &recorded.value);
        let next = self.acknowledging.next(situation, &picture.starts, present);
        let Some(servers) = next.as_ref().or(present).map(|set| &set.servers) else { return Ok(()) };
        // Before a server is left out: a node that has not heard of it may believe that the server keeps a failover from coming.
        let heard = self.steering.acknowledgers(servers).await?;
        let Some(next) = next else { return Ok(()) };
        let next = if heard { next } else { with_all_of(next, present, situation.primary.as_ref()) };
        if Some(&next) == present {
            return Ok(());
        }
        let sets = &self.coordination.acknowledgers;
        let recorded =
            sets.replace(&situation.cluster, self.acknowledgers.as_ref(), next, leadership).await?;
        self.acknowledgers = Some(recorded);
        Ok(())
    }
}

/// The same record with those of `present` that it leaves out. The primary does not acknowledge its own commits.
fn with_all_of(
    mut next: Acknowledgers,
    present: Option<&Acknowledgers>,
    primary: Option<&String>,
) -> Acknowledgers {
    let Some(present) = present else { return next };
    for server in present.servers.iter().filter(|server| Some(*server) != primary) {
        next.servers.insert(server.clone());
        if let (Some(at), false) = (present.started.get(server), next.started.contains_key(server)) {
            next.started.insert(server.clone(), *at);
        }
    }
    next
}
