//! Telling a client that its connection broke when its command may have run.

use std::sync::atomic::Ordering;
use std::time::Instant;

use sql::Effects;
use topology::ServerId;

use super::job::Job;
use super::pinning::COMMITS_IMPLICITLY;
use super::{End, Pins, Session};
use crate::place::Place;
use crate::route::Decision;

impl Session {
    /// The connection broke when the command may have run. Says so, and ends the session if it has lost something that
    /// cannot be rebuilt.
    pub(super) async fn lost(
        &mut self,
        job: &Job<'_>,
        decision: &Decision,
        why: &str,
        began: Instant,
    ) -> Result<(), End> {
        if self.shared.is_killed() {
            return Err(End::Killed);
        }
        self.count_refused(job, began);
        let server = self.server_name(decision.server);
        let pins = self.forget_connection(self.sent.then_some(job));
        // Where it was not sent, or is known to have come to nothing, it is lost like the rest.
        let may_commit =
            COMMITS_IMPLICITLY | Effects::COMMIT | Effects::CALL | Effects::TEXT_EXECUTE | Effects::UNKNOWN;
        let ends = job.facts.effects.intersects(may_commit) && self.sent;
        if pins.contains(Pins::TRANSACTION) && !ends {
            // The server rolls back what it lost the client of: for an application the same as a deadlock.
            let text = format!(
                "lost the connection to {server} ({why}); the transaction was rolled back, run it again"
            );
            let text = text + &self.excuse();
            self.refuse(job.command.sequence, 1213, "40001", &text).await?;
        } else {
            let text = format!(
                "lost the connection to {server} ({why}); whether the statement took effect is unknown"
            );
            self.refuse(job.command.sequence, 1158, "08S01", &text).await?;
        }
        match pins.leave_nothing() {
            true => Ok(()),
            false => Err(End::StateLost(format!("{pins} went with the connection to {server}"))),
        }
    }

    /// After the connection that the session held is gone: forgets what was on it, and says what that was, as far as it
    /// cannot be made again. `under_way` is the statement that may have run there.
    pub(super) fn forget_connection(&mut self, under_way: Option<&Job<'_>>) -> Pins {
        let mut pins = std::mem::take(&mut self.pins);
        self.rescue_variables(&mut pins, under_way);
        self.shared.pins.store(0, Ordering::Relaxed);
        self.end_split();
        self.opening = None;
        self.forget_diagnostics();
        pins
    }

    pub(super) fn server_name(&self, server: ServerId) -> String {
        self.worker.core.address_of(Place { cluster: self.target, server })
    }
}
