//! What a server keeps, and who confirms what it keeps: binary log, history, semi-synchronous replication.
//!
//! Source: MariaDB manual, "Semisynchronous Replication", "Global Transaction ID".

use std::time::Duration;

use mysql_client::{Client, ClientError, Rows};
use topology::{GtidState, Position};

/// One server's, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durability {
    /// `gtid_binlog_state`.
    pub(crate) history: GtidState,
    /// `gtid_slave_pos`.
    pub(crate) base: Position,
    /// A binary log into which it also writes what it replicates.
    pub(crate) logs: bool,
    /// A restart leaves it what it has received and not applied. Never on MariaDB (MDEV-4698).
    pub(crate) keeps_received: bool,
    /// Its commits can be made to wait.
    pub(crate) can_wait: bool,
    /// Its commits are to wait for acknowledgements.
    pub(crate) waits: bool,
    /// For so many.
    pub(crate) wait_for: u32,
    /// After this many milliseconds they wait no longer.
    pub(crate) timeout_ms: u64,
    /// They do. Off after a timeout, or while there is nobody to acknowledge and that is allowed.
    pub(crate) waiting_works: bool,
    /// Replicas connected that acknowledge.
    pub(crate) acknowledgers: u32,
    /// Sessions whose commits wait now.
    pub(crate) waiting: u32,
    /// It acknowledges what it receives.
    pub(crate) acknowledges: bool,
    /// Since the server was started.
    pub(crate) uptime: Duration,
    /// When that was, in seconds of the server's clock as it was then: the same with every look, whatever the clock does. 0 on
    /// MySQL, which is not asked.
    pub(crate) started: i64,
}

/// The columns of the question about variables, to be asked with others.
pub(crate) const COLUMNS: &str = "@@global.gtid_binlog_state AS binlog_state, @@log_bin AS log_bin, \
                                  @@log_slave_updates AS log_slave_updates, \
                                  @@global.rpl_semi_sync_master_enabled AS semi_sync_master, \
                                  @@global.rpl_semi_sync_master_timeout AS semi_sync_timeout";

/// The server takes both the time and what it has been up for from when the statement began.
const STATUS: &str = "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value, UNIX_TIMESTAMP() AS now \
                      FROM information_schema.GLOBAL_STATUS \
                      WHERE VARIABLE_NAME LIKE 'RPL\\_SEMI\\_SYNC\\_%' OR VARIABLE_NAME = 'UPTIME'";

/// Reads the rest; `facts` holds [`COLUMNS`].
pub(crate) async fn read(client: &mut Client, facts: &Rows) -> Result<Durability, ClientError> {
    let on = |column: &str| matches!(facts.get(0, column), Some("1" | "ON"));
    let status = client.query(STATUS).await?;
    let value = |name: &str| {
        let named = |row: &usize| status.get(*row, "name").is_some_and(|n| n.eq_ignore_ascii_case(name));
        (0..status.len()).find(named).and_then(|row| status.get(row, "value")).unwrap_or_default()
    };
    let uptime: u32 = value("Uptime").parse().unwrap_or(0);
    let now: i64 = status.parse(0, "now").unwrap_or(0);
    Ok(Durability {
        history: facts.get(0, "binlog_state").and_then(|text| text.parse().ok()).unwrap_or_default(),
        base: facts.get(0, "slave_pos").and_then(|text| text.parse().ok()).unwrap_or_default(),
        logs: on("log_bin") && on("log_slave_updates"),
        keeps_received: false,
        can_wait: true,
        waits: on("semi_sync_master"),
        wait_for: 1,
        timeout_ms: facts.parse(0, "semi_sync_timeout").unwrap_or(0),
        waiting_works: value("Rpl_semi_sync_master_status") == "ON",
        acknowledgers: value("Rpl_semi_sync_master_clients").parse().unwrap_or(0),
        waiting: value("Rpl_semi_sync_master_wait_sessions").parse().unwrap_or(0),
        acknowledges: value("Rpl_semi_sync_slave_status") == "ON",
        uptime: Duration::from_secs(uptime.into()),
        started: now - i64::from(uptime),
    })
}
