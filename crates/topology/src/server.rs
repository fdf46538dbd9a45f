//! One database server as the control plane last saw it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Address, GtidPosition};

/// Index of a server in its cluster's view. Stable for the life of the process; a removed server keeps its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerId(pub u16);

/// What a server is, as observed (never as configured).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writable and replicating from nobody in this cluster.
    Primary,
    /// Read-only and replicating.
    Replica,
    /// Neither: a second writable server, a read-only server without a source, one never reached.
    Unknown,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::Unknown => "unknown",
        }
    }
}

/// Whether reads may be sent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Health {
    Healthy,
    /// Reachable, but not to be read from: replication stopped or broken, too late, or coming back gradually.
    Degraded(String),
    /// Not reachable.
    Down(String),
}

impl Health {
    pub fn is_healthy(&self) -> bool {
        matches!(self, Health::Healthy)
    }
}

/// One server at one moment.
#[derive(Clone, Debug)]
pub struct ServerView {
    pub id: ServerId,
    pub address: Arc<Address>,
    pub role: Role,
    pub health: Health,
    /// Milliseconds behind the primary; `None` where it is not known. 0 for the primary.
    pub lag_ms: Option<u64>,
    /// `gtid_slave_pos` merged with `gtid_binlog_pos`: what a read there is certain to see.
    pub position: GtidPosition,
    /// Share of reads relative to its peers; 0 takes none.
    pub weight: u32,
    /// In per cent of `weight`, below 100 while the server returns gradually after an outage.
    pub ramp_percent: u8,
    /// `@@version`, such as `10.11.19-MariaDB-0+deb12u1`; empty before the first contact.
    pub version: Arc<str>,
    /// `@@server_id` of the database, 0 before the first contact.
    pub server_id: u32,
    /// `@@read_only`.
    pub read_only: bool,
}

impl ServerView {
    /// A replica that may serve a read now.
    pub fn takes_replica_reads(&self) -> bool {
        self.role == Role::Replica && self.health.is_healthy() && self.weight > 0
    }
}
