//! SET in all its forms.

use super::{Draft, Words, account, verb};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason, Verb, variable};

pub(super) fn classify(words: Words<'_>, draft: &mut Draft) {
    if words.is(1, K::Statement)
        && let Some(statement) = statement_of(words)
    {
        return set_statement(words, statement, draft);
    }
    draft.verb = Verb::Set;
    draft.primary(Reason::SessionChange);
    if draft.reason != Reason::NotUnderstood {
        draft.reason = Reason::SessionChange;
    }
    if !draft.functions.is_empty() {
        draft.write(Reason::StoredFunction);
    }
    let mut global = false;
    let mut at = 1;
    while at < words.len() {
        global = item(words, at, global, draft);
        at = next_item(words, at);
    }
}

/// The index behind the comma that ends the item at `at`.
fn next_item(words: Words<'_>, mut at: usize) -> usize {
    while at < words.len() && !words.punct(at, b',') {
        at = if words.punct(at, b'(') { words.after_parenthesis(at).unwrap_or(words.len()) } else { at + 1 };
    }
    at + 1
}

/// One `name = value`, or another thing that SET takes. Returns whether items without a scope are global from here.
fn item(words: Words<'_>, at: usize, mut global: bool, draft: &mut Draft) -> bool {
    let assigns = |index: usize| words.punct(index, b'=') || words.punct(index, b':');
    match words.keyword(at) {
        Some(K::Names | K::Charset) if !assigns(at + 1) => return names(global, draft),
        Some(K::Character | K::Char) if words.is(at + 1, K::Set) => return names(global, draft),
        Some(K::Password) => account::set(Effects::SETS_PASSWORD, draft),
        Some(K::Default) if words.is(at + 1, K::Role) => account::set(Effects::NONE, draft),
        Some(K::Role) if !assigns(at + 1) => draft.effect(Effects::SET_ROLE),
        Some(K::Transaction) => draft.effect(Effects::NEXT_TRANSACTION),
        Some(K::Resource) => verb::admin(draft),
        Some(scope @ (K::Global | K::Persist | K::PersistOnly | K::Session | K::Local))
            if !assigns(at + 1) =>
        {
            global = !matches!(scope, K::Session | K::Local);
            scoped(words, at + 1, global, draft);
        }
        _ if words.kind(at) == Some(Kind::UserVariable) => draft.effect(Effects::SETS_USER_VARIABLE),
        _ if words.kind(at) == Some(Kind::SystemVariable) => at_variable(words, at + 1, draft),
        _ if words.is_name(at) => scoped(words, at, global, draft),
        _ => draft.not_understood(),
    }
    global
}

fn names(global: bool, draft: &mut Draft) -> bool {
    draft.effect(Effects::SET_NAMES);
    global
}

/// `@@x`, `@@session.x`, `@@global.x`, with `at` behind the `@@`.
fn at_variable(words: Words<'_>, at: usize, draft: &mut Draft) {
    let has_scope = words.punct(at + 1, b'.');
    let is_global = ["global", "persist", "persist_only"].iter().any(|s| words.says(at, s));
    let is_session = ["session", "local"].iter().any(|s| words.says(at, s));
    if has_scope && (is_global || is_session) {
        scoped(words, at + 2, is_global, draft);
    } else if words.name(at).is_some_and(|name| variable::is_of_next_transaction(&name.to_ascii_lowercase()))
    {
        draft.effect(Effects::NEXT_TRANSACTION);
    } else {
        scoped(words, at, false, draft);
    }
}

/// The name behind a scope: a variable, or TRANSACTION.
fn scoped(words: Words<'_>, at: usize, global: bool, draft: &mut Draft) {
    if global {
        draft.effect(Effects::SETS_GLOBAL);
        draft.write(Reason::Writes);
    }
    if words.is(at, K::Transaction) {
        return draft.effect(if global { Effects::SETS_GLOBAL } else { Effects::SETS_SYSTEM_VARIABLE });
    }
    let Some(name) = words.name(at).map(|n| n.to_ascii_lowercase()) else { return draft.not_understood() };
    // `SET default.key_buffer_size`, a named cache: server state.
    if words.punct(at + 1, b'.') {
        draft.effect(Effects::SETS_GLOBAL);
        return draft.write(Reason::Writes);
    }
    if !global {
        draft.effect(variable::set_effects(&name));
    }
    if name == "autocommit" {
        draft.effects = draft.effects.without(Effects::READS_AUTOCOMMIT);
    }
}

/// Where the statement behind `SET STATEMENT … FOR` begins.
fn statement_of(words: Words<'_>) -> Option<usize> {
    let mut at = 2;
    while at < words.len() {
        if words.is(at, K::For) {
            return Some(at + 1);
        }
        at = if words.punct(at, b'(') { words.after_parenthesis(at)? } else { at + 1 };
    }
    None
}

/// `SET STATEMENT x = 1 FOR statement` is the statement; some variables change more than its speed.
fn set_statement(words: Words<'_>, statement: usize, draft: &mut Draft) {
    let mut at = 2;
    while at < statement {
        let name = words.name(at).unwrap_or_default().to_ascii_lowercase();
        if !variable::is_statement_tuning(&name) {
            draft.primary(Reason::SessionChange);
        }
        at = next_item(words.until(statement), at);
    }
    verb::by_verb(words.from(statement), draft);
    const SETS: Effects = Effects::SETS_SYSTEM_VARIABLE
        .union(Effects::SETS_AUTOCOMMIT)
        .union(Effects::SET_NAMES)
        .union(Effects::NEXT_TRANSACTION);
    if draft.effects.intersects(SETS) {
        // A server reports the values that are gone with the statement and those that stay in one breath.
        draft.effect(Effects::SETS_UNCARRIED);
    }
}
