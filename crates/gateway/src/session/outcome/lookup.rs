//! Asking what became of a `COMMIT` whose answer was lost.

use std::future::Future;
use std::task::Poll;
use std::time::{Duration, Instant};

use mysql_wire::ResponseKind;
use topology::{GtidPosition, Writes};

use super::{Outcome, Pending, TABLE};
use crate::backend::{Backend, ExchangeError, ascii};
use crate::place::Place;
use crate::registry::SessionShared;
use crate::route::Why;
use crate::session::client::CommandPacket;
use crate::session::decide::route_refusal;
use crate::session::hold::{Held, within_epoch};
use crate::session::job::Job;
use crate::session::{End, Pins, Session, command_facts};

/// Between two looks at a connection that has not ended.
const AGAIN: Duration = Duration::from_millis(20);

/// Rows are kept for longer than this: one that is missing later was perhaps there.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// One look.
enum Look {
    Told(Outcome),
    /// Nothing can be said yet.
    Again,
}

impl Session {
    /// Finds out what became of the `COMMIT` that is pending, within the time that a statement may be held, unless a `KILL`
    /// ends that.
    pub(in crate::session) async fn outcome(
        &mut self,
        job: &Job<'_>,
        began: Instant,
    ) -> Result<Outcome, End> {
        let Some(pending) = self.journal.as_mut().and_then(|journal| journal.pending.take()) else {
            return Ok(Outcome::Unknown);
        };
        let limit = Duration::from_millis(self.worker.core.config.load().gateway.hold_ms).min(LONGEST);
        let (pins, insert_id) = (std::mem::take(&mut self.pins), self.insert_id);
        let shared = self.shared.clone();
        // What is dropped in the middle takes its connection with it.
        let looking = unless_stopped(&shared, Box::pin(self.look_until_told(&pending, job, began)));
        let told = tokio::time::timeout(limit.saturating_sub(began.elapsed()), looking).await;
        (self.pins, self.insert_id) = (pins, insert_id);
        let outcome = match told {
            Ok(Some(told)) => told?,
            Ok(None) if shared.is_killed() => return Err(End::Killed),
            // KILL QUERY, or nobody can tell in time.
            Ok(None) | Err(_) => {
                shared.clear_interrupt();
                Outcome::Unknown
            }
        };
        self.worker.core.metrics.outcomes.count(outcome);
        tracing::info!(session = self.shared.id, ?outcome, took = ?began.elapsed(), "the answer to a COMMIT was lost");
        Ok(outcome)
    }

    async fn look_until_told(
        &mut self,
        pending: &Pending,
        job: &Job<'_>,
        began: Instant,
    ) -> Result<Outcome, End> {
        loop {
            match self.look(pending, job, began).await? {
                Look::Told(told) => return Ok(told),
                Look::Again => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn look(&mut self, pending: &Pending, job: &Job<'_>, began: Instant) -> Result<Look, End> {
        let decision = match self.decide_primary(Why::Pinned(Pins::TRANSACTION)) {
            Ok(decision) => decision,
            Err(refused) if self.is_worth_holding(&refused) => {
                let held = Box::pin(self.hold(job, began, route_refusal(&refused))).await?;
                return Ok(if matches!(held, Held::Released) {
                    Look::Again
                } else {
                    Look::Told(Outcome::Unknown)
                });
            }
            Err(_) => return Ok(Look::Told(Outcome::Unknown)),
        };
        let facts = command_facts(false);
        let nothing = CommandPacket::of_query(b"", job.command.sequence);
        let asked = Job::new(&nothing, ResponseKind::Query, &facts);
        let place = Place { cluster: self.target, server: decision.server };
        let mut backend = match Box::pin(self.obtain(place, &asked, false)).await {
            Ok(Some(backend)) => backend,
            Ok(None) => return Ok(Look::Again),
            Err(refusal) if self.may_hold(&refusal) => {
                let held = Box::pin(self.hold(job, began, refusal)).await?;
                return Ok(if matches!(held, Held::Released) {
                    Look::Again
                } else {
                    Look::Told(Outcome::Unknown)
                });
            }
            Err(_) => return Ok(Look::Told(Outcome::Unknown)),
        };
        let shared = self.shared.clone();
        let told = within_epoch(&shared, Box::pin(self.ask(&mut backend, pending))).await;
        // A primary that is about to be none any more tells nothing that holds.
        let open = self.worker.core.cluster(place.cluster).view().writes == Writes::Open;
        if self.is_outdated(&backend) || !open {
            return Ok(Look::Again);
        }
        match told {
            Some(Ok(told)) => {
                // With autocommit off, the question has begun a transaction there.
                if !self.autocommit_off() {
                    self.release(backend);
                }
                Ok(told)
            }
            Some(Err(ExchangeError::Refused(_))) => Ok(Look::Told(Outcome::Unknown)),
            Some(Err(_)) | None => Ok(Look::Again),
        }
    }

    async fn ask(&mut self, backend: &mut Backend, pending: &Pending) -> Result<Look, ExchangeError> {
        if !is_over(backend, pending).await? {
            return Ok(Look::Again);
        }
        let sql = format!("SELECT COUNT(*) FROM {TABLE} WHERE token = X'{}' LIMIT 1", pending.token);
        match backend.query(sql.as_bytes()).await?.first_number() {
            Some(0) => Ok(Look::Told(Outcome::RolledBack)),
            Some(1) => {
                self.confirm(backend).await?;
                Ok(Look::Told(Outcome::Committed))
            }
            _ => Err(ExchangeError::NoAnswer),
        }
    }

    /// A commit that is visible need not be acknowledged by a replica yet. One that is made after it, and is, shows that it
    /// is: replicas receive them in their order. What the session reads from now on must have it.
    async fn confirm(&mut self, backend: &mut Backend) -> Result<(), ExchangeError> {
        let token = self.worker.core.tokens.next();
        let off = self.autocommit_off();
        let sql = format!("INSERT INTO {TABLE} (token) VALUES (X'{token}')");
        backend.query(sql.as_bytes()).await?;
        if off {
            backend.query(b"COMMIT").await?;
        }
        let position = backend.query(b"SELECT @@global.gtid_binlog_pos LIMIT 1").await?.first_value();
        let text = ascii(&position.unwrap_or_default());
        if let (Ok(newest), Some(seen)) =
            (text.parse::<GtidPosition>(), self.positions.get_mut(usize::from(backend.place.cluster.0)))
        {
            seen.advance_all(&newest);
        }
        Ok(())
    }
}

/// Does something until the session is killed, or its statement interrupted; `None` then.
async fn unless_stopped<T>(shared: &SessionShared, doing: impl Future<Output = T>) -> Option<T> {
    let mut doing = std::pin::pin!(doing);
    std::future::poll_fn(|cx| match doing.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if shared.must_stop(cx.waker()) || shared.is_interrupted() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Whether nobody can commit the transaction any more.
async fn is_over(backend: &mut Backend, pending: &Pending) -> Result<bool, ExchangeError> {
    // The epoch alone does not tell: it has changed, too, where a switchover was begun and undone.
    if backend.place != pending.place {
        return Ok(true);
    }
    let id = pending.thread_id;
    let sql = format!("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {id} LIMIT 1");
    let Some(command) = backend.query(sql.as_bytes()).await?.first_value() else { return Ok(true) };
    // One that is busy is waited for: killed while it waits for an acknowledgement, it would commit without. One that is
    // idle has done what it was told, or was never told.
    if ascii(&command).eq_ignore_ascii_case("Sleep") && !was_restarted(backend, pending).await? {
        let _ = backend.query(format!("KILL {id}").as_bytes()).await;
    }
    Ok(false)
}

/// Whether the server seems to have been started since, so that the connection's id is another's now. It tells by the wall
/// clock, which may have been set: good enough to spare a connection, not to say that one is gone.
async fn was_restarted(backend: &mut Backend, pending: &Pending) -> Result<bool, ExchangeError> {
    let uptime = backend.query(b"SHOW GLOBAL STATUS LIKE 'Uptime'").await?.first_row().into_iter().nth(1);
    let uptime = uptime
        .flatten()
        .and_then(|value| ascii(&value).parse::<u64>().ok())
        .ok_or(ExchangeError::NoAnswer)?;
    Ok(uptime + 1 < pending.opened.elapsed().as_secs())
}
