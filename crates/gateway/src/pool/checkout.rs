//! Getting a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mysql_wire::Capabilities;
use thiserror::Error;
use tokio::sync::oneshot;

use super::sync::lock;
use super::waiter::Waiter;
use super::{Grant, ServerPool, Slot};
use crate::backend::Backend;
use crate::state::StateSet;

/// What a session needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want<'a> {
    /// Capabilities shape responses, so a connection serves only clients that negotiated the same.
    pub(crate) capabilities: Capabilities,
    /// The session's state: a connection already in it is preferred.
    pub(crate) state: &'a Arc<StateSet>,
    /// A prepared statement that it is about to run: a connection that has it is preferred.
    pub(crate) statement: Option<u64>,
}

/// An answer of the pool.
#[derive(Debug)]
pub(crate) enum Checkout {
    Ready(Backend),
    /// None was idle, but one more may be opened.
    Open(Slot),
}

#[derive(Debug, Error)]
pub(crate) enum CheckoutError {
    #[error(
        "no connection became free within {waited_ms} ms: all {max} connections of user {user} are in use and \
         {queued} sessions wait (clusters.*.pool.max_connections, wait_timeout_ms)"
    )]
    TimedOut { user: Arc<str>, max: u32, queued: usize, waited_ms: u128 },
}

impl Want<'_> {
    /// How many idle connections, newest first, are looked at for a perfect match. A look costs a cache miss; another
    /// state costs a round trip to the server, and a hundred times as much.
    const LOOK_AT: usize = 64;

    fn fits(&self, backend: &Backend) -> bool {
        backend.capabilities == self.capabilities
            && (self.state.database.is_some() || backend.state.database.is_none())
    }

    /// The index of the best of the newest idle connections: in the session's state and with its statement; else in
    /// its state; else any that fits.
    pub(super) fn choose(&self, idle: &[Backend]) -> Option<usize> {
        let (mut in_state, mut fitting) = (None, None);
        for (looked, (index, backend)) in idle.iter().enumerate().rev().enumerate() {
            if !self.fits(backend) {
                continue;
            }
            if Arc::ptr_eq(&backend.state, self.state) {
                if self.statement.is_none_or(|s| backend.statements.contains(s)) {
                    return Some(index);
                }
                in_state = in_state.or(Some(index));
            }
            fitting = fitting.or(Some(index));
            if looked >= Self::LOOK_AT {
                break;
            }
        }
        in_state.or(fitting)
    }
}

impl ServerPool {
    /// A connection without waiting, or `None`.
    pub(crate) fn try_checkout(self: &Arc<Self>, want: &Want<'_>, worker: u16) -> Option<Checkout> {
        // Those who wait come first.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return None;
        }
        self.find(want, worker)
    }

    fn find(self: &Arc<Self>, want: &Want<'_>, worker: u16) -> Option<Checkout> {
        if let Some(backend) = self.take_idle(want, worker) {
            return Some(Checkout::Ready(backend));
        }
        if let Some(slot) = Slot::take(self) {
            return Some(Checkout::Open(slot));
        }
        // All are open, but some idle ones have other capabilities or a database that this session must not see.
        if self.evict_one() {
            return Slot::take(self).map(Checkout::Open);
        }
        None
    }

    /// A connection, after waiting in line if need be.
    ///
    /// Cancel-safe: a session that leaves the queue loses nothing, and what was granted to it goes to the next.
    pub(crate) async fn checkout(
        self: &Arc<Self>,
        want: &Want<'_>,
        worker: u16,
    ) -> Result<Checkout, CheckoutError> {
        if let Some(ready) = self.try_checkout(want, worker) {
            return Ok(ready);
        }
        let (grant, granted) = oneshot::channel();
        let ticket = self.enqueue(want, worker, grant);
        self.waited_total.fetch_add(1, Ordering::Relaxed);
        self.reclaim_lease();
        let since = tokio::time::Instant::now();
        let mut granted = Granted { pool: self, ticket, receiver: granted };
        match tokio::time::timeout(self.limits().wait_timeout, &mut granted.receiver).await {
            Ok(Ok(Grant::Connection(mut backend))) => {
                // Given from one worker to another while something happened to it: open a fresh one instead.
                if backend.is_reusable(self.generation()) {
                    Ok(Checkout::Ready(*backend))
                } else {
                    Ok(Checkout::Open(backend.into_slot()))
                }
            }
            Ok(Ok(Grant::Slot(slot))) => Ok(Checkout::Open(slot)),
            Ok(Err(_)) | Err(_) => Err(self.timed_out(since.elapsed())),
        }
    }

    /// Joins the queue. What became free while nobody was in it is handed out, now that nobody can miss the newcomers.
    fn enqueue(self: &Arc<Self>, want: &Want<'_>, worker: u16, grant: oneshot::Sender<Grant>) -> u64 {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut line = lock(&self.waiters);
        let first = line.is_empty();
        line.join(Waiter {
            ticket,
            worker,
            capabilities: want.capabilities,
            needs_no_database: want.state.database.is_none(),
            grant,
        });
        self.waiting.fetch_add(1, Ordering::SeqCst);
        drop(line);
        if first {
            self.serve_waiters();
        }
        ticket
    }

    /// Hands out what is free. All of it: those behind the first rely on being told of what becomes free after they came.
    pub(super) fn serve_waiters(self: &Arc<Self>) {
        while self.has_waiters() {
            if let Some(backend) = self.pop_any() {
                self.put(backend);
            } else if let Some(slot) = Slot::take(self) {
                // Which offers it.
                drop(slot);
            } else {
                return;
            }
        }
    }

    fn leave_queue(&self, ticket: u64) {
        let mut line = lock(&self.waiters);
        if line.leave(ticket) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn timed_out(&self, waited: Duration) -> CheckoutError {
        self.timeouts_total.fetch_add(1, Ordering::Relaxed);
        CheckoutError::TimedOut {
            user: self.user.clone(),
            max: self.limits().max_connections,
            queued: self.waiting.load(Ordering::Relaxed),
            waited_ms: waited.as_millis(),
        }
    }
}

/// A place in the queue, which is left when this is dropped. What was granted in the very moment of giving up goes to
/// the next.
struct Granted<'a> {
    pool: &'a Arc<ServerPool>,
    ticket: u64,
    receiver: oneshot::Receiver<Grant>,
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        // After a grant was received there is nothing left to do.
        if self.receiver.is_terminated() {
            return;
        }
        self.receiver.close();
        match self.receiver.try_recv() {
            Ok(Grant::Connection(backend)) => self.pool.put(*backend),
            Ok(Grant::Slot(slot)) => drop(slot),
            Err(_) => self.pool.leave_queue(self.ticket),
        }
    }
}
