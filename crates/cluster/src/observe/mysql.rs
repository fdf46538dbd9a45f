//! One look at a MySQL server.
//!
//! Source: MySQL manual, "SHOW REPLICA STATUS", "Replication and Binary Logging Options and Variables", "Semisynchronous
//! Replication"; tried with 9.7. Since 8.0.26 the plugins have names with `source` and `replica`; those with `master` and
//! `slave`, which a server may have loaded since it was an older one, say the same.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use mysql_client::{Client, ClientError, Rows};
use topology::{Address, GtidState, Position, ServerUuid};

use super::durability::Durability;
use super::heartbeat;
use super::probe::Observation;
use super::replication::{Channel, period, thread};

const FACTS: &str = "SELECT @@version AS version, @@server_id AS server_id, @@server_uuid AS server_uuid, @@hostname AS \
                     hostname, @@port AS port, @@global.read_only AS read_only, @@global.gtid_executed AS executed, \
                     @@global.gtid_purged AS purged, @@global.gtid_mode AS gtid_mode, \
                     @@global.enforce_gtid_consistency AS consistency, @@log_bin AS log_bin, @@log_replica_updates AS \
                     log_replica_updates, @@relay_log_recovery AS relay_log_recovery, @@sync_relay_log AS sync_relay_log";

const SEMI_SYNC: &str = "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'";

const STATUS: &str =
    "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Rpl\\_semi\\_sync\\_%' OR Variable_name = 'Uptime'";

pub(crate) const CHANNELS: &str = "SHOW REPLICA STATUS";

/// Signs of life of the sources, which `SHOW REPLICA STATUS` does not have.
const HEARTBEATS: &str = "SELECT s.CHANNEL_NAME AS name, s.COUNT_RECEIVED_HEARTBEATS AS received, \
                          c.HEARTBEAT_INTERVAL AS period FROM performance_schema.replication_connection_status s \
                          JOIN performance_schema.replication_connection_configuration c USING (CHANNEL_NAME)";

/// Looks at the server. `node` names the heartbeat row to read, if there is to be one.
pub(crate) async fn probe(client: &mut Client, node: Option<&str>) -> Result<Observation, ClientError> {
    let began = Instant::now();
    let facts = client.query(FACTS).await?;
    let text = |column: &str| facts.get(0, column).unwrap_or_default().to_owned();
    let position = |column: &str| -> Position { facts.parse(0, column).unwrap_or_default() };
    let executed = position("executed");
    let mut channels = channels(&client.query(CHANNELS).await?);
    hear(&mut channels, client).await?;
    let settings = Settings::read(client).await?;
    let mut observation = Observation {
        began,
        ended: began,
        version: text("version"),
        server_id: facts.parse(0, "server_id").unwrap_or(0),
        uuid: facts.parse(0, "server_uuid"),
        identity: (text("hostname"), text("port")),
        read_only: !is(&facts, "read_only", false),
        position: executed.clone(),
        written: executed.clone(),
        reached: executed,
        purged: position("purged"),
        unprepared: unprepared(&facts),
        channels,
        durability: durability(&facts, &settings),
        beat: heartbeat::read(client, node).await?,
        pending_write: None,
        replicas: Vec::new(),
    };
    observation.ended = Instant::now();
    Ok(observation)
}

fn is(facts: &Rows, column: &str, on: bool) -> bool {
    let words = if on { ["1", "ON"] } else { ["0", "OFF"] };
    facts.get(0, column).is_some_and(|value| words.contains(&value))
}

/// Without GTIDs on both sides nothing can be promised, or pointed to another source by itself.
fn unprepared(facts: &Rows) -> Option<String> {
    [("gtid_mode", "gtid_mode"), ("consistency", "enforce_gtid_consistency")]
        .into_iter()
        .find(|(column, _)| !is(facts, column, true))
        .map(|(column, name)| format!("{name} is {}", facts.get(0, column).unwrap_or("not known")))
}

/// Variables and status of semi-synchronous replication under their present names, in lower case.
struct Settings(HashMap<String, String>);

impl Settings {
    async fn read(client: &mut Client) -> Result<Self, ClientError> {
        let (variables, status) = (client.query(SEMI_SYNC).await?, client.query(STATUS).await?);
        let pairs = [&variables, &status].into_iter().flat_map(|rows| {
            (0..rows.len())
                .filter_map(|row| Some((present_name(rows.at(row, 0)?), rows.at(row, 1)?.to_owned())))
        });
        Ok(Self(pairs.collect()))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    fn number<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        self.get(name).parse().unwrap_or_default()
    }
}

fn present_name(name: &str) -> String {
    name.to_ascii_lowercase().replace("master", "source").replace("slave", "replica")
}

fn durability(facts: &Rows, settings: &Settings) -> Durability {
    Durability {
        history: GtidState::default(),
        base: Position::default(),
        logs: is(facts, "log_bin", true) && is(facts, "log_replica_updates", true),
        keeps_received: is(facts, "relay_log_recovery", false) && facts.get(0, "sync_relay_log") == Some("1"),
        can_wait: settings.0.contains_key("rpl_semi_sync_source_enabled"),
        waits: settings.get("rpl_semi_sync_source_enabled") == "ON",
        wait_for: settings.number::<u32>("rpl_semi_sync_source_wait_for_replica_count").max(1),
        timeout_ms: settings.number("rpl_semi_sync_source_timeout"),
        waiting_works: settings.get("rpl_semi_sync_source_status") == "ON",
        acknowledgers: settings.number("rpl_semi_sync_source_clients"),
        waiting: settings.number("rpl_semi_sync_source_wait_sessions"),
        acknowledges: settings.get("rpl_semi_sync_replica_status") == "ON",
        uptime: Duration::from_secs(settings.number("uptime")),
        started: 0,
    }
}

/// Reads the rows; a connection without a source (after `RESET REPLICA ALL`) is none.
pub(crate) fn channels(rows: &Rows) -> Vec<Channel> {
    (0..rows.len()).filter_map(|row| channel(rows, row)).collect()
}

fn channel(rows: &Rows, row: usize) -> Option<Channel> {
    let text = |column: &str| rows.get(row, column).unwrap_or_default().to_owned();
    let host = text("Source_Host");
    let port = rows.parse(row, "Source_Port").filter(|port| *port != 0)?;
    if host.is_empty() {
        return None;
    }
    let position = |column: &str| -> Position { rows.parse(row, column).unwrap_or_default() };
    // What is named as retrieved begins anew with every change of the source.
    let mut received = position("Executed_Gtid_Set");
    received.advance_all(&position("Retrieved_Gtid_Set"));
    Some(Channel {
        name: text("Channel_Name"),
        source: Address::new(host, port),
        source_server_id: rows.parse(row, "Source_Server_Id").unwrap_or(0),
        source_uuid: rows.parse::<ServerUuid>(row, "Source_UUID"),
        receiver: thread(rows, row, "Replica_IO_Running", "Last_IO_Errno", "Last_IO_Error"),
        applier: thread(rows, row, "Replica_SQL_Running", "Last_SQL_Errno", "Last_SQL_Error"),
        seconds_behind: rows.parse(row, "Seconds_Behind_Source"),
        received,
        read_all: text("Replica_SQL_Running_State").starts_with("Replica has read all relay log"),
        heartbeats: 0,
        heartbeat_period: None,
    })
}

/// Without the performance schema nobody knows how lively a connection is, and silence on it says nothing.
async fn hear(channels: &mut [Channel], client: &mut Client) -> Result<(), ClientError> {
    if channels.is_empty() {
        return Ok(());
    }
    let rows = match client.query(HEARTBEATS).await {
        Err(ClientError::Server(_)) => return Ok(()),
        other => other?,
    };
    for row in 0..rows.len() {
        let named = |c: &&mut Channel| rows.get(row, "name") == Some(c.name.as_str());
        if let Some(channel) = channels.iter_mut().find(named) {
            channel.heartbeats = rows.parse(row, "received").unwrap_or(0);
            channel.heartbeat_period = rows.parse(row, "period").and_then(period);
        }
    }
    Ok(())
}

/// Replicas that the server knows of, as far as they were given a `report_host`, with their `server_id`.
pub(crate) async fn replicas(client: &mut Client) -> Result<Rows, ClientError> {
    client.query("SHOW REPLICAS").await
}
