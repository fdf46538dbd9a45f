//! Which events a cluster's primary runs by its own clock. Replicas do not know: there all of them look switched off.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cluster_documents::{ClusterDocument, ClusterDocuments};

/// The events of one cluster, as they were last seen on its primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The primary that runs them.
    pub of: String,
    /// When it was started, in seconds since 1970 by the clock of hadal's machine, give or take a few.
    pub started: u64,
    /// Whether its scheduler is on.
    pub scheduler: bool,
    /// Those that are switched on: database and name.
    pub events: BTreeSet<(String, String)>,
}

impl ClusterDocument for Schedule {
    const NAME: &'static str = "schedule";
}

/// The schedules of all clusters.
pub type Schedules = ClusterDocuments<Schedule>;
