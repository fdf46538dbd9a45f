//! Driving a relay, and what stops one.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::response::{Relay, RelayError, Step};
use super::{Client, End, Session};
use crate::backend::Backend;
use crate::registry::SessionShared;
use crate::worker::Worker;

/// As the server words error 1317.
pub(super) const INTERRUPTED: &str = "Query execution was interrupted";

impl Session {
    /// Why the relay was stopped.
    pub(super) fn stopped(&self) -> End {
        match () {
            () if self.shared.is_killed() => End::Killed,
            () if self.shared.is_draining() => End::Draining,
            () => End::IdleTooLong,
        }
    }
}

/// Drives the relay; a kill, or a client that has stalled for too long, stops it. `beside` is asked whenever the relay
/// waits, and may end it, too.
pub(super) async fn drive(
    relay: &mut Relay<'_>,
    (worker, shared): (&Worker, &SessionShared),
    client: &mut Client,
    backend: &mut Backend,
    command: &[u8],
    mut beside: impl FnMut(&mut Context<'_>, &mut Client, &mut Backend) -> Poll<RelayError>,
) -> Result<Step, RelayError> {
    let mut progress = (0, 0);
    let step = std::future::poll_fn(|cx| {
        let polled = relay.poll(cx, worker, client, backend, command);
        if polled.is_pending() {
            // Slow is allowed; standing still is not.
            let now = (relay.seen.bytes, client.output.len());
            let moves = std::mem::replace(&mut progress, now) != now;
            if client.output.is_empty() {
                shared.set_stalled(0);
            } else if moves || shared.stalled_ms.load(Ordering::Relaxed) == 0 {
                shared.set_stalled(worker.now_ms().max(1));
            }
            if shared.must_stop(cx.waker()) {
                return Poll::Ready(Err(RelayError::Stopped));
            }
            if shared.has_epoch_ended()
                && (worker.is_outdated(backend) || relay.is_given_up_by(worker, backend))
            {
                return Poll::Ready(Err(RelayError::EpochOver));
            }
            if let Poll::Ready(end) = beside(cx, client, backend) {
                return Poll::Ready(Err(end));
            }
        }
        polled
    })
    .await;
    shared.set_stalled(0);
    step
}
