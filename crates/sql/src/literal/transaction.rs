//! The options of BEGIN and START TRANSACTION.

use super::cursor::Cursor;
use crate::Mode;

/// How a transaction is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionStart {
    /// READ ONLY or READ WRITE, where one is said.
    pub read_only: Option<bool>,
    /// WITH CONSISTENT SNAPSHOT.
    pub consistent_snapshot: bool,
}

/// Parses a `BEGIN [WORK]` or `START TRANSACTION …` that is the whole text.
pub fn transaction_start(sql: &[u8], mode: Mode) -> Option<TransactionStart> {
    let mut cursor = Cursor::new(sql, mode);
    let mut start = TransactionStart::default();
    if cursor.word("BEGIN") {
        cursor.word("WORK");
        return cursor.at_end().then_some(start);
    }
    if !cursor.words(&["START", "TRANSACTION"]) {
        return None;
    }
    while !cursor.at_end() {
        if cursor.word("READ") {
            let read_only = cursor.word("ONLY");
            if start.read_only.is_some() || !(read_only || cursor.word("WRITE")) {
                return None;
            }
            start.read_only = Some(read_only);
        } else if !start.consistent_snapshot && cursor.words(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            start.consistent_snapshot = true;
        } else {
            return None;
        }
        if !cursor.punct(b',') && !cursor.at_end() {
            return None;
        }
    }
    Some(start)
}
