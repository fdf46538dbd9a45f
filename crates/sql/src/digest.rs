//! Hashes of a normalised stream: a secret one to look facts up by, and a public one to show.

mod text;

pub(crate) use text::render;

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::Mode;
use crate::lex::{Kind, Token};
use crate::normal::Sink;

/// The secret of one cache. A client cannot aim at another statement's entry without it.
#[derive(Clone)]
pub(crate) struct Seed([u64; 4]);

impl Seed {
    /// A new secret from the process's source of random hash keys.
    pub(crate) fn random() -> Self {
        let state = RandomState::new();
        let word = |index: u64| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(index);
            hasher.finish()
        };
        // Odd multipliers lose no bits.
        Self([word(0), word(1), word(2) | 1, word(3) | 1])
    }
}

/// A keyed 128-bit hash of tokens in two lanes of folded multiplications.
///
/// Every token is one word with its kind and length in the top byte, or a header and its bytes, so that no two
/// streams give the same words. Words are hashed in the text's own case: an identifier's case counts, and telling
/// keywords from identifiers would cost more than a second entry does.
pub(crate) struct KeyHasher {
    lanes: [u64; 2],
    multipliers: [u64; 2],
    /// Where the last token ended, if it was a word: `COUNT (x)` may call another function than `COUNT(x)`.
    word_end: usize,
    /// The stream cannot be cached under its tokens alone: it has a version comment.
    pub(crate) version_comment: bool,
}

const WORD: u64 = 0x10;
const QUOTED: u64 = 0x20;
const USER_VARIABLE: u64 = 0x30;
const PUNCT: u64 = 0x40;
const LONG: u64 = 0x80;

impl KeyHasher {
    #[inline]
    pub(crate) fn new(seed: &Seed, mode: Mode) -> Self {
        let [a, b, m, n] = seed.0;
        let mut hasher = Self { lanes: [a, b], multipliers: [m, n], word_end: 0, version_comment: false };
        hasher.mix(mode.bits());
        hasher
    }

    #[inline]
    pub(crate) fn finish(mut self) -> u128 {
        self.mix(0);
        u128::from(self.lanes[0]) << 64 | u128::from(self.lanes[1])
    }

    #[inline]
    pub(crate) fn mix(&mut self, word: u64) {
        self.lanes[0] = fold(self.lanes[0] ^ word, self.multipliers[0]);
        self.lanes[1] = fold(self.lanes[1].rotate_left(23) ^ word, self.multipliers[1]);
    }

    #[inline]
    fn short(&mut self, tag: u64, word: u64, length: usize) {
        self.mix(word | (tag | length as u64) << 56);
    }

    /// Hashes bytes of any length with their length.
    #[inline]
    pub(crate) fn bytes(&mut self, tag: u64, bytes: &[u8]) {
        if bytes.len() < 8 {
            return self.short(tag, short_word(bytes), bytes.len());
        }
        self.mix((tag | LONG) << 56 | bytes.len() as u64);
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            // The last eight bytes overlap the chunk before them; the length in the header tells by how much.
            if let Some(last) = bytes.last_chunk::<8>() {
                self.mix(u64::from_le_bytes(*last));
            }
        }
    }
}

/// Up to seven bytes as one word.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    let mut word = [0_u8; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

impl Sink for KeyHasher {
    #[inline]
    fn token(&mut self, sql: &[u8], token: Token) {
        let tag = match token.kind {
            Kind::Word => {
                self.word_end = token.end;
                WORD
            }
            Kind::Punct(b'(') if self.word_end != 0 => {
                let gap = u64::from(self.word_end != token.start);
                self.word_end = 0;
                return self.mix(PUNCT << 56 | gap << 8 | u64::from(b'('));
            }
            Kind::Quoted => QUOTED,
            Kind::UserVariable => USER_VARIABLE,
            Kind::Punct(byte) => return self.mix(PUNCT << 56 | u64::from(byte)),
            Kind::Literal => return self.mix((PUNCT | 1) << 56),
            Kind::SystemVariable => return self.mix((PUNCT | 2) << 56),
            Kind::Bad => return self.mix((PUNCT | 3) << 56),
            Kind::VersionComment => {
                self.version_comment = true;
                return;
            }
        };
        let length = token.end - token.start;
        // One load and a mask, where the text goes on for long enough.
        if length < 8
            && let Some(eight) = sql.get(token.start..).and_then(|rest| rest.first_chunk::<8>())
        {
            let mask = (1_u64 << (8 * length)) - 1;
            return self.short(tag, u64::from_le_bytes(*eight) & mask, length);
        }
        self.bytes(tag, sql.get(token.start..token.end).unwrap_or_default());
    }
}

#[inline(always)]
fn fold(word: u64, multiplier: u64) -> u64 {
    let product = u128::from(word) * u128::from(multiplier);
    (product as u64) ^ (product >> 64) as u64
}

/// The public digest: 64-bit FNV-1a, the same in every process and version.
pub(crate) struct PublicHasher(u64);

impl PublicHasher {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) const fn finish(&self) -> u64 {
        self.0
    }
}
