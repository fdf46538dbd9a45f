//! From a text to its facts: lexed, split into statements, classified, merged.

use crate::digest::render;
use crate::lex::{Kind, Lexer, VersionComments};
use crate::normal::normalise;
use crate::statement::{Draft, Lexemes, Words, classify, dedup, next_statement};
use crate::{Access, Effects, Facts, Mode, Reason, Verb};

/// The facts of a text. [`Analyser`](crate::Analyser) gives the same, from a cache where it can.
pub fn analyse(sql: &[u8], mode: Mode) -> Facts {
    let lexemes = lexemes(sql, &mut Lexer::new(sql, mode));
    let has_version_comment = lexemes.list.iter().any(|l| l.kind == Kind::VersionComment);
    let facts = if has_version_comment {
        with_version_comments(sql, mode)
    } else {
        let words = Words::new(sql, &lexemes.list);
        let (draft, statements) = text(words, lexemes.overflow);
        finish(draft, statements, words)
    };
    if mode.multibyte_unsafe && !sql.is_ascii() { not_understood(facts) } else { facts }
}

fn lexemes(sql: &[u8], lexer: &mut Lexer<'_>) -> Lexemes {
    let mut lexemes = Lexemes::default();
    normalise(sql, lexer, &mut lexemes);
    lexemes
}

fn finish(mut draft: Draft, statements: u16, words: Words<'_>) -> Facts {
    draft.tidy();
    if draft.access != Access::Read {
        draft.effect(of_words(words));
    }
    let (digest_text, digest) = render(words);
    Facts {
        verb: draft.verb,
        access: draft.access,
        reason: draft.reason,
        effects: draft.effects,
        statements,
        tables: draft.tables.into_boxed_slice(),
        functions: draft.functions.into_boxed_slice(),
        schemas: draft.schemas.into_boxed_slice(),
        digest,
        digest_text,
    }
}

/// Effects that words tell wherever they stand, in whatever statement or block.
fn of_words(words: Words<'_>) -> Effects {
    let mut effects = Effects::NONE;
    for at in 0..words.len() {
        if words.says(at, "returning") {
            effects |= Effects::RETURNS_ROWS;
        }
        let next_value = words.says(at, "value") && at > 0 && words.says(at - 1, "next");
        if words.says(at, "nextval") || words.says(at, "setval") || next_value {
            effects |= Effects::DRAWS_FROM_SEQUENCE;
        }
    }
    effects
}

fn not_understood(mut facts: Facts) -> Facts {
    if facts.access != Access::Write {
        facts.access = Access::Write;
        facts.reason = Reason::NotUnderstood;
    }
    facts.effects |= Effects::UNCLEAR;
    facts
}

/// Version comments up to which every reading is tried: eight.
pub(crate) const MOST_READINGS: u8 = 3;

/// A text with version comments gets the strictest of all its readings. Its verb and digest are those of the reading
/// in which all of them are code, as a current server has it.
fn with_version_comments(sql: &[u8], mode: Mode) -> Facts {
    let (mut facts, comments) = reading(sql, mode, u8::MAX);
    let mut unclear = comments.met > MOST_READINGS || comments.ambiguous;
    for code in 0..1 << comments.met.min(MOST_READINGS) {
        let (other, comments) = reading(sql, mode, code);
        unclear |= comments.met > MOST_READINGS || comments.ambiguous;
        facts = stricter(facts, other);
    }
    if !unclear {
        return facts;
    }
    if facts.effects.contains(Effects::SETS_SYSTEM_VARIABLE) {
        // Not every reading was looked at for variables without a scope, of which no tracker tells.
        facts.effects |= Effects::SETS_UNCARRIED;
    }
    not_understood(facts)
}

fn reading(sql: &[u8], mode: Mode, code: u8) -> (Facts, VersionComments) {
    let mut lexer = Lexer::with_version_comments(sql, mode, VersionComments::reading(code));
    let lexemes = lexemes(sql, &mut lexer);
    let comments = lexer.version_comments();
    let words = Words::new(sql, &lexemes.list);
    let (mut draft, statements) = text(words, lexemes.overflow);
    if comments.unclosed() {
        draft.not_understood();
    }
    (finish(draft, statements, words), comments)
}

fn stricter(mut facts: Facts, other: Facts) -> Facts {
    // A reading without any statement is answered by the server at once, and changes nothing.
    if other.verb == Verb::Empty {
        return facts;
    }
    if facts.verb == Verb::Empty {
        return other;
    }
    if other.access > facts.access {
        facts.access = other.access;
        facts.reason = Reason::VersionComment;
    }
    facts.effects |= other.effects;
    facts.statements = facts.statements.max(other.statements);
    facts.tables = union(facts.tables, &other.tables);
    facts.functions = union(facts.functions, &other.functions);
    facts.schemas = union(facts.schemas, &other.schemas);
    facts
}

fn union<T: Clone + Ord>(list: Box<[T]>, more: &[T]) -> Box<[T]> {
    let mut all = list.into_vec();
    all.extend_from_slice(more);
    dedup(&mut all);
    all.into_boxed_slice()
}

/// Classifies every statement of a text.
fn text(words: Words<'_>, overflow: bool) -> (Draft, u16) {
    let mut whole: Option<Draft> = None;
    let mut statements = 0_u16;
    let mut empty_before = false;
    let mut rest = words;
    while !rest.is_empty() {
        let end = next_statement(rest);
        let statement = rest.until(end);
        rest = rest.from(end + 1);
        if statement.is_empty() {
            empty_before = true;
            continue;
        }
        statements = statements.saturating_add(1);
        let mut draft = classify(statement);
        if empty_before {
            // `; SELECT 1`: what a server makes of the empty statement depends on the client's capabilities.
            draft.not_understood();
        }
        match &mut whole {
            Some(whole) => whole.merge(draft),
            None => whole = Some(draft),
        }
    }
    let mut draft = whole.unwrap_or_else(empty);
    if statements > 1 {
        draft.primary(Reason::MultiStatement);
    }
    if overflow {
        draft.not_understood();
        draft.effect(Effects::ANYTHING);
    }
    (draft, statements)
}

fn empty() -> Draft {
    let mut draft = Draft::new(Verb::Empty);
    draft.primary(Reason::Empty);
    draft
}
