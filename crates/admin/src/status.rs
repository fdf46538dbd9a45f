//! A cluster as the API shows it.

use serde::Serialize;
use serde_json::Value;
use topology::Writes;

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
    /// Whether what needs the primary is sent there: `open`, `held`, `refused`.
    writes: &'static str,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    writes_why: Option<String>,
    /// A primary that is gone is replaced without anybody's word.
    heals: bool,
    /// Why people want no writes (`hadal read-only`); `None` where they do.
    read_only: Option<String>,
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
            writes: word(&view.writes),
            writes_why: why(&view.writes),
            heals: view.heals,
            read_only: view.read_only.as_ref().map(ToString::to_string),
            accounts: view.accounts.loaded.then_some(view.accounts.list.len()),
            servers: cluster.servers(),
            events: cluster.events(),
        }
    }
}

fn word(writes: &Writes) -> &'static str {
    match writes {
        Writes::Open => "open",
        Writes::Held { .. } => "held",
        Writes::Refused { .. } => "refused",
    }
}

fn why(writes: &Writes) -> Option<String> {
    match writes {
        Writes::Open => None,
        Writes::Held { why, .. } | Writes::Refused { why } => Some(why.to_string()),
    }
}
