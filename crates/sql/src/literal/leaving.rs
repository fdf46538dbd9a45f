//! Bodies of stored functions and triggers: may they leave something on the connection that runs them?

use super::cursor::Cursor;
use crate::Mode;
use crate::lex::Kind;

/// Words that set something, or begin what may.
const LEAVING: &[&[u8]] = &[
    b"CALL",
    b"TEMPORARY",
    b"DIAGNOSTICS",
    b"GET_LOCK",
    b"RELEASE_LOCK",
    b"RELEASE_ALL_LOCKS",
    b"NEXTVAL",
    b"SETVAL",
    b"LASTVAL",
    b"NEXT",
    b"PREVIOUS",
    b"PREPARE",
    b"EXECUTE",
];

/// What a SET can name that is neither a variable nor a column.
const SETTABLE: &[&[u8]] = &[
    b"SESSION",
    b"LOCAL",
    b"GLOBAL",
    b"NAMES",
    b"CHARSET",
    b"CHARACTER",
    b"CHAR",
    b"TRANSACTION",
    b"ROLE",
    b"DEFAULT",
    b"STATEMENT",
    b"PASSWORD",
];

/// Whether a body may set a variable of the session, take a named lock, draw from a sequence or make a temporary table.
/// Reading a variable leaves nothing. By the tokens, so true for many a body that does no such thing; never false for
/// one that does. `is_variable` knows the names of system variables, in lower case.
pub fn leaves_session_state(body: &[u8], is_variable: impl Fn(&str) -> bool) -> bool {
    let escapes = Mode::default();
    let plain = Mode { no_backslash_escapes: true, ..escapes };
    // The mode that it was stored under decides what a backslash is.
    [escapes, plain].into_iter().any(|mode| leaves(Cursor::new(body, mode), &is_variable))
}

fn leaves(mut cursor: Cursor<'_>, is_variable: &impl Fn(&str) -> bool) -> bool {
    let mut before = Before::Start;
    while let Some(token) = cursor.advance() {
        let raw = cursor.bytes(token);
        let among = |words: &[&[u8]]| words.iter().any(|word| raw.eq_ignore_ascii_case(word));
        let assigns = || cursor.at_punct(b'=') || cursor.at_punct(b':');
        let is_target = matches!(before, Before::Set | Before::Comma | Before::Into);
        let leaves = match token.kind {
            Kind::Bad | Kind::VersionComment => true,
            Kind::UserVariable => is_target || cursor.at_punct(b':'),
            Kind::SystemVariable => is_target,
            Kind::Word if before == Before::Set && among(SETTABLE) => true,
            Kind::Word if among(LEAVING) => !matches!(before, Before::Dot),
            // `SET x = …, sql_mode = …`; also a column of an UPDATE that is called like a variable.
            Kind::Word if is_target && assigns() => {
                is_variable(&String::from_utf8_lossy(raw).to_ascii_lowercase())
            }
            Kind::Quoted if is_target && assigns() => {
                is_variable(&crate::statement::unquote(raw).to_ascii_lowercase())
            }
            _ => false,
        };
        if leaves {
            return true;
        }
        before = Before::of(token.kind, raw);
    }
    false
}

/// The token before, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    Set,
    Into,
    Comma,
    Dot,
    Other,
}

impl Before {
    fn of(kind: Kind, raw: &[u8]) -> Self {
        match kind {
            Kind::Word if raw.eq_ignore_ascii_case(b"SET") => Self::Set,
            Kind::Word if raw.eq_ignore_ascii_case(b"INTO") => Self::Into,
            Kind::Punct(b',') => Self::Comma,
            Kind::Punct(b'.') => Self::Dot,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(body: &str) -> bool {
        leaves_session_state(body.as_bytes(), |name| matches!(name, "sql_mode" | "timestamp"))
    }

    #[test]
    fn setting_leaves_and_reading_does_not() {
        for body in [
            "SET @@sql_mode = ''",
            "begin set new.a = 1, @@session.sql_mode = ''; end",
            "SET sql_mode = ''",
            "SET new.a = 1, `SQL_MODE` := ''",
            "SET SESSION anything = 1",
            "SET NAMES utf8",
            "SET @a = 1",
            "BEGIN SELECT 1, 2 INTO x, @b; END",
            "BEGIN SELECT @a := 1; END",
            "SET NEW.a = (SELECT @b := 1)",
            "DO GET_LOCK('x', 0)",
            "BEGIN CALL p(1); END",
            "RETURN NEXT VALUE FOR s",
            "RETURN NEXTVAL(s)",
            "BEGIN CREATE TEMPORARY TABLE t (a INT); RETURN 1; END",
            "/*!40101 SET @@sql_mode = '' */",
            "SET NEW.a = 'it''s",
            r"BEGIN SET NEW.a = '\'; SET @b = 'x'; END",
            r"BEGIN SET NEW.a = '\''; SET @b = 'x'; END",
        ] {
            assert!(leaves(body), "{body}");
        }
        for body in [
            "IF @disabled IS NULL THEN SET NEW.a = 1; END IF",
            "SET NEW.a = @user",
            "SET NEW.a = COALESCE(@user, 'x'), NEW.timestamp = NOW()",
            "BEGIN UPDATE t SET a = @@hostname WHERE b = @c; END",
            "INSERT INTO audit (who, sql_mode) VALUES (CURRENT_USER(), 1)",
            "RETURN (SELECT COUNT(*) FROM t)",
            "SET NEW.a = 'SET @@sql_mode = 1'",
            "-- SET @@sql_mode = ''\nSET NEW.a = 1",
        ] {
            assert!(!leaves(body), "{body}");
        }
    }
}
