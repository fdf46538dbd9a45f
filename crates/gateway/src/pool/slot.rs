//! The right to have one connection open.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::ServerPool;

/// Counted in its pool until dropped, so that no path, a panic included, can leak or double a connection.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Arc<ServerPool>,
}

impl Slot {
    /// Takes a slot if one is free.
    pub(super) fn take(pool: &Arc<ServerPool>) -> Option<Self> {
        let max = pool.limits().max_connections;
        pool.open
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| (open < max).then_some(open + 1))
            .ok()?;
        Some(Self { pool: pool.clone() })
    }

    pub(crate) fn pool(&self) -> &Arc<ServerPool> {
        &self.pool
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.open.fetch_sub(1, Ordering::SeqCst);
        self.pool.offer_slot();
    }
}
