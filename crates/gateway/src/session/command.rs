//! The loop of a session: one command after the other.

use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;

use mysql_wire::{Capabilities, Command, Eof, OkPacket, ResponseKind};

use super::client::{CommandPacket, Inbound};
use super::job::Job;
use super::{End, Session, error};
use crate::registry::Signal;

/// What ends a session's wait.
enum Woken {
    Inbound(Inbound),
    Signal(Signal),
}

impl Session {
    /// Serves commands until the client leaves or has to.
    pub(super) async fn serve(&mut self) -> Result<(), End> {
        let limit = self.worker.core.config.load().gateway.max_packet_bytes as usize;
        loop {
            let command = match self.wait(limit).await? {
                Woken::Inbound(Inbound::Command(command)) => command,
                Woken::Inbound(Inbound::Left) => return Err(End::ClientLeft),
                Woken::Inbound(Inbound::TooLarge) => {
                    let text = "Got a packet bigger than 'max_allowed_packet' bytes";
                    self.send_error(0, &error(1153, "08S01", text.into())).await?;
                    return Err(End::Protocol("a command over the limit"));
                }
                Woken::Inbound(Inbound::OutOfOrder) => {
                    self.send_error(0, &error(1156, "08S01", "Got packets out of order".into())).await?;
                    return Err(End::Protocol("packets out of order"));
                }
                Woken::Signal(signal) => {
                    self.heed(signal).await?;
                    continue;
                }
            };
            self.shared.busy.store(true, Ordering::Relaxed);
            self.handle(&command).await?;
            self.shared.busy.store(false, Ordering::Relaxed);
            let active = self.clock.saturating_duration_since(self.worker.core.started);
            self.shared.active_ms.store(active.as_millis() as u64, Ordering::Relaxed);
            self.client.recycle(command);
            if self.shared.is_killed() {
                return Err(End::Killed);
            }
        }
    }

    async fn wait(&mut self, limit: usize) -> Result<Woken, End> {
        let (worker, shared, client) = (&self.worker, &self.shared, &mut self.client);
        let woken = std::future::poll_fn(|cx| {
            if let Some(signal) = shared.poll_signal(cx.waker()) {
                return Poll::Ready(Ok(Woken::Signal(signal)));
            }
            client.poll_command(cx, worker, 0, limit).map_ok(Woken::Inbound)
        });
        woken.await.map_err(End::Client)
    }

    /// Does what somebody else asked for while the session was waiting.
    async fn heed(&mut self, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Kill => Err(End::Killed),
            Signal::Timeout => Err(End::IdleTooLong),
            Signal::Release => {
                Box::pin(self.return_lease()).await;
                Box::pin(self.carry_variables()).await
            }
            // What else it has on its connection is lost with the process in any case: a client that reconnects at once is
            // better off than one that finds out later.
            Signal::Drain if !self.pins.contains(super::Pins::TRANSACTION) => Err(End::Draining),
            Signal::Drain => {
                self.draining = true;
                Ok(())
            }
        }
    }

    async fn handle(&mut self, command: &CommandPacket) -> Result<(), End> {
        let Some(&code) = command.payload().first() else { return self.unknown(command).await };
        match Command::from_byte(code) {
            Some(Command::Query) => self.query(command).await,
            Some(Command::StmtExecute) => self.execute(command, false).await,
            Some(Command::Quit) => Err(End::Quit),
            Some(other) => Box::pin(self.handle_other(other, command)).await,
            None => self.unknown(command).await,
        }
    }

    async fn handle_other(&mut self, code: Command, command: &CommandPacket) -> Result<(), End> {
        match code {
            Command::StmtPrepare => self.prepare(command).await,
            Command::StmtClose => self.close_statement(command).await,
            Command::StmtReset => self.reset_statement(command).await,
            Command::StmtFetch => self.fetch(command).await,
            Command::StmtSendLongData => self.long_data(command).await,
            Command::StmtBulkExecute => self.execute(command, true).await,
            Command::Ping if self.held.is_none() => self.send_ok(command.sequence).await,
            Command::ResetConnection => self.reset_session(command.sequence).await,
            Command::ChangeUser => self.change_user(command).await,
            Command::SetOption => self.set_option(command).await,
            Command::ProcessKill => self.process_kill(command).await,
            Command::ProcessInfo => self.process_list_command(command).await,
            Command::FieldList => self.on_primary(command, ResponseKind::FieldList).await,
            Command::Statistics => self.on_primary(command, ResponseKind::Statistics).await,
            Command::RegisterReplica => self.replicate(command, ResponseKind::Simple).await,
            Command::BinlogDump => self.replicate(command, ResponseKind::BinlogDump).await,
            Command::InitDb | Command::Ping | Command::Debug | Command::Refresh | Command::Shutdown => {
                self.on_primary(command, ResponseKind::Simple).await
            }
            _ => self.unknown(command).await,
        }
    }

    /// Relays a command that is no SQL.
    async fn on_primary(&mut self, command: &CommandPacket, kind: ResponseKind) -> Result<(), End> {
        let facts = super::command_facts(command.payload().first().copied() == Some(Command::InitDb as u8));
        self.run(Job::new(command, kind, &facts)).await.map(drop)
    }

    async fn unknown(&mut self, command: &CommandPacket) -> Result<(), End> {
        self.send_error(command.sequence, &error(1047, "08S01", "Unknown command".into())).await
    }

    /// `COM_SET_OPTION`: several statements in one text, on or off. The capability belongs to the pool's key, so only a
    /// held connection has to be told.
    async fn set_option(&mut self, command: &CommandPacket) -> Result<(), End> {
        let on = match command.payload().get(1..3) {
            Some([0, 0]) => true,
            Some([1, 0]) => false,
            _ => return self.unknown(command).await,
        };
        let flag = Capabilities::MULTI_STATEMENTS;
        if let Some(held) = &mut self.held {
            let told = held.command(command.payload()).await;
            told.map_err(|error| End::StateLost(error.to_string()))?;
            held.capabilities = with(held.capabilities, flag, on);
        } else {
            Box::pin(self.return_lease()).await;
        }
        self.client.capabilities = with(self.client.capabilities, flag, on);
        self.shape = with(self.shape, flag, on);
        let mut payload = Vec::new();
        let status = self.status();
        if self.client.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let ok = OkPacket { header: OkPacket::END_OF_ROWS, ..OkPacket::new(status) };
            ok.encode(self.client.capabilities, &mut payload);
        } else {
            Eof { warnings: 0, status }.encode(&mut payload);
        }
        self.send_payload(command.sequence, &payload).await
    }

    /// `COM_RESET_CONNECTION`: as after login, but in the present database.
    async fn reset_session(&mut self, sequence: u8) -> Result<(), End> {
        if self.has_own_connection() {
            self.reset_own().await?;
        } else {
            self.drop_connections().await;
        }
        self.begin_again();
        self.renew_own().await?;
        self.send_ok(sequence).await
    }

    /// Forgets what has been set since the login, and keeps the database.
    pub(super) fn begin_again(&mut self) {
        self.statements.clear();
        self.dynamic_texts.clear();
        self.dynamic_names.clear();
        self.globals_seen = self.worker.core.global_changes.count();
        self.closed_statements = 0;
        self.timeouts.clear();
        self.restore_timeout();
        let mut state = (*self.initial).clone();
        state.database.clone_from(&self.state.database);
        self.set_state(state);
        self.tracked = super::response::Tracked::new(self.client.capabilities, &self.default_tracked());
        self.insert_id = super::InsertId::Known(0);
        // What FOUND_ROWS() gives outlives it (tried on MariaDB 10.11).
        let found_rows = self.last.found_rows;
        self.last = super::LastStatement { found_rows, ..Default::default() };
    }

    /// Gives up what the session holds on servers, cleaned so that others can use it.
    pub(super) async fn drop_connections(&mut self) {
        use super::Pins;
        let pins = std::mem::take(&mut self.pins);
        self.end_split();
        self.opening = None;
        self.shared.pins.store(0, Ordering::Relaxed);
        self.shared.leasing.store(false, Ordering::SeqCst);
        if self.insert_id.on().is_some() {
            self.insert_id = super::InsertId::Known(0);
        }
        self.carried = None;
        if let Some(lease) = self.lease.take() {
            self.release(lease);
        }
        let Some(mut held) = self.held.take() else { return };
        // Roles above all: the next client would have this one's privileges.
        let outlive = [
            Pins::VARIABLE,
            Pins::ROLE,
            Pins::PROCEDURE,
            Pins::TEXT_STATEMENT,
            Pins::UNKNOWN_CHANGE,
            Pins::BINARY_LOG,
            // It is nobody else's, in whatever state.
            Pins::FORWARDED_LOGIN,
        ];
        if outlive.iter().any(|pin| pins.contains(*pin)) || self.sequence_on == Some(held.id) {
            // They outlive a reset of the connection (tried on MariaDB 10.11).
            return;
        }
        let began = Instant::now();
        let core = self.worker.core.clone();
        let reset = held.reset(&core.new_connection_state, |state| core.interner.intern(state));
        match tokio::time::timeout(std::time::Duration::from_secs(5), reset).await {
            Ok(Ok(())) => self.release(held),
            Ok(Err(error)) => {
                tracing::debug!(session = self.shared.id, %error, %pins, "could not reset a connection");
            }
            Err(_) => {
                tracing::debug!(session = self.shared.id, took = ?began.elapsed(), "resetting a connection took too long");
            }
        }
    }
}

fn with(capabilities: Capabilities, flag: Capabilities, on: bool) -> Capabilities {
    if on { capabilities.with(flag) } else { capabilities.without(flag) }
}
