//! Statements that run a text which another statement holds: `PREPARE`, `EXECUTE`, `EXECUTE IMMEDIATE`.

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
    let mut cursor = Cursor::new(sql, mode);
    if cursor.word("PREPARE") {
        let name = name(&mut cursor)?;
        let text = cursor.word("FROM").then(|| text(&mut cursor, mode)).flatten()?;
        return Some(DynamicStatement::Prepare(name, text));
    }
    if cursor.word("EXECUTE") {
        if cursor.word("IMMEDIATE") {
            return text(&mut cursor, mode).map(DynamicStatement::Immediate);
        }
        return name(&mut cursor).map(DynamicStatement::Execute);
    }
    let deallocates = (cursor.word("DEALLOCATE") || cursor.word("DROP")) && cursor.word("PREPARE");
    if deallocates { name(&mut cursor).map(DynamicStatement::Deallocate) } else { None }
}

fn name(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.identifier().map(|name| name.to_lowercase())
}

/// Everything up to `USING`, a semicolon or the end.
fn text(cursor: &mut Cursor<'_>, mode: Mode) -> Option<DynamicText> {
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
        Some(value) => Some(DynamicText::Literal(value)),
        None if span.is_empty() => None,
        None => cursor.sql.get(span).map(|raw| DynamicText::Expression(raw.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Option<DynamicStatement> {
        dynamic_statement(sql.as_bytes(), Mode::default())
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
