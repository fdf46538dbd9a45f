//! CREATE, ALTER, DROP, RENAME and TRUNCATE.

use super::{Draft, Words, account, program};
use crate::keyword::Keyword as K;
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
            ddl(Effects::DDL | Effects::ROUTINE_DDL, draft);
        }
        Object::Temporary => temporary(words, draft),
        Object::Prepared => program::deallocate(draft),
        Object::Other => ddl(Effects::DDL, draft),
    }
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
