//! Opt-in: a `COMMIT` whose answer was lost is not left unknown (`commit_journal`).
//!
//! Before the `COMMIT` of a transaction that may have written, a row with a unique token is written to `hadal.commits`,
//! inside the transaction and in the same packet as the `COMMIT`, so that it costs no round trip. The row is there exactly
//! if the transaction was committed. Where the answer is lost, the row is looked for on the primary of the day, once it is
//! certain that nobody can commit the transaction any more:
//!
//! - another server leads: what it had not got when it was promoted, the cluster never gets from the former one; or
//! - the same server leads, and the connection that was to commit is gone from it.
//!
//! The row is there: the client gets its OK. It is not: the client gets 1213, or the transaction is replayed. It cannot be
//! told in time: the client gets 1158 and "unknown", as without all this. A statement in autocommit gets no row: it would
//! have to be wrapped into a transaction, which is not the same (its errors would be others, and other statements could
//! come between).

mod commit;
mod lookup;
mod token;

pub(crate) use token::Tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sql::{Access, Effects, Facts};

use self::token::Token;
use super::{Pins, Session};
use crate::place::Place;

/// Where tokens are.
const TABLE: &str = "hadal.commits";

/// A session's part, where the journal is on.
#[derive(Default)]
pub(crate) struct Journal {
    /// The open transaction may have written.
    wrote: bool,
    /// A `COMMIT` that was sent and not answered.
    pending: Option<Pending>,
    /// The next `COMMIT` goes without a token.
    without: bool,
}

/// A `COMMIT` under way.
#[derive(Clone, Debug)]
struct Pending {
    token: Token,
    place: Place,
    thread_id: u32,
    opened: Instant,
}

/// What became of a `COMMIT` whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    /// It was not committed, and never will be.
    RolledBack,
    Unknown,
}

impl Outcome {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Committed, "committed"), (Self::RolledBack, "rolled_back"), (Self::Unknown, "unknown")];
}

/// What became of such `COMMIT`s, over all workers.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    told: [AtomicU64; Outcome::ALL.len()],
    /// `COMMIT`s that went without a row, because there is no table for it or no right to it.
    without: AtomicU64,
}

impl Outcomes {
    fn count(&self, outcome: Outcome) {
        self.told[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// True for the first one.
    fn count_without(&self) -> bool {
        self.without.fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(crate) fn without(&self) -> u64 {
        self.without.load(Ordering::Relaxed)
    }

    /// By outcome.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Outcome::ALL
            .iter()
            .map(|(outcome, name)| (*name, self.told[*outcome as usize].load(Ordering::Relaxed)))
    }
}

impl Session {
    /// At login, and after a change of user.
    pub(super) fn prepare_journal(&mut self) {
        self.journal = self.settings().commit_journal.then(Box::default);
    }

    /// After a statement that was answered.
    pub(super) fn note_written(&mut self, facts: &Facts) {
        let open = self.pins.contains(Pins::TRANSACTION);
        let Some(journal) = &mut self.journal else { return };
        journal.pending = None;
        let begins = facts.effects.contains(Effects::BEGIN) && facts.statements == 1;
        journal.wrote = open && !begins && (journal.wrote || may_write(facts));
    }

    pub(super) fn has_pending_commit(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.pending.is_some())
    }
}

/// Whether a transaction has something to commit after it.
fn may_write(facts: &Facts) -> bool {
    let hidden = Effects::CALL | Effects::TEXT_EXECUTE | Effects::UNKNOWN;
    (facts.access == Access::Write && !facts.tables.is_empty())
        || !facts.functions.is_empty()
        || facts.effects.intersects(hidden)
}
