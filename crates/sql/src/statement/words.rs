//! The tokens of a statement, as the classification walks them.

use crate::keyword::Keyword;
use crate::lex::{Kind, Token};
use crate::normal::Sink;

/// A token with its keyword. Offsets are 32 bits: a packet is at most 1 GiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme {
    start: u32,
    end: u32,
    pub(crate) kind: Kind,
    pub(crate) keyword: Option<Keyword>,
}

/// Collects a normalised stream.
#[derive(Default)]
pub(crate) struct Lexemes {
    pub(crate) list: Vec<Lexeme>,
    /// There were more than [`Self::LIMIT`].
    pub(crate) overflow: bool,
}

impl Lexemes {
    /// Tokens that are looked at, after lists of literals have collapsed. A text beyond it is a write.
    const LIMIT: usize = 2 << 20;
}

impl Sink for Lexemes {
    fn token(&mut self, sql: &[u8], token: Token) {
        if self.list.len() >= Self::LIMIT {
            self.overflow = true;
            return;
        }
        // What follows a dot or `@@` is a name, whatever it says.
        let name = self
            .list
            .last()
            .is_some_and(|last| matches!(last.kind, Kind::Punct(b'.') | Kind::SystemVariable));
        let keyword = if token.kind == Kind::Word && !name {
            Keyword::of(sql.get(token.start..token.end).unwrap_or_default())
        } else {
            None
        };
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        self.list.push(Lexeme {
            start: narrow(token.start),
            end: narrow(token.end),
            kind: token.kind,
            keyword,
        });
    }
}

/// A run of lexemes of one text.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    sql: &'a [u8],
    list: &'a [Lexeme],
}

impl<'a> Words<'a> {
    pub(crate) const fn new(sql: &'a [u8], list: &'a [Lexeme]) -> Self {
        Self { sql, list }
    }

    pub(crate) const fn len(self) -> usize {
        self.list.len()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.list.is_empty()
    }

    /// The words from `at` on.
    pub(crate) fn from(self, at: usize) -> Self {
        Self { sql: self.sql, list: self.list.get(at..).unwrap_or_default() }
    }

    /// The words before `at`.
    pub(crate) fn until(self, at: usize) -> Self {
        Self { sql: self.sql, list: self.list.get(..at).unwrap_or(self.list) }
    }

    pub(crate) fn kind(self, at: usize) -> Option<Kind> {
        self.list.get(at).map(|l| l.kind)
    }

    pub(crate) fn keyword(self, at: usize) -> Option<Keyword> {
        self.list.get(at).and_then(|l| l.keyword)
    }

    pub(crate) fn is(self, at: usize, keyword: Keyword) -> bool {
        self.keyword(at) == Some(keyword)
    }

    /// Whether the keywords stand here one after the other.
    pub(crate) fn are(self, at: usize, keywords: &[Keyword]) -> bool {
        keywords.iter().enumerate().all(|(offset, keyword)| self.is(at + offset, *keyword))
    }

    pub(crate) fn punct(self, at: usize, byte: u8) -> bool {
        self.kind(at) == Some(Kind::Punct(byte))
    }

    /// Whether something separates the token from the next one: a space or a comment. Part of a normalised stream
    /// only between a word and a parenthesis.
    pub(crate) fn gap(self, at: usize) -> bool {
        matches!((self.list.get(at), self.list.get(at + 1)), (Some(one), Some(next)) if one.end != next.start)
    }

    /// The punctuation before `at`.
    pub(crate) fn punct_before(self, at: usize, byte: u8) -> bool {
        at.checked_sub(1).is_some_and(|before| self.punct(before, byte))
    }

    pub(crate) fn keyword_before(self, at: usize) -> Option<Keyword> {
        self.keyword(at.checked_sub(1)?)
    }

    /// The text of a word as written, quotes included; empty for anything that is not a name.
    pub(crate) fn raw(self, at: usize) -> &'a [u8] {
        let Some(lexeme) = self.list.get(at) else { return &[] };
        self.sql.get(lexeme.start as usize..lexeme.end as usize).unwrap_or_default()
    }

    pub(crate) fn is_name(self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Word | Kind::Quoted))
    }

    /// The text of a name without its quotes, in its own case.
    pub(crate) fn name(self, at: usize) -> Option<String> {
        match self.kind(at)? {
            Kind::Word => Some(String::from_utf8_lossy(self.raw(at)).into_owned()),
            Kind::Quoted => Some(unquote(self.raw(at))),
            _ => None,
        }
    }

    /// Whether a name, quoted or not, says this in any case.
    pub(crate) fn says(self, at: usize, name: &str) -> bool {
        let raw = self.raw(at);
        match self.kind(at) {
            Some(Kind::Word) => raw.eq_ignore_ascii_case(name.as_bytes()),
            Some(Kind::Quoted) => inside(raw).eq_ignore_ascii_case(name.as_bytes()),
            _ => false,
        }
    }

    /// The index behind the parenthesis that closes the one at `open`.
    pub(crate) fn after_parenthesis(self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in open..self.len() {
            match self.kind(at) {
                Some(Kind::Punct(b'(')) => depth += 1,
                Some(Kind::Punct(b')')) => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether the keyword is anywhere.
    pub(crate) fn has(self, keyword: Keyword) -> bool {
        self.list.iter().any(|l| l.keyword == Some(keyword))
    }

    /// For every opening parenthesis, the index of the one that closes it; 0 elsewhere.
    pub(crate) fn pairs(self) -> Vec<usize> {
        let mut pairs = vec![0; self.len()];
        let mut open = Vec::new();
        for (at, lexeme) in self.list.iter().enumerate() {
            match lexeme.kind {
                Kind::Punct(b'(') => open.push(at),
                Kind::Punct(b')') => {
                    if let Some(slot) = open.pop().and_then(|start| pairs.get_mut(start)) {
                        *slot = at;
                    }
                }
                _ => {}
            }
        }
        pairs
    }

    /// Whether every parenthesis has its partner.
    pub(crate) fn balanced(self) -> bool {
        let mut depth = 0_usize;
        for lexeme in self.list {
            match lexeme.kind {
                Kind::Punct(b'(') => depth += 1,
                Kind::Punct(b')') if depth == 0 => return false,
                Kind::Punct(b')') => depth -= 1,
                _ => {}
            }
        }
        depth == 0
    }
}

/// The text between the quotes.
pub(crate) fn inside(raw: &[u8]) -> &[u8] {
    match raw {
        [_, inner @ .., _] => inner,
        _ => &[],
    }
}

/// The text between the quotes, with doubled quotes made one.
pub(crate) fn unquote(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(inside(raw));
    match raw.first() {
        Some(quote) => {
            let quote = char::from(*quote);
            text.replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        None => text.into_owned(),
    }
}
