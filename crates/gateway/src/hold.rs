//! Statements that wait for a primary: bounded in number and bytes, let go in the order in which they came.
//!
//! Each worker has a follower per cluster. It is told of every new view, and does two things: when the epoch has changed, it
//! interrupts what still waits for an answer of the former primary; when the primary takes statements, it lets go those
//! that wait. Nothing here polls.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifecycle::Shutdown;
use tokio::sync::oneshot;
use topology::{ClusterView, Health, ServerId, Writes};

use crate::core::ClusterEntry;
use crate::place::ClusterIndex;
use crate::worker::Worker;

/// What waits in one cluster, over all workers.
#[derive(Debug, Default)]
pub(crate) struct Held {
    statements: AtomicU64,
    bytes: AtomicU64,
    /// Since the start.
    pub(crate) total: AtomicU64,
    /// Of these, those that waited in vain.
    pub(crate) expired: AtomicU64,
}

impl Held {
    /// A place in the line, or `None` if it is full.
    pub(crate) fn admit(&self, bytes: u64, statements: u64, most_bytes: u64) -> Option<Place<'_>> {
        let others = self.statements.fetch_add(1, Ordering::SeqCst);
        let waiting = self.bytes.fetch_add(bytes, Ordering::SeqCst);
        let place = Place { held: self, bytes };
        if others >= statements || waiting.saturating_add(bytes) > most_bytes {
            return None;
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        Some(place)
    }

    /// One has waited in vain, or was not let wait.
    pub(crate) fn count_expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// Statements that wait now.
    pub(crate) fn now(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// One statement's place in the line; dropped, it is free.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    held: &'a Held,
    bytes: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.held.statements.fetch_sub(1, Ordering::SeqCst);
        self.held.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// A worker's waiting statements of one cluster, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
}

impl Line {
    /// Resolves at the next moment at which the primary takes statements. Cancel-safe.
    pub(crate) fn wait(&self) -> oneshot::Receiver<()> {
        let (released, receiver) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        // Those that gave up: all are equally patient, so they are in front.
        while waiting.front().is_some_and(oneshot::Sender::is_closed) {
            waiting.pop_front();
        }
        waiting.push_back(released);
        receiver
    }

    fn release(&self) {
        for waiting in self.waiting.take() {
            // Who waited may have given up.
            let _ = waiting.send(());
        }
    }
}

/// Whether a statement for the primary is worth sending.
pub(crate) fn is_open(view: &ClusterView) -> bool {
    let up = |health: &Health| !matches!(health, Health::Down(_));
    view.writes == Writes::Open && view.primary().is_some_and(|primary| up(&primary.health))
}

/// Whether nothing will change by waiting.
pub(crate) fn is_hopeless(view: &ClusterView) -> bool {
    match view.writes {
        Writes::Refused { .. } => true,
        Writes::Held { .. } => false,
        // A primary that somebody made read-only is none: that is not for hadal to change.
        Writes::Open => !is_open(view) && (!view.heals || view.primary.is_none()),
    }
}

/// Whether waiting for another primary makes sense at all.
pub(crate) fn may_come(view: &ClusterView) -> bool {
    match view.writes {
        Writes::Open => view.heals,
        Writes::Held { .. } => true,
        Writes::Refused { .. } => false,
    }
}

/// Follows the views of one cluster for one worker.
pub(crate) async fn follow(worker: Rc<Worker>, cluster: ClusterIndex, shutdown: Shutdown) {
    let core = worker.core.clone();
    let entry = core.cluster(cluster);
    let (mut revision, mut epoch) = {
        let view = entry.view();
        (view.revision, view.epoch)
    };
    let mut down = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            () = entry.control.newer_than(revision) => {}
        }
        let view = entry.view();
        revision = view.revision;
        if std::mem::replace(&mut epoch, view.epoch) != view.epoch {
            retire(&worker, cluster, entry);
        }
        let now = servers_down(&view);
        for server in now.iter().filter(|server| !down.contains(*server)) {
            interrupt_readers(&worker, cluster, *server);
        }
        down = now;
        if is_open(&view) || is_hopeless(&view) {
            worker.line(cluster).release();
        }
    }
}

fn servers_down(view: &ClusterView) -> Vec<ServerId> {
    view.servers
        .iter()
        .filter(|server| matches!(server.health, Health::Down(_)))
        .map(|server| server.id)
        .collect()
}

/// A server does not answer any more: reads that were sent there are worth sending elsewhere.
fn interrupt_readers(worker: &Worker, cluster: ClusterIndex, server: ServerId) {
    for session in worker.sessions.borrow().values() {
        if session.backend().is_some_and(|(at, _)| at.cluster == cluster && at.server == server) {
            session.interrupt_for_epoch();
        }
    }
}

/// Another epoch has begun: nothing more is expected of connections from before.
fn retire(worker: &Worker, cluster: ClusterIndex, entry: &ClusterEntry) {
    let primary = entry.view().primary;
    for session in worker.sessions.borrow().values() {
        session.interrupt_for_epoch();
    }
    for pool in worker.core.pools.all() {
        if pool.place.cluster == cluster && Some(pool.place.server) != primary && worker.index == 0 {
            pool.retire_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_let_go_in_its_order_and_forgets_who_gave_up() {
        let line = Line::default();
        let gone: Vec<_> = (0..3).map(|_| line.wait()).collect();
        drop(gone);
        let mut first = line.wait();
        let mut second = line.wait();
        assert_eq!(line.waiting.borrow().len(), 2);
        assert!(first.try_recv().is_err());
        line.release();
        assert!(first.try_recv().is_ok() && second.try_recv().is_ok());
        assert!(line.waiting.borrow().is_empty());
    }

    #[test]
    fn places_are_bounded_by_number_and_bytes() {
        let held = Held::default();
        let one = held.admit(60, 2, 100);
        assert!(one.is_some());
        assert!(held.admit(60, 2, 100).is_none(), "bytes");
        let two = held.admit(40, 2, 100);
        assert!(two.is_some());
        assert!(held.admit(0, 2, 100).is_none(), "number");
        drop((one, two));
        assert_eq!(held.now(), 0);
        assert!(held.admit(100, 2, 100).is_some());
    }
}
