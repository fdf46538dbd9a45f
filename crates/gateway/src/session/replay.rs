//! Opt-in: a transaction that has lost its primary is run again on the new one, and nobody notices.
//!
//! While a transaction is open, its statements are kept, with a checksum of what the client was answered. When its
//! connection is lost, or belongs to an epoch that is over, they are run on the primary of the day, one after the other. If
//! every answer has the checksum that it had before, the client's session goes on there; otherwise the client gets the
//! 1213 that it would have got without all this, with the reason.
//!
//! **Why nothing is done twice.** A transaction is replayed only if every statement that was sent in it is of
//! [`rules::is_repeatable`]: none of them commits, by its own meaning or implicitly, none hides what it does, and none sets
//! `autocommit`. So the server that has lost the connection can only roll the transaction back: it was never told to
//! commit, and the one connection that could tell it is closed before the replay begins. That holds whether or not that
//! server is dead, fenced, or still the primary. A `COMMIT` itself is never among these statements; one that was sent and
//! not answered is not repeated. What a rollback does not take back are writes to tables without transactions: of the
//! statements that were answered the server has told which wrote there (`session_track_transaction_info`), and for one
//! that was under way the tables are looked up before it is sent again.

mod checksum;
mod obstacle;
mod record;
mod repeat;
mod rules;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use checksum::Checksum;
pub(crate) use obstacle::Obstacle;
pub(super) use record::MOVABLE;

use record::Transaction;

use super::variables::Assignments;
use super::{InsertId, Pins};
use crate::state::StateSet;

/// A transaction is open, or what counts for the next one has been said.
pub(super) const OPEN: Pins = Pins::TRANSACTION.union(Pins::NEXT_TRANSACTION).union(Pins::SAVEPOINT);

/// A session's part, where replay is on.
#[derive(Default)]
pub(crate) struct Replay {
    /// What the session was before the present statement, if a transaction may begin with it.
    start: Option<Start>,
    /// A transaction was open before the present statement, not only what counts for the next one.
    within: bool,
    open: Option<Transaction>,
    /// Why the last one that was lost was not replayed.
    failed: Option<Obstacle>,
}

/// What a transaction begins with.
#[derive(Clone)]
struct Start {
    state: Arc<StateSet>,
    /// What sets the session's user variables.
    variables: Option<Assignments>,
    insert_id: InsertId,
}

/// What became of transactions that lost their primary, over all workers.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    pub(crate) succeeded: AtomicU64,
    pub(crate) statements: AtomicU64,
    failed: [AtomicU64; Obstacle::ALL.len()],
}

impl Replays {
    fn count_failed(&self, obstacle: Obstacle) {
        self.failed[obstacle as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// By reason.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Obstacle::ALL.iter().map(|o| (o.label(), self.failed[*o as usize].load(Ordering::Relaxed)))
    }
}

/// What the lists of sessions say of it: `None` where replay is off.
pub(crate) fn described(code: u8) -> Option<&'static str> {
    match code {
        0 => None,
        1 => Some("idle"),
        2 => Some("ready"),
        other => Obstacle::ALL.get(usize::from(other) - 3).map(|obstacle| obstacle.label()),
    }
}

impl Replay {
    /// For [`described`].
    pub(super) fn code(&self) -> u8 {
        match &self.open {
            None => 1,
            Some(open) => open.obstacle.map_or(2, |obstacle| obstacle as u8 + 3),
        }
    }

    /// For the error of a transaction that is lost: why it was not replayed.
    pub(super) fn excuse(&mut self) -> Option<String> {
        self.failed.take().map(|obstacle| format!(" (not replayed: {obstacle})"))
    }
}
