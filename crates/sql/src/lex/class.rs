//! What a byte can begin.

/// The class of a byte at the start of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Bad,
    Space,
    Letter,
    Digit,
    Plain,
    Dot,
    Quote,
    DoubleQuote,
    Backtick,
    At,
    Sign,
    Hash,
    Slash,
    Star,
    Placeholder,
    Backslash,
}

pub(super) const CLASS: [Class; 256] = classes();

const IDENTIFIER: [bool; 256] = identifier_bytes();

/// Whether the byte can be inside of an unquoted identifier.
#[inline(always)]
pub(crate) fn is_identifier_byte(byte: u8) -> bool {
    IDENTIFIER[byte as usize]
}

const fn classes() -> [Class; 256] {
    let mut table = [Class::Bad; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
}

const fn class(byte: u8) -> Class {
    match byte {
        b'\t'..=b'\r' | b' ' => Class::Space,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'.' => Class::Dot,
        b'\'' => Class::Quote,
        b'"' => Class::DoubleQuote,
        b'`' => Class::Backtick,
        b'@' => Class::At,
        b'-' | b'+' => Class::Sign,
        b'#' => Class::Hash,
        b'/' => Class::Slash,
        b'*' => Class::Star,
        b'?' => Class::Placeholder,
        b'\\' => Class::Backslash,
        b'!' | b'%' | b'&' | b'(' | b')' | b',' | b':' | b';' | b'<' | b'=' | b'>' | b'^' | b'{' | b'|'
        | b'}' | b'~' => Class::Plain,
        // Control characters, brackets and DEL are no SQL outside of quotes.
        _ => Class::Bad,
    }
}

const fn identifier_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(class(byte as u8), Class::Letter | Class::Digit);
        byte += 1;
    }
    table
}
