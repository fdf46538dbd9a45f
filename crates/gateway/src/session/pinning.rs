//! Which statements pin the session to its connection, and which free it.

use mysql_wire::{ResponseKind, StatusFlags};
use sql::{Effects, Facts};
use topology::LeavingTriggers;

use super::job::Job;
use super::response::Seen;
use super::{Pins, Session};

impl Session {
    pub(super) fn update_transaction(&mut self, job: &Job<'_>, seen: &Seen) {
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
            // A KILL that found no thread changes none.
            None if self.unknown_thread().is_some() => {}
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

    pub(super) fn update_pins(&mut self, facts: &Facts, seen: &Seen) {
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
        let pinning = if effects.intersects(ALL_PINNING) { PINNING } else { &[] };
        for (effect, pin) in pinning {
            let partial = *pin == Pins::USER_VARIABLE || *pin == Pins::PROCEDURE;
            if effects.intersects(*effect) && (!failed || partial) {
                self.pins.insert(*pin);
            }
        }
        if self.runs_leaving_code(facts) {
            self.pins.insert(Pins::PROCEDURE);
        }
        if effects.contains(Effects::UNLOCK_TABLES) && !failed && !effects.contains(Effects::LOCK_TABLES) {
            self.pins.remove(Pins::TABLE_LOCK);
        }
    }

    /// Whether the statement runs stored code that may leave something on the connection.
    pub(super) fn runs_leaving_code(&self, facts: &Facts) -> bool {
        let suspicious = !facts.functions.is_empty() || (self.last_why_view && !facts.tables.is_empty());
        let writes = facts.access == sql::Access::Write && !facts.tables.is_empty();
        (suspicious && self.calls_a_session_function(facts))
            || (writes && self.fires_a_leaving_trigger(facts))
    }

    /// Triggers, and views over their tables: of those only the names are compared.
    fn fires_a_leaving_trigger(&self, facts: &Facts) -> bool {
        let view = self.worker.core.cluster(self.target).view();
        match &view.catalogue.leaving_triggers {
            LeavingTriggers::None => false,
            LeavingTriggers::On(tables) => {
                facts.tables.iter().any(|table| tables.contains(&table.name.to_lowercase()))
            }
            LeavingTriggers::Unknown => true,
        }
    }

    fn calls_a_session_function(&self, facts: &Facts) -> bool {
        let view = self.worker.core.cluster(self.target).view();
        let names = &view.catalogue.session_functions;
        let views = &view.catalogue.primary_only_views;
        let database = self.state.database.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let is_such_a_view = |table: &sql::TableName| {
            let schema = table.schema.as_deref().unwrap_or(&database).to_lowercase();
            crate::route::shares_a_name(table, &view.catalogue)
                && schema != "sys"
                && schema != "mysql"
                && views.contains(&format!("{schema}.{}", table.name.to_lowercase()))
        };
        facts.functions.iter().any(|function| names.contains(&function.name.to_lowercase()))
            || (facts.access == sql::Access::Read && facts.tables.iter().any(is_such_a_view))
    }
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
pub(super) const ALL_PINNING: Effects = {
    let mut all = Effects::NONE;
    let mut at = 0;
    while at < PINNING.len() {
        all = all.union(PINNING[at].0);
        at += 1;
    }
    all
};

/// Effects that end a transaction by themselves.
pub(super) const COMMITS_IMPLICITLY: Effects = Effects::BEGIN
    .union(Effects::DDL)
    .union(Effects::LOCK_TABLES)
    .union(Effects::ACCOUNT_DDL)
    .union(Effects::ROUTINE_DDL)
    .union(Effects::SETS_AUTOCOMMIT)
    .union(Effects::SETS_PASSWORD)
    .union(Effects::XA);
