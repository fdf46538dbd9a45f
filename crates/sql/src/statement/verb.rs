//! The first word decides what a statement is.

use super::{
    Draft, Words, account, ddl, maintenance, program, scan, select, session, set, show, table, transaction,
};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason, Verb};

/// Classifies one statement, without its semicolon.
pub(crate) fn classify(words: Words<'_>) -> Draft {
    let mut draft = Draft::new(Verb::Unknown);
    if !words.balanced() {
        draft.not_understood();
    }
    let places = table::collect(words, &mut draft);
    scan::expressions(words, &places, &mut draft);
    by_verb(words, &mut draft);
    draft.tidy();
    draft
}

/// Adds what the verb means to what the expressions do.
pub(super) fn by_verb(words: Words<'_>, draft: &mut Draft) {
    if words.punct(0, b'(') {
        return select::classify(words, draft);
    }
    let Some(keyword) = words.keyword(0) else { return unknown(words, draft) };
    match keyword {
        K::Select | K::With | K::Values | K::Table => select::classify(words, draft),
        K::Show => show::show(words, draft),
        K::Explain | K::Desc | K::Describe => show::explain(words, draft),
        K::Analyze => show::analyze(words, draft),
        K::Help => {
            draft.verb = Verb::Show;
            draft.primary(Reason::ServerState);
        }
        K::Insert => insert(Verb::Insert, draft),
        K::Replace => insert(Verb::Replace, draft),
        K::Update => writes(Verb::Update, draft),
        K::Delete => writes(Verb::Delete, draft),
        K::Load => maintenance::load(words, draft),
        K::Call => program::call(words, draft),
        K::Do => program::do_expressions(draft),
        K::Set => set::classify(words, draft),
        K::Use => session::use_schema(draft),
        K::Begin | K::Start => transaction::begin(words, draft),
        K::Commit | K::Rollback => transaction::end(words, draft),
        K::Savepoint | K::Release => transaction::savepoint(words, draft),
        K::Xa => transaction::xa(draft),
        K::Lock | K::Unlock => session::lock_tables(words, draft),
        K::Prepare | K::Execute | K::Deallocate => program::prepared(words, draft),
        K::Handler => session::handler(words, draft),
        K::Kill => session::kill(draft),
        K::Create | K::Alter | K::Drop | K::Rename | K::Truncate => ddl::classify(words, draft),
        K::Grant | K::Revoke => account::grant(draft),
        K::Get | K::Signal | K::Resignal => session::diagnostics(words, draft),
        K::Flush => maintenance::flush(words, draft),
        K::Backup => maintenance::backup(words, draft),
        K::Shutdown => maintenance::shutdown(draft),
        K::If | K::Case | K::While | K::Loop | K::Repeat | K::For | K::Declare | K::Return => {
            program::compound(draft);
        }
        keyword if maintenance::is_admin(keyword) => admin(draft),
        _ => unknown(words, draft),
    }
}

/// Whether a statement that EXPLAIN takes begins with this.
pub(super) fn begins_statement(keyword: Option<K>) -> bool {
    matches!(
        keyword,
        Some(K::Select | K::With | K::Values | K::Table | K::Insert | K::Replace | K::Update | K::Delete)
            | Some(
                K::Set | K::Show | K::Begin | K::Start | K::Commit | K::Rollback | K::Call | K::Load | K::Do
            )
            | Some(
                K::Create | K::Alter | K::Drop | K::Truncate | K::Explain | K::Desc | K::Describe | K::Use
            )
            | Some(
                K::Handler | K::Lock | K::Unlock | K::Kill | K::Execute | K::Prepare | K::Grant | K::Revoke
            )
            | Some(K::Flush | K::Savepoint | K::Release | K::Xa)
    )
}

/// A label begins a loop or a block; anything else is not known.
fn unknown(words: Words<'_>, draft: &mut Draft) {
    if words.is_name(0) && words.punct(1, b':') {
        return program::compound(draft);
    }
    if words.kind(0) == Some(Kind::Bad) || !words.is_empty() {
        draft.not_understood();
    }
}

pub(super) fn writes(verb: Verb, draft: &mut Draft) {
    draft.verb = verb;
    draft.write(Reason::Writes);
}

fn insert(verb: Verb, draft: &mut Draft) {
    writes(verb, draft);
    draft.effect(Effects::MAY_SET_INSERT_ID);
}

pub(super) fn admin(draft: &mut Draft) {
    writes(Verb::Admin, draft);
}
