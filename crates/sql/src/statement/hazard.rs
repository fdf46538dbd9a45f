//! Words that a read may not contain, wherever they stand.
//!
//! All of them are reserved, so finding one means a locking read, an INTO clause, or a text that is not the read that
//! it begins as.

use super::{Draft, Words};
use crate::function::special;
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason};

/// Raises `draft` for every hazard in a statement that claims to be a read.
pub(super) fn check(words: Words<'_>, draft: &mut Draft) {
    for at in 0..words.len() {
        match words.keyword(at) {
            Some(keyword) => check_keyword(words, at, keyword, draft),
            None if words.kind(at) == Some(Kind::Word) => check_foreign(words.raw(at), draft),
            None => {}
        }
    }
}

fn check_keyword(words: Words<'_>, at: usize, keyword: K, draft: &mut Draft) {
    let before = words.keyword_before(at);
    match keyword {
        K::For if matches!(words.keyword(at + 1), Some(K::Update | K::Share)) => {
            draft.primary(Reason::LockingRead);
        }
        K::Update if before == Some(K::For) => {}
        K::Lock => draft.primary(Reason::LockingRead),
        K::Into => check_into(words, at, draft),
        K::Procedure => draft.primary(Reason::Procedure),
        K::SqlCalcFoundRows => draft.effect(Effects::CALC_FOUND_ROWS),
        // The functions INSERT() and REPLACE(), and `CHARACTER SET` in a CAST.
        K::Insert | K::Replace if words.punct(at + 1, b'(') => {}
        K::Set if matches!(before, Some(K::Character | K::Char)) => {}
        keyword if begins_other(keyword) => draft.not_understood(),
        _ => {}
    }
}

/// Reserved words that no part of a read has.
fn begins_other(keyword: K) -> bool {
    matches!(
        keyword,
        K::Insert
            | K::Replace
            | K::Set
            | K::Update
            | K::Delete
            | K::Call
            | K::Create
            | K::Drop
            | K::Alter
            | K::Grant
            | K::Revoke
            | K::Load
            | K::Kill
            | K::Rename
            | K::Optimize
            | K::Purge
    )
}

fn check_into(words: Words<'_>, at: usize, draft: &mut Draft) {
    if matches!(words.keyword(at + 1), Some(K::Outfile | K::Dumpfile)) {
        return draft.write(Reason::IntoClause);
    }
    draft.primary(Reason::IntoClause);
    if matches!(words.kind(at + 1), Some(Kind::UserVariable)) {
        draft.effect(Effects::SETS_USER_VARIABLE);
    }
}

/// An identifier with bytes above 0x7f. In a one-byte character set some of them are spaces or punctuation (0xa0 in
/// latin1), which would make two words of it; so none of its parts may be a hazard, and it must look like UTF-8.
fn check_foreign(word: &[u8], draft: &mut Draft) {
    if word.is_ascii() {
        return;
    }
    let is_hazard = |part: &[u8]| {
        let keyword = K::of(part);
        keyword.is_some_and(|k| begins_other(k) || matches!(k, K::For | K::Lock | K::Into | K::Procedure))
            || special(&String::from_utf8_lossy(part).to_ascii_lowercase()).is_some()
    };
    if str::from_utf8(word).is_err() || word.split(|b| !b.is_ascii()).any(is_hazard) {
        draft.not_understood();
    }
}
