//! Bringing a connection to where the session's last statement left it, for statements that ask about that.
//!
//! `LAST_INSERT_ID()`, `FOUND_ROWS()`, `ROW_COUNT()` and the list of warnings belong to the connection. Where the
//! session has come to another one, that one still has them from whoever had it before. What the session knows is put
//! there first, as far as statements can; where they cannot, an error says so.

use mysql_wire::ServerError;
use sql::{Access, Effects, Facts, Verb};

use super::job::Job;
use super::response::Seen;
use super::{InsertId, Session, error};
use crate::backend::{Backend, ExchangeError};
use crate::place::Place;

/// Whose text or effects cannot be seen: it may read or set an insert id.
const HIDDEN: Effects = Effects::CALL.union(Effects::TEXT_EXECUTE).union(Effects::UNKNOWN);

/// Only a statement with a table empties the list of warnings; tried on 10.11.
const EMPTY_LIST: &str = "DO (SELECT 1 FROM (SELECT 1) hadal)";

/// Leaves -1 as the row count and 1 as the number of rows found.
const NO_COUNT: &str = "SELECT 1 LIMIT 1";

/// What a statement asks about the last one that this connection cannot tell.
#[derive(Clone, Copy, Default)]
struct Missing {
    insert_id: Option<u64>,
    found_rows: bool,
    /// `ROW_COUNT()` or the list of warnings.
    outcome: bool,
}

/// Whether a statement itself asks for, or changes, what [`Session::restore`] puts.
fn asks(facts: &Facts) -> bool {
    const ASKS: Effects = HIDDEN
        .union(super::special::ABOUT_LAST)
        .union(Effects::USES_LAST_INSERT_ID)
        .union(Effects::MAY_SET_INSERT_ID);
    facts.effects.intersects(ASKS)
}

/// Whether the OK of a statement that may set the insert id tells whether it did.
fn tells_insert_id(facts: &Facts) -> bool {
    let returns_rows = facts.verb == Verb::Select || facts.effects.contains(Effects::RETURNS_ROWS);
    facts.statements == 1 && !returns_rows
}

/// Whether the insert id may be another after this answer: only the connection knows.
pub(super) fn changes_insert_id(facts: &Facts, seen: &Seen) -> bool {
    // LAST_INSERT_ID(7) sets it without a word of it in the OK of a DO.
    let untold = facts.statements > 1
        || seen.last_rows.is_some()
        || facts.effects.contains(Effects::USES_LAST_INSERT_ID);
    facts.effects.intersects(HIDDEN)
        || (facts.effects.contains(Effects::MAY_SET_INSERT_ID) && (untold || seen.insert_id != 0))
}

fn forgotten() -> ServerError {
    let text = "hadal: what the last statement left behind is no longer known, since its connection serves others (all of \
                clusters.*.pool.max_connections are in use); ask right after the statement, inside a transaction, or by \
                SHOW WARNINGS, SELECT FOUND_ROWS() or SELECT ROW_COUNT() alone";
    error(1815, "HY000", text.into())
}

async fn put(backend: &mut Backend, statements: &[String]) -> Result<(), ExchangeError> {
    for statement in statements {
        backend.query(statement.as_bytes()).await?;
    }
    Ok(())
}

impl Session {
    /// Whether a connection may have to be prepared for the statement. Asked for every one of them.
    pub(super) fn may_restore(&self, facts: &Facts) -> bool {
        asks(facts) || self.runs_code_that_asks(facts)
    }

    /// A trigger or function may read the insert id.
    fn runs_code_that_asks(&self, facts: &Facts) -> bool {
        let plain = facts.access == Access::Read && facts.functions.is_empty();
        !plain && self.worker.core.cluster(self.target).view().catalogue.code_reads_insert_id
    }

    /// Puts what the statement may ask for on the connection, which was `disturbed` if statements of the gateway's own
    /// have run on it since it was taken. `Err` is for the client; the connection is as it was.
    pub(super) async fn restore(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        disturbed: bool,
    ) -> Result<(), ServerError> {
        let disturbed = self.find_insert_id(backend, job.facts).await || disturbed;
        let asked = match job.counts_within {
            true => job.facts.effects.without(Effects::USES_ROW_COUNT),
            false => job.facts.effects,
        };
        let missing = self.missing(backend, job.facts, asked, disturbed);
        let Some(statements) = self.statements_for(asked, missing)? else { return Ok(()) };
        match put(backend, &statements).await {
            Ok(()) => backend.insert_id = missing.insert_id.or(backend.insert_id),
            // The statement itself will find the connection broken, and what was lost with it.
            Err(error) => tracing::debug!(session = self.shared.id, %error, "could not prepare a connection"),
        }
        Ok(())
    }

    /// Gets the insert id from where it is known, if the statement depends on it; true if that was this connection.
    async fn find_insert_id(&mut self, backend: &mut Backend, facts: &Facts) -> bool {
        let changes = facts.effects.contains(Effects::MAY_SET_INSERT_ID);
        if !changes && !self.wants_insert_id(facts) {
            return false;
        }
        match self.insert_id {
            InsertId::Perhaps { on, before, .. } if on == backend.id => {
                let asked = backend.query(b"SELECT LAST_INSERT_ID() LIMIT 1").await.ok();
                let id = asked.and_then(|reply| reply.first_number());
                self.learn_insert_id(backend, id.unwrap_or(before));
                true
            }
            InsertId::On(on) | InsertId::Perhaps { on, .. } if on != backend.id => {
                Box::pin(self.return_lease()).await;
                if self.insert_id.on().is_some() {
                    self.insert_id = InsertId::Known(0);
                }
                false
            }
            _ => false,
        }
    }

    /// The connection that had to be asked has answered.
    pub(super) fn learn_insert_id(&mut self, backend: &mut Backend, id: u64) {
        backend.insert_id = Some(id);
        self.insert_id = match self.insert_id {
            InsertId::Perhaps { told, before, .. } if id != told => InsertId::Known(before),
            _ => InsertId::Known(id),
        };
    }

    /// After a statement that may have changed it. `backend.insert_id` still is what it was before.
    pub(super) fn insert_id_after(&self, facts: &Facts, backend: &Backend, seen: &Seen) -> InsertId {
        match self.insert_id {
            InsertId::Known(before) if backend.insert_id != Some(before) && !self.wants_insert_id(facts) => {
                InsertId::Perhaps { on: backend.id, told: seen.insert_id, before }
            }
            _ => InsertId::On(backend.id),
        }
    }

    /// Whether the statement may read the insert id, or leave one that only a known value before it could tell from.
    pub(super) fn wants_insert_id(&self, facts: &Facts) -> bool {
        if facts.effects.intersects(HIDDEN | Effects::USES_LAST_INSERT_ID) {
            return true;
        }
        if facts.effects.contains(Effects::MAY_SET_INSERT_ID) && !tells_insert_id(facts) {
            return true;
        }
        self.runs_code_that_asks(facts)
    }

    /// `asked` are those effects of the statement that are about the last one.
    fn missing(&self, backend: &Backend, facts: &Facts, asked: Effects, disturbed: bool) -> Missing {
        let asks = |effects| asked.intersects(effects);
        let insert_id = match self.insert_id {
            InsertId::Known(id) if backend.insert_id != Some(id) => {
                // Once it had to be asked for, it is kept in step: the next INSERT is in no doubt.
                let asked = disturbed && asks(Effects::MAY_SET_INSERT_ID);
                (asked || self.wants_insert_id(facts)).then_some(id)
            }
            _ => None,
        };
        let here = |at: Option<(Place, u64, u64)>| {
            !disturbed && at.is_some_and(|(_, id, uses)| id == backend.id && backend.uses <= uses)
        };
        let found_rows = asks(Effects::USES_FOUND_ROWS) && !here(self.last.found_on);
        let outcome = (asks(Effects::USES_ROW_COUNT) && !here(self.last.ran_on))
            || (asks(Effects::USES_DIAGNOSTICS) && !self.lists_here(backend, &here));
        let overwritten = insert_id.is_some() || found_rows;
        let outcome = outcome || (overwritten && asks(Effects::USES_ROW_COUNT | Effects::USES_DIAGNOSTICS));
        Missing { insert_id, found_rows, outcome }
    }

    /// Whether the connection's list of warnings is the session's.
    fn lists_here(&self, backend: &Backend, here: &impl Fn(Option<(Place, u64, u64)>) -> bool) -> bool {
        match self.last.has_conditions {
            true => here(self.last.conditions_on),
            // It may still have another session's.
            false => !backend.listed,
        }
    }

    /// The statements that put what is missing, in an order in which none spoils what another has put.
    fn statements_for(&self, asked: Effects, missing: Missing) -> Result<Option<Vec<String>>, ServerError> {
        let mut statements = Vec::new();
        if let Some(id) = missing.insert_id {
            statements.push(format!("SET last_insert_id={id}"));
        }
        let counts = asked.contains(Effects::USES_ROW_COUNT);
        let lists = asked.contains(Effects::USES_DIAGNOSTICS);
        if missing.outcome
            && ((counts && !matches!(self.last.row_count, 0 | -1)) || (lists && self.last.has_conditions))
        {
            return Err(forgotten());
        }
        if missing.outcome && lists {
            statements.push(EMPTY_LIST.to_owned());
        }
        if missing.found_rows {
            // They leave -1 as the row count.
            statements.push(match self.last.found_rows {
                0 => "SELECT 1 FROM DUAL WHERE FALSE LIMIT 1".to_owned(),
                1 => NO_COUNT.to_owned(),
                _ => return Err(forgotten()),
            });
        }
        if missing.outcome {
            match self.last.row_count {
                -1 if counts && !missing.found_rows => {
                    statements.push(NO_COUNT.to_owned());
                }
                -1 if counts => {}
                _ => statements.push("DO 0".to_owned()),
            }
        }
        Ok((!statements.is_empty()).then_some(statements))
    }
}
