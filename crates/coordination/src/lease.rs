//! Until when something is ours, by our own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{SharedClock, sleep_until};

/// A deadline that is moved by renewals, and that anybody can check at any moment. Clones share it.
///
/// The deadline is counted from before a renewal was sent, and lies a margin before the store could let go: whoever checks
/// it just before doing something knows that at that moment nobody else had been let in.
#[derive(Clone)]
pub(crate) struct Lease {
    clock: SharedClock,
    /// Nanoseconds on the clock; zero once it was given up.
    deadline: Arc<AtomicU64>,
    given_up: Arc<Notify>,
}

impl Lease {
    pub(crate) fn new(clock: SharedClock, deadline: Duration) -> Self {
        Self { clock, deadline: Arc::new(AtomicU64::new(nanos(deadline))), given_up: Arc::default() }
    }

    /// Whether it is still ours.
    pub(crate) fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// How long it is ours without another renewal.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline().saturating_sub(self.clock.now())
    }

    fn deadline(&self) -> Duration {
        Duration::from_nanos(self.deadline.load(Ordering::SeqCst))
    }

    /// Moves the deadline, never back, and never after it has passed: what was not ours for a moment may have been somebody
    /// else's meanwhile. Gives whether it is ours.
    pub(crate) fn extend(&self, deadline: Duration) -> bool {
        let now = nanos(self.clock.now());
        let extended = |old: u64| (old > now).then_some(old.max(nanos(deadline)));
        self.deadline.fetch_update(Ordering::SeqCst, Ordering::SeqCst, extended).is_ok()
    }

    /// It is nobody's any more.
    pub(crate) fn give_up(&self) {
        self.deadline.store(0, Ordering::SeqCst);
        self.given_up.notify_waiters();
    }

    /// Returns when it is not ours any more. Cancel-safe.
    pub(crate) async fn over(&self) {
        loop {
            // Before looking, so that nothing is missed between looking and waiting.
            let mut given_up = std::pin::pin!(self.given_up.notified());
            given_up.as_mut().enable();
            if !self.is_held() {
                return;
            }
            tokio::select! {
                biased;
                () = given_up => {}
                () = sleep_until(&*self.clock, self.deadline()) => {}
            }
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

/// A u64 of nanoseconds lasts 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::LeaseClock;

    #[derive(Clone, Default)]
    struct SetClock(Arc<Mutex<Duration>>);

    impl LeaseClock for SetClock {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn a_lease_that_was_over_for_a_moment_does_not_come_back() {
        let clock = SetClock::default();
        let second = Duration::from_secs(1);
        let lease = Lease::new(Arc::new(clock.clone()), second);
        assert!(lease.extend(second * 2));
        assert!(lease.extend(second), "an answer that comes late is harmless");
        assert_eq!(lease.remaining(), second * 2);
        *clock.0.lock().unwrap() = second * 2;
        assert!(!lease.is_held());
        assert!(!lease.extend(second * 9));
        assert!(!lease.is_held());
    }

    #[test]
    fn what_was_given_up_stays_so() {
        let lease = Lease::new(Arc::new(SetClock::default()), Duration::from_secs(1));
        lease.give_up();
        assert!(!lease.is_held() && !lease.extend(Duration::from_secs(5)));
    }
}
