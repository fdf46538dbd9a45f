//! Strings and quoted identifiers.

use memchr::{memchr, memchr2};

use super::{Kind, Lexer};

impl Lexer<'_> {
    /// A string whose opening quote is at `open`.
    pub(super) fn string(&mut self, open: usize, quote: u8) -> Kind {
        if self.mode.no_backslash_escapes {
            return self.doubled(open, quote, Kind::Literal);
        }
        let mut at = open + 1;
        loop {
            let rest = self.sql.get(at..).unwrap_or_default();
            let Some(found) = memchr2(quote, b'\\', rest) else { return self.unclosed() };
            at += found + 1;
            let is_escape = rest.get(found) == Some(&b'\\') || self.sql.get(at) == Some(&quote);
            if !is_escape {
                self.pos = at;
                return Kind::Literal;
            }
            at += 1;
        }
    }

    pub(super) fn double_quote(&mut self, open: usize) -> Kind {
        if self.mode.ansi_quotes {
            return self.quoted_identifier(open, b'"');
        }
        self.string(open, b'"')
    }

    pub(super) fn quoted_identifier(&mut self, open: usize, quote: u8) -> Kind {
        self.doubled(open, quote, Kind::Quoted)
    }

    /// `x'1f'`, `b'01'`: no escapes of any kind.
    pub(super) fn bit_string(&mut self) -> Kind {
        let rest = self.sql.get(self.pos + 2..).unwrap_or_default();
        match memchr(b'\'', rest) {
            Some(close) => {
                self.pos += 2 + close + 1;
                Kind::Literal
            }
            None => self.unclosed(),
        }
    }

    /// A quoted text in which only a doubled quote escapes.
    fn doubled(&mut self, open: usize, quote: u8, kind: Kind) -> Kind {
        let mut at = open + 1;
        loop {
            let rest = self.sql.get(at..).unwrap_or_default();
            let Some(close) = memchr(quote, rest) else { return self.unclosed() };
            at += close + 1;
            if self.sql.get(at) != Some(&quote) {
                self.pos = at;
                return kind;
            }
            at += 1;
        }
    }

    pub(super) fn unclosed(&mut self) -> Kind {
        self.pos = self.sql.len();
        Kind::Bad
    }
}
