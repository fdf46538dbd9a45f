//! `COM_QUERY`: which way a text takes.

use std::rc::Rc;

use mysql_wire::scan::ResponseKind;
use sql::{Effects, Facts};

use super::client::CommandPacket;
use super::job::Job;
use super::special::SPECIAL;
use super::{End, Session};

impl Session {
    /// `COM_QUERY`.
    pub(super) async fn query(&mut self, command: &CommandPacket) -> Result<(), End> {
        let text = command.payload().get(1..).unwrap_or_default();
        let facts: Rc<Facts> = self.worker.facts(text, self.mode);
        if facts.effects.intersects(SPECIAL) || begins_with_comment(text) || sets_by_at_signs(&facts, text) {
            return Box::pin(self.special_query(command, &facts)).await;
        }
        if facts.verb == sql::Verb::Show && sql::shows_closed_statements(text, self.mode) {
            return self.show_closed_statements(command.sequence).await;
        }
        let job = Job::new(command, ResponseKind::Query, &facts);
        match facts.effects.contains(Effects::CALL) {
            true => Box::pin(self.call(job)).await,
            false => self.run(job).await.map(drop),
        }
    }
}

/// `SET @@name = …` has to be given its scope.
pub(super) fn sets_by_at_signs(facts: &Facts, text: &[u8]) -> bool {
    let sets = Effects::SETS_SYSTEM_VARIABLE
        | Effects::SETS_AUTOCOMMIT
        | Effects::SET_NAMES
        | Effects::SETS_UNCARRIED;
    facts.effects.intersects(sets) && text.windows(2).any(|w| w == b"@@")
}

/// A leading comment may be a hint.
fn begins_with_comment(text: &[u8]) -> bool {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    text.get(start..start + 2) == Some(b"/*")
}
