//! Clusters that take no writes for a while, because people say so.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{self, CoordinationError};
use crate::store::Transaction;
use crate::{Keyspace, Store};

/// Why a cluster takes no writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOnly {
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Milliseconds since 1970, for people; nothing is decided by it.
    pub since_ms: u64,
}

/// The mode of all clusters. Any node may set it, leader or not: it comes from people.
#[derive(Clone)]
pub struct ReadOnlyModes {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl ReadOnlyModes {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    /// Turns it on, or gives another reason; the last one wins.
    ///
    /// # Errors
    /// The store's.
    pub async fn set(&self, cluster: &str, mode: &ReadOnly) -> Result<(), CoordinationError> {
        let key = self.keyspace.cluster(cluster, "read-only")?;
        self.store.commit(Transaction::new().put(&key, document::encode(&key, mode)?)).await?;
        Ok(())
    }

    /// Turns it off, if it is on.
    ///
    /// # Errors
    /// The store's.
    pub async fn clear(&self, cluster: &str) -> Result<(), CoordinationError> {
        let key = self.keyspace.cluster(cluster, "read-only")?;
        self.store.commit(Transaction::new().delete(&key)).await?;
        Ok(())
    }

    /// The present mode; `None` where writes are taken.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(&self, cluster: &str) -> Result<Option<ReadOnly>, CoordinationError> {
        let key = self.keyspace.cluster(cluster, "read-only")?;
        Ok(document::read(&*self.store, &key).await?.map(|found| found.value))
    }
}
