//! After a connection has broken under a statement: what can be done about it beside telling the client.

use std::time::Instant;

use sql::Effects;

use super::job::Job;
use super::outcome::Outcome;
use super::response::Seen;
use super::{End, Session};
use crate::backend::Backend;

/// See the module.
pub(super) enum Recovered {
    /// The session has its transaction again: the statement can be sent.
    Again,
    /// The client has its answer.
    Told(Seen),
    /// It is lost.
    No,
}

impl Session {
    /// Asks the commit journal, replays the transaction, where these are on.
    pub(super) async fn recover(&mut self, job: &Job<'_>, began: Instant) -> Result<Recovered, End> {
        if self.has_pending_commit() {
            match self.outcome(job, began).await? {
                Outcome::Committed => return Ok(Recovered::Told(self.tell_committed(job).await?)),
                Outcome::Unknown => return Ok(Recovered::No),
                // As if it had not been sent.
                Outcome::RolledBack => self.note_sent(false),
            }
        }
        match self.replay(job, began).await? {
            true => Ok(Recovered::Again),
            false => Ok(Recovered::No),
        }
    }

    /// Whether a connection was closed before the end of its transaction is sent: nobody will read it there. What is not
    /// an end can be sent again in any case.
    pub(super) fn is_closed_before(&self, job: &Job<'_>, backend: &mut Backend) -> bool {
        let ends = job.facts.effects.intersects(Effects::COMMIT | Effects::ROLLBACK);
        ends && !backend.socket.is_quiet()
    }

    async fn tell_committed(&mut self, job: &Job<'_>) -> Result<Seen, End> {
        let pins = self.forget_connection(None);
        self.send_ok(job.command.sequence).await?;
        if !pins.leave_nothing() {
            return Err(End::StateLost(format!("{pins} went with the connection that committed")));
        }
        Ok(Seen { status: Some(self.status()), ..Seen::default() })
    }
}
