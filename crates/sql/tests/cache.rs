//! The cache gives what the analysis gives, for any bytes, and its key forgets only what facts do not depend on.

#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/random.rs"]
mod random;

use random::Random;
use sql::{Analyser, Mode, analyse};

const MODES: [Mode; 4] = [
    Mode { ansi_quotes: false, no_backslash_escapes: false, multibyte_unsafe: false },
    Mode { ansi_quotes: true, no_backslash_escapes: false, multibyte_unsafe: false },
    Mode { ansi_quotes: false, no_backslash_escapes: true, multibyte_unsafe: false },
    Mode { ansi_quotes: false, no_backslash_escapes: false, multibyte_unsafe: true },
];

fn assert_same(analyser: &mut Analyser, text: &[u8]) {
    for mode in MODES {
        let mut direct = analyse(text, mode);
        let cached = analyser.facts(text, mode);
        // What is shown may come from another text with the same key, but never differs in a token.
        assert_eq!(direct.digest_text, cached.digest_text, "{}", String::from_utf8_lossy(text));
        direct.digest = cached.digest;
        assert_eq!(direct, *cached, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn random_bytes_and_mutations_never_panic_and_the_cache_is_exact() {
    let mut random = Random::new(1);
    let mut analyser = Analyser::new(4096);
    let texts = corpus::everything(&mut random, 1500);
    for text in &texts {
        assert_same(&mut analyser, text.as_bytes());
        let mut bytes = text.clone().into_bytes();
        for _ in 0..random.below(4) {
            let other = &texts[random.below(texts.len())];
            random.mutate(&mut bytes, other.as_bytes());
            assert_same(&mut analyser, &bytes);
        }
        helpers_do_not_panic(&bytes);
    }
    for _ in 0..10_000 {
        let bytes = random.bytes(40);
        assert_same(&mut analyser, &bytes);
        helpers_do_not_panic(&bytes);
    }
    assert!(analyser.hits() > 0 && analyser.misses() > 0);
    assert!(analyser.len() <= 4096);
}

fn helpers_do_not_panic(text: &[u8]) {
    for mode in MODES {
        let _ = sql::kill(text, mode);
        let _ = sql::simple_set(text, mode);
        let _ = sql::set_names(text, mode);
        let _ = sql::transaction_start(text, mode);
        let _ = sql::text_prepare_name(text, mode);
        for kind in [sql::SpanKind::ConnectionId, sql::SpanKind::ProcessList] {
            for span in sql::spans(text, mode, kind) {
                assert!(text.get(span).is_some_and(|s| !s.is_empty()));
            }
        }
    }
    let _ = sql::hint(text);
    let _ = sql::show_hadal(text);
    let _ = sql::explain_route(text);
    let _ = sql::use_schema(text);
    let _ = sql::set_autocommit(text);
}

#[test]
fn spacing_comments_and_literals_change_nothing() {
    let mut random = Random::new(2);
    for text in corpus::everything(&mut random, 3000) {
        let plain = analyse(text.as_bytes(), Mode::default());
        let dressed = random.dress(&text);
        let other = analyse(dressed.as_bytes(), Mode::default());
        assert_eq!(plain.digest_text, other.digest_text, "{text}\n{dressed}");
        assert_eq!(plain, other, "{text}\n{dressed}");
    }
}

#[test]
fn one_entry_serves_every_literal() {
    let mut analyser = Analyser::new(100);
    for id in 0..1000 {
        let list = (0..id % 7 + 1).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let text =
            format!("SELECT c FROM sbtest1 WHERE id={id} AND k IN ({list}) AND x = 'it''s {id}' LIMIT {id}");
        analyser.facts(text.as_bytes(), Mode::default());
        let rows = (0..id % 5 + 1).map(|n| format!("({n}, NULL, 'x')")).collect::<Vec<_>>().join(",");
        analyser.facts(format!("INSERT INTO t VALUES {rows}").as_bytes(), Mode::default());
    }
    assert_eq!((analyser.misses(), analyser.len()), (2, 2));
}

#[test]
fn the_cache_is_bounded_and_keeps_what_is_used() {
    let mut analyser = Analyser::new(100);
    let hot = b"SELECT hot FROM t";
    for n in 0..10_000 {
        analyser.facts(format!("SELECT c{n} FROM t").as_bytes(), Mode::default());
        analyser.facts(hot, Mode::default());
        assert!(analyser.len() <= 100);
    }
    assert_eq!(analyser.misses(), 10_001, "the hot text is classified once");
    let before = analyser.len();
    let long = format!("SELECT {} FROM t", vec!["a"; 100_000].join("+"));
    analyser.facts(long.as_bytes(), Mode::default());
    let heavy = format!("SELECT 1 FROM {}", (0..5000).map(|n| format!("t{n}")).collect::<Vec<_>>().join(","));
    analyser.facts(heavy.as_bytes(), Mode::default());
    assert_eq!(analyser.len(), before);
}

#[test]
fn case_of_names_and_modes_have_entries_of_their_own() {
    let mut analyser = Analyser::new(100);
    let name =
        |analyser: &mut Analyser, text: &[u8], mode| analyser.facts(text, mode).tables[0].name.to_string();
    assert_eq!(name(&mut analyser, b"SELECT * FROM Users", MODES[0]), "Users");
    assert_eq!(name(&mut analyser, b"SELECT * FROM users", MODES[0]), "users");
    assert_eq!(name(&mut analyser, b"SELECT * FROM a, \"b\"", MODES[1]), "a");
    assert_eq!(analyser.facts(b"SELECT * FROM a, \"b\"", MODES[1]).tables.len(), 2);
    assert_eq!(analyser.facts(b"SELECT * FROM a, \"b\"", MODES[0]).tables.len(), 1);
    // The space decides which function is called.
    assert!(analyser.facts(b"SELECT SUM(x)", MODES[0]).functions.is_empty());
    assert!(!analyser.facts(b"SELECT SUM (x)", MODES[0]).functions.is_empty());
    // A version comment's contents count, byte for byte.
    let one = analyser.facts(b"SELECT 1 /*!50000 , @a */", MODES[0]);
    let two = analyser.facts(b"SELECT 1 /*!50000 , a */", MODES[0]);
    assert_ne!(one.access, two.access);
}

#[test]
fn a_long_text_takes_linear_time() {
    // A quadratic walk of 128 KiB would take minutes.
    for unit in
        ["(", "a.", "/*!50000 ", "'a' ", "(1),", "f(", "@a,", "`", "- ", "x(1) AS (", "; ", "CASE ", "l: "]
    {
        let text = format!("SELECT {}", unit.repeat((128 << 10) / unit.len()));
        analyse(text.as_bytes(), Mode::default());
        let text = unit.repeat((128 << 10) / unit.len());
        analyse(text.as_bytes(), Mode::default());
        let text = format!("BEGIN NOT ATOMIC {text}");
        analyse(text.as_bytes(), Mode::default());
    }
}
