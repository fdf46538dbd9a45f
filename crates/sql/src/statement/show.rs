//! SHOW, DESCRIBE, EXPLAIN and ANALYZE.

use super::{Draft, Words, hazard, scan, table, verb};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason, Verb};

/// `SHOW …`.
pub(super) fn show(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Show;
    // What is shown is said behind the first words; the condition may be any expression.
    draft.tables.clear();
    if let Some(condition) = (1..words.len()).find(|at| words.is(*at, K::Where)) {
        hazard::check(words.from(condition), draft);
        table::collect(words.from(condition), draft);
    }
    let mut at = 1;
    while matches!(
        words.keyword(at),
        Some(K::Full | K::Extended | K::Global | K::Session | K::Local | K::All)
    ) {
        at += 1;
    }
    match named_schema(words, at) {
        Some(schema) => draft.schemas.push(Some(schema)),
        None if lists_schema(words, at) => draft.schemas.push(None),
        None => {}
    }
    match words.keyword(at) {
        Some(K::Hadal) => hadal(Effects::SHOW_HADAL, draft),
        Some(K::Tables | K::Triggers | K::Databases | K::Schemas) => in_schema(words, at + 1, draft),
        Some(K::Columns | K::Fields | K::Index | K::Indexes | K::Keys) => of_table(words, at + 1, draft),
        Some(K::Create) => show_create(words, at + 1, draft),
        Some(K::Character | K::Charset | K::Collation) => {}
        Some(K::Warnings | K::Errors | K::Count) => diagnostics(draft),
        Some(K::Variables) => {
            draft.effect(
                Effects::USES_TIMEOUT_VARIABLE
                    | Effects::USES_TRACKER_VARIABLE
                    | Effects::USES_PSEUDO_THREAD_ID
                    | Effects::USES_LAST_INSERT_ID
                    | Effects::READS_AUTOCOMMIT
                    | Effects::READS_SYSTEM_VARIABLE,
            );
            draft.primary(Reason::ServerState);
        }
        Some(K::Processlist | K::Explain | K::Analyze) => {
            draft.effect(Effects::USES_PROCESSLIST);
            draft.primary(Reason::ServerState);
        }
        Some(K::Profile | K::Profiles) => draft.primary(Reason::OwnConnection),
        _ => draft.primary(Reason::ServerState),
    }
}

/// The schema in `SHOW TABLES FROM shop`, `SHOW TABLE STATUS IN shop`, `SHOW CREATE DATABASE shop`, `SHOW CREATE PROCEDURE
/// shop.p`. Where a table is shown, its name has the schema.
fn named_schema(words: Words<'_>, what: usize) -> Option<Box<str>> {
    match words.keyword(what) {
        Some(K::Columns | K::Fields | K::Index | K::Indexes | K::Keys) => return None,
        Some(K::Create) if matches!(words.keyword(what + 1), Some(K::Database | K::Schema)) => {
            return words.name(words.len() - 1).map(String::into_boxed_str);
        }
        Some(K::Create) => return table::qualified(words, what + 2)?.0.schema,
        _ => {}
    }
    let end = (what..words.len()).find(|at| matches!(words.keyword(*at), Some(K::Where | K::Like)));
    let from =
        (what..end.unwrap_or(words.len())).find(|at| matches!(words.keyword(*at), Some(K::From | K::In)))?;
    words.name(from + 1).map(String::into_boxed_str)
}

/// Whether it is about all of a schema: `SHOW [OPEN] TABLES`, `SHOW TABLE STATUS`, `SHOW TRIGGERS`, `SHOW EVENTS`.
fn lists_schema(words: Words<'_>, what: usize) -> bool {
    matches!(words.keyword(what), Some(K::Tables | K::Triggers | K::Table | K::Open))
        || words.says(what, "events")
}

fn hadal(effect: Effects, draft: &mut Draft) {
    draft.verb = Verb::Hadal;
    draft.effect(effect);
    draft.primary(Reason::Hadal);
}

fn diagnostics(draft: &mut Draft) {
    draft.effect(Effects::USES_DIAGNOSTICS);
    draft.primary(Reason::Diagnostics);
}

/// `SHOW TABLES [{FROM | IN} schema]`: the name is a schema, not a table.
fn in_schema(words: Words<'_>, at: usize, draft: &mut Draft) {
    if matches!(words.keyword(at), Some(K::From | K::In)) && scan::is_system_schema(words, at + 1) {
        system_schema(draft);
    }
}

/// `SHOW COLUMNS {FROM | IN} table [{FROM | IN} schema]`.
fn of_table(words: Words<'_>, at: usize, draft: &mut Draft) {
    let Some((mut name, next)) = table::qualified(words, at + 1) else { return draft.not_understood() };
    if matches!(words.keyword(next), Some(K::From | K::In)) {
        name.schema = words.name(next + 1).map(String::into_boxed_str);
        if scan::is_system_schema(words, next + 1) {
            system_schema(draft);
        }
    }
    draft.tables.push(name);
}

fn system_schema(draft: &mut Draft) {
    draft.effect(Effects::SYSTEM_SCHEMA);
    draft.primary(Reason::SystemSchema);
}

/// `SHOW CREATE …`: definitions are replicated, except for what an event or an account is on one server.
fn show_create(words: Words<'_>, at: usize, draft: &mut Draft) {
    match words.keyword(at) {
        Some(K::Table | K::View | K::Sequence) => match table::qualified(words, at + 1) {
            Some((name, _)) => draft.tables.push(name),
            None => draft.not_understood(),
        },
        Some(K::Database | K::Schema | K::Procedure | K::Function | K::Trigger | K::Package) => {}
        _ => draft.primary(Reason::ServerState),
    }
}

/// `EXPLAIN …`, `DESCRIBE …`, `DESC …`: of a table, of a connection, or of a statement.
pub(super) fn explain(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Explain;
    if words.is(1, K::Route) && (words.punct(2, b'(') || verb::begins_statement(words.keyword(2))) {
        return hadal(Effects::EXPLAIN_ROUTE, draft);
    }
    if words.are(1, &[K::For, K::Connection]) {
        draft.effect(Effects::USES_PROCESSLIST);
        return draft.primary(Reason::ServerState);
    }
    let executes = words.is(1, K::Analyze);
    let at = skip_options(words, 1);
    if is_explainable(words, at) {
        let run = if executes { execute } else { describe_statement };
        return run(words.from(at), draft);
    }
    describe_table(words, draft);
}

/// `ANALYZE [FORMAT=JSON] statement`; ANALYZE TABLE is not for here.
pub(super) fn analyze(words: Words<'_>, draft: &mut Draft) {
    let at = skip_options(words, 1);
    if is_explainable(words, at) && !words.is(at, K::Table) {
        return execute(words.from(at), draft);
    }
    verb::admin(draft);
}

/// Skips EXTENDED, PARTITIONS, ANALYZE and `FORMAT = x`.
fn skip_options(words: Words<'_>, mut at: usize) -> usize {
    loop {
        match words.keyword(at) {
            Some(K::Extended | K::Partitions | K::Analyze) if !words.punct(at + 1, b'.') => at += 1,
            Some(K::Format) if words.punct(at + 1, b'=') => at += 3,
            _ => return at,
        }
    }
}

fn is_explainable(words: Words<'_>, at: usize) -> bool {
    words.punct(at, b'(')
        || matches!(
            words.keyword(at),
            Some(K::Select | K::With | K::Values | K::Table | K::Insert | K::Replace | K::Update | K::Delete)
        )
}

/// The statement runs, and its rows are thrown away.
fn execute(statement: Words<'_>, draft: &mut Draft) {
    let mut inner = Draft::new(Verb::Unknown);
    verb::by_verb(statement, &mut inner);
    draft.merge(inner);
    draft.verb = Verb::Explain;
}

/// The statement is planned. What it reads decides where; what it would write does not happen.
fn describe_statement(statement: Words<'_>, draft: &mut Draft) {
    let mut inner = Draft::new(Verb::Unknown);
    verb::by_verb(statement, &mut inner);
    draft.effect(inner.effects.without(Effects::MAY_SET_INSERT_ID | Effects::DDL));
    match inner.verb {
        Verb::Insert | Verb::Replace | Verb::Update | Verb::Delete if inner.reason == Reason::Writes => {
            draft.primary(Reason::Writes);
        }
        Verb::Select | Verb::Show => draft.raise(inner.access, inner.reason),
        _ => draft.not_understood(),
    }
    draft.verb = Verb::Explain;
}

/// `DESC table [column | 'pattern']`.
fn describe_table(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Show;
    let at = skip_options(words, 1);
    let Some((name, next)) = table::qualified(words, at) else { return draft.not_understood() };
    let column = matches!(words.kind(next), Some(Kind::Word | Kind::Quoted | Kind::Literal));
    if words.len() > next + usize::from(column) {
        return draft.not_understood();
    }
    draft.tables.push(name);
}
