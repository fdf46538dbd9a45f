//! A cluster as the API shows it.

use serde::Serialize;
use serde_json::Value;

use crate::apis::ClusterApi;

/// The answer of `/api/v1/clusters`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Clusters {
    pub(crate) clusters: Vec<ClusterStatus>,
}

/// One cluster.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ClusterStatus {
    name: String,
    /// Grows with every change of the picture.
    revision: u64,
    /// Grows with every new primary.
    epoch: u64,
    /// `HOST:PORT`; `None` while no primary is known.
    primary: Option<String>,
    /// Accounts that were read; `None` before that.
    accounts: Option<usize>,
    servers: Value,
    /// The oldest first.
    events: Value,
}

impl ClusterStatus {
    pub(crate) fn of(cluster: &dyn ClusterApi) -> Self {
        let view = cluster.view();
        Self {
            name: view.name.to_string(),
            revision: view.revision,
            epoch: view.epoch,
            primary: view.primary().map(|server| server.address.to_string()),
            accounts: view.accounts.loaded.then_some(view.accounts.list.len()),
            servers: cluster.servers(),
            events: cluster.events(),
        }
    }
}
