//! `SHOW WARNINGS`, `FOUND_ROWS()`, `ROW_COUNT()`: questions about the last statement.
//!
//! The connection that ran it answers, if the session still has it or nobody has used it since. Otherwise the answer is
//! made here, from what the response told or was captured, or another connection is brought to where that one was.

use mysql_wire::column::{collation, column_flag, column_type};
use mysql_wire::{ColumnDef, TextResult};
use sql::{Effects, SpanKind, Verb};

use super::client::CommandPacket;
use super::job::Job;
use super::special::replace;
use super::{End, Session};
use crate::place::Place;

impl Session {
    /// A question about the last statement.
    pub(super) async fn about_last(&mut self, mut job: Job<'_>, text: &[u8]) -> Result<(), End> {
        let counts = Effects::USES_FOUND_ROWS | Effects::USES_ROW_COUNT;
        if job.facts.verb != Verb::Set || self.held.is_some() || !job.facts.effects.intersects(counts) {
            return self.diagnose(job).await;
        }
        // `SET @n = FOUND_ROWS()` must not tie the session to the replica that has just been read from.
        Box::pin(self.return_lease()).await;
        let row_count = format!("({})", self.last.row_count);
        let known = replace(text, &sql::spans(text, self.mode, SpanKind::RowCount), row_count.as_bytes());
        let found_rows = self.last.found_rows.to_string();
        let known =
            replace(&known, &sql::spans(&known, self.mode, SpanKind::FoundRows), found_rows.as_bytes());
        let command = CommandPacket::of_query(&known, job.command.sequence);
        let facts = self.worker.facts(&known, self.mode);
        (job.command, job.facts) = (&command, &facts);
        self.last.found_on = None;
        self.run(job).await.map(drop)
    }

    pub(super) async fn diagnose(&mut self, mut job: Job<'_>) -> Result<(), End> {
        job.counts_within = self.counts_within(&job);
        let normal = job.facts.digest_text.to_ascii_lowercase();
        let normal: String = normal.split_whitespace().collect();
        if normal == "selectfound_rows()" && (self.last.ran_on.is_some() || self.held.is_some()) {
            return self.tell_found_rows(job).await;
        }
        if self.held.is_some() || self.recall(job.facts).await {
            return self.run(job).await.map(drop);
        }
        let text = self.answer_from_memory(&normal);
        match text {
            Some(Answer::Captured(packets)) => {
                self.client.output.extend_from_slice(&packets);
                self.flush().await
            }
            Some(Answer::Made(result)) => self.send_result(job.command.sequence, &result).await,
            None => self.run_with_counts(job).await,
        }
    }

    /// Whether `ROW_COUNT()` in a text of several statements is about one of them, and not about what was before.
    fn counts_within(&self, job: &Job<'_>) -> bool {
        if job.facts.statements < 2 || !job.facts.effects.contains(Effects::USES_ROW_COUNT) {
            return false;
        }
        let text = job.command.payload().get(1..).unwrap_or_default();
        let end = sql::first_statement_end(text, self.mode);
        sql::spans(text, self.mode, SpanKind::RowCount).iter().all(|span| span.start > end)
    }

    /// Runs a statement with the counts in it that no other connection knows. What else it asks for is put on whichever
    /// connection it gets; see `restore`.
    async fn run_with_counts(&mut self, mut job: Job<'_>) -> Result<(), End> {
        let counts = Effects::USES_FOUND_ROWS | Effects::USES_ROW_COUNT;
        if job.facts.statements != 1 || !job.facts.effects.intersects(counts) {
            return self.run(job).await.map(drop);
        }
        Box::pin(self.return_lease()).await;
        let mut names = job.rename.cloned().unwrap_or_default();
        let mut text = job.command.payload().get(1..).unwrap_or_default().to_vec();
        // Spaces tell the one from the other when the names are put back.
        for (kind, space, count) in [
            (SpanKind::RowCount, "  ", self.last.row_count),
            (SpanKind::FoundRows, "   ", self.last.found_rows as i64),
        ] {
            let known = format!("CAST({space}{count} AS SIGNED)").into_bytes();
            text = names.put(&text, &sql::spans(&text, self.mode, kind), |_| known.clone());
        }
        let command = CommandPacket::of_query(&text, job.command.sequence);
        let facts = self.worker.facts(&text, self.mode);
        (job.command, job.facts, job.rename) = (&command, &facts, Some(&names));
        self.run(job).await.map(drop)
    }

    /// `FOUND_ROWS()` outlives the statements that find no rows, so the connection that knows it need not be the last.
    async fn tell_found_rows(&mut self, job: Job<'_>) -> Result<(), End> {
        if let Some((_, id, _)) = self.last.found_on {
            if self.held.as_ref().is_some_and(|held| held.id == id) {
                return self.run(job).await.map(drop);
            }
            if self.lease.as_ref().is_some_and(|lease| lease.id == id) {
                Box::pin(self.return_lease()).await;
            }
        }
        let Answer::Made(result) = number("FOUND_ROWS()", self.last.found_rows as i64) else { return Ok(()) };
        let name = job.command.payload().get(1..).unwrap_or_default();
        let result = named_as_written(result, name);
        self.last.found_rows = 1;
        self.last.found_on = None;
        self.last.row_count = -1;
        self.send_result(job.command.sequence, &result).await
    }

    /// Gets the connection of the last statement back, if it is untouched; the next command will run on it.
    pub(super) async fn recall(&mut self, facts: &sql::Facts) -> bool {
        let about_conditions = facts.effects.contains(Effects::USES_DIAGNOSTICS);
        let asked = if about_conditions { self.last.conditions_on } else { self.last.ran_on };
        let Some((place, id, uses)) = asked else { return false };
        if facts.effects.intersects(super::pinning::ALL_PINNING) && !self.is_primary(place) {
            // It would tie the session to a replica.
            return false;
        }
        if self.lease.as_ref().is_some_and(|l| l.id == id) {
            self.direct_to = Some(place);
            return true;
        }
        let Some(backend) = self.identity.pools.at(place).take_exact(id, uses) else { return false };
        let Ok(backend) = backend.move_to(self.worker.index) else { return false };
        Box::pin(self.keep_lease(backend)).await;
        self.direct_to = Some(place);
        true
    }

    fn is_primary(&self, place: Place) -> bool {
        self.worker.core.cluster(place.cluster).view().primary == Some(place.server)
    }

    fn answer_from_memory(&self, normal: &str) -> Option<Answer> {
        match normal {
            "showwarnings" => match &self.last.captured_warnings {
                Some(packets) => Some(Answer::Captured(packets.clone())),
                None if !self.last.has_conditions => Some(Answer::Made(TextResult::new(conditions()))),
                None => None,
            },
            "showerrors" if !self.last.has_conditions => Some(Answer::Made(TextResult::new(conditions()))),
            "selectfound_rows()" => Some(number("FOUND_ROWS()", self.last.found_rows as i64)),
            "selectrow_count()" => Some(number("ROW_COUNT()", self.last.row_count)),
            _ => None,
        }
    }
}

enum Answer {
    Captured(Vec<u8>),
    Made(TextResult<'static>),
}

fn number(name: &'static str, value: i64) -> Answer {
    let column = ColumnDef { flags: column_flag::BINARY | column_flag::NOT_NULL, ..ColumnDef::integer(name) };
    let mut result = TextResult::new(vec![column]);
    result.push([Some(value.to_string())]);
    Answer::Made(result)
}

/// The column is named as the client wrote the expression.
fn named_as_written<'a>(result: TextResult<'a>, text: &'a [u8]) -> TextResult<'a> {
    let trimmed = text.trim_ascii();
    let name = trimmed
        .get(6..)
        .unwrap_or_default()
        .trim_ascii()
        .strip_suffix(b";")
        .map_or_else(|| trimmed.get(6..).unwrap_or_default().trim_ascii(), <[u8]>::trim_ascii);
    let columns = result.columns.iter().map(|column| column.renamed(name)).collect();
    TextResult { columns, rows: result.rows }
}

/// The columns of `SHOW WARNINGS`, as MariaDB 10.11 describes them.
fn conditions() -> Vec<ColumnDef<'static>> {
    let text = |name, length| ColumnDef {
        length,
        flags: column_flag::NOT_NULL,
        decimals: 39,
        ..ColumnDef::text(name, 0)
    };
    let code = ColumnDef {
        collation: collation::BINARY,
        length: 4,
        kind: column_type::LONG,
        flags: column_flag::NOT_NULL | column_flag::UNSIGNED | column_flag::BINARY,
        ..ColumnDef::integer("Code")
    };
    vec![text("Level", 28), code, text("Message", 2048)]
}
