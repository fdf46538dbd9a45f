//! What any statement's expressions use: variables, functions, system schemas, words of the session's state.

use super::{Draft, Words};
use crate::function::{Special, is_callable_name, is_native_when_quoted, is_tight, special};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Access, Effects, FunctionName, Reason, variable};

/// Adds to `draft` what the expressions of `words` use. `tables` are the places of table names, in order.
pub(super) fn expressions(words: Words<'_>, tables: &[usize], draft: &mut Draft) {
    // Where a parenthesis closes matters only for the columns of a common table expression.
    let pairs = if words.has(K::With) { words.pairs() } else { Vec::new() };
    for at in 0..words.len() {
        match words.kind(at) {
            Some(Kind::UserVariable) => user_variable(words, at, draft),
            Some(Kind::SystemVariable) => system_variable(words, at, draft),
            Some(Kind::Punct(b':')) => colon(words, at, draft),
            Some(Kind::Word | Kind::Quoted) => {
                name(words, at, draft);
                if words.punct(at + 1, b'(') && tables.binary_search(&at).is_err() {
                    call(words, at, &pairs, draft);
                }
            }
            Some(Kind::Bad) => draft.not_understood(),
            _ => {}
        }
    }
}

fn user_variable(words: Words<'_>, at: usize, draft: &mut Draft) {
    draft.effect(Effects::READS_USER_VARIABLE);
    if words.punct(at + 1, b':') {
        draft.effect(Effects::SETS_USER_VARIABLE);
    }
    draft.primary(Reason::UserVariable);
}

/// `:=` assigns; a colon elsewhere is a label, or no SQL.
fn colon(words: Words<'_>, at: usize, draft: &mut Draft) {
    if words.punct(at + 1, b'=') {
        draft.primary(Reason::UserVariable);
    } else {
        draft.not_understood();
    }
}

fn system_variable(words: Words<'_>, at: usize, draft: &mut Draft) {
    draft.effect(Effects::READS_SYSTEM_VARIABLE);
    let scope = words.name(at + 1).unwrap_or_default().to_ascii_lowercase();
    let scoped = words.punct(at + 2, b'.') && matches!(&*scope, "global" | "session" | "local");
    let name =
        if scoped { words.name(at + 3).unwrap_or_default().to_ascii_lowercase() } else { scope.clone() };
    draft.effect(variable::read_effects(&name));
    if (scoped && scope == "global") || !variable::is_equal_everywhere(&name) {
        draft.primary(Reason::SystemVariable);
    }
}

/// Names that mean the session's or the server's state wherever they stand.
fn name(words: Words<'_>, at: usize, draft: &mut Draft) {
    let raw = words.raw(at);
    // The shortest name that counts is `sys`; none of them is longer than 40 bytes.
    if raw.len() < 3 || raw.len() > 42 {
        return;
    }
    if is_system_schema(words, at) && words.punct(at + 1, b'.') {
        draft.effect(Effects::SYSTEM_SCHEMA);
        draft.primary(Reason::SystemSchema);
    }
    mentions(words, at, draft);
    match words.keyword(at) {
        Some(K::CurrentUser | K::CurrentRole) => draft.primary(Reason::OwnConnection),
        Some(K::Value) if words.is(at + 1, K::For) => sequence_value(words, at, draft),
        Some(K::Rowcount) if words.punct_before(at, b'%') => {
            draft.effect(Effects::USES_ROW_COUNT);
            draft.primary(Reason::OwnConnection);
        }
        _ => {}
    }
    // `seq.nextval`, `seq.currval` under sql_mode=ORACLE.
    if words.punct_before(at, b'.') && (words.says(at, "nextval") || words.says(at, "currval")) {
        draft.write(Reason::SideEffectFunction);
    }
}

/// `NEXT VALUE FOR s` writes, `PREVIOUS VALUE FOR s` is this session's.
fn sequence_value(words: Words<'_>, at: usize, draft: &mut Draft) {
    match words.keyword_before(at) {
        Some(K::Next) => draft.write(Reason::SideEffectFunction),
        _ => draft.primary(Reason::OwnConnection),
    }
}

fn mentions(words: Words<'_>, at: usize, draft: &mut Draft) {
    let is = |name: &str| words.says(at, name);
    if is("wait_timeout") || is("interactive_timeout") {
        draft.effect(Effects::USES_TIMEOUT_VARIABLE);
    } else if is("processlist") {
        draft.effect(Effects::USES_PROCESSLIST);
    } else if is("pseudo_thread_id") {
        draft.effect(Effects::USES_PSEUDO_THREAD_ID);
    } else if is("session_variables")
        || is("global_variables")
        || is("system_variables")
        || is("variables_by_thread")
    {
        draft.effect(
            Effects::USES_TIMEOUT_VARIABLE
                | Effects::USES_TRACKER_VARIABLE
                | Effects::USES_LAST_INSERT_ID
                | Effects::READS_AUTOCOMMIT,
        );
    } else if words.raw(at).len() > 14 {
        let name = words.name(at).unwrap_or_default().to_ascii_lowercase();
        if name.starts_with("session_track_") {
            draft.effect(Effects::USES_TRACKER_VARIABLE);
        }
    }
}

/// Whether the name is that of a schema with the server's own state.
pub(super) fn is_system_schema(words: Words<'_>, at: usize) -> bool {
    ["information_schema", "performance_schema", "mysql", "sys"].iter().any(|schema| words.says(at, schema))
}

/// A name with a parenthesis behind it.
fn call(words: Words<'_>, at: usize, pairs: &[usize], draft: &mut Draft) {
    let Some(name) = words.name(at).map(|n| n.to_ascii_lowercase()) else { return };
    let schema =
        if words.punct_before(at, b'.') { at.checked_sub(2).and_then(|s| words.name(s)) } else { None };
    if schema.is_none()
        && let Some(found) = special(&name)
    {
        call_special(words, at, found, draft);
        if !(is_tight(&name) && words.gap(at)) {
            return;
        }
    }
    let native = match words.kind(at) {
        Some(Kind::Quoted) => is_native_when_quoted(&name),
        _ => !(is_callable_name(&name) || is_tight(&name) && words.gap(at)),
    };
    if schema.is_none() && (native || is_common_table_expression(words, at, pairs)) {
        return;
    }
    if cannot_begin_operand(words, at) {
        return;
    }
    let schema = schema.map(|s| s.to_ascii_lowercase().into_boxed_str());
    draft.functions.push(FunctionName { schema, name: name.into_boxed_str() });
}

/// `CAST(x AS type(5))`, `MATCH (a) AGAINST (b)`, `'$[*]' COLUMNS (…)`, `(SELECT …) alias (columns)`.
fn cannot_begin_operand(words: Words<'_>, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    words.is(before, K::As) || matches!(words.kind(before), Some(Kind::Punct(b')') | Kind::Literal))
}

/// `name (columns) AS (`
fn is_common_table_expression(words: Words<'_>, at: usize, pairs: &[usize]) -> bool {
    pairs.get(at + 1).is_some_and(|close| words.is(close + 1, K::As) && words.punct(close + 2, b'('))
}

fn call_special(words: Words<'_>, at: usize, found: Special, draft: &mut Draft) {
    draft.effect(found.effects);
    draft.raise(found.access, found.reason);
    let has_argument = !words.punct(at + 2, b')');
    if found.effects.contains(Effects::USES_LAST_INSERT_ID) && has_argument {
        draft.effect(Effects::MAY_SET_INSERT_ID);
    }
    debug_assert!(found.access > Access::Read, "a special function is never a plain read");
}
