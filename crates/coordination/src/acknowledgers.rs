//! Which replicas a cluster's primary may wait for: the set that the proof of losslessness is about.
//!
//! A change is written here **before** it is made on the servers when it takes a replica in, and after it was made there when
//! it takes one out: so the set in the store always contains every server whose acknowledgement counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{self, CoordinationError, Versioned};
use crate::election::Leadership;
use crate::store::{Expected, Transaction};
use crate::{Keyspace, Store};

/// The enrolled servers of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgers {
    pub servers: BTreeSet<String>,
    /// How many of them have to acknowledge a commit.
    pub wait_for: u32,
}

/// The sets of all clusters.
#[derive(Clone)]
pub struct AcknowledgerSets {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl AcknowledgerSets {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    /// The set as it is; `None` if there has never been one.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(
        &self,
        cluster: &str,
    ) -> Result<Option<Versioned<Acknowledgers>>, CoordinationError> {
        document::read(&*self.store, &self.keyspace.cluster(cluster, "acknowledgers")?).await
    }

    /// Replaces the set, if `current` still is the present one.
    ///
    /// # Errors
    /// A conflict if somebody else has changed it.
    pub async fn replace(
        &self,
        cluster: &str,
        current: Option<&Versioned<Acknowledgers>>,
        next: Acknowledgers,
        leadership: &Leadership,
    ) -> Result<Versioned<Acknowledgers>, CoordinationError> {
        let key = self.keyspace.cluster(cluster, "acknowledgers")?;
        let expected = current.map_or(Expected::Absent, Versioned::unchanged);
        let transaction = Transaction::new().when(&key, expected).put(&key, document::encode(&key, &next)?);
        let version = document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(Versioned { value: next, version })
    }
}
