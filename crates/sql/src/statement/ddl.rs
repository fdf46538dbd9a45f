//! CREATE, ALTER, DROP, RENAME and TRUNCATE.

use super::{Draft, Words, account, program, table};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason, Verb};

/// What a DDL statement is about.
enum Object {
    Account,
    Routine,
    Temporary,
    Prepared,
    Other,
}

pub(super) fn classify(words: Words<'_>, draft: &mut Draft) {
    match object(words) {
        Object::Account => account::ddl(draft),
        Object::Routine => {
            // The body is not run.
            draft.effects = Effects::NONE;
            draft.schemas.extend(routine_schema(words));
            ddl(Effects::DDL | Effects::ROUTINE_DDL, draft);
        }
        Object::Temporary => temporary(words, draft),
        Object::Prepared => program::deallocate(draft),
        Object::Other => {
            draft.schemas.extend(schema(words).map(Some));
            ddl(Effects::DDL, draft);
        }
    }
}

/// The schema of a routine or event; a view is reported as a table, and a trigger is where its table is.
fn routine_schema(words: Words<'_>) -> Option<Option<Box<str>>> {
    let is_kind = |at: &usize| {
        let kinds = [K::Procedure, K::Function, K::Event, K::Package, K::View, K::Trigger];
        kinds.iter().any(|kind| words.is(*at, *kind))
    };
    let kind = (1..words.len()).find(is_kind)?;
    let drops = words.is(0, K::Drop);
    match words.keyword(kind)? {
        K::View => None,
        K::Trigger if !drops => None,
        _ => table::qualified(words, name_behind(words, kind)).map(|(routine, _)| routine.schema),
    }
}

/// `CREATE DATABASE shop`, `DROP SCHEMA IF EXISTS shop`; ALTER may leave the name out.
fn schema(words: Words<'_>) -> Option<Box<str>> {
    let kind =
        (1..words.len().min(5)).find(|at| matches!(words.keyword(*at), Some(K::Database | K::Schema)))?;
    let at = name_behind(words, kind);
    let option = ["character", "charset", "collate", "default", "comment", "upgrade"];
    let named = !option.iter().any(|word| words.says(at, word) && words.kind(at) == Some(Kind::Word));
    words.name(at).filter(|_| named).map(String::into_boxed_str)
}

/// Skips `BODY`, `IF EXISTS` and `IF NOT EXISTS`.
fn name_behind(words: Words<'_>, kind: usize) -> usize {
    let skipped = |at: &usize| {
        matches!(words.keyword(*at), Some(K::If | K::Not | K::Exists)) || words.says(*at, "body")
    };
    (kind + 1..words.len()).find(|at| !skipped(at)).unwrap_or(kind + 1)
}

fn ddl(effects: Effects, draft: &mut Draft) {
    draft.verb = Verb::Ddl;
    draft.effect(effects);
    draft.write(Reason::Writes);
}

fn temporary(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Ddl;
    draft.effect(match words.keyword(0) {
        Some(K::Drop) => Effects::DROPS_TEMPORARY_TABLE,
        _ => Effects::CREATES_TEMPORARY_TABLE,
    });
    draft.write(Reason::TemporaryTable);
}

/// The first word that names a kind of object, behind OR REPLACE, DEFINER and other options.
fn object(words: Words<'_>) -> Object {
    for at in 1..words.len() {
        match words.keyword(at) {
            Some(K::User | K::Role) if words.keyword_before(at) != Some(K::Definer) => {
                return Object::Account;
            }
            Some(K::Temporary) => return Object::Temporary,
            Some(K::Prepare) if at == 1 => return Object::Prepared,
            Some(K::View | K::Trigger | K::Procedure | K::Function | K::Event | K::Package) => {
                return Object::Routine;
            }
            Some(
                K::Table
                | K::Tables
                | K::Database
                | K::Schema
                | K::Index
                | K::Sequence
                | K::Server
                | K::Tablespace
                | K::Unique
                | K::Fulltext
                | K::Spatial,
            ) => return Object::Other,
            _ => {}
        }
    }
    Object::Other
}
