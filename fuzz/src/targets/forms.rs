//! Statements that are taken apart: what a form says, and what the facts of the same text say.

use sql::{Effects, Facts, Mode, Scope, Target, analyse};

use super::text;

pub(crate) fn run(input: &[u8]) {
    let Some((mode, text)) = text::of(input) else { return };
    let facts = analyse(text, mode);
    settings(text, mode, &facts);
    let effect = |found: bool, effect: Effects, form: &str| {
        assert!(!found || facts.effects.contains(effect), "{form} without {:?}", effect.names().next());
    };
    effect(sql::set_names(text, mode).is_some(), Effects::SET_NAMES, "SET NAMES");
    effect(sql::kill(text, mode).is_some(), Effects::KILL, "KILL");
    effect(sql::transaction_start(text, mode).is_some(), Effects::BEGIN, "BEGIN");
    let _ = (sql::hint(text), sql::text_prepare_name(text, mode));
    // These are read in the default mode, whatever the session's is.
    let plain = analyse(text, Mode::default());
    let effect = |found: bool, effect: Effects, form: &str| {
        assert!(!found || plain.effects.contains(effect), "{form} without {:?}", effect.names().next());
    };
    effect(sql::use_schema(text).is_some(), Effects::USE_SCHEMA, "USE");
    effect(sql::show_hadal(text).is_some(), Effects::SHOW_HADAL, "SHOW HADAL");
    effect(sql::set_autocommit(text).is_some(), Effects::SETS_AUTOCOMMIT, "SET autocommit");
    if let Some(explained) = sql::explain_route(text) {
        assert!(text.ends_with(explained) && !explained.is_empty());
    }
}

/// A SET that is understood is understood by both.
fn settings(text: &[u8], mode: Mode, facts: &Facts) {
    let Some(assignments) = sql::simple_set(text, mode) else { return };
    assert!(!assignments.is_empty());
    let mut end = 0;
    for assignment in assignments {
        let (start, value) = (assignment.value_span.start, text.get(assignment.value_span.clone()));
        assert!(end < start && value.is_some_and(|value| !value.is_empty()));
        assert!(!assignment.is_default || value.is_some_and(|value| value.eq_ignore_ascii_case(b"default")));
        end = assignment.value_span.end;
        let expected = match assignment.target {
            Target::User => Effects::SETS_USER_VARIABLE,
            Target::System(Scope::Global | Scope::Persist) => Effects::SETS_GLOBAL,
            Target::System(Scope::Unsaid | Scope::Session) => Effects::SETS_SYSTEM_VARIABLE,
        };
        assert!(facts.effects.contains(expected), "{} is set", assignment.name);
    }
}
