//! `PREPARE`, `EXECUTE` and `EXECUTE IMMEDIATE`: what they run may be a `KILL` of a session, whose id no server knows.
//!
//! The server runs the text in any case. Only where it answers that there is no such thread, the text is looked at.

use sql::{DynamicStatement, DynamicText, Kill, KillTarget};

use super::client::CommandPacket;
use super::job::Job;
use super::{End, Session};

/// Names beyond this number are not kept: a KILL by one of them is the server's.
pub(super) const MOST_NAMES: usize = 1024;

impl Session {
    pub(super) async fn dynamic(&mut self, mut job: Job<'_>, text: &[u8]) -> Result<(), End> {
        let own = self.with_own_ids(job.facts, text, true).map(|(text, _)| text);
        let statement = sql::dynamic_statement(own.as_deref().unwrap_or(text), self.mode);
        let Some(statement) = statement.filter(|_| job.facts.statements == 1) else {
            return self.special(job, text).await;
        };
        let sequence = job.command.sequence;
        let within = self.own_ids_within(&statement, text).await?;
        let rewritten = within.as_ref().map(|within| CommandPacket::of_query(&within.text, sequence));
        let text = rewritten.as_ref().map_or(text, |command| command.payload().get(1..).unwrap_or_default());
        job.command = rewritten.as_ref().unwrap_or(job.command);
        let kept = self.kept_names(&statement, within.as_ref());
        job.rename = kept.as_deref();
        job.may_kill = matches!(statement, DynamicStatement::Immediate(_) | DynamicStatement::Execute(_));
        self.special(job, text).await?;
        let ran = match statement {
            DynamicStatement::Immediate(text) => Some(text),
            DynamicStatement::Execute(name) => self.dynamic_texts.get(&name).cloned(),
            DynamicStatement::Prepare(name, text) => {
                self.note_dynamic(name, text);
                None
            }
            DynamicStatement::Deallocate(name) => {
                self.dynamic_texts.remove(&name);
                self.dynamic_names.remove(&name);
                None
            }
        };
        let kill = match (ran, self.unknown_thread()) {
            (Some(text), Some(id)) => self.dynamic_kill(text, id).await?,
            _ => None,
        };
        self.kill_unknown(sequence, kill).await
    }

    /// Keeps a text under its name, unless it is certain to be no KILL.
    fn note_dynamic(&mut self, name: String, text: DynamicText) {
        let may_kill = match &text {
            DynamicText::Literal(text) => sql::kill(text, self.mode).is_some(),
            DynamicText::Expression(_) => true,
        };
        if !may_kill || self.dynamic_texts.len() >= MOST_NAMES {
            self.dynamic_texts.remove(&name);
        } else {
            self.dynamic_texts.insert(name, text);
        }
    }

    /// The KILL that the text is. An expression is worked out once more, since a KILL that has failed has changed
    /// nothing; if it does not give the KILL of the same thread again, there is none.
    async fn dynamic_kill(&mut self, text: DynamicText, id: u32) -> Result<Option<Kill>, End> {
        let expression = match text {
            DynamicText::Literal(text) => return Ok(sql::kill(&text, self.mode)),
            DynamicText::Expression(expression) => expression,
        };
        let Some(held) = &mut self.held else { return Ok(None) };
        let answer = match held.query(&[b"SELECT ", &expression[..]].concat()).await {
            Ok(answer) => answer,
            Err(crate::backend::ExchangeError::Refused(_)) => return Ok(None),
            Err(lost) => return Err(End::StateLost(lost.to_string())),
        };
        let kill = answer.first_value().and_then(|text| sql::kill(&text, self.mode));
        Ok(kill.filter(|kill| kill.target == KillTarget::Id(id.into())))
    }
}
