//! A walk over the tokens of a text with their spans.

use std::ops::Range;

use crate::Mode;
use crate::lex::{Kind, Lexer, Token, VersionComments};
use crate::statement::{inside, unquote};

/// Walks the tokens of one text; literals are not collapsed.
pub(super) struct Cursor<'a> {
    pub(super) sql: &'a [u8],
    lexer: Lexer<'a>,
    next: Option<Token>,
    mode: Mode,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a [u8], mode: Mode) -> Self {
        Self::with(sql, Lexer::new(sql, mode), mode)
    }

    /// With the version comments of `code` as code, see [`VersionComments`].
    pub(super) fn with_reading(sql: &'a [u8], mode: Mode, code: u8) -> Self {
        Self::with(sql, Lexer::with_version_comments(sql, mode, VersionComments::reading(code)), mode)
    }

    fn with(sql: &'a [u8], mut lexer: Lexer<'a>, mode: Mode) -> Self {
        let next = lexer.next();
        Self { sql, lexer, next, mode }
    }

    pub(super) fn peek(&self) -> Option<Token> {
        self.next
    }

    pub(super) fn advance(&mut self) -> Option<Token> {
        let token = self.next;
        self.next = self.lexer.next();
        token
    }

    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    /// Whether the next token is this word, unquoted, in any case.
    pub(super) fn at_word(&self, word: &str) -> bool {
        self.next.is_some_and(|t| t.kind == Kind::Word && self.bytes(t).eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Takes the word if it is next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the words one after the other, up to the first that is missing; whether all were there.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        words.iter().all(|word| self.word(word))
    }

    pub(super) fn at_punct(&self, byte: u8) -> bool {
        self.next.is_some_and(|t| t.kind == Kind::Punct(byte))
    }

    pub(super) fn punct(&mut self, byte: u8) -> bool {
        let found = self.at_punct(byte);
        if found {
            self.advance();
        }
        found
    }

    /// Takes an identifier, quoted or not, without its quotes.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let token = self.next?;
        let name = match token.kind {
            Kind::Word => String::from_utf8_lossy(self.bytes(token)).into_owned(),
            Kind::Quoted => unquote(self.bytes(token)),
            _ => return None,
        };
        self.advance();
        Some(name)
    }

    /// Takes an identifier or a string: what SET NAMES and USER take as a name.
    pub(super) fn name_or_string(&mut self) -> Option<String> {
        self.identifier().or_else(|| {
            let token = self.next.filter(|t| t.kind == Kind::Literal)?;
            let value = string(self.bytes(token), self.mode)?;
            self.advance();
            String::from_utf8(value).ok()
        })
    }

    /// Whether only semicolons are left.
    pub(super) fn at_end(&mut self) -> bool {
        while self.punct(b';') {}
        self.next.is_none()
    }

    /// Skips tokens to the end of an expression: a comma or semicolon outside of parentheses, or the end of the text.
    /// The span of what was skipped, or `None` where there was nothing, or something that is no SQL.
    pub(super) fn expression(&mut self) -> Option<Range<usize>> {
        let start = self.next?.start;
        let mut end = start;
        let mut depth = 0_usize;
        while let Some(token) = self.next {
            match token.kind {
                Kind::Punct(b',' | b';') if depth == 0 => break,
                Kind::Punct(b'(') => depth += 1,
                Kind::Punct(b')') => depth = depth.checked_sub(1)?,
                // A semicolon inside of parentheses ends the statement in the middle.
                Kind::Bad | Kind::VersionComment | Kind::Punct(b';') => return None,
                _ => {}
            }
            end = token.end;
            self.advance();
        }
        (end > start && depth == 0).then_some(start..end)
    }
}

/// The value of a string literal without an introducer.
pub(super) fn string(raw: &[u8], mode: Mode) -> Option<Vec<u8>> {
    let quote = *raw.first().filter(|q| matches!(q, b'\'' | b'"'))?;
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = inside(raw).iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == quote {
            // A doubled quote.
            bytes.next();
            value.push(quote);
        } else if byte == b'\\' && !mode.no_backslash_escapes {
            value.extend(escaped(bytes.next()?));
        } else {
            value.push(byte);
        }
    }
    Some(value)
}

/// What a backslash and the byte behind it stand for. `\%` and `\_` keep the backslash, for LIKE.
fn escaped(byte: u8) -> impl Iterator<Item = u8> {
    let (first, second) = match byte {
        b'n' => (b'\n', None),
        b't' => (b'\t', None),
        b'r' => (b'\r', None),
        b'b' => (8, None),
        b'0' => (0, None),
        b'Z' => (26, None),
        b'%' | b'_' => (b'\\', Some(byte)),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}
