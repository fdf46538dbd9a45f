//! Servers that are being made anew from another one's data, and how far that is.
//!
//! A record is written **before** what it speaks of is done, and cleared after the server is a replica with everything: so a
//! server whose data may be half of something is always found here, by whoever leads then.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{self, CoordinationError, Versioned};
use crate::election::Leadership;
use crate::store::{Expected, Transaction};
use crate::{Keyspace, Store};

/// What has become of the server's own data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuildPhase {
    /// They are as they were; the copy grows beside them.
    #[default]
    Copying,
    /// The copy takes their place, or has.
    Swapped,
}

/// One server's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    pub phase: RebuildPhase,
    /// Tells the copies of different attempts apart.
    pub id: u64,
    /// `HOST:PORT` of the server whose data are copied.
    pub donor: String,
    /// Where the data lie on the server's host.
    pub data_dir: String,
    /// The donor's binary log state before the copy began.
    pub history: String,
    /// Up to here the copy has everything; empty before it is whole.
    pub position: String,
    /// How often it was begun.
    pub attempts: u32,
    /// Why it ended; nobody goes on with it by itself.
    #[serde(default)]
    pub failed: Option<String>,
}

/// The records of all clusters.
#[derive(Clone)]
pub struct Rebuilds {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl Rebuilds {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    /// Servers with their records.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, cluster: &str) -> Result<Vec<(String, Versioned<Rebuild>)>, CoordinationError> {
        let records = self.store.list(&self.keyspace.cluster(cluster, "rebuilds")?).await?;
        document::decode_all(&records)
    }

    /// Writes a record in place of `present`.
    ///
    /// # Errors
    /// A conflict if somebody else has changed it.
    pub async fn put(
        &self,
        cluster: &str,
        server: &str,
        present: Option<&Versioned<Rebuild>>,
        next: Rebuild,
        leadership: &Leadership,
    ) -> Result<Versioned<Rebuild>, CoordinationError> {
        let key = self.keyspace.cluster(cluster, "rebuilds")?.join(server)?;
        let expected = present.map_or(Expected::Absent, Versioned::unchanged);
        let transaction = Transaction::new().when(&key, expected).put(&key, document::encode(&key, &next)?);
        let version = document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(Versioned { value: next, version })
    }

    /// Takes a record away: the server is whole.
    ///
    /// # Errors
    /// The store's, or somebody else leads.
    pub async fn clear(
        &self,
        cluster: &str,
        server: &str,
        leadership: &Leadership,
    ) -> Result<(), CoordinationError> {
        let key = self.keyspace.cluster(cluster, "rebuilds")?.join(server)?;
        document::commit_as_leader(&*self.store, leadership, Transaction::new().delete(&key)).await?;
        Ok(())
    }
}
