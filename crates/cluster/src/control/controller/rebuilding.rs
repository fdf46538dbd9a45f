//! Beginning, following and ending the rebuild of a server, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Leadership, Rebuild, Versioned};
use tokio::time::Instant;

use super::Controller;
use crate::control::{OrderError, OrderReport};
use crate::events::EventKind;
use crate::execute::StepError;
use crate::plan::{self, RebuildPlan, Situation};
use crate::rebuild::{Job, Progress, RebuildError, RebuildStatus, why_no_way};

/// A rebuild is begun again so often; donors die, hosts restart, leaders change.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(2);
/// After one that failed, hadal begins no other on the same server by itself.
const LONG_PAUSE: Duration = Duration::from_secs(1800);

impl Controller {
    pub(super) async fn order_rebuild(
        &mut self,
        situation: &Situation,
        server: &str,
        dry_run: bool,
        leadership: &Leadership,
    ) -> Result<OrderReport, OrderError> {
        let plan = plan::rebuild(situation, server, None).map_err(|r| OrderError::Refused(r.explained()))?;
        if let Some(lacks) = self.lacks_for_rebuild() {
            return Err(OrderError::Refused(lacks.to_owned()));
        }
        for server in [&plan.server, &plan.donor] {
            if let Some(why) = why_no_way(&self.options.control.rebuild.shell, server).await {
                return Err(OrderError::Refused(why));
            }
        }
        if let Some(other) = self.rebuilding.running() {
            return Err(OrderError::Unavailable(format!("{other} is being rebuilt; one at a time")));
        }
        let mut text = plan.to_string();
        if !dry_run {
            if let Err(error) = self.begin_rebuild(plan, leadership).await {
                // Whether the store has it is found out when the term is begun again.
                self.stop_rebuilding().await.map_err(|error| OrderError::Failed(error.to_string()))?;
                self.term = None;
                return Err(OrderError::Failed(error.to_string()));
            }
            text += "it has begun, and goes on by itself: `hadal status` shows how far it is\n";
        }
        Ok(OrderReport { plan: None, text, done: !dry_run, took_ms: 0, held_ms: 0 })
    }

    fn lacks_for_rebuild(&self) -> Option<&'static str> {
        let control = &self.options.control;
        let rebuild = &control.rebuild;
        if control.replication_user.is_empty() {
            return Some("a rebuilt server needs an account to replicate with: set replication_user");
        }
        let commands = rebuild.stop.is_empty() || rebuild.start.is_empty();
        commands.then_some("rebuild.stop and rebuild.start must say how the server is stopped and started")
    }

    /// For people who read of a server that is left alone.
    pub(super) fn what_rebuilds(&self, server: &str) -> String {
        match self.options.control.rebuild.automatic {
            true => "; it is rebuilt".to_owned(),
            false => format!("; `hadal rejoin {server} --rebuild` gives it another server's data"),
        }
    }

    /// A server that is left alone, where the configuration says that such servers are rebuilt.
    pub(super) async fn rebuild_by_policy(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        if !self.options.control.rebuild.automatic || self.lacks_for_rebuild().is_some() {
            return Ok(());
        }
        let now = Instant::now();
        let due = situation.members.iter().find(|m| {
            self.healing.is_quarantined(&m.server)
                && self.rebuilding.record(&m.server).is_none_or(|record| record.value.failed.is_some())
                && self.rebuilding.may_begin(&m.server, now)
        });
        let Some(server) = due.map(|m| m.server.clone()) else { return Ok(()) };
        match plan::rebuild(situation, &server, None) {
            Ok(plan) => self.begin_rebuild(plan, leadership).await,
            Err(refusal) => {
                self.rebuilding.pause(&server, now + PAUSE);
                tracing::debug!(server, %refusal, "it is not rebuilt yet");
                Ok(())
            }
        }
    }

    async fn begin_rebuild(&mut self, plan: RebuildPlan, leadership: &Leadership) -> Result<(), StepError> {
        let present = self.rebuilding.record(&plan.server).cloned();
        self.write_and_run(plan, present, 1, leadership).await
    }

    /// Everything from the beginning, with a new copy.
    async fn write_and_run(
        &mut self,
        plan: RebuildPlan,
        present: Option<Versioned<Rebuild>>,
        attempts: u32,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let before = present.as_ref().map(|present| present.value.clone()).unwrap_or_default();
        let next = Rebuild {
            // No two attempts of one leader have the same, nor those of two leaders.
            id: leadership.token().0.wrapping_shl(8) | u64::from(before.id as u8).wrapping_add(1) & 0xff,
            donor: plan.donor.clone(),
            position: String::new(),
            history: String::new(),
            attempts,
            failed: None,
            ..before
        };
        let cluster = self.cluster();
        let put = self.coordination.rebuilds.put(&cluster, &plan.server, present.as_ref(), next, leadership);
        let record = put.await?;
        let why = format!("from {}: {}", plan.donor, plan.why);
        let server = Some(plan.server.clone());
        self.steering.note(EventKind::Action, server, "rebuild", "begun", &why).await;
        let extra = self.rebuilding.unsaved(&plan.server, plan.extra);
        self.run_job(&plan.server, record, extra, leadership);
        Ok(())
    }

    fn run_job(
        &mut self,
        server: &str,
        record: Versioned<Rebuild>,
        extra: Vec<topology::Extra>,
        leadership: &Leadership,
    ) {
        let progress = Arc::new(Progress::new(server, record));
        let job = Job {
            options: self.options.clone(),
            coordination: self.coordination.clone(),
            leadership: leadership.clone(),
            steering: self.steering.clone(),
            pictures: self.pictures.clone(),
            cluster: self.cluster(),
            progress: progress.clone(),
            extra,
        };
        self.rebuilding.start(progress, job);
    }

    fn cluster(&self) -> String {
        self.pictures.borrow().situation.cluster.clone()
    }

    /// Whoever leads now goes on.
    pub(super) async fn stop_rebuilding(&mut self) -> Result<(), StepError> {
        for server in self.rebuilding.stop() {
            self.steering.rebuild(&server, None).await?;
        }
        Ok(())
    }

    /// Takes note of how the one that runs is doing, and goes on with one that was left.
    pub(super) async fn tend_rebuild(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let tended = self.try_tend_rebuild(situation, leadership).await;
        if tended.is_err() {
            // The store may have it otherwise than we believe: it is asked again.
            self.stop_rebuilding().await?;
            self.term = None;
        }
        tended
    }

    async fn try_tend_rebuild(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        if let Some((server, record, outcome)) = self.rebuilding.ended() {
            self.after_rebuild(&server, record, outcome, leadership).await?;
        }
        self.look_at_failed(situation, leadership).await?;
        if self.rebuilding.running().is_none()
            && let Some((server, record)) = self.rebuilding.left(Instant::now())
        {
            self.resume_rebuild(situation, &server, record, leadership).await?;
        }
        if let Some((server, status)) = self.rebuilding.news(Instant::now()) {
            self.steering.rebuild(&server, Some(status)).await?;
        }
        Ok(())
    }

    /// Somebody has put it right by hand.
    async fn look_at_failed(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let is_whole = |server: &&String| {
            let position = situation.primary().map(|p| &p.position);
            let has = situation.member(server).zip(position).is_some_and(|(m, at)| m.position.covers(at));
            has && plan::rejoin(situation, server) == Ok(plan::Rejoin::Replicates)
        };
        let Some(server) = self.rebuilding.failed().find(is_whole).cloned() else { return Ok(()) };
        self.coordination.rebuilds.clear(&situation.cluster, &server, leadership).await?;
        self.rebuilding.set(&server, None);
        self.healing.renewed(&server);
        self.steering.rebuild(&server, None).await?;
        self.note_rebuild(&server, "done", "it replicates and has everything, by somebody's hand").await;
        Ok(())
    }

    async fn resume_rebuild(
        &mut self,
        situation: &Situation,
        server: &str,
        record: Versioned<Rebuild>,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        if !record.value.position.is_empty() {
            // The copy is whole, and may be in place.
            self.run_job(server, record, Vec::new(), leadership);
            return Ok(());
        }
        let avoid = (record.value.attempts > 1).then_some(record.value.donor.as_str());
        match plan::rebuild(situation, server, avoid) {
            Ok(plan) => {
                let attempts = record.value.attempts;
                self.write_and_run(plan, Some(record), attempts, leadership).await
            }
            Err(refusal) => {
                self.rebuilding.pause(server, Instant::now() + PAUSE);
                tracing::debug!(server, %refusal, "its rebuild waits");
                self.steering.rebuild(server, Some(RebuildStatus::resting(&record.value))).await
            }
        }
    }

    async fn after_rebuild(
        &mut self,
        server: &str,
        record: Versioned<Rebuild>,
        outcome: Result<(), RebuildError>,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let cluster = self.cluster();
        let error = match outcome {
            Ok(()) => {
                self.coordination.rebuilds.clear(&cluster, server, leadership).await?;
                self.rebuilding.set(server, None);
                self.healing.renewed(server);
                self.steering.rebuild(server, None).await?;
                let why = format!("from {}; it replicates and has everything", record.value.donor);
                self.note_rebuild(server, "done", &why).await;
                return Ok(());
            }
            Err(error) if error.ends_our_part() => return Ok(()),
            Err(error) => error,
        };
        if !error.is_final() && record.value.attempts < ATTEMPTS {
            let next = Rebuild { attempts: record.value.attempts + 1, ..record.value.clone() };
            let written =
                self.coordination.rebuilds.put(&cluster, server, Some(&record), next, leadership).await?;
            self.rebuilding.set(server, Some(written));
            self.rebuilding.pause(server, Instant::now() + PAUSE);
            self.note_rebuild(server, "interrupted", &format!("{error}; it is tried again")).await;
            return Ok(());
        }
        self.rebuilding.pause(server, Instant::now() + LONG_PAUSE);
        self.give_up(server, record, &error, leadership).await
    }

    /// One whose data were not touched is as it was before; of the others it stays known that they are not whole.
    async fn give_up(
        &mut self,
        server: &str,
        record: Versioned<Rebuild>,
        error: &RebuildError,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let cluster = self.cluster();
        if record.value.phase == coordination::RebuildPhase::Copying {
            self.coordination.rebuilds.clear(&cluster, server, leadership).await?;
            self.rebuilding.set(server, None);
            self.steering.rebuild(server, None).await?;
            self.note_rebuild(server, "failed", &format!("{error}; its own data are as they were")).await;
            return Ok(());
        }
        let old = format!("{}.hadal-old", record.value.data_dir);
        let why = format!(
            "{error}; it is neither promoted nor read from; its own data are in {old}, if that is there"
        );
        let next =
            Rebuild { failed: Some(error.to_string()), position: String::new(), ..record.value.clone() };
        let status = RebuildStatus::resting(&next);
        let written =
            self.coordination.rebuilds.put(&cluster, server, Some(&record), next, leadership).await?;
        self.rebuilding.set(server, Some(written));
        self.steering.rebuild(server, Some(status)).await?;
        self.note_rebuild(server, "failed", &why).await;
        Ok(())
    }

    async fn note_rebuild(&self, server: &str, to: &str, why: &str) {
        self.steering.note(EventKind::Action, Some(server.to_owned()), "rebuild", to, why).await;
    }
}
