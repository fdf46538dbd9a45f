//! The record of which events the primary runs, so that its successor runs them, too.
//!
//! Looking may take as long as a server does not answer, and the controller must not wait for that: it is done beside it.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Leadership, Schedule, Versioned};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Coordination, Steering};
use crate::events::EventKind;
use crate::execute::StepError;
use crate::execute::events::{self, Looked};
use crate::options::ObserveOptions;
use crate::plan::Situation;

/// What is switched on or off within this time before a primary dies may be missed.
const EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Default)]
pub(super) struct Scheduling {
    known: Option<Versioned<Schedule>>,
    /// Which primary was looked at last, and when.
    looked: Option<(String, Instant)>,
    task: JoinSet<Result<Looked, StepError>>,
    /// Told once.
    trouble: Option<String>,
}

impl Scheduling {
    /// Begins with what the store has.
    pub(super) fn begin(&mut self, known: Option<Versioned<Schedule>>) {
        *self = Self { known, ..Self::default() };
    }

    /// Looks where a look is due, and keeps what the last one brought.
    pub(super) async fn consider(
        &mut self,
        options: &Arc<ObserveOptions>,
        coordination: &Coordination,
        steering: &Steering,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        if let Some(done) = self.task.try_join_next() {
            match done.unwrap_or(Err(StepError::Stopping)) {
                Ok(looked) => self.keep(coordination, steering, situation, leadership, looked).await?,
                Err(error) => self.complain(steering, None, error.to_string()).await,
            }
        }
        let Some(primary) = situation.primary().filter(|p| p.up && !p.read_only) else { return Ok(()) };
        let fresh = |(server, at): &(String, Instant)| *server == primary.server && at.elapsed() < EVERY;
        if self.looked.as_ref().is_some_and(fresh) || !self.task.is_empty() {
            return Ok(());
        }
        self.looked = Some((primary.server.clone(), Instant::now()));
        let (options, server) = (options.clone(), primary.server.clone());
        let known = self.known.as_ref().map(|known| known.value.clone());
        self.task.spawn(async move {
            let looked = events::look(&options, &server, known.as_ref()).await;
            let former = known.filter(|known| known.of != server && known.scheduler);
            if let (Ok(_), Some(former)) = (&looked, former)
                && let Err(error) = events::rest(&options, &former.of).await
            {
                tracing::info!(server = former.of, %error, "its event scheduler was not stopped");
            }
            looked
        });
        Ok(())
    }

    async fn keep(
        &mut self,
        coordination: &Coordination,
        steering: &Steering,
        situation: &Situation,
        leadership: &Leadership,
        looked: Looked,
    ) -> Result<(), StepError> {
        let server = Some(looked.schedule.of.clone());
        if situation.primary != server {
            return Ok(());
        }
        if looked.enabled > 0 {
            let why = format!("{} events run on the new primary", looked.enabled);
            steering.note(EventKind::Action, server.clone(), "events", "enabled", &why).await;
        }
        match looked.trouble {
            Some(why) => {
                self.complain(steering, server, why).await;
                // The next look tries again, as long as the record names another server.
                return Ok(());
            }
            None => self.trouble = None,
        }
        if self.known.as_ref().is_some_and(|known| is_same(&known.value, &looked.schedule)) {
            return Ok(());
        }
        let schedules = &coordination.schedules;
        let kept =
            schedules.replace(&situation.cluster, self.known.as_ref(), looked.schedule, leadership).await?;
        let schedule = &kept.value;
        let clock = if schedule.scheduler { "on" } else { "off" };
        if self.known.is_some() || !schedule.events.is_empty() {
            let why = format!("{} are switched on, the scheduler is {clock}", schedule.events.len());
            steering.note(EventKind::Action, server, "events", "recorded", &why).await;
        }
        self.known = Some(kept);
        Ok(())
    }

    async fn complain(&mut self, steering: &Steering, server: Option<String>, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            steering.note(EventKind::Action, server, "events", "not enabled", &why).await;
            self.trouble = Some(why);
        }
    }
}

/// The start is not known to the second.
fn is_same(a: &Schedule, b: &Schedule) -> bool {
    let near = a.started.abs_diff(b.started) <= events::SAME_START;
    near && Schedule { started: b.started, ..a.clone() } == *b
}
