//! A connection to one server for one procedure.

use std::time::Duration;

use mysql_client::{Client, Rows};
use topology::{Address, Position};

use super::StepError;
use crate::observe::replication::{Channel, channels};
use crate::observe::{flavour, mysql, session};
use crate::options::ObserveOptions;

/// For a statement that may have to wait for a thread to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Link {
    pub(super) server: String,
    /// A MySQL server, not MariaDB.
    pub(super) is_mysql: bool,
    line: Line,
}

/// What statements go through.
enum Line {
    Server(Box<Client>),
    #[cfg(test)]
    Model(crate::simulation::Session),
}

impl Link {
    pub(super) async fn open(options: &ObserveOptions, server: &str) -> Result<Self, StepError> {
        let address: Address = server
            .parse()
            .map_err(|error| StepError::Unexpected { server: server.to_owned(), why: format!("{error}") })?;
        let fail = |error| StepError::Server { server: server.to_owned(), doing: "connecting", error };
        #[cfg(test)]
        if let Some(model) = &options.model {
            let session = model.connect(&address).await.map_err(fail)?;
            return Ok(Self { server: server.to_owned(), is_mysql: false, line: Line::Model(session) });
        }
        let mut client = session::open(options, &address, "control").await.map_err(fail)?;
        client.set_timeout(PATIENCE);
        let is_mysql = flavour::is_mysql(&client);
        Ok(Self { server: server.to_owned(), is_mysql, line: Line::Server(Box::new(client)) })
    }

    pub(super) async fn exec(&mut self, doing: &'static str, sql: &str) -> Result<(), StepError> {
        self.query(doing, sql).await.map(drop)
    }

    pub(super) async fn query(&mut self, doing: &'static str, sql: &str) -> Result<Rows, StepError> {
        let answer = match &mut self.line {
            Line::Server(client) => client.query(sql).await,
            #[cfg(test)]
            Line::Model(session) => session.query(sql).await,
        };
        answer.map_err(|error| StepError::Server { server: self.server.clone(), doing, error })
    }

    /// The first replication connection; clusters of hadal's have one to a server.
    pub(super) async fn channel(&mut self) -> Result<Option<Channel>, StepError> {
        const DOING: &str = "reading its replication";
        let all = match self.is_mysql {
            true => mysql::channels(&self.query(DOING, mysql::CHANNELS).await?),
            false => channels(&self.query(DOING, "SHOW ALL SLAVES STATUS").await?),
        };
        Ok(all.into_iter().next())
    }

    /// A global variable that is a position.
    pub(super) async fn position(&mut self, variable: &'static str) -> Result<Position, StepError> {
        let sql = format!("SELECT @@global.{variable} AS position");
        let rows = self.query("reading its position", &sql).await?;
        Ok(rows.parse(0, "position").unwrap_or_default())
    }

    /// A global variable that is on or off.
    pub(super) async fn is_on(&mut self, variable: &'static str) -> Result<bool, StepError> {
        let rows = self.query("reading a variable", &format!("SELECT @@global.{variable} AS value")).await?;
        Ok(matches!(rows.get(0, "value"), Some("1" | "ON")))
    }

    /// From now on no statement of this connection waits for a lock; on MySQL, not for longer than a second.
    pub(super) async fn never_wait(&mut self) -> Result<(), StepError> {
        let seconds = u8::from(self.is_mysql);
        self.exec("preparing", &format!("SET SESSION lock_wait_timeout={seconds}")).await
    }

    /// From now on statements of this connection wait for locks for so many whole seconds.
    pub(super) async fn wait_for_locks(&mut self, limit: Duration) -> Result<(), StepError> {
        self.exec("preparing", &format!("SET SESSION lock_wait_timeout={}", limit.as_secs())).await
    }

    /// Makes the server read-only, on MySQL for everybody.
    pub(super) async fn read_only(&mut self) -> Result<(), StepError> {
        let variable = if self.is_mysql { "super_read_only" } else { "read_only" };
        self.exec("making it read-only", &format!("SET GLOBAL {variable}=1")).await
    }

    /// Makes the server read-only; false: something that is under way keeps it from that.
    pub(super) async fn try_read_only(&mut self) -> Result<bool, StepError> {
        match self.read_only().await {
            Ok(()) => Ok(true),
            Err(error) if is_busy(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the sessions whose `id`s the question gives. Gives their number.
    pub(super) async fn end_sessions(&mut self, which: &str) -> Result<usize, StepError> {
        let rows = self.query("listing sessions", which).await?;
        for row in 0..rows.len() {
            let Some(id) = rows.parse::<u64>(row, "id") else { continue };
            // It may have ended by itself.
            let _ = self.exec("ending a session", &format!("KILL CONNECTION {id}")).await;
        }
        Ok(rows.len())
    }

    /// Whether a thread of the replica's is at work on something that was received.
    pub(super) async fn applies_something(&mut self) -> Result<bool, StepError> {
        const AT_WORK: &str = "SELECT COUNT(*) AS busy FROM information_schema.PROCESSLIST WHERE \
                               COMMAND = 'Slave_worker' AND STATE <> 'Waiting for work from SQL thread'";
        let rows = self.query("looking at its workers", AT_WORK).await?;
        Ok(rows.parse::<u32>(0, "busy") != Some(0))
    }

    pub(super) fn unexpected(&self, why: impl Into<String>) -> StepError {
        StepError::Unexpected { server: self.server.clone(), why: why.into() }
    }

    pub(super) fn too_slow(&self, what: impl Into<String>, limit: Duration) -> StepError {
        StepError::TooSlow { server: self.server.clone(), what: what.into(), ms: limit.as_millis() }
    }

    /// For every statement from now on.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        match &mut self.line {
            Line::Server(client) => client.set_timeout(timeout),
            #[cfg(test)]
            Line::Model(_) => {}
        }
    }

    pub(super) async fn close(self) {
        match self.line {
            Line::Server(client) => client.close().await,
            #[cfg(test)]
            Line::Model(_) => {}
        }
    }
}

/// A string literal. The session's `sql_mode` is empty, so a backslash escapes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The errors that say "try again soon": 1205, a lock that is held.
fn is_busy(error: &StepError) -> bool {
    matches!(error, StepError::Server { error, .. } if matches!(error.code(), Some(1205 | 1192)))
}
