//! KILL and whom it means.

use std::ops::Range;

use super::cursor::Cursor;
use crate::Mode;
use crate::lex::Kind;

/// `KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] target`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Only the running statement, not the connection.
    pub query_only: bool,
    /// SOFT: what must not be interrupted is not.
    pub soft: bool,
    /// Whom.
    pub target: KillTarget,
    /// The bytes of the target, to write another one there.
    pub span: Range<usize>,
}

/// Whom a KILL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillTarget {
    /// A connection's id.
    Id(u64),
    /// A running statement's id.
    QueryId(u64),
    /// Every connection of a user, as written.
    User(String),
    /// An expression, such as `CONNECTION_ID()` or `@id`.
    Expression,
}

/// Parses a KILL that is the whole text.
pub fn kill(sql: &[u8], mode: Mode) -> Option<Kill> {
    let mut cursor = Cursor::new(sql, mode);
    if !cursor.word("KILL") {
        return None;
    }
    let soft = cursor.word("SOFT");
    if !soft {
        cursor.word("HARD");
    }
    let query_only = cursor.word("QUERY");
    let by_query_id = query_only && cursor.word("ID");
    if !query_only {
        cursor.word("CONNECTION");
    }
    if cursor.word("USER") {
        let span = cursor.expression()?;
        let user = String::from_utf8_lossy(sql.get(span.clone())?).into_owned();
        return cursor.at_end().then_some(Kill { query_only, soft, target: KillTarget::User(user), span });
    }
    let first = cursor.peek()?;
    let span = cursor.expression()?;
    let number = (first.kind == Kind::Literal && first.end == span.end)
        .then(|| str::from_utf8(sql.get(span.clone())?).ok()?.parse().ok())
        .flatten();
    let target = match number {
        Some(id) if by_query_id => KillTarget::QueryId(id),
        Some(id) => KillTarget::Id(id),
        None => KillTarget::Expression,
    };
    cursor.at_end().then_some(Kill { query_only, soft, target, span })
}
