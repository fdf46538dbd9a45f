//! Numbers, and the names that look like them.

use super::{Kind, Lexer, is_identifier_byte};

impl Lexer<'_> {
    /// A token that begins with a digit. Plain integers are what lists are made of, so they are read here.
    #[inline]
    pub(super) fn digit(&mut self) -> Kind {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        let count = digits(rest);
        let goes_on = rest.get(count).is_some_and(|b| is_identifier_byte(*b) || *b == b'.');
        if goes_on || self.last == Kind::Punct(b'.') {
            return self.odd_number();
        }
        self.pos += count;
        Kind::Literal
    }

    /// A number with a point, an exponent or a radix, or an identifier such as `2fa_codes`.
    #[inline(never)]
    fn odd_number(&mut self) -> Kind {
        if self.touches(Kind::Punct(b'.')) {
            return self.word();
        }
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        if let Some(length) = radix_number(rest) {
            self.pos += length;
            return Kind::Literal;
        }
        let digits = digits(rest);
        match rest.get(digits) {
            Some(b'e' | b'E') => self.integer_with_exponent(digits),
            Some(b'.') => {
                self.pos += digits + 1;
                self.fraction()
            }
            Some(byte) if is_identifier_byte(*byte) => self.word(),
            _ => {
                self.pos += digits;
                Kind::Literal
            }
        }
    }

    fn integer_with_exponent(&mut self, digits: usize) -> Kind {
        match exponent(self.sql.get(self.pos + digits..).unwrap_or_default()) {
            Some(length) => {
                self.pos += digits + length;
                Kind::Literal
            }
            None => self.word(),
        }
    }

    /// The digits and exponent behind a decimal point.
    fn fraction(&mut self) -> Kind {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        let fraction = digits(rest);
        self.pos += fraction + exponent(rest.get(fraction..).unwrap_or_default()).unwrap_or(0);
        Kind::Literal
    }

    /// A dot: a separator of names, or the start of a number such as `.5`.
    pub(super) fn dot(&mut self) -> Kind {
        let after_name = self.touches(Kind::Word) || self.touches(Kind::Quoted);
        self.pos += 1;
        if !after_name && self.peek(0).is_some_and(|b| b.is_ascii_digit()) {
            return self.fraction();
        }
        Kind::Punct(b'.')
    }

    /// A sign belongs to the number behind it where no operand can be before it, so that `(-1)` and `(1)` have one
    /// digest.
    pub(super) fn sign(&mut self, byte: u8) -> Option<Kind> {
        if byte == b'-' && self.peek(1) == Some(b'-') {
            match self.dash_comment() {
                Some(true) => return self.line_comment(),
                Some(false) => {}
                None => return Some(self.unclosed()),
            }
        }
        let number_follows = match self.peek(1) {
            Some(b'0'..=b'9') => true,
            Some(b'.') => self.peek(2).is_some_and(|b| b.is_ascii_digit()),
            _ => false,
        };
        let operand_before = !matches!(self.last, Kind::Punct(b'(' | b',' | b'=' | b'<' | b'>'));
        self.pos += 1;
        if operand_before || !number_follows {
            return Some(Kind::Punct(byte));
        }
        if self.peek(0) == Some(b'.') {
            self.pos += 1;
            return Some(self.fraction());
        }
        // `-1abc` is a minus and a name.
        let before = self.clone();
        match self.digit() {
            Kind::Literal => Some(Kind::Literal),
            _ => {
                *self = before;
                Some(Kind::Punct(byte))
            }
        }
    }
}

#[inline]
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len())
}

/// The length of `e5`, `e+5`, `e-5`.
fn exponent(bytes: &[u8]) -> Option<usize> {
    let (b'e' | b'E') = bytes.first()? else { return None };
    let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
    match digits(bytes.get(1 + sign..)?) {
        0 => None,
        count => Some(1 + sign + count),
    }
}

/// The length of `0x1f` or `0b01`. The server knows the prefixes in lower case only; `0X1F` is a name.
fn radix_number(bytes: &[u8]) -> Option<usize> {
    let [b'0', radix @ (b'x' | b'b'), rest @ ..] = bytes else { return None };
    let belongs = |b: &u8| if *radix == b'x' { b.is_ascii_hexdigit() } else { matches!(b, b'0' | b'1') };
    let count = rest.iter().position(|b| !belongs(b)).unwrap_or(rest.len());
    let ends = !rest.get(count).is_some_and(|b| is_identifier_byte(*b));
    (count > 0 && ends).then_some(2 + count)
}
