//! Sending a command to a server and relaying its answer.

use std::task::Poll;

use mysql_wire::scan::ResponseKind;

use super::attempt::Tried;
use super::binary_log::stream;
use super::drive::drive;
use super::job::Job;
use super::replay::Checksum;
use super::response::{COLLECT_LIMIT, Relay, RelayError, Seen, Step};
use super::{End, Session};
use crate::backend::Backend;

/// `ER_MAX_PREPARED_STMT_COUNT_REACHED`.
pub(super) const TOO_MANY_STATEMENTS: u16 = 1461;

/// An answer as the relay has left it.
struct Answer {
    seen: Seen,
    held_error: Vec<u8>,
    /// What was kept back to be rewritten.
    collected: Option<Vec<u8>>,
    too_large: bool,
    /// Something of the command was sent, or something of the answer read.
    begun: bool,
}

impl Session {
    /// Sends the command and relays its response.
    pub(super) async fn exchange(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        retryable: bool,
    ) -> Result<Tried, End> {
        if self.journal.is_some() && self.is_journalled(job, backend) {
            return Box::pin(self.commit_with_token(backend, job)).await;
        }
        if self.replay.is_some() && self.is_closed_before(job, backend) {
            return Ok(Tried::NoEffect("its server had closed it".into()));
        }
        if let Some(prepared) = &job.prepared
            && let Some(tried) =
                self.ensure_prepared(backend, prepared, retryable, job.command.sequence).await?
        {
            return Ok(tried);
        }
        let remade = self.remake(backend, job);
        let command = remade.as_deref().unwrap_or_else(|| job.command.raw());
        let mut freed = false;
        loop {
            let mut relay = Relay::of(job, backend, &self.tracked);
            relay.hold_error |= retryable;
            relay.checksum = self.replay.is_some().then(Checksum::default);
            let driven = (&*self.worker, &*self.shared);
            let step = match job.kind {
                ResponseKind::BinlogDump => {
                    stream(&mut relay, driven, &mut self.client, backend, command).await
                }
                _ => {
                    drive(&mut relay, driven, &mut self.client, backend, command, |_, _, _| Poll::Pending)
                        .await
                }
            };
            if matches!(step, Ok(Step::HeldError)) && relay.seen.error == Some(TOO_MANY_STATEMENTS) && !freed
            {
                freed = true;
                self.free_statements(backend).await;
                continue;
            }
            let answer = Answer::of(relay);
            if let Some(remade) = remade {
                self.worker.recycle_packet(remade);
            }
            return self.conclude(job, backend, step, answer, retryable).await;
        }
    }

    /// What an answer, or its absence, comes to.
    async fn conclude(
        &mut self,
        job: &Job<'_>,
        backend: &mut Backend,
        step: Result<Step, RelayError>,
        answer: Answer,
        retryable: bool,
    ) -> Result<Tried, End> {
        let Answer { seen, held_error: held, collected, too_large, begun } = answer;
        match step {
            Ok(Step::Complete) if too_large => self.too_large(job, seen).await,
            Ok(Step::Complete) => {
                if let Some(packets) = collected {
                    self.send_collected(job, backend, &packets).await?;
                }
                Ok(Tried::Done(seen))
            }
            Ok(Step::HeldError) if job.may_kill && self.keep_unknown_thread(&held) => Ok(Tried::Done(seen)),
            Ok(Step::HeldError) if !retryable && self.was_demoted(backend, &seen, &held) => {
                Ok(Tried::Await(self.demoted(backend)))
            }
            Ok(Step::HeldError) if !retryable && self.was_ended(backend, &seen) => {
                Ok(Tried::Unknown("its server has ended it".into()))
            }
            Ok(Step::HeldError) => self.held_error(seen, &held, retryable).await,
            Ok(Step::LocalInfile) => Box::pin(self.load_file(job.kind, backend, seen)).await,
            Err(RelayError::Client(error)) => Err(End::Client(error)),
            Err(RelayError::Stopped) => Err(self.stopped()),
            // Half an answer cannot be taken back: the client must not take it for a whole one.
            Err(error) if seen.forwarded => {
                Err(End::StateLost(format!("in the middle of a response: {error}")))
            }
            Err(error) if begun => Ok(Tried::Unknown(error.to_string())),
            Err(error) => Ok(Tried::NoEffect(error.to_string())),
        }
    }

    /// The command as this connection must get it, behind what waits to be sent; `None`: as the client sent it.
    fn remake(&self, backend: &mut Backend, job: &Job<'_>) -> Option<Vec<u8>> {
        if job.prepared.is_none() && backend.outbox.is_empty() {
            return None;
        }
        let mut packet = self.worker.packet();
        packet.append(&mut backend.outbox);
        match (&job.prepared, job.kind) {
            (Some(prepared), ResponseKind::Execute) => self.bind(backend, prepared, job.command, &mut packet),
            (Some(prepared), _) => self.bind_id(backend, prepared, job.command, &mut packet),
            (None, _) => packet.extend_from_slice(job.command.raw()),
        }
        Some(packet)
    }

    /// A list of threads, complete, of which nothing has been kept.
    async fn too_large(&mut self, job: &Job<'_>, mut seen: Seen) -> Result<Tried, End> {
        let text = format!("a list of threads of more than {COLLECT_LIMIT} bytes; ask for less of it");
        self.refuse(job.command.sequence, 1105, "HY000", &text).await?;
        seen.error = Some(1105);
        Ok(Tried::Done(seen))
    }

    /// An error that nobody has been shown yet: another server may do better, unless somebody wanted it so.
    async fn held_error(&mut self, seen: Seen, packet: &[u8], retryable: bool) -> Result<Tried, End> {
        // An interrupted statement must not be run again behind the back of whoever interrupted it.
        if retryable && !matches!(seen.error, Some(1317 | 1927 | 1969 | 3024)) {
            return Ok(Tried::ReplicaRefused);
        }
        self.client.output.extend_from_slice(packet);
        self.flush().await?;
        Ok(Tried::Done(seen))
    }

    /// Has the server forget statements that no session keeps: those cached on this connection and on idle ones.
    async fn free_statements(&mut self, backend: &mut Backend) {
        let closed = backend.statements.drain();
        backend.close_statements(&closed);
        for pool in self.worker.core.pools.all() {
            if pool.place == backend.place {
                pool.retire_all();
            }
        }
        // An answer tells that everything before it has been done.
        let _ = backend.command(&[mysql_wire::Command::Ping as u8]).await;
    }

    /// The server asks for a file of the client's.
    async fn load_file(
        &mut self,
        kind: ResponseKind,
        backend: &mut Backend,
        seen: Seen,
    ) -> Result<Tried, End> {
        let mut relay = Relay::new(kind, backend, &self.tracked);
        relay.seen = seen;
        let loaded = Self::relay_file(relay, &self.worker, &self.shared, &mut self.client, backend).await;
        self.shared.set_stalled(0);
        match loaded {
            Ok(seen) => Ok(Tried::Done(seen)),
            Err(RelayError::Client(error)) => Err(End::Client(error)),
            Err(RelayError::Stopped) => Err(self.stopped()),
            Err(error) => Err(End::StateLost(format!("while a file was loaded: {error}"))),
        }
    }

    /// Sends a response that was kept back to be rewritten.
    async fn send_collected(&mut self, job: &Job<'_>, backend: &Backend, packets: &[u8]) -> Result<(), End> {
        let capabilities = self.client.capabilities;
        let packets = match job.rename {
            Some(rename) if job.kind == ResponseKind::Prepare => {
                rename.apply_to_prepared(packets, capabilities)
            }
            Some(rename) => rename.apply(packets, capabilities),
            None => self.rewrite_process_list(backend.thread_id, packets, capabilities),
        };
        self.client.output.extend_from_slice(&packets);
        self.flush().await
    }
}

impl Answer {
    fn of(relay: Relay<'_>) -> Self {
        let begun = relay.sent > 0 || relay.seen.begun;
        let mut seen = relay.seen;
        seen.checksum = relay.checksum.map_or(0, |checksum| checksum.value());
        Self {
            seen,
            held_error: relay.held_error,
            collected: relay.collect,
            too_large: relay.too_large,
            begun,
        }
    }
}

impl<'a> Relay<'a> {
    /// For the answer to a command.
    fn of(job: &Job<'a>, backend: &Backend, tracked: &'a super::response::Tracked) -> Self {
        let mut relay = Relay::new(job.kind, backend, tracked);
        relay.hold_error = job.may_kill || job.kind == ResponseKind::Prepare || backend.leads.is_some();
        relay.statement_id = job.statement_id;
        if !job.opens_cursor {
            relay.scanner = relay.scanner.without_cursor();
        }
        relay.rename = job.rename;
        relay.collect = (job.rename.is_some() || job.process_list).then(Vec::new);
        relay
    }
}
