//! Running one command to its end: where it goes, and what happens after a try that failed.

use std::time::Instant;

use mysql_wire::scan::ResponseKind;
use sql::{Effects, Reason};

use super::attempt::Tried;
use super::decide::route_refusal;
use super::job::Job;
use super::recover::Recovered;
use super::response::Seen;
use super::{End, Session};
use crate::route::{Decision, RouteError, Why};

/// How a command ended.
pub(super) enum Ran {
    /// The client has its answer; this is what the answer told.
    Answered(Seen),
    /// The gateway answered with an error of its own; nothing was executed, or nothing is known of it.
    Refused,
}

/// A read may be tried on a replica, then on the primary, and once more on a fresh connection. Waiting for a primary is no
/// try.
const MOST_TRIES: u8 = 4;

/// What comes after a try that has not answered the client.
enum Next {
    /// Another try, on the primary for this reason.
    Try(Option<Why>),
    /// The same try: it had to wait for a primary.
    TryAfterWait,
    /// Nothing.
    End(Ran),
}

impl Session {
    /// Runs a command to its end. An `Err` ends the session.
    pub(super) async fn run(&mut self, job: Job<'_>) -> Result<Ran, End> {
        if self.worker.core.global_changes.count() != self.globals_seen {
            self.keep_globals();
        }
        let ran = match job.facts.effects.contains(Effects::SETS_GLOBAL) && job.kind != ResponseKind::Prepare
        {
            true => Box::pin(self.run_setting_globals(job)).await,
            false => self.run_routed(job).await,
        };
        self.direct_to = None;
        ran
    }

    pub(super) async fn run_routed(&mut self, job: Job<'_>) -> Result<Ran, End> {
        let began = Instant::now();
        self.clock = began;
        self.shared.clear_interrupt();
        self.shared.forget_kills();
        if self.has_to_prepare(&job) && !Box::pin(self.prepare_to_run(&job)).await? {
            return Ok(Ran::Refused);
        }
        if !self.go_to_cluster(&job, began).await? {
            return Ok(Ran::Refused);
        }
        if self.split.is_some() && !self.stays_on_replica(&job) && !self.enter_primary(&job).await? {
            return Ok(Ran::Refused);
        }
        let mut avoid: Option<Why> = None;
        let mut tries = 0;
        while tries < MOST_TRIES {
            if self.holds_outdated() && !Box::pin(self.leave_former_epoch(&job, began)).await? {
                self.count_refused(&job, began);
                return Ok(Ran::Refused);
            }
            let decision = match avoid.take() {
                Some(why) => self.decide_primary(why),
                None => self.decide(&job),
            };
            let decision = match decision {
                Ok(decision) => decision,
                Err(error) => match self.wait_to_route(&job, &error, began).await? {
                    true => continue,
                    false => return Ok(Ran::Refused),
                },
            };
            tries += 1;
            match self.try_on(&job, &decision, began).await? {
                Tried::Done(seen) => return Ok(Ran::Answered(seen)),
                failed => match self.after(failed, &job, &decision, began).await? {
                    Next::Try(why) => avoid = why,
                    Next::TryAfterWait => tries -= 1,
                    Next::End(ran) => return Ok(ran),
                },
            }
        }
        self.count_refused(&job, began);
        let text = "the statement was not run: every connection to the server broke at once; try again";
        self.refuse(job.command.sequence, 1158, "08S01", text).await?;
        Ok(Ran::Refused)
    }

    /// Whether something has to be noted, or fetched, before the command is routed.
    fn has_to_prepare(&self, job: &Job<'_>) -> bool {
        self.replay.is_some() || may_ask_for_last_value(job)
    }

    /// Does that. False: the client has been told why it cannot be done.
    async fn prepare_to_run(&mut self, job: &Job<'_>) -> Result<bool, End> {
        if self.replay.is_some() {
            self.note_start(job).await?;
        }
        match may_ask_for_last_value(job) {
            true => self.prepare_last_value(job).await,
            false => Ok(true),
        }
    }

    /// Chooses the cluster, and takes the opening of a transaction there. False: the client has been told why not.
    async fn go_to_cluster(&mut self, job: &Job<'_>, began: Instant) -> Result<bool, End> {
        if !self.ruled {
            return Ok(true);
        }
        if let Err(why) = self.aim(job) {
            self.count_refused(job, began);
            self.refuse_route(job.command.sequence, &why).await?;
            return Ok(false);
        }
        if self.moves
            && let Some(refusal) = Box::pin(self.move_opening(job)).await?
        {
            self.count_refused(job, began);
            self.send_error(job.command.sequence, &refusal).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes a transaction from its replica to the primary. False: the client has been told why not.
    async fn enter_primary(&mut self, job: &Job<'_>) -> Result<bool, End> {
        match Box::pin(self.leave_split(job)).await? {
            None => Ok(true),
            Some(refusal) => {
                self.send_error(job.command.sequence, &refusal).await?;
                Ok(false)
            }
        }
    }

    /// After the routing has refused: waits, where that helps. False: the client has been told why not.
    async fn wait_to_route(
        &mut self,
        job: &Job<'_>,
        error: &RouteError,
        began: Instant,
    ) -> Result<bool, End> {
        if self.is_worth_holding(error) {
            return self.wait_for_primary(job, began, route_refusal(error)).await;
        }
        self.count_refused(job, began);
        self.refuse_route(job.command.sequence, error).await?;
        Ok(false)
    }

    /// After a try that has failed.
    async fn after(
        &mut self,
        failed: Tried,
        job: &Job<'_>,
        decision: &Decision,
        began: Instant,
    ) -> Result<Next, End> {
        let next = match failed {
            Tried::Done(seen) => Next::End(Ran::Answered(seen)),
            Tried::Refused => Next::End(Ran::Refused),
            Tried::ReplicaRefused => match self.split.is_none() || self.enter_primary(job).await? {
                true => Next::Try(self.held.is_none().then_some(Why::ReplicaFailed)),
                false => Next::End(Ran::Refused),
            },
            Tried::NoEffect(why) if decision.on_replica => {
                tracing::debug!(session = self.shared.id, why, "a replica failed; trying the primary");
                Next::Try(Some(Why::ReplicaFailed))
            }
            Tried::NoEffect(_) => Next::Try(None),
            Tried::Await(why) => match self.wait_for_primary(job, began, why).await? {
                true => Next::TryAfterWait,
                false => Next::End(Ran::Refused),
            },
            Tried::Unknown(why) => match Box::pin(self.recover(job, began)).await? {
                Recovered::Again => Next::Try(None),
                Recovered::Told(seen) => Next::End(Ran::Answered(seen)),
                Recovered::No => {
                    self.lost(job, decision, &why, began).await?;
                    Next::End(Ran::Refused)
                }
            },
        };
        Ok(next)
    }
}

/// Whether the command may ask for the last value of a sequence.
fn may_ask_for_last_value(job: &Job<'_>) -> bool {
    matches!(job.facts.reason, Reason::SideEffectFunction | Reason::OwnConnection)
}
