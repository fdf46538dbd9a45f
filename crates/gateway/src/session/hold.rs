//! Waiting for a primary, and what becomes of a session whose connection belongs to an epoch that is over.

use std::future::Future as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mysql_wire::ServerError;

use super::drive::INTERRUPTED;
use super::job::Job;
use super::response::Seen;
use super::{End, Pins, Session, UNREACHABLE, error};
use crate::backend::Backend;
use crate::hold;
use crate::registry::SessionShared;
use crate::route::RouteError;

/// `ER_OPTION_PREVENTS_STATEMENT`, with `--read-only` in its text.
const READ_ONLY: u16 = 1290;

/// `ER_SERVER_SHUTDOWN`, `ER_CONNECTION_KILLED`, `ER_QUERY_INTERRUPTED`.
const SHUTS_DOWN: u16 = 1053;
const KILLED: u16 = 1927;
const QUERY_KILLED: u16 = 1317;

/// Why a statement is held no longer.
pub(super) enum Held {
    /// It can be tried (again).
    Released,
    /// The client is to be told this.
    Refused(ServerError),
}

impl Session {
    /// Waits until the primary takes statements, at most as long as a statement that began at `began` may. `why` is what
    /// the client gets if that takes too long, or makes no sense.
    pub(super) async fn hold(
        &mut self,
        job: &Job<'_>,
        began: Instant,
        why: ServerError,
    ) -> Result<Held, End> {
        let worker = self.worker.clone();
        let entry = worker.core.cluster(self.target);
        let (limit, statements, bytes) = {
            let config = worker.core.config.load();
            let gateway = &config.gateway;
            (gateway.hold_ms, u64::from(gateway.hold_statements), gateway.hold_bytes)
        };
        let left = Duration::from_millis(limit).saturating_sub(began.elapsed());
        if left.is_zero() || !hold::may_come(&entry.view()) {
            entry.held.count_expired();
            return Ok(Held::Refused(self.explained(why, began)));
        }
        let Some(_place) = entry.held.admit(job.command.raw().len() as u64, statements, bytes) else {
            let text =
                "hadal: too many statements wait for a primary (gateway.hold_statements, gateway.hold_bytes)";
            return Ok(Held::Refused(error(1040, "08004", text.into())));
        };
        let mut released = worker.line(self.target).wait();
        let shared = &self.shared;
        let wait = std::future::poll_fn(|cx| match std::pin::Pin::new(&mut released).poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if shared.must_stop(cx.waker()) || shared.is_interrupted() => {
                Poll::Ready(Some(error(1317, "70100", INTERRUPTED.into())))
            }
            Poll::Pending => Poll::Pending,
        });
        match tokio::time::timeout(left, wait).await {
            Ok(None) => Ok(Held::Released),
            Ok(Some(_)) if self.shared.is_killed() => Err(End::Killed),
            Ok(Some(interrupted)) => {
                self.shared.clear_interrupt();
                Ok(Held::Refused(interrupted))
            }
            Err(_elapsed) => {
                entry.held.count_expired();
                Ok(Held::Refused(self.explained(why, began)))
            }
        }
    }

    /// Holds a statement. False: the client has been told why it waited in vain.
    pub(super) async fn wait_for_primary(
        &mut self,
        job: &Job<'_>,
        began: Instant,
        why: ServerError,
    ) -> Result<bool, End> {
        match Box::pin(self.hold(job, began, why)).await? {
            Held::Released => Ok(true),
            Held::Refused(refusal) => {
                self.count_refused(job, began);
                self.send_error(job.command.sequence, &refusal).await?;
                Ok(false)
            }
        }
    }

    /// Whether the server refused a statement because it was made read-only on the way to another primary.
    pub(super) fn was_demoted(&self, backend: &Backend, seen: &Seen, packet: &[u8]) -> bool {
        let read_only = || packet.windows(9).any(|word| word == b"read-only");
        if seen.error != Some(READ_ONLY) || backend.leads.is_none() || !read_only() {
            return false;
        }
        let view = self.worker.core.cluster(backend.place.cluster).view();
        // Another node may be at it, of which this one hears a moment later.
        let changes = view.writes != topology::Writes::Open || view.heals;
        changes || backend.leads.is_some_and(|epoch| epoch != view.epoch)
    }

    pub(super) fn demoted(&self, backend: &Backend) -> ServerError {
        let server = self.worker.core.address_of(backend.place);
        error(
            UNREACHABLE,
            "HY000",
            format!("hadal: {server} is not the primary any more; nothing was executed"),
        )
    }

    /// Whether a connection that the session keeps is of no use any more.
    pub(super) fn holds_outdated(&self) -> bool {
        let outdated = |backend: &Backend| self.is_outdated(backend);
        self.held.as_ref().is_some_and(outdated) || self.lease.as_ref().is_some_and(outdated)
    }

    /// Why the transaction was not replayed, where that is on.
    pub(super) fn excuse(&mut self) -> String {
        self.replay.as_mut().and_then(|replay| replay.excuse()).unwrap_or_default()
    }

    /// Whether the server has ended the session's connection because it stops, or is led no more. Asked only for what can
    /// be replayed: others get the server's own error.
    pub(super) fn was_ended(&self, backend: &Backend, seen: &Seen) -> bool {
        if self.replay.is_none() || backend.leads.is_none() {
            return false;
        }
        let view = self.worker.core.cluster(backend.place.cluster).view();
        let changes = view.writes != topology::Writes::Open || backend.leads.is_some_and(|e| e != view.epoch);
        match seen.error {
            Some(SHUTS_DOWN) => true,
            Some(KILLED | QUERY_KILLED) => changes && !self.shared.was_killed_on_server(),
            _ => false,
        }
    }

    fn explained(&self, mut why: ServerError, began: Instant) -> ServerError {
        let waited = began.elapsed().as_millis();
        if waited >= 10 {
            why.message += &format!(" (waited {waited} ms)");
        }
        why
    }

    /// Whether waiting helps against this error of the routing.
    pub(super) fn is_worth_holding(&self, refused: &RouteError) -> bool {
        let view = self.worker.core.cluster(self.target).view();
        match refused {
            RouteError::Held { .. } => true,
            RouteError::NoPrimary { .. } => {
                !matches!(view.writes, topology::Writes::Open) && hold::may_come(&view)
            }
            _ => false,
        }
    }

    /// Whether waiting helps where the primary could not be reached.
    pub(super) fn may_hold(&self, refused: &ServerError) -> bool {
        refused.code == UNREACHABLE && hold::may_come(&self.worker.core.cluster(self.target).view())
    }

    /// Whether a connection was taken for a primary that is none any more.
    pub(super) fn is_outdated(&self, backend: &Backend) -> bool {
        self.worker.is_outdated(backend)
    }

    /// Gives up a connection that the session holds from an epoch that is over: nothing is sent through it. False: the
    /// client has been told that its transaction is gone. An `Err` ends the session: it has lost more than that.
    pub(super) async fn leave_former_epoch(&mut self, job: &Job<'_>, began: Instant) -> Result<bool, End> {
        if self.lease.as_ref().is_some_and(|lease| self.is_outdated(lease)) {
            self.lease = None;
            self.shared.leasing.store(false, std::sync::atomic::Ordering::SeqCst);
            self.forget_diagnostics();
        }
        let Some(held) = self.held.take_if(|held| self.worker.is_outdated(held)) else { return Ok(true) };
        let server = self.server_name(held.place.server);
        drop(held);
        self.shared.set_backend(None);
        self.note_sent(false);
        if self.replay.is_some() && Box::pin(self.replay(job, began)).await? {
            return Ok(true);
        }
        let pins = self.forget_connection(None);
        if !pins.leave_nothing() {
            let why = format!("{pins} went with {server}, which is not the primary any more");
            return Err(End::StateLost(why));
        }
        if !pins.contains(Pins::TRANSACTION) {
            return Ok(true);
        }
        let text =
            format!("{server} is not the primary any more; the transaction was rolled back, run it again");
        let text = text + &self.excuse();
        self.refuse(job.command.sequence, 1213, "40001", &text).await?;
        Ok(false)
    }
}

/// Runs something on a server connection until another epoch begins; `None` then. The connection's state is unknown.
pub(super) async fn within_epoch<T>(
    shared: &Arc<SessionShared>,
    doing: impl Future<Output = T>,
) -> Option<T> {
    let mut doing = std::pin::pin!(doing);
    std::future::poll_fn(|cx| match doing.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if shared.is_epoch_over(cx.waker()) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
