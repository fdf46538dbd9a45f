//! User variables whose values are known from the texts that have set them: `SET @a = 1`.
//!
//! While only such texts have set a session's variables, its connection can be lost without them: the texts are said again
//! on the next one, each under the character sets and the `sql_mode` that it was said under, so that type, character set and
//! collation are those that the server made of it. Whatever else sets a variable makes all of them unknown, until the session
//! has rested and they were read (see [`super::carry`]).

use std::sync::Arc;

use sql::Effects;

use super::job::Job;
use super::pinning::ALL_PINNING;
use super::response::Seen;
use super::{Pins, Session};
use crate::state::StateSet;
use mysql_wire::ResponseKind;

/// More texts than this are not kept: the variables are unknown then.
const MOST: usize = 64;

/// As are more bytes than this in all of them.
const MOST_BYTES: usize = 16 * 1024;

/// A statement that sets user variables.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// In lower case; empty where nobody asks.
    names: Box<[String]>,
    pub(super) text: Box<[u8]>,
    /// Under which the server has to read the text; `None` where it reads the same under any.
    pub(super) state: Option<Arc<StateSet>>,
}

/// Statements that give a session's user variables their values, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignments(Vec<Assignment>);

impl Assignments {
    /// A text that reads the same under any state, and sets them all; empty if there are none to be set.
    pub(super) fn of_all(text: Vec<u8>) -> Self {
        let whole = Assignment { names: Box::default(), text: text.into(), state: None };
        Self(if whole.text.is_empty() { Vec::new() } else { vec![whole] })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Assignment> {
        self.0.iter()
    }

    /// Adds one, in place of those that set nothing which is not set again later. False: there are too many.
    fn add(&mut self, added: Assignment) -> bool {
        let mut later: Vec<String> = Vec::new();
        let mut kept: Vec<_> = Vec::with_capacity(self.0.len() + 1);
        for assignment in std::mem::take(&mut self.0).into_iter().chain([added]).rev() {
            let names = &assignment.names;
            if names.is_empty() || names.iter().any(|name| !later.contains(name)) {
                later.extend_from_slice(names);
                kept.push(assignment);
            }
        }
        kept.reverse();
        self.0 = kept;
        let bytes: usize = self.0.iter().map(|kept| kept.text.len()).sum();
        self.0.len() <= MOST && bytes <= MOST_BYTES
    }
}

impl Session {
    /// After a statement that has set user variables, before its pins are noted.
    pub(super) fn note_assignment(&mut self, job: &Job<'_>, seen: &Seen) {
        let known = match self.pins.contains(Pins::USER_VARIABLE) {
            true => self.variables.take(),
            // Nothing was set before.
            false => Some(Assignments::default()),
        };
        self.variables = known.and_then(|mut known| {
            let added = self.assignment(job, seen)?;
            known.add(added).then_some(known)
        });
    }

    /// What the statement has set, if its text tells.
    fn assignment(&self, job: &Job<'_>, seen: &Seen) -> Option<Assignment> {
        let only = Effects::SETS_USER_VARIABLE | Effects::READS_USER_VARIABLE;
        let plain = job.kind == ResponseKind::Query
            && job.facts.statements == 1
            && job.facts.effects.without(only).is_empty()
            && seen.error.is_none();
        let text = job.command.payload().get(1..).filter(|text| plain && text.len() <= MOST_BYTES)?;
        let names = sql::sets_literals(text, self.mode)?;
        Some(Assignment { names: names.into(), text: text.into(), state: Some(self.state.clone()) })
    }

    /// After the connection was lost: the variables are set again on the next one, where their values are known. `pins` is
    /// what the session had on it, and gets what is lost with it; `under_way` is the statement that may have run there.
    pub(super) fn rescue_variables(&mut self, pins: &mut Pins, under_way: Option<&Job<'_>>) {
        if !pins.contains(Pins::USER_VARIABLE) || under_way.is_some_and(|job| self.may_set_variables(job)) {
            return;
        }
        if let Some(known) = self.variables.take() {
            self.carried = Some(known);
            pins.remove(Pins::USER_VARIABLE);
        }
    }

    fn may_set_variables(&self, job: &Job<'_>) -> bool {
        let hidden = Effects::CALL | Effects::TEXT_EXECUTE | Effects::UNKNOWN;
        job.facts.effects.intersects(ALL_PINNING | hidden) || self.runs_leaving_code(job.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(names: &[&str], text: &str) -> Assignment {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Assignment { names, text: text.as_bytes().into(), state: None }
    }

    fn texts(assignments: &Assignments) -> Vec<&str> {
        assignments.iter().map(|a| std::str::from_utf8(&a.text).unwrap()).collect()
    }

    #[test]
    fn what_is_set_again_is_kept_once() {
        let mut all = Assignments::of_all(b"what was read".to_vec());
        assert!(all.add(assignment(&["a", "b"], "ab")));
        assert!(all.add(assignment(&["a"], "a")));
        assert!(all.add(assignment(&["c"], "c")));
        assert_eq!(texts(&all), ["what was read", "ab", "a", "c"], "b is set by the first alone");
        assert!(all.add(assignment(&["b"], "b")));
        assert_eq!(texts(&all), ["what was read", "a", "c", "b"]);
        for _ in 0..1000 {
            assert!(all.add(assignment(&["a"], "a")));
        }
        assert_eq!(texts(&all), ["what was read", "c", "b", "a"]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut all = Assignments::default();
        for at in 0..MOST {
            assert!(all.add(assignment(&[&at.to_string()], "x")));
        }
        assert!(!all.add(assignment(&["one more"], "x")));
        let mut all = Assignments::default();
        assert!(all.add(assignment(&["a"], &"x".repeat(MOST_BYTES))));
        assert!(!all.add(assignment(&["b"], "x")));
    }
}
