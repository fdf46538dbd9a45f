//! Places in a text that have to be rewritten, because their answer is hadal's and not a server's.

use std::ops::Range;

use crate::Mode;
use crate::lex::{Kind, Lexer, Token, VersionComments};

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Calls of `CONNECTION_ID()`, with their parentheses.
    ConnectionId,
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
        SpanKind::ConnectionId => connection_id_calls(sql, &tokens(sql, mode)),
        SpanKind::ProcessList => processlist_references(sql, mode)
            .into_iter()
            .map(|reference| reference.name.start..reference.alias.map_or(reference.name.end, |a| a.end))
            .collect(),
    }
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

fn connection_id_calls(sql: &[u8], tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let [name, open, close] = window else { continue };
        let is_qualified = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(|t| t.kind == Kind::Punct(b'.'));
        if !is_qualified
            && is_name(sql, *name, "connection_id")
            && open.kind == Kind::Punct(b'(')
            && close.kind == Kind::Punct(b')')
        {
            found.push(name.start..close.end);
        }
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
