//! What is remembered of the last statement: who ran it, and what it left behind.

use sql::{Effects, Facts};

use super::response::Seen;
use super::restore::changes_insert_id;
use super::{InsertId, LastStatement, Session};
use crate::backend::Backend;

impl Session {
    pub(super) fn note_last(&mut self, facts: &Facts, backend: &Backend, seen: &Seen) {
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
            found_on: if finds { Some(here) } else { self.last.found_on },
            row_count,
            has_conditions: conditions || outlived,
            captured_warnings: if outlived { self.last.captured_warnings.take() } else { None },
        };
        if changes_insert_id(facts, seen) {
            self.insert_id = InsertId::On(backend.id);
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
    pub(super) fn note_preparation(&mut self, backend: &Backend, seen: &Seen) {
        let here = (backend.place, backend.id, backend.uses + 1);
        self.last.conditions_on = Some(here);
        self.last.has_conditions = seen.warnings > 0 || seen.error.is_some();
        self.last.captured_warnings = None;
        if self.last.ran_on.is_some_and(|(_, id, _)| id == backend.id) {
            self.last.ran_on = Some(here);
        }
    }
}
