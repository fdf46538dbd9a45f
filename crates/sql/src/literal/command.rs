//! Commands to hadal, and the names in USE and PREPARE.

use super::cursor::Cursor;
use crate::Mode;

/// What `SHOW HADAL …` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HadalShow {
    /// The clients' sessions and what pins them.
    Sessions,
    /// The servers of the cluster.
    Servers,
    /// The pools of connections.
    Pools,
    /// Counters.
    Status,
    /// Statements by digest.
    Digests,
    /// The users that hadal knows.
    Users,
    /// The version.
    Version,
    /// Another word, for the error message; empty where there was none.
    Unknown(String),
}

/// Parses `SHOW HADAL what`.
pub fn show_hadal(sql: &[u8]) -> Option<HadalShow> {
    let mut cursor = Cursor::new(sql, Mode::default());
    if !cursor.words(&["SHOW", "HADAL"]) {
        return None;
    }
    let what = cursor.identifier().unwrap_or_default().to_ascii_lowercase();
    if !cursor.at_end() {
        return Some(HadalShow::Unknown(what));
    }
    Some(match &*what {
        "sessions" => HadalShow::Sessions,
        "servers" => HadalShow::Servers,
        "pools" => HadalShow::Pools,
        "status" => HadalShow::Status,
        "digests" => HadalShow::Digests,
        "users" => HadalShow::Users,
        "version" => HadalShow::Version,
        _ => HadalShow::Unknown(what),
    })
}

/// Whether the text is `SHOW [SESSION | LOCAL] STATUS LIKE 'Com_stmt_close'`.
pub fn shows_closed_statements(sql: &[u8], mode: Mode) -> bool {
    let mut cursor = Cursor::new(sql, mode);
    if !cursor.word("SHOW") {
        return false;
    }
    let _scope = cursor.word("SESSION") || cursor.word("LOCAL");
    cursor.words(&["STATUS", "LIKE"])
        && cursor.name_or_string().is_some_and(|name| name.eq_ignore_ascii_case("Com_stmt_close"))
        && cursor.at_end()
}

/// The statement behind `EXPLAIN ROUTE`.
pub fn explain_route(sql: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(sql, Mode::default());
    if !cursor.words(&["EXPLAIN", "ROUTE"]) {
        return None;
    }
    sql.get(cursor.peek()?.start..)
}

/// The schema of a `USE` that is the whole text.
pub fn use_schema(sql: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(sql, Mode::default());
    if !cursor.word("USE") {
        return None;
    }
    let schema = cursor.identifier()?;
    cursor.at_end().then(|| schema.into_bytes())
}

/// The lower-cased name of the statement that a `PREPARE`, `EXECUTE` or `{DEALLOCATE | DROP} PREPARE` is about.
pub fn text_prepare_name(sql: &[u8], mode: Mode) -> Option<String> {
    let mut cursor = Cursor::new(sql, mode);
    let named = match () {
        () if cursor.word("PREPARE") => true,
        () if cursor.word("EXECUTE") => !cursor.at_word("IMMEDIATE"),
        () => (cursor.word("DEALLOCATE") || cursor.word("DROP")) && cursor.word("PREPARE"),
    };
    if named { cursor.identifier().map(|name| name.to_lowercase()) } else { None }
}
