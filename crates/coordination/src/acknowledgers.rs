//! Which replicas a cluster's primary may wait for: the set that the proof of losslessness is about.
//!
//! A change is written here **before** it is made on the servers when it takes a replica in, and after it was made there when
//! it takes one out: so the set in the store always contains every server whose acknowledgement counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cluster_documents::{ClusterDocument, ClusterDocuments};

/// The enrolled servers of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgers {
    pub servers: BTreeSet<String>,
    /// How many of them have to acknowledge a commit.
    pub wait_for: u32,
    /// When each of them was started that was level with the primary since, in seconds of its own clock: one that was not
    /// started again has kept what it acknowledged. 0: one whose relay log is known to be incomplete.
    #[serde(default)]
    pub started: BTreeMap<String, i64>,
}

impl ClusterDocument for Acknowledgers {
    const NAME: &'static str = "acknowledgers";
}

/// The sets of all clusters.
pub type AcknowledgerSets = ClusterDocuments<Acknowledgers>;
