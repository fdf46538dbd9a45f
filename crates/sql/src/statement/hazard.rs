//! Words that a read may not contain, wherever they stand.
//!
//! All of them are reserved or all but unused as names, so finding one means a locking read, an INTO clause, or a
//! text that is not the read that it begins as.

use super::{Draft, Words};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason};

/// Raises `draft` for every hazard in a statement that claims to be a read.
pub(super) fn check(words: Words<'_>, draft: &mut Draft) {
    for at in 0..words.len() {
        if let Some(keyword) = words.keyword(at) {
            check_keyword(words, at, keyword, draft);
        }
    }
}

fn check_keyword(words: Words<'_>, at: usize, keyword: K, draft: &mut Draft) {
    match keyword {
        K::For => check_for(words, at, draft),
        K::Lock => draft.primary(Reason::LockingRead),
        K::Into => check_into(words, at, draft),
        K::Procedure => draft.primary(Reason::Procedure),
        K::SqlCalcFoundRows => draft.effect(Effects::CALC_FOUND_ROWS),
        K::Insert | K::Replace if words.punct(at + 1, b'(') => {}
        K::Set if matches!(words.keyword_before(at), Some(K::Character | K::Char)) => {}
        K::Update if words.keyword_before(at) == Some(K::For) => {}
        K::Truncate if words.punct(at + 1, b'(') => {}
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
        | K::Purge => draft.not_understood(),
        _ => {}
    }
}

fn check_for(words: Words<'_>, at: usize, draft: &mut Draft) {
    if matches!(words.keyword(at + 1), Some(K::Update | K::Share)) {
        draft.primary(Reason::LockingRead);
    }
}

fn check_into(words: Words<'_>, at: usize, draft: &mut Draft) {
    match words.keyword(at + 1) {
        Some(K::Outfile | K::Dumpfile) => draft.write(Reason::IntoClause),
        _ => {
            draft.primary(Reason::IntoClause);
            if matches!(words.kind(at + 1), Some(Kind::UserVariable)) {
                draft.effect(Effects::SETS_USER_VARIABLE);
            }
        }
    }
}
