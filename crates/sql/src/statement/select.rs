//! SELECT and what combines with it.

use super::{Draft, Words, hazard};
use crate::Verb;
use crate::keyword::Keyword as K;
use crate::lex::Kind;

/// Classifies a statement that begins with SELECT, WITH, VALUES, TABLE or a parenthesis.
pub(super) fn classify(words: Words<'_>, draft: &mut Draft) {
    let mut first = 0;
    while words.punct(first, b'(') {
        first += 1;
    }
    match words.keyword(first) {
        Some(K::Select | K::Values | K::Table) => read(words, draft),
        Some(K::With) => with(words, first, draft),
        _ => draft.not_understood(),
    }
}

fn read(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Select;
    hazard::check(words, draft);
}

/// `WITH … SELECT` reads; `WITH … UPDATE` and `WITH … DELETE` write.
fn with(words: Words<'_>, first: usize, draft: &mut Draft) {
    let mut depth = 0_usize;
    for at in first + 1..words.len() {
        match words.kind(at) {
            // `WITH a AS (…) (SELECT …)`
            Some(Kind::Punct(b'(')) if depth == 0 && words.punct_before(at, b')') => {
                return classify(words.from(at), draft);
            }
            Some(Kind::Punct(b'(')) => depth += 1,
            Some(Kind::Punct(b')')) => depth = depth.saturating_sub(1),
            Some(Kind::Word) if depth == 0 => match words.keyword(at) {
                Some(K::Select | K::Values | K::Table) => return read(words, draft),
                Some(K::Update) => return super::verb::writes(Verb::Update, draft),
                Some(K::Delete) => return super::verb::writes(Verb::Delete, draft),
                Some(K::Insert) => return super::verb::writes(Verb::Insert, draft),
                Some(K::Replace) => return super::verb::writes(Verb::Replace, draft),
                _ => {}
            },
            _ => {}
        }
    }
    draft.not_understood();
}
