//! Binary prepared statements: the client's ids, and the servers' ids behind them.
//!
//! A statement is prepared on the server where it would run, and again on every other connection that it is later run
//! on. The client's `COM_STMT_PREPARE` always goes to a server, so that it learns today's columns.

use std::rc::Rc;
use std::sync::Arc;

use mysql_wire::{
    BulkExecute, ColumnDef, Command, Execute, MAX_PAYLOAD, PrepareOk, ResponseKind, StatusFlags, TextResult,
};

use super::attempt::Tried;
use super::client::CommandPacket;
use super::job::Job;
use super::response::Seen;
use super::run::Ran;
use super::statement::{Statement, Use};
use super::{End, Pins, Session};
use crate::backend::{Backend, ExchangeError};

/// A session may keep this many statements prepared; a server's own default limit for all is 16,382.
const MAX_STATEMENTS: usize = 16_382;

impl Session {
    /// `COM_STMT_PREPARE`.
    pub(super) async fn prepare(&mut self, command: &CommandPacket) -> Result<(), End> {
        if self.statements.len() >= MAX_STATEMENTS {
            let text = format!("a session can keep {MAX_STATEMENTS} statements prepared; close some");
            return self.refuse(command.sequence, 1461, "42000", &text).await;
        }
        let text = command.payload().get(1..).unwrap_or_default();
        let facts = self.worker.facts(text, self.mode);
        let hint = sql::hint(text).ok().flatten();
        let scoped = super::special::with_scopes(&facts, text, self.mode);
        let own = self.with_own_ids(&facts, scoped.as_deref().unwrap_or(text), false);
        let rewritten = own.as_ref().map(|(text, _)| &text[..]).or(scoped.as_deref());
        let remade = rewritten.map(|text| CommandPacket::of_prepare(text, command.sequence));
        let rename = own.as_ref().map(|(_, rename)| rename);
        let interned = self.worker.texts.borrow_mut().intern(rewritten.unwrap_or(text), &self.state);
        let id = self.next_statement;
        let mut job = Job::new(remade.as_ref().unwrap_or(command), ResponseKind::Prepare, &facts);
        job.rename = rename;
        job.hint = hint.as_ref();
        job.statement_id = Some(id);
        job.text = Some(&interned);
        let Ran::Answered(Seen { prepare_ok: Some(ok), .. }) = self.run(job).await? else { return Ok(()) };
        self.next_statement = id.wrapping_add(1).max(1);
        let statement = Statement {
            text: interned,
            facts,
            hint,
            params: ok.params,
            rename: own.map(|(_, rename)| rename),
            types: Default::default(),
            has_cursor: Default::default(),
            has_long_data: Default::default(),
            long_data_error: Default::default(),
            private: Default::default(),
        };
        self.statements.insert(id, Rc::new(statement));
        self.last_prepared = id;
        Ok(())
    }

    /// The statement that a command names; the server's own error where there is none.
    pub(super) async fn named_statement(
        &mut self,
        command: &CommandPacket,
        function: &str,
    ) -> Result<Option<(u32, Rc<Statement>)>, End> {
        let id = mysql_wire::stmt::statement_id(command.payload()).unwrap_or_default();
        let id = if id == mysql_wire::stmt::LAST_PREPARED { self.last_prepared } else { id };
        if let Some(statement) = self.statements.get(&id) {
            return Ok(Some((id, statement.clone())));
        }
        let text = format!("Unknown prepared statement handler ({id}) given to {function}");
        self.send_error(command.sequence, &super::error(1243, "HY000", text)).await?;
        Ok(None)
    }

    /// Prepares the statement on the connection unless it is there already. `Some` ends the try.
    pub(super) async fn ensure_prepared(
        &mut self,
        backend: &mut Backend,
        prepared: &Use<'_>,
        retryable: bool,
        sequence: u8,
    ) -> Result<Option<Tried>, End> {
        let statement = prepared.statement;
        if backend.statements.contains(statement.serial()) {
            return Ok(None);
        }
        match Box::pin(self.prepare_on(backend, statement)).await {
            Ok(()) => Ok(None),
            Err(ExchangeError::Refused(_)) if retryable => Ok(Some(Tried::ReplicaRefused)),
            Err(ExchangeError::Refused(error)) => {
                self.send_error(sequence, &error).await?;
                let seen = Seen { error: Some(error.code), begun: true, ..Seen::default() };
                Ok(Some(Tried::Done(seen)))
            }
            // Preparing has no effect, so the execution has had none.
            Err(error) => Ok(Some(Tried::NoEffect(error.to_string()))),
        }
    }

    pub(super) async fn prepare_on(
        &mut self,
        backend: &mut Backend,
        statement: &Rc<Statement>,
    ) -> Result<(), ExchangeError> {
        let text = &statement.text;
        let displaced = self.is_displaced(backend);
        let elsewhere = !Arc::ptr_eq(&text.state, &backend.state) && *text.state != *backend.state;
        if elsewhere {
            let mut state = (*text.state).clone();
            if displaced || state.database.is_none() {
                // A connection cannot be without a database again; the text names its tables in full, or failed.
                state.database.clone_from(&backend.state.database);
            }
            let state = self.worker.core.interner.intern(state);
            self.bring_into(backend, &state).await?;
        }
        let prepared = backend.prepare(&text.text).await;
        if elsewhere {
            let state = self.state_on(backend, displaced);
            self.bring_into(backend, &state).await?;
        }
        let closed =
            backend.statements.insert(statement.serial(), prepared?.id, statement.private.get().is_some());
        backend.had_private |= statement.private.get().is_some();
        backend.close_statements(&closed);
        Ok(())
    }

    /// Puts the packet behind `out` as this connection must get it: its own id for the statement, and the parameter types if the
    /// client did not repeat them and this connection was last given others.
    pub(super) fn bind(
        &self,
        backend: &mut Backend,
        prepared: &Use<'_>,
        command: &CommandPacket,
        out: &mut Vec<u8>,
    ) {
        let statement = prepared.statement;
        let Some(bound) = backend.statements.get(statement.serial()) else {
            out.extend_from_slice(command.raw());
            return;
        };
        let payload = command.payload();
        let sent = sent_types(payload, statement.params, prepared.bulk);
        let mut types = statement.types.borrow_mut();
        if let Some(sent) = sent
            && types.as_deref() != Some(sent)
        {
            *types = Some(sent.into());
        }
        let known = bound.types == *types;
        if !known {
            bound.types.clone_from(&types);
        }
        if (known || sent.is_some()) && payload.len() < MAX_PAYLOAD {
            put_with_id(command, bound.id, out);
        } else {
            rebuild(payload, statement.params, prepared.bulk, bound.id, types.as_deref(), out);
        }
    }

    /// `COM_STMT_CLOSE`: no answer. Server connections keep the statement for the next who prepares it.
    pub(super) async fn close_statement(&mut self, command: &CommandPacket) -> Result<(), End> {
        let id = mysql_wire::stmt::statement_id(command.payload()).unwrap_or_default();
        let Some(statement) = self.statements.remove(&id) else { return Ok(()) };
        self.closed_statements += 1;
        self.clear_statement(&statement).await
    }

    /// `SHOW SESSION STATUS LIKE 'Com_stmt_close'`: clients look there whether they have closed what they prepared, and
    /// a server connection, which keeps statements and serves many, does not know.
    pub(super) async fn show_closed_statements(&mut self, sequence: u8) -> Result<(), End> {
        let columns = vec![ColumnDef::text("Variable_name", 64), ColumnDef::text("Value", 4096)];
        let mut table = TextResult::new(columns);
        table.push([Some("Com_stmt_close".to_owned()), Some(self.closed_statements.to_string())]);
        self.send_result(sequence, &table).await
    }

    /// `COM_STMT_RESET`: closes the cursor, forgets long data.
    pub(super) async fn reset_statement(&mut self, command: &CommandPacket) -> Result<(), End> {
        let Some((_, statement)) = self.named_statement(command, "mysqld_stmt_reset").await? else {
            return Ok(());
        };
        statement.long_data_error.take();
        self.clear_statement(&statement).await?;
        self.send_ok(command.sequence).await
    }

    /// Frees what a statement holds on the pinned connection.
    async fn clear_statement(&mut self, statement: &Rc<Statement>) -> Result<(), End> {
        let pinned = statement.has_cursor.get() || statement.has_long_data.get();
        let Some(mut backend) = self.held.take_if(|_| pinned) else { return Ok(()) };
        if let Some(bound) = backend.statements.get(statement.serial()) {
            let mut payload = vec![Command::StmtReset as u8];
            payload.extend_from_slice(&bound.id.to_le_bytes());
            if let Err(error) = backend.command(&payload).await
                && !matches!(error, ExchangeError::Refused(_))
            {
                return Err(End::StateLost(error.to_string()));
            }
        }
        statement.has_cursor.set(false);
        statement.has_long_data.set(false);
        self.update_statement_pins(statement);
        self.settle(backend, false).await
    }

    /// Cursors and long data after an execution.
    pub(super) fn note_execution(&mut self, prepared: &Use<'_>, seen: &Seen, asked: bool) {
        let open = asked
            && seen.status.is_some_and(|s| {
                s.contains(StatusFlags::CURSOR_EXISTS) && !s.contains(StatusFlags::LAST_ROW_SENT)
            });
        prepared.statement.has_cursor.set(open);
        prepared.statement.has_long_data.set(false);
        self.update_statement_pins(prepared.statement);
    }

    /// The pins of all statements; the one at hand may be closed already and is counted, too.
    pub(super) fn update_statement_pins(&mut self, current: &Rc<Statement>) {
        if !current.has_cursor.get()
            && !self.pins.contains(Pins::CURSOR)
            && !self.pins.contains(Pins::LONG_DATA)
        {
            return;
        }
        let all = || self.statements.values().chain(std::iter::once(current));
        let (cursors, data) = (all().any(|s| s.has_cursor.get()), all().any(|s| s.has_long_data.get()));
        for (pin, wanted) in [(Pins::CURSOR, cursors), (Pins::LONG_DATA, data)] {
            if wanted {
                self.pins.insert(pin);
            } else {
                self.pins.remove(pin);
            }
        }
    }
}

fn sent_types(payload: &[u8], params: u16, bulk: bool) -> Option<&[u8]> {
    if bulk {
        BulkExecute::parse(payload, params).ok()?.types
    } else {
        Execute::parse(payload, params).ok()?.types
    }
}

/// Puts the command behind `packet`, with the server's id of the statement.
pub(super) fn put_with_id(command: &CommandPacket, id: u32, packet: &mut Vec<u8>) {
    let at = packet.len();
    packet.extend_from_slice(command.raw());
    if let Some(place) = packet.get_mut(at + 5..at + 9) {
        place.copy_from_slice(&id.to_le_bytes());
    }
}

fn rebuild(payload: &[u8], params: u16, bulk: bool, id: u32, types: Option<&[u8]>, packet: &mut Vec<u8>) {
    let mut out = Vec::with_capacity(payload.len() + 64);
    if bulk {
        if let Ok(execute) = BulkExecute::parse(payload, params) {
            execute.with_types(id, types, &mut out);
        }
    } else if let Ok(execute) = Execute::parse(payload, params) {
        execute.with_types(id, types, &mut out);
    }
    if out.is_empty() {
        // A packet that cannot be read is the server's to refuse, but for this statement and no other.
        out.extend_from_slice(payload);
        mysql_wire::stmt::patch_statement_id(&mut out, id);
    }
    mysql_wire::write_packet(packet, &mut 0, &out);
}

impl Backend {
    /// Prepares a text for later use.
    async fn prepare(&mut self, text: &[u8]) -> Result<PrepareOk, ExchangeError> {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.push(Command::StmtPrepare as u8);
        payload.extend_from_slice(text);
        let mut packet = std::mem::take(&mut self.outbox);
        mysql_wire::write_packet(&mut packet, &mut 0, &payload);
        self.socket.write_all(&packet).await?;
        let reply = self.read_reply(ResponseKind::Prepare).await?;
        Ok(PrepareOk::parse(reply.payload())?)
    }

    /// Has the server forget statements, with the next command that is sent.
    pub(crate) fn close_statements(&mut self, ids: &[u32]) {
        for id in ids {
            let mut payload = vec![Command::StmtClose as u8];
            payload.extend_from_slice(&id.to_le_bytes());
            mysql_wire::write_packet(&mut self.outbox, &mut 0, &payload);
        }
    }
}
