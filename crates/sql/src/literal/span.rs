//! Places in a text that have to be rewritten, because their answer is hadal's and not a server's.

use std::ops::Range;

use crate::Mode;
use crate::lex::{Kind, Lexer, Token, VersionComments};

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Calls of `CONNECTION_ID()`, with their parentheses.
    ConnectionId,
    /// Calls of `FOUND_ROWS()`.
    FoundRows,
    /// Calls of `ROW_COUNT()`.
    RowCount,
    /// `@@pseudo_thread_id`, with a scope or without, where it is read.
    PseudoThreadId,
    /// Calls of `IS_USED_LOCK(…)`, the outermost ones.
    LockOwner,
    /// `information_schema.processlist` in the place of a table, with its alias.
    ProcessList,
}

/// A table as a text refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReference {
    /// The qualified name.
    pub name: Range<usize>,
    /// The alias behind it, without AS.
    pub alias: Option<Range<usize>>,
}

/// The spans of a kind, in order, not overlapping.
pub fn spans(sql: &[u8], mode: Mode, kind: SpanKind) -> Vec<Range<usize>> {
    match kind {
        SpanKind::ConnectionId => calls(sql, &tokens(sql, mode), "connection_id"),
        SpanKind::FoundRows => calls(sql, &tokens(sql, mode), "found_rows"),
        SpanKind::RowCount => calls(sql, &tokens(sql, mode), "row_count"),
        SpanKind::PseudoThreadId => pseudo_thread_ids(sql, &tokens(sql, mode)),
        SpanKind::LockOwner => lock_owner_calls(sql, &tokens(sql, mode)),
        SpanKind::ProcessList => processlist_references(sql, mode)
            .into_iter()
            .map(|reference| reference.name.start..reference.alias.map_or(reference.name.end, |a| a.end))
            .collect(),
    }
}

/// Where the first of several statements ends.
pub fn first_statement_end(sql: &[u8], mode: Mode) -> usize {
    let end = tokens(sql, mode).into_iter().find(|token| token.kind == Kind::Punct(b';'));
    end.map_or(sql.len(), |token| token.start)
}

/// Every reference to `information_schema.processlist`, which has no columns of that name before it, so that a
/// qualified column (`information_schema.processlist.id`) is none.
pub fn processlist_references(sql: &[u8], mode: Mode) -> Vec<TableReference> {
    let tokens = tokens(sql, mode);
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let [schema, dot, table] = window else { continue };
        let is_reference = is_name(sql, *schema, "information_schema")
            && dot.kind == Kind::Punct(b'.')
            && is_name(sql, *table, "processlist")
            && tokens.get(at + 3).is_none_or(|t| t.kind != Kind::Punct(b'.'));
        if is_reference {
            found.push(TableReference { name: schema.start..table.end, alias: alias(sql, &tokens, at + 3) });
        }
    }
    found
}

/// All tokens, with version comments as code: hadal's servers run them.
fn tokens(sql: &[u8], mode: Mode) -> Vec<Token> {
    let mut lexer = Lexer::with_version_comments(sql, mode, VersionComments::reading(u8::MAX));
    std::iter::from_fn(|| lexer.next()).collect()
}

fn is_name(sql: &[u8], token: Token, name: &str) -> bool {
    let raw = sql.get(token.start..token.end).unwrap_or_default();
    match token.kind {
        Kind::Word => raw.eq_ignore_ascii_case(name.as_bytes()),
        Kind::Quoted => crate::statement::inside(raw).eq_ignore_ascii_case(name.as_bytes()),
        _ => false,
    }
}

/// Calls of a function without arguments.
fn calls(sql: &[u8], tokens: &[Token], function: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let [name, open, close] = window else { continue };
        let is_qualified = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(|t| t.kind == Kind::Punct(b'.'));
        if !is_qualified
            && is_name(sql, *name, function)
            && open.kind == Kind::Punct(b'(')
            && close.kind == Kind::Punct(b')')
        {
            found.push(name.start..close.end);
        }
    }
    found
}

fn pseudo_thread_ids(sql: &[u8], tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, sigil) in tokens.iter().enumerate().filter(|(_, t)| t.kind == Kind::SystemVariable) {
        let has_scope = tokens.get(at + 2).is_some_and(|t| t.kind == Kind::Punct(b'.'));
        let name_at = if has_scope { at + 3 } else { at + 1 };
        let Some(name) = tokens.get(name_at).filter(|t| is_name(sql, **t, "pseudo_thread_id")) else {
            continue;
        };
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let head = tokens.get(..at).unwrap_or_default().rsplit(|t| t.kind == Kind::Punct(b';')).next();
        let in_set = head.and_then(<[Token]>::first).is_some_and(|t| is_name(sql, *t, "set"));
        let may_be_target =
            in_set && before.is_some_and(|t| t.kind == Kind::Word || t.kind == Kind::Punct(b','));
        let is_assigned = tokens.get(name_at + 1).is_some_and(|t| matches!(t.kind, Kind::Punct(b'=' | b':')));
        if !(may_be_target && is_assigned) {
            found.push(sigil.start..name.end);
        }
    }
    found
}

fn lock_owner_calls(sql: &[u8], tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, window) in tokens.windows(2).enumerate() {
        let [name, open] = window else { continue };
        let inside = found.last().is_some_and(|span| name.start < span.end);
        if inside || !is_name(sql, *name, "is_used_lock") || open.kind != Kind::Punct(b'(') {
            continue;
        }
        let mut depth = 0_usize;
        let close = tokens.iter().skip(at + 1).find(|token| {
            match token.kind {
                Kind::Punct(b'(') => depth += 1,
                Kind::Punct(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        found.extend(close.map(|close| name.start..close.end));
    }
    found
}

/// `AS a`, or a name that is no reserved word.
fn alias(sql: &[u8], tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let token = tokens.get(at)?;
    let token = if is_name(sql, *token, "as") { tokens.get(at + 1)? } else { token };
    let raw = sql.get(token.start..token.end)?;
    match token.kind {
        Kind::Quoted => Some(token.start..token.end),
        Kind::Word if !crate::function::is_reserved(raw) => Some(token.start..token.end),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sql: &str, kind: SpanKind) -> Vec<&str> {
        spans(sql.as_bytes(), Mode::default(), kind).into_iter().map(|span| &sql[span]).collect()
    }

    #[test]
    fn the_thread_id_is_found_where_it_is_read() {
        let found = |sql| found(sql, SpanKind::PseudoThreadId);
        assert_eq!(found("SELECT @@pseudo_thread_id"), ["@@pseudo_thread_id"]);
        assert_eq!(found("SELECT @@Session . `pseudo_thread_id` = 5"), ["@@Session . `pseudo_thread_id`"]);
        assert_eq!(found("SET @@pseudo_thread_id = 5, @a = @@pseudo_thread_id"), ["@@pseudo_thread_id"]);
        assert_eq!(found("SELECT 1, @@pseudo_thread_id = 1"), ["@@pseudo_thread_id"]);
        assert_eq!(found("SELECT 1; SET @@local.pseudo_thread_id := 1"), [""; 0]);
        assert_eq!(found("SELECT 1, @@pseudo_thread_id_x, pseudo_thread_id"), [""; 0]);
    }

    #[test]
    fn questions_for_a_locks_owner_are_found_whole() {
        let found = |sql| found(sql, SpanKind::LockOwner);
        assert_eq!(
            found("SELECT IS_USED_LOCK(CONCAT('a', ')')) = 1, is_used_lock ('b')"),
            ["IS_USED_LOCK(CONCAT('a', ')'))", "is_used_lock ('b')"]
        );
        assert_eq!(found("SELECT IS_USED_LOCK(IS_USED_LOCK('a'))"), ["IS_USED_LOCK(IS_USED_LOCK('a'))"]);
        assert_eq!(found("SELECT is_used_lock, 'IS_USED_LOCK(1)'"), [""; 0]);
        assert_eq!(found("SELECT IS_USED_LOCK('a'"), [""; 0]);
    }
}
