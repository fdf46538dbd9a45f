//! Statements that begin, end and mark transactions.

use super::{Draft, Words, maintenance, program};
use crate::keyword::Keyword as K;
use crate::{Effects, Reason, Verb};

/// `BEGIN [WORK]`, `START TRANSACTION …`; also `BEGIN NOT ATOMIC`, and what else can be started.
pub(super) fn begin(words: Words<'_>, draft: &mut Draft) {
    let is_transaction = match words.keyword(0) {
        Some(K::Begin) => words.len() == 1 || (words.len() == 2 && words.is(1, K::Work)),
        _ => words.is(1, K::Transaction),
    };
    if !is_transaction {
        return if words.is(0, K::Begin) { program::compound(draft) } else { maintenance::start(draft) };
    }
    draft.verb = Verb::Begin;
    draft.effect(Effects::BEGIN);
    for at in 2..words.len() {
        if words.are(at, &[K::Read, K::Only]) {
            draft.effect(Effects::BEGIN_READ_ONLY);
        }
        if words.are(at, &[K::Consistent, K::Snapshot]) {
            draft.effect(Effects::CONSISTENT_SNAPSHOT);
        }
    }
    draft.primary(Reason::TransactionControl);
}

/// `COMMIT` and `ROLLBACK`, with CHAIN and RELEASE; `ROLLBACK TO` is a savepoint's.
pub(super) fn end(words: Words<'_>, draft: &mut Draft) {
    draft.primary(Reason::TransactionControl);
    let any = |keyword: K| (1..words.len()).any(|at| words.is(at, keyword));
    if any(K::To) {
        draft.verb = Verb::Savepoint;
        return draft.effect(Effects::SAVEPOINT);
    }
    let (verb, effect) = match words.keyword(0) {
        Some(K::Commit) => (Verb::Commit, Effects::COMMIT),
        _ => (Verb::Rollback, Effects::ROLLBACK),
    };
    draft.verb = verb;
    draft.effect(effect);
    let without_no = |keyword: K| {
        (1..words.len()).any(|at| words.is(at, keyword) && words.keyword_before(at) != Some(K::No))
    };
    if without_no(K::Chain) {
        draft.effect(Effects::COMMIT_CHAIN);
    }
    if without_no(K::Release) {
        draft.effect(Effects::CLOSES_CONNECTION);
    }
}

/// `SAVEPOINT s`, `RELEASE SAVEPOINT s`.
pub(super) fn savepoint(words: Words<'_>, draft: &mut Draft) {
    draft.verb = if words.is(0, K::Savepoint) { Verb::Savepoint } else { Verb::ReleaseSavepoint };
    draft.effect(Effects::SAVEPOINT);
    draft.primary(Reason::TransactionControl);
}

pub(super) fn xa(draft: &mut Draft) {
    draft.verb = Verb::Xa;
    draft.effect(Effects::XA);
    draft.write(Reason::TransactionControl);
}
