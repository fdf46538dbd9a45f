//! A session in the queue for a connection.

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
