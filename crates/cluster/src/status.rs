//! The state of a cluster's servers as the admin API and the metrics show it.

use serde::Serialize;
use topology::Health;

use crate::rebuild::RebuildStatus;

/// One server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerStatus {
    /// `HOST:PORT`.
    pub server: String,
    pub role: &'static str,
    pub health: Health,
    pub lag_ms: Option<u64>,
    /// Everything up to here is visible there.
    pub position: String,
    pub weight: u32,
    pub ramp_percent: u8,
    pub version: String,
    pub server_id: u32,
    pub read_only: bool,
    /// Replicas that acknowledge its commits.
    pub acknowledgers: u32,
    /// Where it replicates from, one entry per connection.
    pub sources: Vec<SourceStatus>,
    /// Its data are being replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildStatus>,
    /// People work on it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
    /// How long the last look at it took.
    pub probe_us: u64,
}

/// One replication connection of a server.
#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    pub name: String,
    pub source: String,
    pub receiver: String,
    pub applier: String,
    pub error: String,
    /// What has been received, applied or not.
    pub received: String,
    pub seconds_behind: Option<u64>,
}
