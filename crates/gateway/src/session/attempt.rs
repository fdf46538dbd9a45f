//! One try of a command on one server: a connection in the session's state, the exchange, and what the session makes of
//! how that ended.

use std::time::Instant;

use mysql_wire::ServerError;

use super::drive::INTERRUPTED;
use super::job::Job;
use super::response::Seen;
use super::{End, Pins, Session, UNREACHABLE, error};
use crate::backend::Backend;
use crate::place::Place;
use crate::route::{Decision, Why};

/// How a try ended.
pub(super) enum Tried {
    Done(Seen),
    /// A replica answered with an error, which the client has not seen.
    ReplicaRefused,
    /// The connection broke before the command can have had an effect.
    NoEffect(String),
    /// It broke when the command may already have run.
    Unknown(String),
    /// It had no effect, since there is no primary to be had for the moment; the client gets this if none comes.
    Await(ServerError),
    /// The client has been told why the command was not sent.
    Refused,
}

impl Session {
    /// One try.
    pub(super) async fn try_on(
        &mut self,
        job: &Job<'_>,
        decision: &Decision,
        began: Instant,
    ) -> Result<Tried, End> {
        let place = Place { cluster: self.target, server: decision.server };
        let bound = self.held.is_some();
        let mut backend = match self.obtain(place, job, decision.on_replica).await {
            Ok(Some(backend)) => backend,
            Ok(None) => return Ok(Tried::NoEffect("no connection".into())),
            Err(refusal) => return self.refused_connection(job, decision, refusal, began).await,
        };
        if self.shared.is_interrupted() {
            return self.interrupted(job, backend).await;
        }
        if self.shared.is_killed() {
            drop(backend);
            return Err(End::Killed);
        }
        if decision.wait && !Box::pin(self.wait_for_position(&mut backend)).await {
            self.release(backend);
            return Ok(Tried::ReplicaRefused);
        }
        let retryable = decision.on_replica && (!bound || self.split.is_some());
        self.count_begun(&backend);
        let tried = self.exchange(&mut backend, job, retryable).await;
        self.count_ended(&backend);
        let seen = match tried? {
            Tried::Done(seen) => seen,
            failed => return Ok(self.leave(backend, failed, job, (bound, retryable))),
        };
        self.count_done(job, &backend, decision, &seen, began);
        self.last_why_view = matches!(decision.why, Why::View(_) | Why::Pinned(_));
        self.finish(job, backend, &seen).await?;
        self.note_answered(job, decision, &seen, bound);
        Ok(Tried::Done(seen))
    }

    /// No connection was to be had.
    async fn refused_connection(
        &mut self,
        job: &Job<'_>,
        decision: &Decision,
        refusal: ServerError,
        began: Instant,
    ) -> Result<Tried, End> {
        if refusal.code == UNREACHABLE && self.go_to_a_replica(job) {
            return Ok(Tried::NoEffect(refusal.message));
        }
        if !decision.on_replica && self.may_hold(&refusal) {
            return Ok(Tried::Await(refusal));
        }
        self.count_refused(job, began);
        self.send_error(job.command.sequence, &refusal).await?;
        Ok(Tried::Refused)
    }

    /// `KILL QUERY` came while the command waited for its connection.
    async fn interrupted(&mut self, job: &Job<'_>, backend: Backend) -> Result<Tried, End> {
        self.shared.clear_interrupt();
        self.settle(backend, false).await?;
        self.send_error(job.command.sequence, &error(1317, "70100", INTERRUPTED.into())).await?;
        Ok(Tried::Refused)
    }

    /// After the answer has been learnt from.
    fn note_answered(&mut self, job: &Job<'_>, decision: &Decision, seen: &Seen, bound: bool) {
        self.note_split(job, decision);
        if self.replay.is_some() {
            self.record(job, seen);
        }
        if self.journal.is_some() {
            self.note_written(job.facts);
        }
        if self.ruled {
            self.note_opening(job, seen, !bound);
        }
    }

    /// Decides what becomes of the connection of a try that has failed, and of the command. `bound`: it was the session's
    /// before; `retryable`: another server may answer.
    fn leave(
        &mut self,
        mut backend: Backend,
        failed: Tried,
        job: &Job<'_>,
        (bound, retryable): (bool, bool),
    ) -> Tried {
        match failed {
            Tried::ReplicaRefused => {
                // The error that the client does not see is on the connection's list all the same.
                backend.listed = true;
                match self.split.is_some() {
                    true => self.held = Some(backend),
                    false => self.release(backend),
                }
                Tried::ReplicaRefused
            }
            Tried::Await(why) if bound && self.pins.contains(Pins::TRANSACTION) => {
                self.note_sent(false);
                drop(backend);
                self.shared.set_backend(None);
                Tried::Unknown(why.message)
            }
            Tried::Await(why) => {
                // What the session has there is not lost before another primary is there for good.
                self.held = bound.then_some(backend);
                self.shared.set_backend(None);
                Tried::Await(why)
            }
            broken => {
                self.note_sent(!matches!(broken, Tried::NoEffect(_)));
                self.worker.core.cluster(backend.place.cluster).control.suspect(backend.place.server);
                drop(backend);
                self.shared.set_backend(None);
                self.judge(broken, job, bound, retryable)
            }
        }
    }

    /// Whether the server may have got what was sent last.
    pub(super) fn note_sent(&mut self, sent: bool) {
        self.sent = sent;
    }

    /// Whether a broken try may be repeated: only if it had no effect for certain, and nothing that the session
    /// cannot do without was lost with the connection.
    fn judge(&self, broken: Tried, job: &Job<'_>, bound: bool, on_replica: bool) -> Tried {
        match broken {
            // The head of a transaction on a replica has only read: it can begin again on the primary.
            Tried::NoEffect(_) | Tried::Unknown(_) if bound && self.split.is_some() => Tried::ReplicaRefused,
            Tried::NoEffect(why) | Tried::Unknown(why) if bound => Tried::Unknown(why),
            Tried::Unknown(why) if on_replica && job.facts.access == sql::Access::Read => {
                Tried::NoEffect(why)
            }
            other => other,
        }
    }
}
