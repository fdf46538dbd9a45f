//! What a response means for the session: its state, its pins, and what becomes of the connection.

use std::sync::Arc;

use mysql_wire::{ResponseKind, StateChange, StateChanges, StatusFlags};
use sql::{Effects, Facts};
use topology::MariaGtid;

use super::query::Job;
use super::response::Seen;
use super::{End, InsertId, LastStatement, Pins, Session};
use crate::backend::Backend;

/// What trackers reported, beyond plain variables.
#[derive(Debug, Default)]
struct Absorbed {
    /// The server says that something changed.
    changed: bool,
    /// The change has a name.
    named: bool,
    charset: bool,
    trackers: bool,
    timeouts: bool,
    uncarried: bool,
}

impl Session {
    /// Learns from a complete response and decides what becomes of the connection.
    pub(super) async fn finish(
        &mut self,
        job: &Job<'_>,
        mut backend: Backend,
        seen: &Seen,
    ) -> Result<(), End> {
        if let (Some(text), Some(prepared)) = (job.text, &seen.prepare_ok) {
            let closed = backend.statements.insert(text.serial, prepared.id, false);
            backend.close_statements(&closed);
        }
        // An error tells no changes; the next OK on the connection does, which must not be another session's.
        if seen.error.is_some() && may_have_changed(job.facts) && self.has_stored_code() {
            // A trigger or function may have changed the session before the statement failed, and nothing tells what:
            // the connection serves nobody else.
            backend.short_lived = true;
        }
        if self.pins.is_empty()
            && seen.error.is_some()
            && job.facts.access == sql::Access::Write
            && !job.facts.tables.is_empty()
        {
            // What it has written to tables without transactions stays, and no tracker tells (tried on MariaDB 10.11).
            let asked = Box::pin(self.ask_for_position(&mut backend)).await;
            asked.map_err(|error| End::StateLost(format!("while its position was read: {error}")))?;
        }
        let deprecates = backend.capabilities.contains(mysql_wire::Capabilities::DEPRECATE_EOF);
        let heard = seen.error.is_none() && (seen.last_rows.is_none() || deprecates);
        backend.untold = !heard && (backend.untold || (seen.error.is_some() && may_have_changed(job.facts)));
        if !seen.changes.is_empty() || (self.pins.is_empty() && is_untold(&backend, job.facts, seen)) {
            let absorbed = Box::pin(self.absorb(&mut backend, job, seen)).await;
            absorbed.map_err(|error| End::StateLost(format!("while its state was read: {error}")))?;
        }
        if let Some(prepared) = &job.prepared {
            let asked = job.opens_cursor || job.kind == ResponseKind::Fetch;
            self.note_execution(prepared, seen, asked);
        }
        self.update_transaction(job, seen);
        let runs = job.kind != ResponseKind::Prepare;
        if runs {
            self.update_pins(job.facts, seen);
            self.note_last(job.facts, &backend, seen);
            self.note_sequence(job.facts, &backend);
            self.tell_control_plane(job.facts);
        }
        if runs && seen.error.is_none() && job.facts.effects.contains(Effects::CLOSES_CONNECTION) {
            // The server has closed it, and on a direct connection the client would see that.
            self.pins = Pins::NONE;
            drop(backend);
            return Err(End::Quit);
        }
        if !runs {
            self.note_preparation(&backend, seen);
        }
        let keep = self.knows_something(job.facts, seen, runs);
        self.settle(backend, keep).await
    }

    /// Holds the connection, leases it, or gives it back.
    pub(super) async fn settle(&mut self, mut backend: Backend, knows_something: bool) -> Result<(), End> {
        if backend.tainted && !self.pins.is_empty() {
            return Err(End::StateLost(format!(
                "{}: the connection's state is not known any more",
                self.pins
            )));
        }
        self.shared.pins.store(self.pins.bits(), std::sync::atomic::Ordering::Relaxed);
        if !self.pins.is_empty() {
            self.shared.set_backend(Some((backend.place, backend.thread_id)));
            self.held = Some(backend);
            return Ok(());
        }
        if !knows_something && self.insert_id != InsertId::OnLease && self.sequence_on != Some(backend.id) {
            self.release(backend);
            return Ok(());
        }
        // Lease: unless somebody waits for a connection already, or another one is kept that knows the insert id.
        let elsewhere = self.lease.is_some();
        if !elsewhere && !backend.pool().has_waiters() {
            Box::pin(self.keep_lease(backend)).await;
        } else if elsewhere && !knows_something {
            self.release(backend);
        } else {
            match Box::pin(self.capture_beside(&mut backend, elsewhere)).await {
                Ok(()) => self.release(backend),
                Err(_) => self.forget_diagnostics(),
            }
        }
        Ok(())
    }

    /// Captures without touching an insert id that another connection knows.
    async fn capture_beside(
        &mut self,
        backend: &mut Backend,
        elsewhere: bool,
    ) -> Result<(), crate::backend::ExchangeError> {
        let kept = self.insert_id;
        self.capture(backend).await?;
        if elsewhere {
            self.insert_id = kept;
        }
        Ok(())
    }

    fn update_transaction(&mut self, job: &Job<'_>, seen: &Seen) {
        self.last_status = seen.status.unwrap_or(self.last_status);
        match seen.status {
            Some(status) if status.contains(StatusFlags::IN_TRANS) => self.pins.insert(Pins::TRANSACTION),
            Some(_) => {
                let was_open = self.pins.contains(Pins::TRANSACTION);
                self.pins.remove(Pins::TRANSACTION);
                if was_open || job.facts.effects.intersects(Effects::COMMIT | Effects::ROLLBACK) {
                    self.end_split();
                }
                if was_open || job.facts.effects.intersects(Effects::COMMIT | Effects::ROLLBACK) {
                    self.pins.remove(Pins::NEXT_TRANSACTION);
                }
            }
            // An error tells no status. A single statement in autocommit leaves no transaction; after anything else
            // there may be one, so the connection is kept until a status is seen.
            None if seen.error.is_some() => {
                let may_be_open = self.autocommit_off()
                    || job.facts.statements > 1
                    || job
                        .facts
                        .effects
                        .intersects(Effects::CALL | Effects::TEXT_EXECUTE | Effects::BEGIN | Effects::XA);
                if may_be_open && job.kind != ResponseKind::Prepare {
                    self.pins.insert(Pins::TRANSACTION);
                }
            }
            None => {}
        }
    }

    fn update_pins(&mut self, facts: &Facts, seen: &Seen) {
        if facts.effects.contains(Effects::SAVEPOINT) && self.autocommit_off() {
            // Without a transaction yet, the server keeps it for the one that the next statement begins.
            self.pins.insert(Pins::SAVEPOINT);
        } else if seen.error.is_none()
            && facts.effects.intersects(COMMITS_IMPLICITLY | Effects::COMMIT | Effects::ROLLBACK)
        {
            self.pins.remove(Pins::SAVEPOINT);
        }
        let failed = seen.error.is_some() && facts.statements <= 1;
        let effects = facts.effects;
        for (effect, pin) in PINNING {
            let partial = *pin == Pins::USER_VARIABLE || *pin == Pins::PROCEDURE;
            if effects.intersects(*effect) && (!failed || partial) {
                self.pins.insert(*pin);
            }
        }
        let suspicious = !facts.functions.is_empty() || (self.last_why_view && !facts.tables.is_empty());
        if suspicious && self.calls_a_session_function(facts) {
            self.pins.insert(Pins::PROCEDURE);
        }
        if effects.contains(Effects::UNLOCK_TABLES) && !failed && !effects.contains(Effects::LOCK_TABLES) {
            self.pins.remove(Pins::TABLE_LOCK);
        }
    }

    fn note_last(&mut self, facts: &Facts, backend: &Backend, seen: &Seen) {
        if facts.effects.contains(Effects::USES_DIAGNOSTICS) {
            let here = (backend.place, backend.id, backend.uses + 1);
            for known in [&mut self.last.conditions_on, &mut self.last.ran_on] {
                if known.is_some_and(|(_, id, _)| id == backend.id) {
                    *known = Some(here);
                }
            }
            return;
        }
        // INSERT … SELECT sets what FOUND_ROWS() gives, too, and so may anything inside EXECUTE or CALL.
        let finds = seen.last_rows.is_some()
            || facts.access == sql::Access::Write && !facts.tables.is_empty()
            || facts.effects.intersects(Effects::CALL | Effects::TEXT_EXECUTE);
        let row_count = match (seen.rows, seen.error) {
            (None, None) => seen.affected as i64,
            _ => -1,
        };
        let here = (backend.place, backend.id, backend.uses + 1);
        let conditions = seen.warnings > 0 || seen.error.is_some();
        // The list of warnings outlives statements that use no table and leave none of their own (tried on 10.11).
        let outlived =
            !conditions && facts.tables.is_empty() && seen.last_rows.is_some() && self.last.has_conditions;
        let outlived_on = match self.last.conditions_on {
            Some((_, id, _)) if id == backend.id => Some(here),
            elsewhere => elsewhere,
        };
        self.last = LastStatement {
            ran_on: Some(here),
            conditions_on: if outlived { outlived_on } else { Some(here) },
            found_rows: seen.last_rows.unwrap_or(self.last.found_rows),
            found_on: if finds { Some(backend.id) } else { self.last.found_on },
            row_count,
            has_conditions: conditions || outlived,
            captured_warnings: if outlived { self.last.captured_warnings.take() } else { None },
        };
        if facts.effects.contains(Effects::MAY_SET_INSERT_ID) && seen.insert_id != 0 {
            self.insert_id = InsertId::OnLease;
        }
    }

    fn knows_something(&self, facts: &Facts, seen: &Seen, runs: bool) -> bool {
        if seen.warnings > 0 || seen.error.is_some() {
            return true;
        }
        // Asked once, it may be asked again.
        (facts.effects.contains(Effects::USES_DIAGNOSTICS) && self.last.has_conditions)
            || runs
                && ((facts.statements > 1 && seen.last_rows.is_some())
                    || super::sequence::draws(facts)
                    || facts.effects.contains(Effects::CALC_FOUND_ROWS)
                    || (facts.effects.contains(Effects::MAY_SET_INSERT_ID) && seen.insert_id != 0))
    }

    fn has_stored_code(&self) -> bool {
        self.worker.core.cluster(self.identity.cluster).view().catalogue.has_stored_code
    }

    fn calls_a_session_function(&self, facts: &Facts) -> bool {
        let view = self.worker.core.cluster(self.identity.cluster).view();
        let names = &view.catalogue.session_functions;
        let views = &view.catalogue.primary_only_views;
        let database = self.state.database.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let is_such_a_view = |table: &sql::TableName| {
            let schema = table.schema.as_deref().unwrap_or(&database).to_lowercase();
            schema != "sys"
                && schema != "mysql"
                && views.contains(&format!("{schema}.{}", table.name.to_lowercase()))
        };
        facts.functions.iter().any(|function| names.contains(&function.name.to_lowercase()))
            || (facts.access == sql::Access::Read && facts.tables.iter().any(is_such_a_view))
    }

    /// Preparing a statement leaves warnings and errors like running it, and nothing else.
    fn note_preparation(&mut self, backend: &Backend, seen: &Seen) {
        let here = (backend.place, backend.id, backend.uses + 1);
        self.last.conditions_on = Some(here);
        self.last.has_conditions = seen.warnings > 0 || seen.error.is_some();
        self.last.captured_warnings = None;
        if self.last.ran_on.is_some_and(|(_, id, _)| id == backend.id) {
            self.last.ran_on = Some(here);
        }
    }

    fn tell_control_plane(&mut self, facts: &Facts) {
        if facts.effects.contains(Effects::DDL) && names_a_database(facts) {
            self.entered = std::time::Instant::now();
        }
        if facts.effects.intersects(Effects::ACCOUNT_DDL | Effects::ROUTINE_DDL | Effects::SETS_GLOBAL) {
            self.worker.core.cluster(self.identity.cluster).control.refresh();
        }
        if facts.effects.intersects(Effects::SETS_GLOBAL | Effects::ACCOUNT_DDL) {
            // Connections opened before have the old defaults, and the privileges of their login.
            self.worker.core.pools.all().iter().for_each(|pool| pool.retire_all());
        }
    }

    /// Takes over what the server's trackers reported.
    async fn absorb(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        seen: &Seen,
    ) -> Result<(), crate::backend::ExchangeError> {
        let changes = seen.changes.clone();
        if self.pins.is_empty() && is_untold(backend, job.facts, seen) {
            self.ask_for_position(backend).await?;
            if !job.facts.functions.is_empty() || job.facts.effects.contains(Effects::CALL) {
                self.pins.insert(Pins::UNKNOWN_CHANGE);
            }
        }
        let mut state = (*self.state).clone();
        let mut absorbed = Absorbed::default();
        let temporary = sets_for_one_statement(job.facts);
        for change in StateChanges::new(&changes) {
            match change? {
                StateChange::SystemVariable { name, value } => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    if name == "last_gtid" {
                        self.advance(backend, value);
                    } else if !temporary {
                        self.absorb_variable(&mut state, &mut absorbed, &name, value);
                    }
                }
                StateChange::Schema(name) => {
                    self.entered = std::time::Instant::now();
                    backend.entered = self.entered;
                    absorbed.named = true;
                    state.database = (!name.is_empty()).then(|| Arc::from(name));
                }
                StateChange::StateChanged(changed) => absorbed.changed |= changed,
                _ => {}
            }
        }
        if absorbed.charset && self.charset_from_text(job, &mut state) {
            absorbed.charset = false;
        }
        self.repair(backend, &mut state, &absorbed).await?;
        let explained = job.facts.effects.intersects(NAMES_ITS_CHANGE) && job.facts.functions.is_empty();
        if absorbed.changed && !temporary && !explained && job.kind != ResponseKind::Simple {
            self.pins.insert(Pins::UNKNOWN_CHANGE);
        }
        if absorbed.uncarried {
            self.pins.insert(Pins::VARIABLE);
        }
        if job.facts.statements > 1 && mentions_set_statement(job.facts) {
            // Which of the reported values are gone again cannot be told.
            self.pins.insert(Pins::UNKNOWN_CHANGE);
        }
        if state != *self.state {
            self.set_state(state);
        }
        backend.state = self.state.clone();
        Ok(())
    }

    fn absorb_variable(
        &mut self,
        state: &mut crate::state::StateSet,
        absorbed: &mut Absorbed,
        name: &str,
        value: &[u8],
    ) {
        absorbed.named = true;
        match name {
            _ if name.starts_with("session_track_") => {
                self.tracked.set(name, value);
                absorbed.trackers = true;
            }
            "wait_timeout" | "interactive_timeout" => {
                self.set_timeout(name, value);
                absorbed.timeouts = true;
            }
            "last_insert_id" | "identity" => {
                let id = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                self.insert_id = InsertId::Known(id.unwrap_or_default());
            }
            _ if is_uncarried(name) => absorbed.uncarried = true,
            _ => {
                // Reported without its collation.
                absorbed.charset |= name == "character_set_connection";
                state.set_variable(name, value);
            }
        }
    }

    /// The collation of a plain `SET NAMES`, which needs no question: one more statement on the connection would change
    /// what `ROW_COUNT()` says.
    fn charset_from_text(&self, job: &Job<'_>, state: &mut crate::state::StateSet) -> bool {
        let text = job.command.payload().get(1..).unwrap_or_default();
        if job.kind != ResponseKind::Query || job.facts.statements != 1 {
            return false;
        }
        let Some(names) = sql::set_names(text, self.mode).filter(|n| !n.default && !n.character_set) else {
            return false;
        };
        let collation = match (names.collation, names.charset) {
            (Some(collation), _) => Arc::<str>::from(collation.to_ascii_lowercase()),
            (None, Some(charset)) => {
                let view = self.worker.core.cluster(self.identity.cluster).view();
                let known = view.catalogue.default_collations.get(&*charset.to_ascii_lowercase()).cloned();
                let Some(collation) = known else { return false };
                collation
            }
            (None, None) => return false,
        };
        state.charset.collation = collation;
        true
    }

    /// Has the server tell what a failed statement has changed. A connection with such changes is not used again; what
    /// can be carried to another one is.
    pub(super) async fn hear_late(
        &mut self,
        backend: &mut Backend,
    ) -> Result<(), crate::backend::ExchangeError> {
        let pong = backend.command(&[mysql_wire::Command::Ping as u8]).await?;
        let ok = mysql_wire::OkPacket::parse(pong.payload(), backend.response_capabilities())?;
        let mut state = (*self.state).clone();
        let mut absorbed = Absorbed::default();
        for change in StateChanges::new(ok.session_state) {
            match change? {
                StateChange::SystemVariable { name: b"last_gtid", value } => self.advance(backend, value),
                StateChange::SystemVariable { name, value } => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    self.absorb_variable(&mut state, &mut absorbed, &name, value);
                }
                StateChange::StateChanged(changed) => absorbed.changed |= changed,
                _ => {}
            }
        }
        backend.tainted |= absorbed.changed || absorbed.named;
        backend.untold = false;
        if state != *self.state {
            self.set_state(state);
        }
        Ok(())
    }

    /// Undoes on the connection what must not stay there, and asks for what trackers do not tell.
    async fn repair(
        &mut self,
        backend: &mut Backend,
        state: &mut crate::state::StateSet,
        absorbed: &Absorbed,
    ) -> Result<(), crate::backend::ExchangeError> {
        if absorbed.charset {
            // SET NAMES … COLLATE reports the character set, but not the collation (tried on MariaDB 10.11).
            let sql = b"SELECT @@character_set_client, @@character_set_results, @@collation_connection";
            let row = backend.query(sql).await?.first_row();
            let text = |i: usize| row.get(i).and_then(|v| v.as_deref()).map(ascii);
            if let (Some(client), Some(collation)) = (text(0), text(2)) {
                state.charset = crate::state::Charset { client, results: text(1), collation };
            }
        }
        if absorbed.trackers {
            backend.track().await?;
        }
        if absorbed.timeouts {
            backend.query(b"SET wait_timeout=DEFAULT, interactive_timeout=DEFAULT").await?;
        }
        Ok(())
    }

    /// The newest transaction of the connection, where no tracker has told it.
    async fn ask_for_position(&mut self, backend: &mut Backend) -> Result<(), crate::backend::ExchangeError> {
        let answer = backend.query(b"SELECT @@last_gtid").await?;
        if let Some(value) = answer.first_value() {
            self.advance(backend, &value);
        }
        Ok(())
    }

    fn advance(&mut self, backend: &Backend, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        if let Ok(gtid) = text.parse::<MariaGtid>() {
            self.position.advance(gtid);
            self.worker.core.cluster(backend.place.cluster).load(backend.place.server).learn_one(gtid);
        }
    }

    /// Whether the session is in a virtual transaction: `autocommit=0`.
    pub(super) fn autocommit_off(&self) -> bool {
        self.state.autocommit().map_or(self.autocommit_off_by_default, |on| !on)
    }

    /// Honoured here, and not put on pooled connections.
    pub(super) fn set_timeout(&mut self, name: &str, value: &[u8]) {
        let known = if name == "wait_timeout" { "wait_timeout" } else { "interactive_timeout" };
        self.timeouts.retain(|(n, _)| *n != known);
        self.timeouts.push((known, value.to_vec()));
        let seconds = std::str::from_utf8(value).ok().and_then(|v| v.parse::<u64>().ok());
        if let (Some(seconds), "wait_timeout") = (seconds, known) {
            self.shared.timeout_ms.store(seconds.saturating_mul(1000), std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Whether a failed statement may have changed the session before it failed.
fn may_have_changed(facts: &Facts) -> bool {
    facts.access != sql::Access::Read || !facts.functions.is_empty()
}

/// What a result set has changed without DEPRECATE_EOF is not told at all (tried on MariaDB 10.11).
fn is_untold(backend: &Backend, facts: &Facts, seen: &Seen) -> bool {
    !backend.capabilities.contains(mysql_wire::Capabilities::DEPRECATE_EOF)
        && seen.rows.is_some()
        && (facts.access == sql::Access::Write
            || seen.status.is_some_and(|s| s.contains(StatusFlags::SESSION_STATE_CHANGED)))
}

/// A name in whatever character set the session has its results: names are ASCII, wide ones have zeroes in between.
fn ascii(value: &[u8]) -> Arc<str> {
    value.iter().filter(|b| **b != 0).map(|b| char::from(*b)).collect::<String>().into()
}

/// `SET STATEMENT … FOR …`: trackers report the values, though they are gone with the statement.
fn sets_for_one_statement(facts: &Facts) -> bool {
    let mut words = facts.digest_text.split_whitespace();
    let mut is = |word: &str| words.next().is_some_and(|w| w.eq_ignore_ascii_case(word));
    is("set") && is("statement")
}

/// `ALTER DATABASE` and its kin: the session itself sees at once what it has changed.
fn names_a_database(facts: &Facts) -> bool {
    let text = facts.digest_text.to_ascii_lowercase();
    text.contains(" database") || text.contains(" schema")
}

/// One of several statements may be `SET STATEMENT`.
fn mentions_set_statement(facts: &Facts) -> bool {
    let text = facts.digest_text.to_ascii_lowercase();
    text.contains("set statement") || text.len() >= Facts::DIGEST_TEXT_LIMIT
}

/// Variables that a connection cannot be given later with the same meaning.
fn is_uncarried(name: &str) -> bool {
    matches!(
        name,
        "timestamp"
            | "insert_id"
            | "rand_seed1"
            | "rand_seed2"
            | "pseudo_thread_id"
            | "pseudo_slave_mode"
            | "gtid_seq_no"
            | "gtid_domain_id"
            | "server_id"
            | "sql_log_bin"
            | "skip_replication"
            | "in_transaction"
            | "debug"
            | "profiling"
            | "completion_type"
            | "debug_dbug"
            | "debug_sync"
    )
}

const PINNING: &[(Effects, Pins)] = &[
    (Effects::SETS_USER_VARIABLE, Pins::USER_VARIABLE),
    (Effects::CREATES_TEMPORARY_TABLE, Pins::TEMPORARY_TABLE),
    (Effects::LOCK_TABLES, Pins::TABLE_LOCK),
    (Effects::NAMED_LOCK, Pins::NAMED_LOCK),
    (Effects::TEXT_PREPARE, Pins::TEXT_STATEMENT),
    (Effects::HANDLER_OPEN, Pins::HANDLER),
    (Effects::NEXT_TRANSACTION, Pins::NEXT_TRANSACTION),
    (Effects::SET_ROLE, Pins::ROLE),
    (Effects::SETS_UNCARRIED, Pins::VARIABLE),
    (Effects::CALL, Pins::PROCEDURE),
    (Effects::XA, Pins::XA),
];

/// All effects that pin.
pub(super) fn pinning() -> Effects {
    PINNING.iter().fold(Effects::NONE, |all, (effect, _)| all | *effect)
}

/// Effects that end a transaction by themselves.
pub(super) const COMMITS_IMPLICITLY: Effects = Effects::BEGIN
    .union(Effects::DDL)
    .union(Effects::LOCK_TABLES)
    .union(Effects::ACCOUNT_DDL)
    .union(Effects::ROUTINE_DDL)
    .union(Effects::SETS_AUTOCOMMIT)
    .union(Effects::SETS_PASSWORD)
    .union(Effects::XA);

/// Statements whose change of state is known from their text.
const NAMES_ITS_CHANGE: Effects = Effects::SETS_USER_VARIABLE
    .union(Effects::CREATES_TEMPORARY_TABLE)
    .union(Effects::DROPS_TEMPORARY_TABLE)
    .union(Effects::TEXT_PREPARE)
    .union(Effects::TEXT_DEALLOCATE)
    .union(Effects::SET_ROLE)
    .union(Effects::SETS_UNCARRIED)
    .union(Effects::USE_SCHEMA)
    .union(Effects::SETS_SYSTEM_VARIABLE)
    .union(Effects::SET_NAMES)
    .union(Effects::SETS_AUTOCOMMIT);
