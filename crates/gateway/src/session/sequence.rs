//! `NEXTVAL` and `LASTVAL`: the last value of a sequence belongs to the connection that drew it, and cannot be put on
//! another.

use sql::{Effects, Facts, Reason};

use super::job::Job;
use super::{End, Session};
use crate::backend::Backend;

/// Whether the statement draws from a sequence.
pub(super) fn draws(facts: &Facts) -> bool {
    facts.effects.contains(Effects::DRAWS_FROM_SEQUENCE)
}

/// Whether it asks what was drawn last.
fn asks_for_last_value(facts: &Facts) -> bool {
    let maybe = matches!(facts.reason, Reason::SideEffectFunction | Reason::OwnConnection);
    if !maybe && facts.statements <= 1 && facts.access != sql::Access::Write {
        return false;
    }
    let text = facts.digest_text.to_ascii_lowercase();
    ["lastval", "previous value for"].iter().any(|word| text.contains(word))
}

impl Session {
    /// Before `LASTVAL`: makes sure that no other session's value is shown. False: the client has been told why not.
    pub(super) async fn prepare_last_value(&mut self, job: &Job<'_>) -> Result<bool, End> {
        if !asks_for_last_value(job.facts) {
            return Ok(true);
        }
        if self.held.is_some() {
            return Ok(true);
        }
        if let Some(lease) = &self.lease
            && Some(lease.id) == self.sequence_on
        {
            self.direct_to = Some(lease.place);
            return Ok(true);
        }
        if self.sequence_lost || self.sequence_on.is_some() {
            let text = "the last value of the sequence is no longer known, since the connection that drew it serves others \
                        (all of clusters.*.pool.max_connections are in use)";
            self.refuse(job.command.sequence, 1815, "HY000", text).await?;
            return Ok(false);
        }
        self.wants_fresh = true;
        Ok(true)
    }

    /// After a statement: remembers who drew.
    pub(super) fn note_sequence(&mut self, facts: &Facts, backend: &Backend) {
        if draws(facts) {
            self.sequence_on = Some(backend.id);
            self.shared.precious.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The connection that drew is being given up.
    pub(super) fn lose_sequence(&mut self, backend: &Backend) {
        if self.sequence_on == Some(backend.id) {
            self.sequence_on = None;
            self.sequence_lost = true;
            self.shared.precious.store(false, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
