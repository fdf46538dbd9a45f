//! One look at one server: a few cheap questions.

use std::time::{Duration, Instant};

use mysql_client::{Client, ClientError, Rows};
use topology::{Address, Position, ServerUuid};

use super::durability::{self, Durability};
use super::replication::{Channel, channels};
use super::{flavour, heartbeat, mysql};
use crate::detect::roles::Link;
use crate::detect::stall::PendingWrite;

/// What a server said.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// Before the first question was asked.
    pub(crate) began: Instant,
    /// After the last answer.
    pub(crate) ended: Instant,
    pub(crate) version: String,
    pub(crate) server_id: u32,
    /// Of a MySQL server.
    pub(crate) uuid: Option<ServerUuid>,
    /// `@@hostname` and `@@port`: with the id they tell whether two addresses lead to the same server.
    pub(crate) identity: (String, String),
    pub(crate) read_only: bool,
    /// What a read is certain to see.
    pub(crate) position: Position,
    /// `gtid_binlog_pos`, on MySQL `gtid_executed` as everywhere: on the primary, what replicas have to reach.
    pub(crate) written: Position,
    /// `gtid_current_pos`: what a replica has reached, without what others wrote to it behind replication's back.
    pub(crate) reached: Position,
    /// MySQL: what it cannot hand on any more.
    pub(crate) purged: Position,
    /// MySQL: why it could not lead.
    pub(crate) unprepared: Option<String>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) durability: Durability,
    /// The newest beat of this node that arrived there.
    pub(crate) beat: Option<u64>,
    /// A beat that this server has not finished writing; filled in by the watcher.
    pub(crate) pending_write: Option<PendingWrite>,
    /// Replicas that reported where they listen, with their `server_id`; filled in by the watcher.
    pub(crate) replicas: Vec<(Address, u32)>,
}

/// A server that hadal sees for the first time counts as started anew if that was less than this ago.
const LATELY: Duration = Duration::from_secs(60);

impl Observation {
    fn started(&self) -> Option<Instant> {
        self.ended.checked_sub(self.durability.uptime)
    }

    /// MySQL: whether something is gone that was there before, be it received only: somebody changed its source. It may have
    /// been acknowledged.
    pub(crate) fn has_less_than(&self, before: Option<&Observation>) -> bool {
        let all = |seen: &Observation| {
            let mut all = seen.reached.clone();
            seen.channels.iter().for_each(|c| all.advance_all(&c.received));
            all
        };
        self.uuid.is_some() && before.is_some_and(|before| !all(self).covers(&all(before)))
    }

    /// Whether the server was started after `before`, or lately where it was not seen before.
    pub(crate) fn has_started_since(&self, before: Option<&Observation>) -> bool {
        match before {
            Some(before) if self.durability.started == 0 => {
                // These servers count in seconds.
                self.durability.uptime < before.durability.uptime
                    || self.started() > before.started().map(|at| at + Duration::from_secs(3))
            }
            Some(before) => self.durability.started != before.durability.started,
            None => {
                self.durability.uptime < LATELY && self.channels.iter().any(|c| c.link() != Link::Connected)
            }
        }
    }
}

const FACTS: &str = "SELECT @@version AS version, @@server_id AS server_id, @@hostname AS hostname, @@port AS port, \
                     @@global.read_only AS read_only, @@global.gtid_slave_pos AS slave_pos, \
                     @@global.gtid_binlog_pos AS binlog_pos, @@global.gtid_current_pos AS current_pos";

/// Looks at the server. `node` names the heartbeat row to read, if there is to be one.
pub(crate) async fn probe(client: &mut Client, node: Option<&str>) -> Result<Observation, ClientError> {
    if flavour::is_mysql(client) {
        return mysql::probe(client, node).await;
    }
    let began = Instant::now();
    let facts = client.query(&format!("{FACTS}, {}", durability::COLUMNS)).await?;
    let position = |column: &str| -> Position {
        facts.get(0, column).and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let text = |column: &str| facts.get(0, column).unwrap_or_default().to_owned();
    let written = position("binlog_pos");
    let slave_pos = position("slave_pos");
    // Not what the binary log has: a replica writes it before the engine shows the transaction.
    let visible = slave_pos.clone();
    let mut reached = position("current_pos");
    reached.advance_all(&slave_pos);
    let mut observation = Observation {
        began,
        ended: began,
        version: text("version"),
        server_id: facts.parse(0, "server_id").unwrap_or(0),
        uuid: None,
        identity: (text("hostname"), text("port")),
        read_only: !matches!(facts.get(0, "read_only"), Some("0" | "OFF")),
        position: visible,
        written,
        reached,
        purged: Position::default(),
        unprepared: None,
        channels: channels(&client.query("SHOW ALL SLAVES STATUS").await?),
        durability: durability::read(client, &facts).await?,
        beat: heartbeat::read(client, node).await?,
        pending_write: None,
        replicas: Vec::new(),
    };
    observation.ended = Instant::now();
    Ok(observation)
}

/// Replicas that a server knows of, as far as they were given a `report_host`, with their `server_id`. The right to ask
/// is optional.
pub(crate) async fn replicas(client: &mut Client) -> Result<Vec<(Address, u32)>, ClientError> {
    let rows = match flavour::is_mysql(client) {
        true => mysql::replicas(client).await?,
        false => client.query("SHOW SLAVE HOSTS").await?,
    };
    Ok((0..rows.len()).filter_map(|row| reported(&rows, row)).collect())
}

fn reported(rows: &Rows, row: usize) -> Option<(Address, u32)> {
    let host = rows.get(row, "Host").filter(|host| !host.is_empty())?;
    let port = rows.parse(row, "Port").filter(|port| *port != 0)?;
    Some((Address::new(host, port), rows.parse(row, "Server_id")?))
}
