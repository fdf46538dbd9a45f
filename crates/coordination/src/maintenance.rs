//! Servers that people work on, and that nothing must be decided about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{self, CoordinationError};
use crate::store::Transaction;
use crate::{Keyspace, Store};

/// Why a server is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Milliseconds since 1970, for people; nothing is decided by it.
    pub since_ms: u64,
}

/// The flags of all clusters. Any node may set them, leader or not: they come from people.
#[derive(Clone)]
pub struct MaintenanceFlags {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl MaintenanceFlags {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    /// Sets a flag; the last one wins.
    ///
    /// # Errors
    /// The store's.
    pub async fn set(
        &self,
        cluster: &str,
        server: &str,
        flag: &Maintenance,
    ) -> Result<(), CoordinationError> {
        let key = self.keyspace.cluster(cluster, "maintenance")?.join(server)?;
        self.store.commit(Transaction::new().put(&key, document::encode(&key, flag)?)).await?;
        Ok(())
    }

    /// Takes a flag away, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn clear(&self, cluster: &str, server: &str) -> Result<(), CoordinationError> {
        let key = self.keyspace.cluster(cluster, "maintenance")?.join(server)?;
        self.store.commit(Transaction::new().delete(&key)).await?;
        Ok(())
    }

    /// Servers with their flags.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, cluster: &str) -> Result<Vec<(String, Maintenance)>, CoordinationError> {
        let flags = self.store.list(&self.keyspace.cluster(cluster, "maintenance")?).await?;
        Ok(document::decode_all(&flags)?.into_iter().map(|(server, flag)| (server, flag.value)).collect())
    }
}
