//! Statements that run other statements: prepared ones, procedures, blocks. And where a block ends.

use super::{Draft, Words};
use crate::keyword::Keyword as K;
use crate::lex::Kind;
use crate::{Effects, Reason, Verb};

pub(super) fn call(words: Words<'_>, draft: &mut Draft) {
    draft.schemas.extend(super::table::qualified(words, 1).map(|(routine, _)| routine.schema));
    draft.verb = Verb::Call;
    draft.effect(Effects::CALL | Effects::MAY_SET_INSERT_ID);
    draft.write(Reason::Procedure);
}

/// `DO f(x)`: run for the effects.
pub(super) fn do_expressions(draft: &mut Draft) {
    draft.verb = Verb::Do;
    if !draft.functions.is_empty() {
        draft.write(Reason::StoredFunction);
    }
    draft.primary(Reason::OwnConnection);
}

/// `PREPARE`, `EXECUTE`, `EXECUTE IMMEDIATE`, `DEALLOCATE PREPARE`.
pub(super) fn prepared(words: Words<'_>, draft: &mut Draft) {
    match words.keyword(0) {
        Some(K::Prepare) => {
            draft.verb = Verb::Prepare;
            draft.effect(Effects::TEXT_PREPARE);
            draft.primary(Reason::PreparedText);
        }
        Some(K::Execute) => {
            draft.verb = Verb::Execute;
            draft.effect(Effects::TEXT_EXECUTE | Effects::MAY_SET_INSERT_ID);
            if words.is(1, K::Immediate) {
                draft.effect(Effects::ANYTHING);
            }
            draft.write(Reason::PreparedText);
        }
        _ => deallocate(draft),
    }
}

pub(super) fn deallocate(draft: &mut Draft) {
    draft.verb = Verb::Deallocate;
    draft.effect(Effects::TEXT_DEALLOCATE);
    draft.primary(Reason::PreparedText);
}

/// A block of statements. What is in it runs, in an order and number that are not known.
pub(super) fn compound(draft: &mut Draft) {
    draft.verb = Verb::Compound;
    draft.effect(Effects::ANYTHING | Effects::BEGIN | Effects::COMMIT | Effects::ROLLBACK);
    draft.write(Reason::Procedure);
}

/// Where the first statement ends: the index of its semicolon, or the end. The semicolons of a block, run at once or
/// defined as a routine, are part of the statement.
pub(crate) fn next_statement(words: Words<'_>) -> usize {
    let semicolon =
        |from: usize| (from..words.len()).find(|at| words.punct(*at, b';')).unwrap_or(words.len());
    let first = semicolon(0);
    if !may_have_block(words.until(first)) {
        return first;
    }
    let mut depth = 0_usize;
    for at in 0..words.len() {
        if words.punct(at, b';') && depth == 0 {
            return at;
        }
        match change(words, at) {
            Change::Opens => depth += 1,
            Change::Closes => depth = depth.saturating_sub(1),
            Change::None => {}
        }
    }
    words.len()
}

fn may_have_block(words: Words<'_>) -> bool {
    match words.keyword(0) {
        Some(K::Begin) => words.len() > 1 && !words.is(1, K::Work),
        Some(K::If | K::Case | K::While | K::Loop | K::Repeat | K::For | K::Declare) => true,
        Some(K::Create | K::Alter) => {
            [K::Procedure, K::Function, K::Trigger, K::Event, K::Package].iter().any(|k| words.has(*k))
        }
        _ => words.is_name(0) && words.punct(1, b':'),
    }
}

enum Change {
    Opens,
    Closes,
    None,
}

/// Whether a word opens or closes a block.
fn change(words: Words<'_>, at: usize) -> Change {
    if words.keyword_before(at) == Some(K::End) {
        // `END IF`, `END LOOP`: counted at END.
        return Change::None;
    }
    match words.keyword(at) {
        Some(K::End) => Change::Closes,
        Some(K::Begin | K::Case) => Change::Opens,
        Some(K::If | K::Loop | K::Repeat | K::While | K::For) if starts_statement(words, at) => Change::Opens,
        _ => Change::None,
    }
}

/// Whether a statement of a block can begin here: IF and REPEAT are functions elsewhere.
fn starts_statement(words: Words<'_>, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match words.kind(before) {
        Some(Kind::Punct(b';' | b':' | b')')) => true,
        Some(Kind::Word) => matches!(
            words.keyword(before),
            Some(K::Begin | K::Then | K::Else | K::Do | K::Loop | K::Repeat | K::Atomic | K::Row)
        ),
        _ => false,
    }
}
