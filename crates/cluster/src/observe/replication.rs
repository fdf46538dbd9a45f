//! The replication connections of a server, from `SHOW ALL SLAVES STATUS`.

use std::time::Duration;

use mysql_client::Rows;
use topology::{Address, Position, ServerUuid};

use crate::detect::health::Thread;
use crate::detect::roles::Link;

/// One replication connection.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) source: Address,
    /// 0 before the first contact with the source.
    pub(crate) source_server_id: u32,
    /// MySQL: its `@@server_uuid`, after the first contact.
    pub(crate) source_uuid: Option<ServerUuid>,
    pub(crate) receiver: Thread,
    pub(crate) applier: Thread,
    pub(crate) seconds_behind: Option<u64>,
    /// On MySQL together with all that it has executed.
    pub(crate) received: Position,
    /// Everything received is applied, as far as whole transactions were received.
    pub(crate) read_all: bool,
    /// Signs of life of the source, counted by the replica.
    pub(crate) heartbeats: u64,
    /// How often the source gives one while it has nothing else to send; `None`: never.
    pub(crate) heartbeat_period: Option<Duration>,
}

impl Channel {
    pub(crate) fn link(&self) -> Link {
        match self.receiver.state.as_str() {
            "Yes" => Link::Connected,
            "No" => Link::Stopped,
            _ => Link::Connecting,
        }
    }
}

/// Reads the rows; a connection without a source (after `RESET SLAVE`) is none.
pub(crate) fn channels(rows: &Rows) -> Vec<Channel> {
    (0..rows.len()).filter_map(|row| channel(rows, row)).collect()
}

fn channel(rows: &Rows, row: usize) -> Option<Channel> {
    let text = |column: &str| rows.get(row, column).unwrap_or_default().to_owned();
    let host = text("Master_Host");
    let port = rows.parse(row, "Master_Port").filter(|port| *port != 0)?;
    if host.is_empty() {
        return None;
    }
    Some(Channel {
        name: text("Connection_name"),
        source: Address::new(host, port),
        source_server_id: rows.parse(row, "Master_Server_Id").unwrap_or(0),
        source_uuid: None,
        receiver: thread(rows, row, "Slave_IO_Running", "Last_IO_Errno", "Last_IO_Error"),
        applier: thread(rows, row, "Slave_SQL_Running", "Last_SQL_Errno", "Last_SQL_Error"),
        seconds_behind: rows.parse(row, "Seconds_Behind_Master"),
        received: text("Gtid_IO_Pos").parse().unwrap_or_default(),
        read_all: text("Slave_SQL_Running_State").starts_with("Slave has read all relay log"),
        heartbeats: rows.parse(row, "Slave_received_heartbeats").unwrap_or(0),
        heartbeat_period: rows.parse(row, "Slave_heartbeat_period").and_then(period),
    })
}

pub(super) fn period(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|period| !period.is_zero())
}

pub(super) fn thread(rows: &Rows, row: usize, state: &str, number: &str, message: &str) -> Thread {
    let number = rows.get(row, number).unwrap_or("0");
    let message = rows.get(row, message).unwrap_or_default();
    let error = if number == "0" { String::new() } else { format!("error {number}: {message}") };
    Thread { state: rows.get(row, state).unwrap_or("No").to_owned(), error }
}
