//! What is remembered of the last statement: who ran it, and what it left behind.

use sql::{Effects, Facts, Verb};

use super::response::Seen;
use super::restore::changes_insert_id;
use super::{LastStatement, Session};
use crate::backend::Backend;

impl Session {
    pub(super) fn note_last(&mut self, facts: &Facts, backend: &Backend, seen: &Seen) {
        let asked_behind = std::mem::take(&mut self.asked_behind);
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
        let conditions = leaves_conditions(seen);
        let outlived = !conditions && self.last.has_conditions && !clears_conditions(facts);
        let outlived_on = match self.last.conditions_on {
            Some((_, id, _)) if id == backend.id => Some(here),
            elsewhere => elsewhere,
        };
        self.last = LastStatement {
            ran_on: (!asked_behind).then_some(here),
            conditions_on: if outlived { outlived_on } else { Some(here) },
            found_rows: seen.last_rows.unwrap_or(self.last.found_rows),
            found_on: if finds { Some(here) } else { self.last.found_on },
            row_count,
            has_conditions: conditions || outlived,
            captured_warnings: if outlived { self.last.captured_warnings.take() } else { None },
        };
        if changes_insert_id(facts, seen) {
            self.insert_id = self.insert_id_after(facts, backend, seen);
        }
    }

    pub(super) fn knows_something(&self, facts: &Facts, seen: &Seen, runs: bool) -> bool {
        if seen.warnings > 0 || seen.error.is_some() {
            return true;
        }
        // Asked once, it may be asked again.
        (facts.effects.contains(Effects::USES_DIAGNOSTICS) && self.last.has_conditions)
            || runs
                && ((facts.statements > 1 && seen.last_rows.is_some())
                    || super::sequence::draws(facts)
                    || facts.effects.contains(Effects::CALC_FOUND_ROWS)
                    || changes_insert_id(facts, seen))
    }

    /// Preparing a statement leaves warnings and errors like running it, and nothing else.
    pub(super) fn note_preparation(&mut self, facts: &Facts, backend: &Backend, seen: &Seen) {
        let here = (backend.place, backend.id, backend.uses + 1);
        let on_this = self.last.conditions_on.is_some_and(|(_, id, _)| id == backend.id);
        let replaced = leaves_conditions(seen) || clears_conditions(facts);
        if replaced {
            self.last.has_conditions = leaves_conditions(seen);
            self.last.captured_warnings = None;
        }
        if replaced || on_this {
            self.last.conditions_on = Some(here);
        }
        if self.last.ran_on.is_some_and(|(_, id, _)| id == backend.id) {
            self.last.ran_on = Some(here);
        }
    }
}

fn leaves_conditions(seen: &Seen) -> bool {
    seen.warnings > 0 || seen.error.is_some()
}

/// The list of warnings outlives statements that use no table and leave none of their own (tried on MariaDB 10.11).
fn clears_conditions(facts: &Facts) -> bool {
    !facts.tables.is_empty()
        || (facts.verb == Verb::Show
            && !facts.effects.intersects(Effects::USES_PROCESSLIST | Effects::USES_DIAGNOSTICS))
        || facts.digest_text.contains("FROM (")
        || facts.digest_text.starts_with("WITH")
}

/// What the connection's own list is after the statement.
pub(super) fn note_list(backend: &mut Backend, facts: &Facts, seen: &Seen) {
    backend.listed = leaves_conditions(seen) || (backend.listed && !clears_conditions(facts));
}
