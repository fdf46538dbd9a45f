//! `COM_STMT_EXECUTE` and what belongs to it.

use std::rc::Rc;

use mysql_wire::stmt;
use mysql_wire::{Capabilities, ResponseKind, ServerError, StatusFlags};

use super::client::CommandPacket;
use super::job::Job;
use super::run::Ran;
use super::statement::{Statement, Use};
use super::{End, Pins, Session, UNREACHABLE};
use crate::backend::ExchangeError;
use crate::place::Place;

impl Session {
    /// `COM_STMT_EXECUTE`, `COM_STMT_BULK_EXECUTE`.
    pub(super) async fn execute(&mut self, command: &CommandPacket, bulk: bool) -> Result<(), End> {
        if let Some(refusal) = self.refused_execution(command.payload(), bulk) {
            return self.send_error(command.sequence, &refusal).await;
        }
        let function = if bulk { "mysqld_stmt_bulk_execute" } else { "mysqld_stmt_execute" };
        let Some((_, statement)) = self.named_statement(command, function).await? else { return Ok(()) };
        let unsent = statement.long_data_error.borrow_mut().take();
        if let Some(error) = unsent {
            return self.send_error(command.sequence, &error).await;
        }
        let mut job = Job::new(command, ResponseKind::Execute, &statement.facts);
        job.hint = statement.hint.as_ref();
        job.rename = statement.rename.as_ref();
        job.prepared = Some(Use { statement: &statement, bulk });
        if !bulk && opens_cursor(command.payload()) {
            self.make_private(&statement);
            job.needs_primary = true;
            job.opens_cursor = true;
        }
        if statement.facts.effects.contains(sql::Effects::KILL) {
            return Box::pin(self.execute_kill(job, &statement)).await;
        }
        if statement.facts.effects.intersects(super::special::ABOUT_LAST) {
            return Box::pin(self.special_execute(job)).await;
        }
        self.run(job).await.map(drop)
    }

    /// What a server refuses before it looks for the statement (tried on MariaDB 10.11).
    fn refused_execution(&self, payload: &[u8], bulk: bool) -> Option<ServerError> {
        // Behind the command: id, flags and the count of executions; in bulk, id and flags.
        if payload.len() < if bulk { 7 } else { 10 } {
            return Some(super::error(1835, "HY000", "Malformed communication packet".into()));
        }
        if bulk && !self.client.capabilities.contains(Capabilities::MARIADB_STMT_BULK) {
            let text = "This command is not supported in the prepared statement protocol yet";
            return Some(super::error(1295, "HY000", text.into()));
        }
        None
    }

    /// `COM_STMT_FETCH`: only the connection with the cursor can serve it.
    pub(super) async fn fetch(&mut self, command: &CommandPacket) -> Result<(), End> {
        let Some((_, statement)) = self.named_statement(command, "mysqld_stmt_fetch").await? else {
            return Ok(());
        };
        if !statement.has_cursor.get() || self.held.is_none() {
            let id = stmt::statement_id(command.payload()).unwrap_or_default();
            let text = format!("The statement ({id}) has no open cursor");
            return self.send_error(command.sequence, &super::error(1421, "HY000", text)).await;
        }
        let mut job = Job::new(command, ResponseKind::Fetch, &statement.facts);
        job.prepared = Some(Use { statement: &statement, bulk: false });
        let ran = self.run(job).await?;
        if let Ran::Answered(seen) = ran
            && seen.status.is_none_or(|s| s.contains(StatusFlags::LAST_ROW_SENT))
        {
            statement.has_cursor.set(false);
            self.update_statement_pins(&statement);
            if let Some(backend) = self.held.take() {
                self.settle(backend, false).await?;
            }
        }
        Ok(())
    }

    /// `COM_STMT_SEND_LONG_DATA`: no answer. The data waits on one server connection, which is kept for the execution;
    /// so does an error, as on a server.
    pub(super) async fn long_data(&mut self, command: &CommandPacket) -> Result<(), End> {
        let id = stmt::statement_id(command.payload()).unwrap_or_default();
        let Some(statement) = self.statements.get(&id).cloned() else { return Ok(()) };
        if statement.long_data_error.borrow().is_some() {
            return Ok(());
        }
        let refused = self.send_long_data(command, &statement).await?.err();
        *statement.long_data_error.borrow_mut() = refused;
        Ok(())
    }

    async fn send_long_data(
        &mut self,
        command: &CommandPacket,
        statement: &Rc<Statement>,
    ) -> Result<Result<(), ServerError>, End> {
        let mut job = Job::new(command, ResponseKind::Simple, &statement.facts);
        job.hint = statement.hint.as_ref();
        // What may follow on the pinned connection can be a write.
        job.needs_primary = true;
        self.make_private(statement);
        let prepared = Use { statement, bulk: false };
        job.prepared = Some(prepared);
        let failed = |text: String| super::error(UNREACHABLE, "HY000", format!("hadal: long data: {text}"));
        if let Err(why) = self.aim(&job) {
            return Ok(Err(failed(why.to_string())));
        }
        if self.moves
            && let Some(refusal) = self.move_opening(&job).await?
        {
            return Ok(Err(refusal));
        }
        let decision = match self.decide(&job) {
            Ok(decision) => decision,
            Err(why) => return Ok(Err(failed(why.to_string()))),
        };
        let place = Place { cluster: self.target, server: decision.server };
        let mut backend = match self.obtain(place, &job, decision.on_replica).await {
            Ok(Some(backend)) => backend,
            Ok(None) => return Ok(Err(failed("no connection".into()))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !backend.statements.contains(statement.serial()) {
            match Box::pin(self.prepare_on(&mut backend, statement)).await {
                Ok(()) => {}
                Err(ExchangeError::Refused(refusal)) => {
                    self.settle(backend, false).await?;
                    return Ok(Err(refusal));
                }
                Err(lost) => return Err(End::StateLost(format!("long data: {lost}"))),
            }
        }
        let mut bytes = std::mem::take(&mut backend.outbox);
        self.bind_id(&mut backend, &prepared, command, &mut bytes);
        let sent = backend.socket.write_all(&bytes).await;
        sent.map_err(|lost| End::StateLost(format!("long data: {lost}")))?;
        statement.has_long_data.set(true);
        self.pins.insert(Pins::LONG_DATA);
        self.settle(backend, false).await?;
        Ok(Ok(()))
    }

    fn make_private(&self, statement: &Statement) {
        if statement.private.get().is_none() {
            statement.private.set(Some(self.worker.texts.borrow_mut().private_serial()));
        }
    }

    /// Puts the packet behind `out`, with the server's id of the statement.
    pub(super) fn bind_id(
        &self,
        backend: &mut crate::backend::Backend,
        prepared: &Use<'_>,
        command: &CommandPacket,
        out: &mut Vec<u8>,
    ) {
        match backend.statements.get(prepared.statement.serial()) {
            Some(bound) => super::prepare::put_with_id(command, bound.id, out),
            None => out.extend_from_slice(command.raw()),
        }
    }
}

/// The byte behind the statement's id names the kind of cursor.
fn opens_cursor(payload: &[u8]) -> bool {
    payload.get(5).is_some_and(|flags| flags & stmt::CURSOR_READ_ONLY != 0)
}
