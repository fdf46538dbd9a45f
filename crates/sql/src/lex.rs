//! The lexer: bytes to tokens as the server's own lexer cuts them, without allocation.
//!
//! It follows MariaDB's `sql_lex.cc` where that is surprising: an identifier may begin with a digit, `1e5` is a number
//! and `1e` a name, what follows a dot is never a keyword, `--` needs a space or a control character behind it, and
//! the contents of a version comment are code. Bytes above 0x7f are parts of identifiers.

mod class;
mod comment;
mod number;
mod quoted;
mod token;

pub(crate) use class::is_identifier_byte;
pub(crate) use comment::VersionComments;
pub(crate) use token::{Kind, Token};

use crate::Mode;
use class::{CLASS, Class};

/// Cuts a text into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    sql: &'a [u8],
    mode: Mode,
    pos: usize,
    last: Kind,
    last_end: usize,
    version_comments: VersionComments,
}

impl<'a> Lexer<'a> {
    /// A lexer that gives a [`Kind::VersionComment`] token, and nothing after it, at the first version comment.
    #[inline]
    pub(crate) fn new(sql: &'a [u8], mode: Mode) -> Self {
        Self::with_version_comments(sql, mode, VersionComments::stop())
    }

    pub(crate) fn with_version_comments(
        sql: &'a [u8],
        mode: Mode,
        version_comments: VersionComments,
    ) -> Self {
        Self { sql, mode, pos: 0, last: Kind::Punct(b';'), last_end: 0, version_comments }
    }

    /// What was met of version comments so far.
    pub(crate) fn version_comments(&self) -> VersionComments {
        self.version_comments
    }

    /// The next token, or `None` at the end of the text.
    // Returned through memory, a token costs a failed store forwarding: three times as much as reading it.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Token> {
        loop {
            let start = self.pos;
            let byte = *self.sql.get(start)?;
            let kind = match CLASS[byte as usize] {
                Class::Space => {
                    self.pos += 1;
                    continue;
                }
                Class::Letter => self.letter(byte),
                Class::Digit => self.digit(),
                Class::Plain => self.punct(byte),
                Class::Dot => self.dot(),
                Class::Quote => self.string(start, byte),
                Class::DoubleQuote => self.double_quote(start),
                Class::Backtick => self.quoted_identifier(start, byte),
                Class::At => self.at(),
                Class::Sign => match self.sign(byte) {
                    Some(kind) => kind,
                    None => continue,
                },
                Class::Hash => match self.line_comment() {
                    Some(kind) => kind,
                    None => continue,
                },
                Class::Slash => match self.slash() {
                    Some(kind) => kind,
                    None => continue,
                },
                Class::Star => match self.star() {
                    Some(kind) => kind,
                    None => continue,
                },
                Class::Placeholder => {
                    self.pos += 1;
                    Kind::Literal
                }
                Class::Backslash => self.backslash(),
                Class::Bad => self.bad(),
            };
            self.last = kind;
            self.last_end = self.pos;
            return Some(Token { start, end: self.pos, kind });
        }
    }

    #[inline]
    fn punct(&mut self, byte: u8) -> Kind {
        self.pos += 1;
        Kind::Punct(byte)
    }

    fn bad(&mut self) -> Kind {
        self.pos += 1;
        Kind::Bad
    }

    #[inline]
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.get(self.pos + ahead).copied()
    }

    /// The last token ends exactly here and was `kind`.
    #[inline]
    fn touches(&self, kind: Kind) -> bool {
        self.last == kind && self.last_end == self.pos
    }

    #[inline]
    fn letter(&mut self, byte: u8) -> Kind {
        if self.peek(1) == Some(b'\'') && !self.touches(Kind::Punct(b'.')) {
            match byte | 0x20 {
                b'n' => {
                    let start = self.pos + 1;
                    return self.string(start, b'\'');
                }
                b'x' | b'b' => return self.bit_string(),
                _ => {}
            }
        }
        self.word()
    }

    #[inline]
    fn word(&mut self) -> Kind {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        self.pos += rest.iter().position(|b| !is_identifier_byte(*b)).unwrap_or(rest.len());
        Kind::Word
    }

    fn at(&mut self) -> Kind {
        match self.peek(1) {
            Some(b'@') => {
                self.pos += 2;
                Kind::SystemVariable
            }
            Some(quote @ (b'\'' | b'"' | b'`')) => {
                let start = self.pos + 1;
                let inner = match quote {
                    b'\'' => self.string(start, quote),
                    b'"' => self.double_quote(start),
                    _ => self.quoted_identifier(start, quote),
                };
                if inner == Kind::Bad { Kind::Bad } else { Kind::UserVariable }
            }
            _ => {
                let rest = self.sql.get(self.pos + 1..).unwrap_or_default();
                let name = |b: &u8| is_identifier_byte(*b) || *b == b'.';
                self.pos += 1 + rest.iter().position(|b| !name(b)).unwrap_or(rest.len());
                Kind::UserVariable
            }
        }
    }

    /// `\N` is NULL; a backslash elsewhere is no SQL.
    fn backslash(&mut self) -> Kind {
        if self.peek(1) == Some(b'N') {
            self.pos += 2;
            return Kind::Literal;
        }
        self.bad()
    }
}
