//! The clock that leases are counted on.

use std::sync::Arc;
use std::time::Duration;

/// Monotonic time since some moment in the past that stays the same for the life of the process.
///
/// Unlike [`std::time::Instant`] on Linux, it must go on while the machine sleeps: a virtual machine that was suspended
/// longer than its lease must know, when it wakes up, that the lease is over.
pub trait LeaseClock: Send + Sync + 'static {
    /// Never goes back.
    fn now(&self) -> Duration;
}

/// The machine's time since it was started, with the time that it slept.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl LeaseClock for BootClock {
    fn now(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
    }
}

/// A clock that several parts read.
pub type SharedClock = Arc<dyn LeaseClock>;

/// Returns when `deadline` has passed on `clock`. Cancel-safe.
pub(crate) async fn sleep_until(clock: &dyn LeaseClock, deadline: Duration) {
    // The runtime's timer and the clock need not run alike: what counts is the clock.
    while let Some(left) = deadline.checked_sub(clock.now()).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left).await;
    }
}
