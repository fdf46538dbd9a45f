//! What the server's trackers report, and what has to be asked because they do not.

use std::sync::Arc;

use mysql_wire::{ResponseKind, StateChange, StateChanges, StatusFlags};
use sql::{Effects, Facts};
use topology::MariaGtid;

use super::job::Job;
use super::response::Seen;
use super::{InsertId, Pins, Session};
use crate::backend::{Backend, Reply, ascii};

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
    /// Takes over what the server's trackers reported.
    pub(super) async fn absorb(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        seen: &Seen,
    ) -> Result<(), crate::backend::ExchangeError> {
        let changes = seen.changes.clone();
        let displaced = self.is_displaced(backend);
        let mut enters = false;
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
                    backend.databases = self.worker.core.cluster(backend.place.cluster).databases();
                    absorbed.named = true;
                    enters = true;
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
        backend.state = self.state_on(backend, displaced && !enters);
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
            "session_track_transaction_info" => {
                self.tracked.set(name, value);
                state.set_variable(name, value);
            }
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
        let view = self.worker.core.cluster(self.target).view();
        let charset = names.charset.map(|name| Arc::<str>::from(name.to_ascii_lowercase()));
        let default = charset.as_ref().and_then(|name| view.catalogue.default_collations.get(name));
        let collation = match names.collation {
            Some(collation) => Some(Arc::<str>::from(collation.to_ascii_lowercase())),
            None => default.cloned(),
        };
        let (Some(collation), Some(_)) = (collation, charset) else { return false };
        state.charset.results_collation = (default != Some(&collation)).then(|| collation.clone());
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
        if self.last.ran_on.is_some_and(|(_, id, _)| id == backend.id) {
            // That was the last statement there.
            self.last.ran_on = None;
        }
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
            // The question itself changes what the connection would say of the last statement: that is kept here.
            let sql =
                b"SELECT @@character_set_client, @@character_set_results, @@collation_connection, FOUND_ROWS()";
            let reply = backend.query(sql).await?;
            self.asked_behind = true;
            let row = reply.first_row();
            let text =
                |i: usize| row.get(i).and_then(|v| v.as_deref()).map(|value| Arc::<str>::from(ascii(value)));
            if self.last.found_on.is_some_and(|(_, id, uses)| id == backend.id && backend.uses <= uses) {
                self.last.found_rows = text(3).and_then(|n| n.parse().ok()).unwrap_or(self.last.found_rows);
                self.last.found_on = None;
            }
            if let (Some(client), Some(collation)) = (text(0), text(2)) {
                let results = text(1);
                let results_collation = self.collation_of(backend, &reply).filter(|_| results.is_some());
                state.charset = crate::state::Charset { client, results, collation, results_collation };
            }
        }
        if absorbed.trackers {
            backend.track().await?;
        }
        if absorbed.timeouts && !self.has_own_connection() {
            backend.query(b"SET wait_timeout=DEFAULT, interactive_timeout=DEFAULT").await?;
        }
        Ok(())
    }

    /// The collation that the server describes text with, where it is not its character set's default.
    fn collation_of(&self, backend: &Backend, reply: &Reply) -> Option<Arc<str>> {
        let view = self.worker.core.cluster(self.target).view();
        let (collation, charset) =
            view.catalogue.collations.get(&reply.first_collation(backend.response_capabilities())?)?;
        let default = view.catalogue.default_collations.get(charset);
        (default != Some(collation)).then(|| collation.clone())
    }

    /// The newest transaction of the connection, where no tracker has told it.
    pub(super) async fn ask_for_position(
        &mut self,
        backend: &mut Backend,
    ) -> Result<(), crate::backend::ExchangeError> {
        let answer = backend.query(b"SELECT @@last_gtid").await?;
        if let Some(value) = answer.first_value() {
            self.advance(backend, &value);
        }
        Ok(())
    }

    fn advance(&mut self, backend: &Backend, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        if let Ok(gtid) = text.parse::<MariaGtid>() {
            if let Some(position) = self.positions.get_mut(usize::from(backend.place.cluster.0)) {
                position.advance(gtid);
            }
            self.worker.core.cluster(backend.place.cluster).load(backend.place.server).learn_one(gtid);
        }
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

/// What a result set has changed without DEPRECATE_EOF is not told at all (tried on MariaDB 10.11).
pub(super) fn is_untold(backend: &Backend, facts: &Facts, seen: &Seen) -> bool {
    !backend.capabilities.contains(mysql_wire::Capabilities::DEPRECATE_EOF)
        && seen.rows.is_some()
        && (facts.access == sql::Access::Write
            || seen.status.is_some_and(|s| s.contains(StatusFlags::SESSION_STATE_CHANGED)))
}

/// `SET STATEMENT … FOR …`: trackers report the values, though they are gone with the statement.
fn sets_for_one_statement(facts: &Facts) -> bool {
    let mut words = facts.digest_text.split_whitespace();
    let mut is = |word: &str| words.next().is_some_and(|w| w.eq_ignore_ascii_case(word));
    is("set") && is("statement")
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
            // Set by entering a database, too.
            | "character_set_database"
            | "collation_database"
            | "completion_type"
            | "debug_dbug"
            | "debug_sync"
    )
}

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
