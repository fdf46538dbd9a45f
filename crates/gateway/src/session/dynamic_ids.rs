//! `CONNECTION_ID()` and its like inside a text that `PREPARE` or `EXECUTE IMMEDIATE` runs.
//!
//! A text in a literal is seen. One in an expression is known to the server only: it is asked for where the session has
//! said something of ids in such an expression, or in a statement that sets user variables, and only if that has no
//! effect (literals, user variables and `CONCAT`). A text that comes from a table is not looked at: it gets the server's ids.

use std::rc::Rc;

use mysql_wire::ResponseKind;
use sql::{Access, DynamicStatement, DynamicText, Effects, Facts, Reason};

use super::client::CommandPacket;
use super::dynamic::MOST_NAMES;
use super::job::Job;
use super::own_ids::Rename;
use super::special::{OWN_IDS, replace};
use super::{End, Session};
use crate::backend::ExchangeError;
use crate::place::Place;

/// The whole statement, with a text in it that asks for no ids any more.
pub(super) struct Within {
    pub(super) text: Vec<u8>,
    names: Rc<Rename>,
}

impl Session {
    /// The statement with the session's own ids in the text that it hides. `None`: there is nothing to put in.
    pub(super) async fn own_ids_within(
        &mut self,
        statement: &DynamicStatement,
        text: &[u8],
    ) -> Result<Option<Within>, End> {
        let (hidden, once) = match statement {
            DynamicStatement::Prepare(_, hidden) => (hidden, false),
            DynamicStatement::Immediate(hidden) => (hidden, true),
            DynamicStatement::Execute(_) | DynamicStatement::Deallocate(_) => return Ok(None),
        };
        let Some(span) = sql::dynamic_text_span(text, self.mode) else { return Ok(None) };
        let Some(hidden) = self.mentioning_text(hidden).await? else { return Ok(None) };
        let facts = self.worker.facts(&hidden, self.mode);
        let readable = hidden.is_ascii() || self.state.charset.client.starts_with("utf8");
        if !facts.effects.intersects(OWN_IDS) || facts.effects.contains(Effects::KILL) || !readable {
            return Ok(None);
        }
        let Some((own, names)) = self.with_own_ids(&facts, &hidden, once) else { return Ok(None) };
        let digits: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        // Hexadecimal: no quote in it can end it.
        let literal = format!("_utf8mb4 X'{digits}'");
        let text = replace(text, &[span], literal.as_bytes());
        Ok(Some(Within { text, names: Rc::new(names) }))
    }

    /// The hidden text, if it may ask for an id.
    async fn mentioning_text(&mut self, hidden: &DynamicText) -> Result<Option<Vec<u8>>, End> {
        let expression = match hidden {
            DynamicText::Literal(text) => return Ok(Some(text.clone()).filter(|text| mentions_ids(text))),
            DynamicText::Expression(expression) => expression,
        };
        if !self.variables_mention_ids && !mentions_ids(expression) {
            return Ok(None);
        }
        let question = CommandPacket::of_query(&[b"SELECT ", &expression[..]].concat(), 0);
        let text = question.payload().get(1..).unwrap_or_default();
        let facts = self.worker.facts(text, self.mode);
        if !is_harmless(&facts) {
            return Ok(None);
        }
        let job = Job::new(&question, ResponseKind::Query, &facts);
        let primary = self.worker.core.cluster(self.base).view().primary;
        let place = self.held.as_ref().map(|held| held.place);
        let place = place.or_else(|| primary.map(|server| Place { cluster: self.base, server }));
        let Some(place) = place else { return Ok(None) };
        // What cannot be had now the statement itself will be told.
        let Ok(Some(mut backend)) = self.obtain(place, &job, false).await else { return Ok(None) };
        let answer = backend.query(text).await;
        match answer {
            Ok(_) | Err(ExchangeError::Refused(_)) => self.settle(backend, false).await?,
            Err(lost) => return Err(End::StateLost(lost.to_string())),
        }
        let value = answer.ok().and_then(|answer| answer.first_value());
        Ok(value.filter(|text| mentions_ids(text)))
    }

    /// The names of columns that are to be put back in the answer, and in those of later executions.
    pub(super) fn kept_names(
        &mut self,
        statement: &DynamicStatement,
        within: Option<&Within>,
    ) -> Option<Rc<Rename>> {
        match (statement, within) {
            (DynamicStatement::Execute(name), _) => self.dynamic_names.get(name).cloned(),
            (DynamicStatement::Prepare(name, _), Some(within)) if self.dynamic_names.len() < MOST_NAMES => {
                self.dynamic_names.insert(name.clone(), within.names.clone());
                None
            }
            (DynamicStatement::Prepare(name, _), _) => {
                self.dynamic_names.remove(name);
                None
            }
            (_, within) => within.map(|within| within.names.clone()),
        }
    }

    /// After a statement that sets user variables: whether they may hold a text that asks for ids.
    pub(super) fn note_variable_text(&mut self, command: &[u8]) {
        self.variables_mention_ids = self.variables_mention_ids || mentions_ids(command);
    }
}

/// Whether an expression can be worked out once more than it is said: it draws from nothing and sets nothing.
fn is_harmless(facts: &Facts) -> bool {
    let text = facts.digest_text.to_ascii_uppercase().replace(' ', "");
    let calls = text.matches('(').count() - text.matches("CONCAT(").count();
    let reads = facts.access == Access::Read || facts.reason == Reason::UserVariable;
    let effects = facts.effects.without(Effects::READS_USER_VARIABLE);
    reads && calls == 0 && facts.tables.is_empty() && facts.functions.is_empty() && effects.is_empty()
}

fn mentions_ids(text: &[u8]) -> bool {
    let mentions =
        |word: &str| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    ["connection_id", "pseudo_thread_id", "is_used_lock"].into_iter().any(mentions)
}
