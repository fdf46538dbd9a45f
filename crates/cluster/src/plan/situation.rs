//! A cluster as a plan is made for it: everything that counts, and nothing that changes by being looked at.

use serde::{Deserialize, Serialize};
use topology::{GtidPosition, GtidState};

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

/// How a server replicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// `HOST:PORT`, as the rest of the situation calls it where it is a member.
    pub source: String,
    /// The receiving thread has a connection.
    pub connected: bool,
    pub applier: Applier,
    /// In the relay log, applied or not.
    #[serde(default)]
    pub received: GtidPosition,
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
    /// hadal reaches it now. What follows was last known where it does not.
    pub up: bool,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub version: String,
    /// It has a binary log and writes there what it replicates.
    #[serde(default)]
    pub logs: bool,
    /// What it has applied and written: `gtid_current_pos`.
    #[serde(default)]
    pub position: GtidPosition,
    /// `gtid_binlog_state`.
    #[serde(default)]
    pub history: GtidState,
    /// `gtid_slave_pos`: with an empty binary log, what a backup brought.
    #[serde(default)]
    pub base: GtidPosition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    #[serde(default)]
    pub promotion: Promotion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// People work on it.
    #[serde(default)]
    pub maintenance: bool,
}

impl Member {
    /// One of which nothing is known.
    pub fn unknown() -> Self {
        Self {
            server: String::new(),
            id: 0,
            up: false,
            read_only: true,
            version: String::new(),
            logs: false,
            position: GtidPosition::default(),
            history: GtidState::default(),
            base: GtidPosition::default(),
            replication: None,
            promotion: Promotion::default(),
            zone: None,
            maintenance: false,
        }
    }

    /// Everything that is on its disk: applied, or received and not yet applied.
    pub fn has(&self) -> GtidPosition {
        let mut has = self.position.clone();
        if let Some(replication) = &self.replication {
            has.advance_all(&replication.received);
        }
        has
    }

    /// Everything that it has can be applied there.
    pub fn applies(&self) -> bool {
        self.replication.as_ref().is_none_or(|r| !matches!(r.applier, Applier::Broken(_)))
    }

    /// What it has received is applied.
    pub fn is_drained(&self) -> bool {
        self.replication.as_ref().is_none_or(|r| self.position.covers(&r.received))
    }

    pub fn follows(&self, server: &str) -> bool {
        self.replication.as_ref().is_some_and(|r| r.source == server)
    }

    /// Major and minor number of the version, for order; zeros where it is not known.
    pub fn release(&self) -> (u32, u32) {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
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

    /// Reachable servers other than the primary that replicate from it, or did.
    pub fn replicas(&self) -> impl Iterator<Item = &Member> {
        let primary = self.primary.as_deref();
        self.members
            .iter()
            .filter(move |m| m.up && Some(m.server.as_str()) != primary && m.replication.is_some())
    }
}
