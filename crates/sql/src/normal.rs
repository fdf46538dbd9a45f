//! The normalised token stream: what two texts that differ in literals, spacing and comments only have in common.
//!
//! Facts are computed from this stream and cached under its hash, so that equal hashes mean equal facts. A list of
//! literals becomes one literal, and a list of parenthesised lists of literals becomes one of them; a lone NULL among
//! literals counts as one.

use crate::lex::{Kind, Lexer, Token};

/// Takes the tokens of a normalised stream.
pub(crate) trait Sink {
    fn token(&mut self, sql: &[u8], token: Token);
}

/// What was given to the sink last, and which tokens are held back because they may collapse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Other,
    /// A literal.
    Item,
    /// A literal; a comma is held back.
    ItemComma,
    /// `(`
    Open,
    /// `( ?`
    OpenItem,
    /// `( ?`; a comma is held back.
    OpenItemComma,
    /// `( ? )`
    Row,
    /// `( ? )`; `,` is held back.
    RowComma,
    /// `( ? )`; `, (` is held back.
    NextOpen,
    /// `( ? )`; `, ( ?` is held back.
    NextItem,
    /// `( ? )`; `, ( ? ,` is held back.
    NextItemComma,
}

impl State {
    const fn held(self) -> &'static [Kind] {
        const COMMA: Kind = Kind::Punct(b',');
        const OPEN: Kind = Kind::Punct(b'(');
        match self {
            Self::ItemComma | Self::OpenItemComma | Self::RowComma => &[COMMA],
            Self::NextOpen => &[COMMA, OPEN],
            Self::NextItem => &[COMMA, OPEN, Kind::Literal],
            Self::NextItemComma => &[COMMA, OPEN, Kind::Literal, COMMA],
            Self::Other | Self::Item | Self::Open | Self::OpenItem | Self::Row => &[],
        }
    }

    /// Whether a NULL here is an element of a list of values.
    const fn takes_null(self) -> bool {
        matches!(
            self,
            Self::ItemComma | Self::Open | Self::OpenItemComma | Self::NextOpen | Self::NextItemComma
        )
    }
}

/// Feeds the normalised stream of `lexer` to `sink`.
#[inline]
pub(crate) fn normalise(sql: &[u8], lexer: &mut Lexer<'_>, sink: &mut impl Sink) {
    let mut state = State::Other;
    while let Some(mut token) = lexer.next() {
        if token.kind == Kind::Word && state.takes_null() && is_null(sql, token) {
            token.kind = Kind::Literal;
        }
        let (next, gives) = step(state, token.kind);
        if gives {
            if !state.held().is_empty() {
                give_held(sql, state, token.start, sink);
            }
            sink.token(sql, token);
        }
        state = next;
    }
    give_held(sql, state, sql.len(), sink);
}

/// The state behind a token, and whether the token is given on. One that is not is held back, or dropped with what
/// is held.
#[inline(always)]
fn step(state: State, kind: Kind) -> (State, bool) {
    match (kind, state) {
        (Kind::Literal, State::ItemComma) => (State::Item, false),
        (Kind::Literal, State::OpenItemComma) => (State::OpenItem, false),
        (Kind::Literal, State::NextOpen | State::NextItemComma) => (State::NextItem, false),
        (Kind::Literal, State::Open) => (State::OpenItem, true),
        (Kind::Literal, _) => (State::Item, true),
        (Kind::Punct(b','), State::Item) => (State::ItemComma, false),
        (Kind::Punct(b','), State::OpenItem) => (State::OpenItemComma, false),
        (Kind::Punct(b','), State::Row) => (State::RowComma, false),
        (Kind::Punct(b','), State::NextItem) => (State::NextItemComma, false),
        (Kind::Punct(b'('), State::RowComma) => (State::NextOpen, false),
        (Kind::Punct(b'('), _) => (State::Open, true),
        (Kind::Punct(b')'), State::NextItem) => (State::Row, false),
        (Kind::Punct(b')'), State::OpenItem) => (State::Row, true),
        _ => (State::Other, true),
    }
}

#[inline(never)]
fn give_held(sql: &[u8], state: State, at: usize, sink: &mut impl Sink) {
    for kind in state.held() {
        sink.token(sql, Token { start: at, end: at, kind: *kind });
    }
}

#[inline]
fn is_null(sql: &[u8], token: Token) -> bool {
    token.end - token.start == 4
        && sql.get(token.start..token.end).is_some_and(|word| word.eq_ignore_ascii_case(b"null"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    struct Text(String);

    impl Sink for Text {
        fn token(&mut self, sql: &[u8], token: Token) {
            match token.kind {
                Kind::Literal => self.0.push('?'),
                Kind::Punct(byte) => self.0.push(byte as char),
                _ => {
                    self.0.push(' ');
                    self.0.push_str(&String::from_utf8_lossy(&sql[token.start..token.end]));
                }
            }
        }
    }

    fn normal(sql: &str) -> String {
        let mut text = Text(String::new());
        normalise(sql.as_bytes(), &mut Lexer::new(sql.as_bytes(), Mode::default()), &mut text);
        text.0
    }

    #[test]
    fn lists_collapse() {
        for (sql, expected) in [
            ("a IN (1, 2,3)", " a IN(?)"),
            ("a IN ('x', -2, NULL, ?)", " a IN(?)"),
            ("VALUES (1,2),(3,4) , (5,6)", " VALUES(?)"),
            ("VALUES (1,2),(3,now())", " VALUES(?),(?, now())"),
            ("VALUES (1),(a)", " VALUES(?),( a)"),
            ("VALUES (1),(2,", " VALUES(?),(?,"),
            ("VALUES (1),(2),x", " VALUES(?), x"),
            ("f(1,2),3", " f(?),?"),
            ("LIMIT 1, 2", " LIMIT?"),
            ("1,a,2", "?, a,?"),
            ("(1,2", "(?"),
            ("(1,", "(?,"),
            ("(?), (", "(?),("),
            ("((1,2),(3,4)),5", "((?)),?"),
            ("a = -1 - 1 -a", " a=?-?- a"),
            ("is null", " is null"),
        ] {
            assert_eq!(normal(sql), expected, "{sql}");
        }
    }
}
