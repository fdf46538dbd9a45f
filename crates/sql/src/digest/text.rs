//! The normalised text, for people.

use super::PublicHasher;
use crate::Facts;
use crate::function::is_reserved;
use crate::lex::Kind;
use crate::statement::Words;

/// The normalised text and its public digest. The digest covers all of the text, of which a part is kept.
pub(crate) fn render(words: Words<'_>) -> (Box<str>, u64) {
    let mut writer = Writer { text: Vec::new(), hasher: PublicHasher::new() };
    for at in 0..words.len() {
        if at > 0 && !is_glued(words, at) {
            writer.write(b" ");
        }
        writer.token(words, at);
    }
    (writer.kept(), writer.hasher.finish())
}

/// Whether no space belongs between a token and the one before it.
fn is_glued(words: Words<'_>, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match (words.kind(before), words.kind(at)) {
        (Some(Kind::Punct(b'(' | b'.') | Kind::SystemVariable), _) => true,
        (_, Some(Kind::Punct(b',' | b')' | b'.' | b';'))) => true,
        (Some(Kind::Punct(first)), Some(Kind::Punct(second))) => is_operator(first, second),
        (Some(Kind::Word | Kind::Quoted), Some(Kind::Punct(b'('))) => !is_keyword(words, before),
        _ => false,
    }
}

fn is_operator(first: u8, second: u8) -> bool {
    matches!(
        [first, second],
        [b'<' | b'>' | b'!' | b':', b'=']
            | [b'=' | b'<' | b'>' | b'-', b'>']
            | [b'<', b'<']
            | [b'|', b'|']
            | [b'&', b'&']
    )
}

/// Reserved words are shown in upper case, and so is the verb.
fn is_keyword(words: Words<'_>, at: usize) -> bool {
    words.kind(at) == Some(Kind::Word)
        && !words.punct_before(at, b'.')
        && (is_reserved(words.raw(at)) || (at == 0 && words.keyword(at).is_some()))
}

struct Writer {
    text: Vec<u8>,
    hasher: PublicHasher,
}

impl Writer {
    fn token(&mut self, words: Words<'_>, at: usize) {
        match words.kind(at) {
            Some(Kind::Literal) => self.write(b"?"),
            Some(Kind::SystemVariable) => self.write(b"@@"),
            Some(Kind::Punct(byte)) => self.write(&[byte]),
            Some(Kind::Bad) => self.write(b"..."),
            Some(Kind::Word) if is_keyword(words, at) => self.write(&words.raw(at).to_ascii_uppercase()),
            _ => self.write(words.raw(at)),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        let room = Facts::DIGEST_TEXT_LIMIT.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The kept text as UTF-8, not longer than the limit.
    fn kept(&self) -> Box<str> {
        let mut text = String::from_utf8_lossy(&self.text).into_owned();
        text.truncate(text.floor_char_boundary(Facts::DIGEST_TEXT_LIMIT));
        text.into_boxed_str()
    }
}
