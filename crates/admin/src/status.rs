//! A cluster as the API shows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use topology::{ClusterView, Health, ServerView};

/// The answer of `/api/v1/clusters`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clusters {
    pub clusters: Vec<ClusterStatus>,
}

/// One cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterStatus {
    pub name: String,
    /// Grows with every change of the picture.
    pub revision: u64,
    /// Grows with every new primary.
    pub epoch: u64,
    /// `HOST:PORT`; `None` while no primary is known.
    pub primary: Option<String>,
    /// Accounts that may log in; `None` before they were read.
    pub accounts: Option<usize>,
    pub servers: Vec<ServerStatus>,
    /// The oldest first.
    pub events: Value,
}

/// One server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerStatus {
    /// `HOST:PORT`.
    pub address: String,
    /// `primary`, `replica` or `unknown`.
    pub role: String,
    /// `healthy`, `degraded` or `down`.
    pub health: String,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub lag_ms: Option<u64>,
    /// GTIDs that a read there is certain to see.
    pub position: String,
    pub weight: u32,
    /// Below 100 while it returns gradually.
    pub ramp_percent: u8,
    pub read_only: bool,
    pub version: String,
    pub server_id: u32,
}

impl ClusterStatus {
    /// The status of a view.
    pub fn of(view: &ClusterView, events: Value) -> Self {
        Self {
            name: view.name.to_string(),
            revision: view.revision,
            epoch: view.epoch,
            primary: view.primary().map(|server| server.address.to_string()),
            accounts: view.accounts.loaded.then_some(view.accounts.list.len()),
            servers: view.servers.iter().map(ServerStatus::of).collect(),
            events,
        }
    }
}

impl ServerStatus {
    fn of(server: &ServerView) -> Self {
        let (health, why) = match &server.health {
            Health::Healthy => ("healthy", None),
            Health::Degraded(why) => ("degraded", Some(why.clone())),
            Health::Down(why) => ("down", Some(why.clone())),
        };
        Self {
            address: server.address.to_string(),
            role: server.role.as_str().to_owned(),
            health: health.to_owned(),
            why,
            lag_ms: server.lag_ms,
            position: server.position.to_string(),
            weight: server.weight,
            ramp_percent: server.ramp_percent,
            read_only: server.read_only,
            version: server.version.to_string(),
            server_id: server.server_id,
        }
    }
}
