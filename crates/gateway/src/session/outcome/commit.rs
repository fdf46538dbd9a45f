//! Sending a `COMMIT` together with its token.

use std::task::Poll;

use mysql_wire::scan::ResponseKind;
use mysql_wire::{Capabilities, Command, Header};
use sql::{Effects, Verb};

use super::{Pending, TABLE};
use crate::backend::{Backend, ExchangeError, query_packet};
use crate::session::attempt::Tried;
use crate::session::drive::drive;
use crate::session::hold::within_epoch;
use crate::session::job::Job;
use crate::session::replay::MOVABLE;
use crate::session::response::{Relay, RelayError, Seen};
use crate::session::{End, Pins, Session};

/// Errors of the token's row that say how the database is set up, and leave the transaction as it was: no such schema or
/// table, no right to it, another table than expected, a transaction that is read-only.
const NOT_SET_UP: &[u16] = &[1044, 1045, 1049, 1054, 1136, 1142, 1143, 1146, 1792];

impl Session {
    /// Whether the command is a `COMMIT` that gets a token.
    pub(in crate::session) fn is_journalled(&mut self, job: &Job<'_>, backend: &Backend) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let plain = job.facts.verb == Verb::Commit
            && job.facts.statements == 1
            && job.facts.effects == Effects::COMMIT
            && job.kind == ResponseKind::Query;
        plain
            && !std::mem::take(&mut journal.without)
            && journal.wrote
            && self.pins.contains(Pins::TRANSACTION)
            && MOVABLE.contains(self.pins)
            && backend.leads.is_some()
    }

    /// Sends token and `COMMIT` in one text, of which the second is not run if the first fails, and gives the client the answer
    /// of the second.
    pub(in crate::session) async fn commit_with_token(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
    ) -> Result<Tried, End> {
        if self.last.has_conditions && self.last.captured_warnings.is_none() {
            // The list of warnings outlives a COMMIT, but not the token's row.
            if let Err(error) = self.capture(backend).await {
                return Ok(Tried::NoEffect(error.to_string()));
            }
        }
        if self.last.has_conditions {
            self.last.conditions_on = None;
        }
        if !backend.socket.is_quiet() {
            return Ok(Tried::NoEffect("its server had closed it".into()));
        }
        let token = self.worker.core.tokens.next();
        let (place, thread_id) = (backend.place, backend.thread_id);
        let opened = backend.opened;
        if let Some(journal) = &mut self.journal {
            journal.pending = Some(Pending { token, place, thread_id, opened });
        }
        let switches = !backend.capabilities.contains(Capabilities::MULTI_STATEMENTS);
        let mut text = format!("INSERT INTO {TABLE} (token) VALUES (X'{token}'); ").into_bytes();
        text.extend_from_slice(job.command.payload().get(1..).unwrap_or_default());
        let shared = self.shared.clone();
        let sent = within_epoch(&shared, send(backend, &text, switches)).await;
        if let Err(error) = sent.unwrap_or(Err(ExchangeError::EpochOver)) {
            return Ok(Tried::Unknown(error.to_string()));
        }
        let mut relay = Relay::new(ResponseKind::Query, backend, &self.tracked);
        relay.collect = Some(Vec::new());
        relay.checksum = self.replay.is_some().then(Default::default);
        let driven = (&*self.worker, &*self.shared);
        let step = drive(&mut relay, driven, &mut self.client, backend, &[], |_, _, _| Poll::Pending).await;
        let (seen, packets) = (relay.seen, relay.collect.unwrap_or_default());
        match step {
            Ok(_) => {}
            Err(RelayError::Client(error)) => return Err(End::Client(error)),
            Err(RelayError::Stopped) => return Err(self.stopped()),
            Err(error) => return Ok(Tried::Unknown(error.to_string())),
        }
        if switches {
            let off = within_epoch(&shared, backend.read_reply(ResponseKind::Simple)).await;
            // It has changed what ROW_COUNT() gives there.
            self.asked_behind = true;
            // What it answers to the next text would not be known.
            backend.short_lived |= !matches!(off, Some(Ok(_)));
        }
        self.tell_commit(backend, job, seen, &packets).await
    }

    /// Both answers are there.
    async fn tell_commit(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        seen: Seen,
        packets: &[u8],
    ) -> Result<Tried, End> {
        if let Some(journal) = &mut self.journal {
            journal.pending = None;
        }
        let (first, last) = (payload_at(packets, 0), last_packet(packets));
        let unwritten = first.first() == Some(&0xff);
        if unwritten && seen.error.is_some_and(|code| NOT_SET_UP.contains(&code)) {
            self.say_not_set_up(first);
            if let Some(journal) = &mut self.journal {
                journal.without = true;
            }
            // Nobody may be shown the row's error, which a COMMIT does not take off the list of warnings.
            backend.listed = true;
            return Box::pin(self.exchange(backend, job, false)).await;
        }
        if self.was_demoted(backend, &seen, last) {
            return Ok(Tried::Await(self.demoted(backend)));
        }
        self.send_payload(job.command.sequence, last.get(4..).unwrap_or_default()).await?;
        Ok(Tried::Done(seen))
    }

    fn say_not_set_up(&self, error: &[u8]) {
        let why = String::from_utf8_lossy(error.get(9..).unwrap_or_default());
        let (user, core) = (&self.identity.user, &self.worker.core);
        if core.metrics.outcomes.count_without() {
            tracing::warn!(%user, %why, "a COMMIT went without its row in {TABLE}, see docs/failover.md for the grants");
        }
    }
}

async fn send(backend: &mut Backend, text: &[u8], switches: bool) -> Result<(), ExchangeError> {
    let mut packets = std::mem::take(&mut backend.outbox);
    let switch = |packets: &mut Vec<u8>, off: u8| {
        mysql_wire::write_packet(packets, &mut 0, &[Command::SetOption as u8, off, 0]);
    };
    if switches {
        switch(&mut packets, 0);
    }
    packets.extend_from_slice(&query_packet(text));
    if switches {
        switch(&mut packets, 1);
    }
    backend.socket.write_all(&packets).await?;
    if switches {
        backend.read_reply(ResponseKind::Simple).await?;
    }
    Ok(())
}

/// The payload of the packet that begins there.
fn payload_at(packets: &[u8], at: usize) -> &[u8] {
    let rest = packets.get(at..).unwrap_or_default();
    let len = Header::parse(rest).map_or(0, |header| header.len);
    rest.get(4..4 + len).unwrap_or_default()
}

/// With its header.
fn last_packet(packets: &[u8]) -> &[u8] {
    let mut at = 0;
    loop {
        let next = at + 4 + payload_at(packets, at).len();
        if next >= packets.len() {
            return packets.get(at..).unwrap_or_default();
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packet_is_found() {
        let packets = [&[1, 0, 0, 1, 7][..], &[2, 0, 0, 2, 8, 9]].concat();
        assert_eq!(payload_at(&packets, 0), [7]);
        assert_eq!(last_packet(&packets), [2, 0, 0, 2, 8, 9]);
        assert_eq!(last_packet(&packets[..5]), [1, 0, 0, 1, 7]);
        assert_eq!(last_packet(&[]), [0u8; 0]);
    }
}
