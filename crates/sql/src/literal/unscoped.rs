//! `SET @@name = …`: assignments that name a system variable without its scope.

use super::cursor::Cursor;
use crate::Mode;
use crate::analyse::MOST_READINGS;
use crate::lex::Kind;

/// Where a scope has to be put into the text: behind every `@@` that is the target of an assignment of a SET statement
/// and says no scope. MariaDB's trackers do not report such assignments, though they are the session's like
/// `@@session.name` (tried on 10.11).
pub fn unscoped_targets(sql: &[u8], mode: Mode) -> Vec<usize> {
    let mut found = targets(Cursor::new(sql, mode));
    if memchr::memmem::find(sql, b"/*").is_some() {
        // Whether the contents of a version comment are code depends on the server: what is a target either way.
        for code in 0..1 << MOST_READINGS {
            found.extend(targets(Cursor::with_reading(sql, mode, code)));
        }
        found.extend(targets(Cursor::with_reading(sql, mode, u8::MAX)));
        found.sort_unstable();
        found.dedup();
    }
    found
}

fn targets(mut cursor: Cursor<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut begins, mut in_set, mut awaits_target, mut depth) = (true, false, false, 0usize);
    while let Some(token) = cursor.advance() {
        match token.kind {
            Kind::Punct(b';') => (begins, in_set, awaits_target, depth) = (true, false, false, 0),
            Kind::Word if begins => {
                in_set = cursor.bytes(token).eq_ignore_ascii_case(b"SET");
                (begins, awaits_target) = (false, in_set);
            }
            Kind::Punct(b'(') => depth += 1,
            Kind::Punct(b')') => depth = depth.saturating_sub(1),
            Kind::Punct(b',') => awaits_target = in_set && depth == 0,
            Kind::SystemVariable if awaits_target => {
                awaits_target = false;
                let is_sessions = cursor.identifier().is_some_and(|name| !is_of_transaction(&name));
                if is_sessions && !cursor.at_punct(b'.') {
                    found.push(token.end);
                }
            }
            _ => (begins, awaits_target) = (false, false),
        }
    }
    found
}

/// Variables which, named by `@@` alone, are set for the next transaction only (tried on 10.11).
fn is_of_transaction(name: &str) -> bool {
    crate::variable::is_of_next_transaction(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoped(sql: &str) -> String {
        let mut text = sql.to_owned();
        for at in unscoped_targets(sql.as_bytes(), Mode::default()).into_iter().rev() {
            text.insert_str(at, "session.");
        }
        text
    }

    #[test]
    fn only_targets_without_a_scope_get_one() {
        for (text, expected) in [
            ("SET @@sql_mode='a'", "SET @@session.sql_mode='a'"),
            (
                "set @@`time_zone` := 'x', @@autocommit=0",
                "set @@session.`time_zone` := 'x', @@session.autocommit=0",
            ),
            ("SET @@global.x=@@y, z=@@w", "SET @@global.x=@@y, z=@@w"),
            ("SET @a=1, @@b=IF(1, @@c, 2)", "SET @a=1, @@session.b=IF(1, @@c, 2)"),
            ("SELECT @@a=1, @@b=2", "SELECT @@a=1, @@b=2"),
            ("SELECT 1; SET @@a=1; UPDATE t SET x=@@a", "SELECT 1; SET @@session.a=1; UPDATE t SET x=@@a"),
            ("SET SESSION @@a=1", "SET SESSION @@a=1"),
            ("SET @@tx_isolation='x', @@`TX_READ_ONLY`=1", "SET @@tx_isolation='x', @@`TX_READ_ONLY`=1"),
            ("/*!40101 SET @@a=1 */", "/*!40101 SET @@session.a=1 */"),
            ("/*M!100100 SET @@a=1, */ @@b=2", "/*M!100100 SET @@session.a=1, */ @@session.b=2"),
            ("/*!99999 SELECT */ SET @@a=1", "/*!99999 SELECT */ SET @@session.a=1"),
            ("/* a comment */ SET @@a=1", "/* a comment */ SET @@session.a=1"),
            ("SET @@, @@a=1", "SET @@, @@session.a=1"),
        ] {
            assert_eq!(scoped(text), expected);
        }
    }
}
