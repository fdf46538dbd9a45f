//! User variables that a SET gives literals.

use super::assignment::user_variable;
use super::cursor::Cursor;
use crate::Mode;
use crate::lex::Kind;

/// The lower-cased names of the user variables that a text sets, if it is one `SET @name = literal, …` and nothing else: said
/// again under the same character sets and `sql_mode`, it gives them the same values. A literal is a string, a number, with
/// a sign or without, TRUE, FALSE or NULL.
pub fn sets_literals(sql: &[u8], mode: Mode) -> Option<Vec<String>> {
    let mut cursor = Cursor::new(sql, mode);
    if !cursor.word("SET") {
        return None;
    }
    let mut names = Vec::new();
    loop {
        let token = cursor.peek().filter(|token| token.kind == Kind::UserVariable)?;
        names.push(user_variable(cursor.bytes(token))?);
        cursor.advance();
        cursor.punct(b':');
        if !cursor.punct(b'=') || !literal(&mut cursor) {
            return None;
        }
        if !cursor.punct(b',') {
            break;
        }
    }
    cursor.at_end().then_some(names)
}

/// Takes one literal.
fn literal(cursor: &mut Cursor<'_>) -> bool {
    if ["NULL", "TRUE", "FALSE"].iter().any(|word| cursor.word(word)) {
        return true;
    }
    let _ = cursor.punct(b'-') || cursor.punct(b'+');
    let known = cursor.peek().is_some_and(|token| token.kind == Kind::Literal && cursor.bytes(token) != b"?");
    if known {
        cursor.advance();
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Option<Vec<String>> {
        sets_literals(sql.as_bytes(), Mode::default())
    }

    #[test]
    fn only_literals_are_known_from_the_text() {
        for sql in [
            "SET @A = 1",
            "set @a := -1.5e3;",
            "/* shop */ SET @`a` = 'it''s \\' a string'",
            "SET @a = X'00ff'",
            "SET @a = 0xff",
            "SET @a = b'101'",
            "SET @a = NULL",
            "SET @a = \"text\"",
            "SET @'a' = TRUE",
        ] {
            assert_eq!(names(sql), Some(vec!["a".to_owned()]), "{sql}");
        }
        assert_eq!(names("SET @a = 1, @b = 'x'"), Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn everything_else_is_left_to_the_server() {
        for sql in [
            "SET @a = @b",
            "SET @a = NOW()",
            "SET @a = 1 + 1",
            "SET @a = 'x' COLLATE utf8mb4_bin",
            "SET @a = 'x' 'y'",
            "SET @a = _latin1 'x'",
            "SET @a = (SELECT 1)",
            "SET @a = ?",
            "SET @a = 1, sql_mode = ''",
            "SET @a = 1, @b = @a",
            "SET @a = 1; SET @b = 2",
            "SET @a = /*!100000 2 + */ 1",
            "SET @@a = 1",
            "SET a = 1",
            "SET @a = - - 1",
            "SET STATEMENT max_statement_time = 1 FOR SET @a = 1",
            "SELECT @a := 1",
            "SET @a = 'open",
            "SET @a",
            "SET",
        ] {
            assert_eq!(names(sql), None, "{sql}");
        }
        let ansi = Mode { ansi_quotes: true, ..Mode::default() };
        assert_eq!(sets_literals(b"SET @a = \"a\"", ansi), None, "a name");
    }
}
