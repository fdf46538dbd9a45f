//! Statements that the gateway answers, or rewrites, itself.

use sql::{Effects, Facts, HadalShow, SpanKind};

use super::client::CommandPacket;
use super::query::Job;
use super::{End, Session};
use mysql_wire::ResponseKind;

/// The text to be put back in the names of columns, in place of what was put into the statement.
#[derive(Debug)]
pub(crate) struct Rename {
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
}

/// Effects that lead here.
pub(super) const SPECIAL: Effects = Effects::SHOW_HADAL
    .union(Effects::EXPLAIN_ROUTE)
    .union(Effects::KILL)
    .union(Effects::USES_CONNECTION_ID)
    .union(Effects::USES_PROCESSLIST)
    .union(DYNAMIC)
    .union(ABOUT_LAST);

/// Statements that run a text which facts do not see.
pub(super) const DYNAMIC: Effects =
    Effects::TEXT_PREPARE.union(Effects::TEXT_EXECUTE).union(Effects::TEXT_DEALLOCATE);

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
        if effects.contains(Effects::USES_CONNECTION_ID) {
            return self.with_connection_id(job, text).await;
        }
        if effects.contains(Effects::USES_PROCESSLIST) {
            return self.process_list(job, text).await;
        }
        if effects.intersects(ABOUT_LAST) {
            return self.diagnose(job).await;
        }
        self.run(job).await.map(drop)
    }

    /// `CONNECTION_ID()` is the id that the client was greeted with, not that of a server connection it borrows.
    async fn with_connection_id(&mut self, mut job: Job<'_>, text: &[u8]) -> Result<(), End> {
        let Some((own, rename)) = self.with_own_id(job.facts, text) else {
            return self.run(job).await.map(drop);
        };
        let rewritten = CommandPacket::of_query(&own, job.command.sequence);
        job.command = &rewritten;
        job.rename = Some(&rename);
        if job.facts.effects.intersects(Effects::USES_PROCESSLIST) {
            let text = rewritten.payload().get(1..).unwrap_or_default();
            return self.process_list(job, text).await;
        }
        if job.facts.effects.intersects(ABOUT_LAST) {
            return self.diagnose(job).await;
        }
        self.run(job).await.map(drop)
    }

    /// The text with the session's own id in place of `CONNECTION_ID()`, and the name to be put back.
    pub(super) fn with_own_id(&self, facts: &Facts, text: &[u8]) -> Option<(Vec<u8>, Rename)> {
        if !facts.effects.contains(Effects::USES_CONNECTION_ID) {
            return None;
        }
        let spans = sql::spans(text, self.mode, SpanKind::ConnectionId);
        let first = spans.first()?;
        let id = format!("CAST({} AS UNSIGNED)", self.shared.id).into_bytes();
        let rename = Rename { from: id.clone(), to: text.get(first.clone()).unwrap_or_default().to_vec() };
        Some((replace(text, &spans, &id), rename))
    }

    /// An execution of a prepared statement that asks for something of the session's own.
    pub(super) async fn special_execute(&mut self, job: Job<'_>) -> Result<(), End> {
        if job.facts.effects.intersects(ABOUT_LAST) && self.held.is_none() && !self.recall(job.facts).await {
            let sure = self.last.ran_on.is_none();
            if !sure {
                let text = "what the last statement left behind is no longer known, since its connection serves others";
                return self.refuse(job.command.sequence, 1815, "HY000", text).await;
            }
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

impl Rename {
    /// The answer to a `COM_STMT_PREPARE`, whose head is followed by definitions only.
    pub(super) fn apply_to_prepared(
        &self,
        packets: &[u8],
        capabilities: mysql_wire::Capabilities,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(packets.len());
        let mut rest = packets;
        let mut head = true;
        while let Some(header) = mysql_wire::Header::parse(rest) {
            let Some(packet) = rest.get(..header.len + 4) else { break };
            if std::mem::take(&mut head) {
                out.extend_from_slice(packet);
            } else {
                self.rename(packet, header.seq, capabilities, &mut out);
            }
            rest = rest.get(header.len + 4..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out
    }

    /// The first result set of `packets` with the names of its columns put back.
    pub(super) fn apply(&self, packets: &[u8], capabilities: mysql_wire::Capabilities) -> Vec<u8> {
        let mut out = Vec::with_capacity(packets.len());
        let mut rest = packets;
        let mut columns: Option<u64> = None;
        while let Some(header) = mysql_wire::Header::parse(rest) {
            let Some(packet) = rest.get(..header.len + 4) else { break };
            let payload = packet.get(4..).unwrap_or_default();
            match columns {
                None => {
                    // The first packet: a count, unless it is an OK or an error.
                    let count = payload.first().copied().filter(|b| (1..0xfb).contains(b));
                    columns = Some(count.map_or(0, u64::from));
                    out.extend_from_slice(packet);
                }
                Some(0) => out.extend_from_slice(packet),
                Some(left) => {
                    columns = Some(left - 1);
                    self.rename(packet, header.seq, capabilities, &mut out);
                }
            }
            rest = rest.get(header.len + 4..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out
    }

    fn rename(&self, packet: &[u8], seq: u8, capabilities: mysql_wire::Capabilities, out: &mut Vec<u8>) {
        let payload = packet.get(4..).unwrap_or_default();
        match mysql_wire::ColumnDef::parse(payload, capabilities) {
            Ok(column) => {
                let name = self.restore(column.name);
                let mut renamed = Vec::with_capacity(payload.len());
                column.renamed(&name).encode(capabilities, &mut renamed);
                mysql_wire::write_packet(out, &mut { seq }, &renamed);
            }
            Err(_) => out.extend_from_slice(packet),
        }
    }

    fn restore(&self, name: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(name.len());
        let mut rest = name;
        while !rest.is_empty() {
            if rest.len() >= self.from.len() && rest[..self.from.len()].eq_ignore_ascii_case(&self.from) {
                out.extend_from_slice(&self.to);
                rest = &rest[self.from.len()..];
            } else {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
        out
    }
}
