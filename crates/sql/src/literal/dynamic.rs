//! Statements that run a text which another statement holds: `PREPARE`, `EXECUTE`, `EXECUTE IMMEDIATE`.

use std::ops::Range;

use super::cursor::{Cursor, string};
use crate::Mode;
use crate::lex::Kind;

/// What such a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DynamicStatement {
    /// `PREPARE name FROM text`, with the lower-cased name.
    Prepare(String, DynamicText),
    /// `EXECUTE name [USING …]`, with the lower-cased name.
    Execute(String),
    /// `EXECUTE IMMEDIATE text [USING …]`.
    Immediate(DynamicText),
    /// `{DEALLOCATE | DROP} PREPARE name`, with the lower-cased name.
    Deallocate(String),
}

/// The text that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DynamicText {
    /// A string literal's value.
    Literal(Vec<u8>),
    /// An expression as it is written, such as `@text` or `CONCAT('KILL ', @id)`.
    Expression(Vec<u8>),
}

/// Parses such a statement that is the whole text.
pub fn dynamic_statement(sql: &[u8], mode: Mode) -> Option<DynamicStatement> {
    parse(sql, mode).map(|(statement, _)| statement)
}

/// Where the text that is to be run stands in such a statement, as a literal or an expression.
pub fn dynamic_text_span(sql: &[u8], mode: Mode) -> Option<Range<usize>> {
    parse(sql, mode).and_then(|(_, span)| span)
}

fn parse(sql: &[u8], mode: Mode) -> Option<(DynamicStatement, Option<Range<usize>>)> {
    let mut cursor = Cursor::new(sql, mode);
    if cursor.word("PREPARE") {
        let name = name(&mut cursor)?;
        let (text, span) = cursor.word("FROM").then(|| text(&mut cursor, mode)).flatten()?;
        return Some((DynamicStatement::Prepare(name, text), Some(span)));
    }
    if cursor.word("EXECUTE") {
        if cursor.word("IMMEDIATE") {
            let (text, span) = text(&mut cursor, mode)?;
            return Some((DynamicStatement::Immediate(text), Some(span)));
        }
        return Some((DynamicStatement::Execute(name(&mut cursor)?), None));
    }
    let deallocates = (cursor.word("DEALLOCATE") || cursor.word("DROP")) && cursor.word("PREPARE");
    if deallocates { Some((DynamicStatement::Deallocate(name(&mut cursor)?), None)) } else { None }
}

fn name(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.identifier().map(|name| name.to_lowercase())
}

/// Everything up to `USING`, a semicolon or the end.
fn text(cursor: &mut Cursor<'_>, mode: Mode) -> Option<(DynamicText, Range<usize>)> {
    let first = cursor.peek()?;
    let mut span = first.start..first.start;
    while let Some(token) = cursor.peek() {
        match token.kind {
            Kind::Punct(b';') => break,
            Kind::Bad | Kind::VersionComment => return None,
            _ if cursor.at_word("USING") => break,
            _ => span.end = token.end,
        }
        cursor.advance();
    }
    let literal = if first.kind == Kind::Literal && first.end == span.end {
        string(cursor.bytes(first), mode)
    } else {
        None
    };
    match literal {
        Some(value) => Some((DynamicText::Literal(value), span)),
        None if span.is_empty() => None,
        None => {
            let raw = cursor.sql.get(span.clone())?;
            Some((DynamicText::Expression(raw.to_vec()), span))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Option<DynamicStatement> {
        dynamic_statement(sql.as_bytes(), Mode::default())
    }

    #[test]
    fn the_text_is_found_where_it_stands() {
        for (sql, text) in [
            ("PREPARE s FROM 'SELECT 1'", Some("'SELECT 1'")),
            ("PREPARE s FROM @a ;", Some("@a")),
            ("EXECUTE IMMEDIATE CONCAT('x', 1) USING @b", Some("CONCAT('x', 1)")),
            ("/* x */ execute immediate \"y\"", Some("\"y\"")),
            ("EXECUTE s USING @b", None),
            ("DEALLOCATE PREPARE s", None),
        ] {
            let span = dynamic_text_span(sql.as_bytes(), Mode::default());
            assert_eq!(span.map(|span| &sql[span]), text, "{sql}");
        }
    }

    #[test]
    fn literals_are_taken_out_of_their_quotes() {
        let kill = || DynamicText::Literal(b"KILL 'x' 5".to_vec());
        assert_eq!(
            parsed("execute immediate 'KILL ''x'' 5' USING @a"),
            Some(DynamicStatement::Immediate(kill()))
        );
        assert_eq!(
            parsed("PREPARE `S` FROM \"KILL 'x' 5\";"),
            Some(DynamicStatement::Prepare("s".into(), kill()))
        );
    }

    #[test]
    fn anything_else_is_an_expression() {
        for (sql, text) in [
            ("EXECUTE IMMEDIATE @a", "@a"),
            ("EXECUTE IMMEDIATE CONCAT('KILL ', @id) USING 1", "CONCAT('KILL ', @id)"),
            ("EXECUTE IMMEDIATE 'KILL ' '5'", "'KILL ' '5'"),
            ("EXECUTE IMMEDIATE _latin1'KILL 5'", "_latin1'KILL 5'"),
        ] {
            let expression = DynamicText::Expression(text.as_bytes().to_vec());
            assert_eq!(parsed(sql), Some(DynamicStatement::Immediate(expression)));
        }
    }

    #[test]
    fn names_are_of_any_case_and_other_statements_none() {
        assert_eq!(parsed("EXECUTE S USING @a, @b"), Some(DynamicStatement::Execute("s".into())));
        assert_eq!(parsed("DROP PREPARE S"), Some(DynamicStatement::Deallocate("s".into())));
        assert_eq!(parsed("DROP TABLE s"), None);
        assert_eq!(parsed("EXECUTE IMMEDIATE"), None);
        assert_eq!(parsed("PREPARE s FROM"), None);
    }
}
