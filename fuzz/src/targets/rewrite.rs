//! Places that are rewritten: they are what they are said to be, and rewritten once they are gone.

use std::ops::Range;

use sql::{Mode, Scope, SpanKind, Target};

use super::text;

pub(crate) fn run(input: &[u8]) {
    let Some((mode, text)) = text::of(input) else { return };
    connection_ids(text, mode);
    process_lists(text, mode);
    targets(text, mode);
}

fn connection_ids(text: &[u8], mode: Mode) {
    let spans = sql::spans(text, mode, SpanKind::ConnectionId);
    in_order(text, &spans);
    for span in &spans {
        let call = text[span.clone()].to_ascii_lowercase();
        let name = call.strip_prefix(b"`").or_else(|| call.strip_prefix(b"\"")).unwrap_or(&call);
        assert!(name.starts_with(b"connection_id") && call.ends_with(b")"));
    }
    let rewritten = replace(text, &spans, b" 17 ");
    assert_eq!(sql::spans(&rewritten, mode, SpanKind::ConnectionId), []);
}

fn process_lists(text: &[u8], mode: Mode) {
    let references = sql::processlist_references(text, mode);
    let names: Vec<_> = references.iter().map(|reference| reference.name.clone()).collect();
    in_order(text, &names);
    let aliases: Vec<_> = references.iter().filter_map(|reference| reference.alias.clone()).collect();
    in_order(text, &aliases);
    for reference in &references {
        let first = text[reference.name.start];
        assert!(b"iI`\"".contains(&first), "begins with {first}");
        assert!(reference.alias.as_ref().is_none_or(|alias| alias.start >= reference.name.end));
    }
    in_order(text, &sql::spans(text, mode, SpanKind::ProcessList));
    let rewritten = replace(text, &names, b" x.y ");
    assert!(sql::processlist_references(&rewritten, mode).is_empty());
}

fn targets(text: &[u8], mode: Mode) {
    let targets = sql::unscoped_targets(text, mode);
    let places: Vec<_> = targets.iter().map(|&at| at..at).collect();
    assert!(targets.is_sorted_by(|a, b| a < b));
    assert!(targets.iter().all(|&at| text[..at].ends_with(b"@@")));
    let rewritten = replace(text, &places, b"session.");
    assert_eq!(sql::unscoped_targets(&rewritten, mode), [], "{}", String::from_utf8_lossy(&rewritten));
    let (Some(before), Some(after)) = (sql::simple_set(text, mode), sql::simple_set(&rewritten, mode)) else {
        return;
    };
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.name, after.name);
        let unsaid = before.target == Target::System(Scope::Unsaid);
        assert!(before.target == after.target || unsaid && after.target == Target::System(Scope::Session));
    }
}

fn in_order(text: &[u8], spans: &[Range<usize>]) {
    assert!(spans.iter().all(|span| span.start < span.end && span.end <= text.len()));
    assert!(spans.is_sorted_by(|a, b| a.end <= b.start), "{spans:?}");
}

fn replace(text: &[u8], spans: &[Range<usize>], with: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for span in spans.iter().rev() {
        out.splice(span.clone(), with.iter().copied());
    }
    out
}
