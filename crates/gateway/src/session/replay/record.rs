//! Keeping what a transaction has done.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mysql_wire::{Capabilities, ResponseKind, StateChange, StateChanges};
use sql::{Access, Effects, TableName, Verb};

use super::rules::{is_lasting, is_repeatable, leaves_nothing};
use super::{OPEN, Obstacle, Replay, Start};
use crate::session::client::CommandPacket;
use crate::session::job::Job;
use crate::session::response::Seen;
use crate::session::statement::Statement;
use crate::session::{End, Pins, Session};
use crate::state::StateSet;

/// Pins with which a transaction can be moved to another connection.
pub(in crate::session) const MOVABLE: Pins = OPEN.union(Pins::USER_VARIABLE);

/// What a statement counts for beside its own bytes.
const OVERHEAD: usize = 128;

/// The variable by which a server tells what a transaction has done.
pub(crate) const TRACKER: &str = "session_track_transaction_info";

/// An open transaction.
pub(super) struct Transaction {
    pub(super) start: Option<Start>,
    pub(super) statements: Vec<Recorded>,
    bytes: usize,
    pub(super) obstacle: Option<Obstacle>,
    /// Tables of its last writes, of which the server has not yet told what they did.
    pub(super) untold: Vec<TableName>,
    /// It has used `LAST_INSERT_ID()`, perhaps the one from before it: an INSERT that was answered with an id has given the
    /// session a new one only if the id was generated, which the answer does not tell.
    pub(super) needs_insert_id: bool,
    /// The connection that it ran on last.
    pub(super) on: u64,
}

/// A statement that was answered.
pub(super) struct Recorded {
    pub(super) command: CommandPacket,
    pub(super) kind: ResponseKind,
    pub(super) prepared: Option<Prepared>,
    pub(super) checksum: u64,
    /// The id that its first row got, or was given.
    pub(super) insert_id: Option<u64>,
    /// The session's state after it.
    pub(super) state: Arc<StateSet>,
}

pub(super) struct Prepared {
    pub(super) statement: Rc<Statement>,
    pub(super) bulk: bool,
    /// The types of its parameters.
    pub(super) types: Option<Arc<[u8]>>,
}

impl Transaction {
    /// `start` is `None` where something else holds the session to its connection.
    pub(super) fn new(start: Option<Start>) -> Self {
        Self {
            obstacle: start.is_none().then_some(Obstacle::SessionState),
            start,
            statements: Vec::new(),
            bytes: 0,
            untold: Vec::new(),
            needs_insert_id: false,
            on: 0,
        }
    }

    /// From now on it cannot be replayed.
    fn stop(&mut self, obstacle: Obstacle) {
        self.obstacle = Some(obstacle);
        self.statements = Vec::new();
    }
}

/// Whether a statement may need the `LAST_INSERT_ID()` from before the transaction.
pub(super) fn asks_for_insert_id(job: &Job<'_>, code_reads_it: bool) -> bool {
    job.facts.effects.contains(Effects::USES_LAST_INSERT_ID)
        || code_reads_it && job.facts.access == Access::Write
}

impl Session {
    /// At login, and after a change of user: whether transactions are kept, and servers have to tell of them.
    pub(in crate::session) fn prepare_replay(&mut self, state: &mut StateSet) {
        self.replay = self.settings().transaction_replay.then(Box::default);
        if self.replay.is_some() {
            state.set_variable(TRACKER, b"STATE");
        }
        self.shared.replay.store(u8::from(self.replay.is_some()), Ordering::Relaxed);
    }

    /// Before a statement: notes what a transaction that begins with it begins with.
    pub(in crate::session) async fn note_start(&mut self, job: &Job<'_>) -> Result<(), End> {
        let within = self.pins.contains(Pins::TRANSACTION);
        if let Some(replay) = &mut self.replay {
            replay.within = within;
        }
        if self.pins.intersects(OPEN) {
            return Ok(());
        }
        let opening = Effects::BEGIN | Effects::NEXT_TRANSACTION | Effects::SAVEPOINT;
        let opens = self.autocommit_off() || job.facts.effects.intersects(opening);
        if opens && self.keeps_variables_only() {
            // Only their connection knows them.
            Box::pin(self.carry_variables()).await?;
        }
        if opens && self.insert_id.on().is_some() {
            Box::pin(self.return_lease()).await;
        }
        let start = (opens && self.held.is_none()).then(|| self.present());
        if let Some(replay) = &mut self.replay {
            (replay.start, replay.open, replay.failed) = (start, None, None);
        }
        Ok(())
    }

    fn present(&self) -> Start {
        Start { state: self.state.clone(), variables: self.carried.clone(), insert_id: self.insert_id }
    }

    /// After a statement that was answered.
    pub(in crate::session) fn record(&mut self, job: &Job<'_>, seen: &Seen) {
        let Some(mut replay) = self.replay.take() else { return };
        match self.pins.intersects(OPEN) {
            true => self.record_in(&mut replay, job, seen),
            false => replay.open = None,
        }
        self.shared.replay.store(replay.code(), Ordering::Relaxed);
        self.replay = Some(replay);
    }

    fn record_in(&self, replay: &mut Replay, job: &Job<'_>, seen: &Seen) {
        let begins = job.facts.effects.contains(Effects::BEGIN) && seen.error.is_none();
        if begins && replay.open.is_some() && replay.within {
            // It has ended the one before; but what was set for the next transaction is part of this one. User variables may have been set in that one.
            let known = !self.pins.contains(Pins::USER_VARIABLE);
            replay.open = Some(Transaction::new(known.then(|| self.present())));
        }
        let opens = replay.open.is_none() || begins;
        let start = &mut replay.start;
        let open = replay.open.get_or_insert_with(|| Transaction::new(start.take()));
        open.on = self.held.as_ref().map_or(0, |held| held.id);
        if open.obstacle.is_some() || leaves_nothing(job) {
            return;
        }
        if self.split.is_some() && job.facts.verb != Verb::Begin {
            // A read by a replica, at its own moment: nothing in the transaction depends on it.
            return;
        }
        if let Some(obstacle) = self.obstacle_of(open, job, seen, opens) {
            open.stop(obstacle);
            return;
        }
        self.keep(open, job, seen);
    }

    /// What keeps a statement that was answered from being repeated.
    fn obstacle_of(
        &self,
        open: &mut Transaction,
        job: &Job<'_>,
        seen: &Seen,
        opens: bool,
    ) -> Option<Obstacle> {
        if !MOVABLE.contains(self.pins) || self.target != self.base {
            return Some(Obstacle::SessionState);
        }
        if !is_repeatable(job, opens) {
            return Some(Obstacle::Statement);
        }
        if seen.error.is_some_and(|code| !is_lasting(code)) {
            return Some(Obstacle::Failure);
        }
        if wrote_plainly(seen) {
            return Some(Obstacle::PlainTable);
        }
        let writes = self.may_write_unseen(job);
        if writes && !self.tracks_transactions() {
            return Some(Obstacle::Untold);
        }
        // Neither errors nor rows without an OK behind them tell what was written.
        let heard = seen.error.is_none()
            && (seen.last_rows.is_none() || self.shape.contains(Capabilities::DEPRECATE_EOF));
        if heard {
            open.untold.clear();
        } else if writes {
            open.untold.extend(bound(&job.facts.tables, self.state.database.as_deref()));
        }
        let config = self.worker.core.config.load();
        let limits = &config.gateway;
        if open.statements.len() >= limits.replay_statements as usize {
            return Some(Obstacle::Statements);
        }
        open.bytes += job.command.raw().len() + OVERHEAD;
        (open.bytes as u64 > limits.replay_bytes).then_some(Obstacle::Bytes)
    }

    /// Whether the statement may have written: a read, too, through a view that calls a stored function.
    pub(super) fn may_write_unseen(&self, job: &Job<'_>) -> bool {
        let stored_code = || self.worker.core.cluster(self.target).view().catalogue.has_stored_code;
        job.facts.access == Access::Write || (!job.facts.tables.is_empty() && stored_code())
    }

    fn keep(&self, open: &mut Transaction, job: &Job<'_>, seen: &Seen) {
        let code_reads = self.worker.core.cluster(self.target).view().catalogue.code_reads_insert_id;
        open.needs_insert_id |= asks_for_insert_id(job, code_reads);
        let inserts = matches!(job.facts.verb, Verb::Insert | Verb::Replace) && job.facts.statements == 1;
        let prepared = job.prepared.as_ref().map(|used| Prepared {
            statement: used.statement.clone(),
            bulk: used.bulk,
            types: used.statement.types.borrow().clone(),
        });
        open.statements.push(Recorded {
            command: job.command.clone(),
            kind: job.kind,
            prepared,
            checksum: seen.checksum,
            insert_id: (inserts && seen.insert_id != 0).then_some(seen.insert_id),
            state: self.state.clone(),
        });
    }

    /// Whether servers tell what this session's transactions do.
    fn tracks_transactions(&self) -> bool {
        self.state.variable(TRACKER).is_some_and(|value| !value.eq_ignore_ascii_case(b"OFF") && value != b"0")
    }
}

/// The tables with the schema that they are in, as long as `database` is the session's.
pub(super) fn bound(tables: &[TableName], database: Option<&[u8]>) -> impl Iterator<Item = TableName> {
    let database: Option<Box<str>> = database.map(|name| String::from_utf8_lossy(name).into());
    tables.iter().map(move |table| TableName {
        schema: table.schema.clone().or_else(|| database.clone()),
        name: table.name.clone(),
    })
}

/// Whether the server says that the transaction has written to a table without transactions.
fn wrote_plainly(seen: &Seen) -> bool {
    StateChanges::new(&seen.changes).flatten().any(|change| match change {
        // The fourth of eight letters (tried on MariaDB 10.11).
        StateChange::TransactionState(letters) => letters.get(3).is_none_or(|letter| *letter != b'_'),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_bound_to_the_database_of_its_moment() {
        let facts = sql::analyse(b"UPDATE jobs, shop.orders SET a = 1", sql::Mode::default());
        let schemas: Vec<_> = bound(&facts.tables, Some(b"app")).filter_map(|table| table.schema).collect();
        assert_eq!(schemas, ["app".into(), "shop".into()]);
        assert_eq!(bound(&facts.tables, None).filter(|table| table.schema.is_none()).count(), 1);
    }
}
