//! A cluster as a plan is made for it: everything that counts, and nothing that changes by being looked at.

use serde::{Deserialize, Serialize};
use topology::{GtidState, Position, ServerUuid};

use super::proof::Acknowledgers;

/// Whether a server should become the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// Rather than others that are as complete.
    Prefer,
    #[default]
    Neutral,
    /// Only where there is nobody else.
    PreferNot,
    /// Never.
    MustNot,
}

/// The thread that applies what a replica has received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Applier {
    #[default]
    Running,
    /// Somebody stopped it; it can be started.
    Stopped,
    /// It stopped with an error, and starting it would stop again.
    Broken(String),
}

/// Whether a server's data are being replaced by a copy of another one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rebuilding {
    #[default]
    No,
    /// The copy grows beside its data, which are as they were.
    Copying,
    /// Its data are the copy, which lacks what was written since.
    Swapped,
}

/// How a server replicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// `HOST:PORT`, as the rest of the situation calls it where it is a member.
    pub source: String,
    /// `@@server_id` of the source as the replica knows it; 0 where it does not.
    #[serde(default)]
    pub source_id: u32,
    /// MySQL: its `@@server_uuid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uuid: Option<ServerUuid>,
    /// The receiving thread has a connection.
    pub connected: bool,
    /// The receiving thread is stopped, not merely without a connection.
    #[serde(default)]
    pub halted: bool,
    pub applier: Applier,
    /// Why the source cannot give what the replica lacks: its binary logs do not go back that far, or are of another history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severed: Option<String>,
    /// In the relay log, applied or not.
    #[serde(default)]
    pub received: Position,
    /// It acknowledges commits to its source.
    #[serde(default)]
    pub acknowledges: bool,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `HOST:PORT`.
    pub server: String,
    /// `@@server_id`; 0 where it is not known.
    pub id: u32,
    /// `@@server_uuid`, which a MySQL server has, and where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<ServerUuid>,
    /// hadal reaches it now. What follows was last known where it does not.
    pub up: bool,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub version: String,
    /// It has a binary log and writes there what it replicates.
    #[serde(default)]
    pub logs: bool,
    /// What it has applied and written: `gtid_current_pos`; on MySQL `gtid_executed`, which is its history as well.
    #[serde(default)]
    pub position: Position,
    /// `gtid_binlog_state`; empty on MySQL.
    #[serde(default)]
    pub history: GtidState,
    /// `gtid_slave_pos`: with an empty binary log, what a backup brought. Empty on MySQL.
    #[serde(default)]
    pub base: Position,
    /// What it has and cannot hand on any more: `gtid_purged`. Not known on MariaDB.
    #[serde(default)]
    pub purged: Position,
    /// Why it could not lead as it is set up, in words that go on after "it cannot lead:".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprepared: Option<String>,
    /// How many acknowledgements its commits wait for, where they wait; always 1 on MariaDB.
    #[serde(default = "one")]
    pub wait_for: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    #[serde(default)]
    pub promotion: Promotion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// People work on it.
    #[serde(default)]
    pub maintenance: bool,
    /// It was started anew, and has not been level with the primary since: what it had received and not applied is gone
    /// (MDEV-4698), although it may have been acknowledged.
    #[serde(default)]
    pub restarted: bool,
    #[serde(default)]
    pub rebuilding: Rebuilding,
}

impl Member {
    /// One of which nothing is known.
    pub fn unknown() -> Self {
        Self {
            server: String::new(),
            id: 0,
            uuid: None,
            up: false,
            read_only: true,
            version: String::new(),
            logs: false,
            position: Position::default(),
            history: GtidState::default(),
            base: Position::default(),
            purged: Position::default(),
            unprepared: None,
            wait_for: 1,
            replication: None,
            promotion: Promotion::default(),
            zone: None,
            maintenance: false,
            restarted: false,
            rebuilding: Rebuilding::No,
        }
    }

    /// Everything that is on its disk: applied, or received and not yet applied.
    pub fn has(&self) -> Position {
        let mut has = self.position.clone();
        if let Some(replication) = &self.replication {
            has.advance_all(&replication.received);
        }
        has
    }

    /// Everything that it has can be applied there.
    pub fn applies(&self) -> bool {
        let broken = |r: &Replication| matches!(r.applier, Applier::Broken(_));
        !self.replication.as_ref().is_some_and(broken) && !self.is_trapped()
    }

    /// What it has received is applied.
    pub fn is_drained(&self) -> bool {
        self.replication.as_ref().is_none_or(|r| self.position.covers(&r.received))
    }

    /// Its relay log holds more, and would be thrown away by starting a thread: a server that finds both stopped begins
    /// with an empty one, also for `START SLAVE SQL_THREAD` alone (tried with 10.11). MySQL keeps it (tried with 9.7).
    pub fn is_trapped(&self) -> bool {
        let stopped = |r: &Replication| r.halted && r.applier != Applier::Running;
        self.uuid.is_none() && self.replication.as_ref().is_some_and(stopped) && !self.is_drained()
    }

    /// It may have lost what it had received and not applied. After a start nobody knows what the relay log holds: then
    /// the position received is empty for as long as no thread was started. On MySQL it is empty also where nothing has come
    /// since the source was changed, and says nothing.
    pub fn is_forgetful(&self) -> bool {
        let blank =
            |r: &Replication| self.uuid.is_none() && r.received.is_empty() && !self.position.is_empty();
        self.restarted || self.replication.as_ref().is_some_and(blank)
    }

    /// Transactions that it has received and not applied.
    pub fn backlog(&self) -> u64 {
        let received = |r: &Replication| distance(&self.position, &r.received);
        self.replication.as_ref().map_or(0, received)
    }

    pub fn follows(&self, server: &str) -> bool {
        self.replication.as_ref().is_some_and(|r| r.source == server)
    }

    /// The other one has dropped binary logs with what this one lacks, so it cannot fetch that there.
    pub fn is_behind_logs_of(&self, other: &Member) -> bool {
        !self.has().covers(&other.purged)
    }

    /// Major and minor number of the version, for order; zeros where it is not known.
    pub fn release(&self) -> (u32, u32) {
        let version = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let number = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        let mut parts = version.split('.').map(number);
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// Runs an older release than the other one, as far as both are known.
    pub fn is_older_than(&self, other: &Member) -> bool {
        self.release() != (0, 0) && self.release() < other.release()
    }
}

fn one() -> u32 {
    1
}

/// How many transactions lie between two positions, over all domains or servers.
pub fn distance(from: &Position, to: &Position) -> u64 {
    from.distance(to)
}

/// A cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    pub cluster: String,
    #[serde(default)]
    pub epoch: u64,
    /// The present primary, or the last one.
    #[serde(default)]
    pub primary: Option<String>,
    pub members: Vec<Member>,
    /// Whose acknowledgement counted; `None` where that was never recorded.
    #[serde(default)]
    pub acknowledgers: Option<Acknowledgers>,
    /// The primary once stopped waiting for acknowledgements, and commits since may be nowhere else.
    #[serde(default)]
    pub fell_back: bool,
}

impl Situation {
    pub fn member(&self, server: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.server == server)
    }

    /// The primary as it was last seen.
    pub fn primary(&self) -> Option<&Member> {
        self.primary.as_deref().and_then(|server| self.member(server))
    }

    /// Reachable servers other than the primary that replicate from it, be it through others, or did.
    pub fn replicas(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.up && self.is_replica(m))
    }

    /// It replicates within this cluster, whether or not it is reachable.
    pub fn is_replica(&self, member: &Member) -> bool {
        self.primary.as_deref() != Some(member.server.as_str())
            && member.replication.is_some()
            && self.stranger(member).is_none()
    }

    /// The servers between a replica and the primary, or the last one that is known; and whether the chain leads out of
    /// this cluster, or in a circle: then the source outside, or the member's own.
    fn chain<'a>(&'a self, member: &'a Member) -> (Vec<&'a Member>, Option<&'a str>) {
        let (mut between, mut at) = (Vec::new(), member);
        while let Some(replication) = &at.replication {
            let source = replication.source.as_str();
            if self.primary.as_deref() == Some(source) {
                break;
            }
            match self.member(source) {
                Some(next) if next.server != member.server && between.len() < self.members.len() => {
                    between.push(next);
                    at = next;
                }
                Some(_) => return (between, member.replication.as_ref().map(|r| r.source.as_str())),
                None => return (between, Some(source)),
            }
        }
        (between, None)
    }

    /// The servers through which a replica gets what the primary writes.
    pub fn between<'a>(&'a self, member: &'a Member) -> Vec<&'a Member> {
        self.chain(member).0
    }

    /// The source outside of this cluster, or in a circle, from which a server replicates in the end.
    pub fn stranger<'a>(&'a self, member: &'a Member) -> Option<&'a str> {
        self.chain(member).1
    }
}
