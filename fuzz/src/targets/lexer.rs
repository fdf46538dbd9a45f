//! Lexer, normaliser, classification and digest: what facts may depend on.

use std::cell::RefCell;

use sql::{Access, Analyser, Facts, Mode, Verb, analyse};

use super::text;

thread_local! {
    /// Lives on from input to input: one statement must not be given the facts of another.
    static ANALYSER: RefCell<Analyser> = RefCell::new(Analyser::new(1 << 14));
}

pub(crate) fn run(input: &[u8]) {
    let Some((mode, text)) = text::of(input) else { return };
    let facts = analyse(text, mode);
    assert!(facts.digest_text.len() <= Facts::DIGEST_TEXT_LIMIT);
    assert_eq!(facts.statements == 0, facts.verb == Verb::Empty);
    ANALYSER.with_borrow_mut(|analyser| {
        for _ in 0..2 {
            assert_eq!(*analyser.facts(text, mode), facts, "from the cache");
        }
    });
    space_does_not_count(&facts, text, mode);
    literals_do_not_count(&facts, text, mode);
    company_makes_nothing_harmless(&facts, text, mode);
    if mode.multibyte_unsafe && !text.is_ascii() {
        assert_eq!(facts.access, Access::Write, "its quotes may be parts of characters");
    }
}

fn space_does_not_count(facts: &Facts, text: &[u8], mode: Mode) {
    for before in [&b" \t\n"[..], b"/* a comment */", b"-- a comment\n"] {
        assert_eq!(analyse(&[before, text].concat(), mode), *facts, "behind {before:?}");
    }
}

/// Numbers that stand alone are written in other digits.
fn literals_do_not_count(facts: &Facts, text: &[u8], mode: Mode) {
    // What looks like a number may be a part of a name there.
    let names = |byte: &u8| matches!(byte, b'`' | b'@' | b'.') || (*byte == b'"' && mode.ansi_quotes);
    if text.iter().any(names) {
        return;
    }
    let (mut other, mut rest, mut before) = (Vec::new(), text, b' ');
    while let Some(&byte) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let behind = rest.get(digits).copied().unwrap_or(b' ');
        if digits > 0 && b" (,=\n".contains(&before) && b" ),=\n".contains(&behind) {
            other.extend_from_slice(b"80917");
            rest = &rest[digits..];
            before = b'7';
        } else {
            other.push(byte);
            before = byte;
            rest = &rest[1..];
        }
    }
    assert_eq!(analyse(&other, mode), *facts, "with other numbers: {}", String::from_utf8_lossy(&other));
}

fn company_makes_nothing_harmless(facts: &Facts, text: &[u8], mode: Mode) {
    let behind = |first: &str| analyse(&[first.as_bytes(), text].concat(), mode);
    let written = behind("DELETE FROM first; ");
    assert_eq!(written.access, Access::Write);
    if facts.verb == Verb::Empty {
        return;
    }
    let both = behind("SELECT 1; ");
    assert!(both.access >= facts.access.max(Access::PrimaryRead));
    assert!(both.effects.contains(facts.effects) && written.effects.contains(facts.effects));
    assert!(facts.tables.iter().all(|table| both.tables.contains(table)));
    assert!(facts.functions.iter().all(|function| both.functions.contains(function)));
}
