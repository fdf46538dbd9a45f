//! Until when the others take a node for present.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::SharedClock;

/// Unlike a lease it comes back: whoever is present again has heard what there is to hear.
#[derive(Clone)]
pub(super) struct Contact {
    clock: SharedClock,
    /// Nanoseconds on the clock.
    until: Arc<AtomicU64>,
}

impl Contact {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, until: Arc::default() }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Present for `ttl` from before the store was asked at `asked`, less a quarter as a margin.
    pub(super) fn made(&self, asked: Duration, ttl: Duration) {
        let until = asked.saturating_add(ttl.saturating_sub(ttl / 4));
        self.until.fetch_max(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    pub(super) fn lost(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    pub(super) fn holds(&self) -> bool {
        self.clock.now() < Duration::from_nanos(self.until.load(Ordering::SeqCst))
    }
}
