//! The queue for a connection, and a session in it.

use std::collections::VecDeque;

use mysql_wire::Capabilities;
use tokio::sync::oneshot;

use super::Slot;
use crate::backend::Backend;

/// What a waiter is given.
#[derive(Debug)]
pub(crate) enum Grant {
    /// A connection that fits what it asked for.
    Connection(Box<Backend>),
    /// The right to open one.
    Slot(Slot),
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: u64,
    /// The worker that the session lives on.
    pub(super) worker: u16,
    pub(super) capabilities: Capabilities,
    pub(super) needs_no_database: bool,
    pub(super) grant: oneshot::Sender<Grant>,
}

impl Waiter {
    pub(super) fn fits(&self, backend: &Backend) -> bool {
        backend.capabilities == self.capabilities
            && !(self.needs_no_database && backend.state.database.is_some())
    }
}

/// Those who wait, in the order of their arrival.
///
/// A connection that another worker takes over has to be registered there, and that worker has to be woken from this
/// one. So it goes to the first of its own worker, as long as that lets the first of all wait for only so many others.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiters: VecDeque<Waiter>,
    /// How many were served before the first one because of their worker.
    passed: u32,
}

impl Line {
    /// So many may be served before the first one.
    pub(super) const PATIENCE: u32 = 16;
    /// So many are looked at for one of the connection's own worker.
    const LOOK_AT: usize = 64;

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn join(&mut self, waiter: Waiter) {
        self.waiters.push_back(waiter);
    }

    /// True if `ticket` was still in the queue.
    pub(super) fn leave(&mut self, ticket: u64) -> bool {
        let index = self.waiters.iter().position(|w| w.ticket == ticket);
        index.and_then(|index| self.waiters.remove(index)).is_some()
    }

    pub(super) fn first(&mut self) -> Option<Waiter> {
        self.passed = 0;
        self.waiters.pop_front()
    }

    /// Who gets `backend`, or its slot if it does not fit.
    pub(super) fn next_for(&mut self, backend: &Backend) -> Option<Waiter> {
        let own = |w: &Waiter| w.worker == backend.worker && w.fits(backend);
        match self.waiters.iter().take(Self::LOOK_AT).position(own) {
            Some(index) if index > 0 && self.passed < Self::PATIENCE => {
                self.passed += 1;
                self.waiters.remove(index)
            }
            _ => self.first(),
        }
    }
}
