//! Sending the statements of a transaction again, and comparing their answers.

use sql::TableName;

use super::record::{Recorded, Transaction, asks_for_insert_id};
use super::{Checksum, Obstacle};
use crate::backend::{Backend, ExchangeError};
use crate::session::drive::drive;
use crate::session::job::Job;
use crate::session::response::{Relay, RelayError};
use crate::session::statement::Use;
use crate::session::{End, InsertId, Session};

/// What came of one attempt.
pub(super) enum Attempt {
    Done(Box<Backend>),
    /// Another one may do.
    Again(String),
    Never(Obstacle),
}

/// What ends a run before its end.
pub(super) enum Stop {
    Attempt(Attempt),
    Session(End),
}

impl From<ExchangeError> for Stop {
    fn from(error: ExchangeError) -> Self {
        Stop::Attempt(match error {
            ExchangeError::Refused(_) => Attempt::Never(Obstacle::Refused),
            lost => Attempt::Again(lost.to_string()),
        })
    }
}

impl Session {
    /// All statements, in their order, on a connection in the state of the beginning. `in_doubt` are the tables that the
    /// statement under way may have written to.
    pub(super) async fn run_again(
        &mut self,
        backend: &mut Backend,
        transaction: &Transaction,
        job: &Job<'_>,
        in_doubt: &[TableName],
    ) -> Result<(), Stop> {
        self.check_tables(backend, &transaction.untold, Obstacle::Untold).await?;
        self.check_tables(backend, in_doubt, Obstacle::UnderWay).await?;
        let (code_reads, stored_code) = {
            let view = self.worker.core.cluster(backend.place.cluster).view();
            (view.catalogue.code_reads_insert_id, view.catalogue.has_stored_code)
        };
        if let InsertId::Known(id) = self.insert_id {
            // Whether a statement reads it or not: it stays the session's where no id is generated.
            backend.query(format!("SET last_insert_id={id}").as_bytes()).await?;
        } else if transaction.needs_insert_id || asks_for_insert_id(job, code_reads) {
            return Err(Stop::Attempt(Attempt::Never(Obstacle::SessionState)));
        }
        let mut forced = false;
        for (at, recorded) in transaction.statements.iter().enumerate() {
            // A trigger could take the id for a row of its own.
            if let Some(id) = recorded.insert_id.filter(|_| !stored_code) {
                // Ids of transactions that were rolled back are free again on another server.
                backend.query(format!("SET insert_id={id}").as_bytes()).await?;
                forced = true;
            }
            self.repeat(backend, recorded, at).await?;
        }
        if forced {
            backend.query(b"SET insert_id=0").await?;
        }
        Ok(())
    }

    /// One statement, whose answer must be what it was.
    async fn repeat(&mut self, backend: &mut Backend, recorded: &Recorded, at: usize) -> Result<(), Stop> {
        let packet = self.remake_recorded(backend, recorded).await?;
        let mut relay = Relay::new(recorded.kind, backend, &self.tracked);
        relay.swallow = true;
        relay.checksum = Some(Checksum::default());
        relay.scanner = relay.scanner.without_cursor();
        let driven = (&*self.worker, &*self.shared);
        let pending = |_: &mut std::task::Context<'_>, _: &mut _, _: &mut _| std::task::Poll::Pending;
        let step = drive(&mut relay, driven, &mut self.client, backend, &packet, pending).await;
        let checksum = relay.checksum.as_ref().map(Checksum::value);
        let error = relay.seen.error;
        match step {
            Ok(_) if checksum == Some(recorded.checksum) => {
                self.state = recorded.state.clone();
                backend.state = recorded.state.clone();
                Ok(())
            }
            Ok(_) => Err(Stop::Attempt(match error {
                // Waits and deadlocks with others, and a primary that is none any more.
                Some(code @ (1205 | 1213 | 1290 | 1317 | 1927 | 1053)) => {
                    Attempt::Again(format!("statement {} failed with {code}", at + 1))
                }
                _ => {
                    tracing::debug!(session = self.shared.id, statement = at + 1, ?error, "a replay differs");
                    Attempt::Never(Obstacle::Differs)
                }
            })),
            Err(RelayError::Client(error)) => Err(Stop::Session(End::Client(error))),
            Err(RelayError::Stopped) => Err(Stop::Session(self.stopped())),
            Err(lost) => Err(Stop::Attempt(Attempt::Again(lost.to_string()))),
        }
    }

    /// The command as this connection must get it.
    async fn remake_recorded(
        &mut self,
        backend: &mut Backend,
        recorded: &Recorded,
    ) -> Result<Vec<u8>, ExchangeError> {
        let Some(prepared) = &recorded.prepared else {
            let mut packet = std::mem::take(&mut backend.outbox);
            packet.extend_from_slice(recorded.command.raw());
            return Ok(packet);
        };
        let statement = &prepared.statement;
        if !backend.statements.contains(statement.serial()) {
            Box::pin(self.prepare_on(backend, statement)).await?;
        }
        let mut packet = std::mem::take(&mut backend.outbox);
        let used = Use { statement, bulk: prepared.bulk };
        // Since then the client may have sent others.
        let newest = statement.types.replace(prepared.types.clone());
        self.bind(backend, &used, &recorded.command, &mut packet);
        statement.types.replace(newest);
        Ok(packet)
    }

    /// A statement that may have been carried out, and of which the server has not told, must not have written to a table
    /// without transactions, since nothing takes that back.
    async fn check_tables(
        &self,
        backend: &mut Backend,
        tables: &[TableName],
        obstacle: Obstacle,
    ) -> Result<(), Stop> {
        let doubtful = Err(Stop::Attempt(Attempt::Never(obstacle)));
        if self.worker.core.cluster(backend.place.cluster).view().catalogue.has_stored_code {
            return if tables.is_empty() { Ok(()) } else { doubtful };
        }
        for table in tables {
            let schema = match &table.schema {
                Some(schema) => format!("CONVERT(X'{}' USING utf8mb4)", hex(schema)),
                None => "DATABASE()".to_owned(),
            };
            let name = hex(&table.name);
            let sql = format!(
                "SELECT COUNT(*) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE=t.ENGINE WHERE \
                 TABLE_SCHEMA={schema} AND TABLE_NAME=CONVERT(X'{name}' USING utf8mb4) AND e.TRANSACTIONS='YES' LIMIT 1"
            );
            if backend.query(sql.as_bytes()).await?.first_number() != Some(1) {
                return doubtful;
            }
        }
        Ok(())
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}
