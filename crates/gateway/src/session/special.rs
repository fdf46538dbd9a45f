//! Statements that the gateway answers, or rewrites, itself.

use sql::{Effects, Facts, HadalShow};

use super::client::CommandPacket;
use super::job::Job;
use super::{End, Session};
use mysql_wire::ResponseKind;

/// Effects that lead here.
pub(super) const SPECIAL: Effects = Effects::SHOW_HADAL
    .union(Effects::EXPLAIN_ROUTE)
    .union(Effects::KILL)
    .union(OWN_IDS)
    .union(Effects::USES_PROCESSLIST)
    .union(DYNAMIC)
    .union(ABOUT_LAST);

/// Statements that run a text which facts do not see.
pub(super) const DYNAMIC: Effects =
    Effects::TEXT_PREPARE.union(Effects::TEXT_EXECUTE).union(Effects::TEXT_DEALLOCATE);

/// Questions for ids of threads, which the client knows by others.
pub(super) const OWN_IDS: Effects =
    Effects::USES_CONNECTION_ID.union(Effects::USES_PSEUDO_THREAD_ID).union(Effects::USES_LOCK_OWNER);

/// Questions about the last statement.
pub(super) const ABOUT_LAST: Effects =
    Effects::USES_FOUND_ROWS.union(Effects::USES_ROW_COUNT).union(Effects::USES_DIAGNOSTICS);

impl Session {
    pub(super) async fn special_query(&mut self, command: &CommandPacket, facts: &Facts) -> Result<(), End> {
        let text = command.payload().get(1..).unwrap_or_default();
        let effects = facts.effects;
        if effects.contains(Effects::EXPLAIN_ROUTE)
            && let Some(inner) = sql::explain_route(text)
        {
            return self.explain_route(command.sequence, inner).await;
        }
        if effects.contains(Effects::SHOW_HADAL)
            && let Some(what) = sql::show_hadal(text)
        {
            return self.show_hadal(command.sequence, what).await;
        }
        let hint = match sql::hint(text) {
            Ok(hint) => hint,
            Err(error) => return self.refuse(command.sequence, 1064, "42000", &error.to_string()).await,
        };
        if effects.contains(Effects::KILL) {
            return self.kill_statement(command, facts, text).await;
        }
        let scoped =
            with_scopes(facts, text, self.mode).map(|text| CommandPacket::of_query(&text, command.sequence));
        let command = scoped.as_ref().unwrap_or(command);
        let text = command.payload().get(1..).unwrap_or_default();
        let mut job = Job::new(command, ResponseKind::Query, facts);
        job.hint = hint.as_ref();
        if effects.intersects(DYNAMIC) {
            return self.dynamic(job, text).await;
        }
        self.special(job, text).await
    }

    /// What has to be answered, or rewritten, for this session.
    pub(super) async fn special(&mut self, job: Job<'_>, text: &[u8]) -> Result<(), End> {
        let effects = job.facts.effects;
        if effects.intersects(OWN_IDS) {
            return self.with_connection_id(job, text).await;
        }
        self.special_rest(job, text).await
    }

    /// A session's id is the one that its client was greeted with, not that of a server connection it borrows.
    async fn with_connection_id(&mut self, mut job: Job<'_>, text: &[u8]) -> Result<(), End> {
        let Some((own, rename)) = self.with_own_ids(job.facts, text, true) else {
            return self.special_rest(job, text).await;
        };
        let rewritten = CommandPacket::of_query(&own, job.command.sequence);
        job.command = &rewritten;
        job.rename = Some(&rename);
        let text = rewritten.payload().get(1..).unwrap_or_default();
        self.special_rest(job, text).await
    }

    /// What is special about a statement apart from ids.
    async fn special_rest(&mut self, job: Job<'_>, text: &[u8]) -> Result<(), End> {
        if job.facts.effects.contains(Effects::USES_PROCESSLIST) {
            return self.process_list(job, text).await;
        }
        if job.facts.effects.intersects(ABOUT_LAST) {
            return self.about_last(job, text).await;
        }
        self.run(job).await.map(drop)
    }

    /// An execution of a prepared statement that asks for something of the session's own.
    pub(super) async fn special_execute(&mut self, job: Job<'_>) -> Result<(), End> {
        if job.facts.effects.intersects(ABOUT_LAST) && self.held.is_none() {
            self.recall(job.facts).await;
        }
        self.run(job).await.map(drop)
    }

    /// `SHOW HADAL …`.
    async fn show_hadal(&mut self, sequence: u8, what: HadalShow) -> Result<(), End> {
        let result = self.hadal_table(&what);
        self.send_result(sequence, &result).await
    }
}

/// The text with a scope for every `SET @@name = …` that says none; trackers would not report those.
pub(super) fn with_scopes(facts: &Facts, text: &[u8], mode: sql::Mode) -> Option<Vec<u8>> {
    if !super::query::sets_by_at_signs(facts, text) {
        return None;
    }
    let targets = sql::unscoped_targets(text, mode);
    let spans: Vec<_> = targets.iter().map(|at| *at..*at).collect();
    (!spans.is_empty()).then(|| replace(text, &spans, b"session."))
}

/// `text` with every span replaced.
pub(super) fn replace(text: &[u8], spans: &[std::ops::Range<usize>], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + spans.len() * with.len());
    let mut at = 0;
    for span in spans {
        out.extend_from_slice(text.get(at..span.start).unwrap_or_default());
        out.extend_from_slice(with);
        at = span.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}
