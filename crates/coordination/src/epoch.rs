//! The epoch of a database cluster: who may write to it belongs to one epoch, and the next begins with a number more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{self, CoordinationError, Versioned};
use crate::election::{Leadership, Token};
use crate::store::{Expected, Transaction};
use crate::{Keyspace, Store};

/// What the store has of a cluster's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub number: u64,
    /// Of the leader that opened it.
    pub opened_by: Token,
}

/// The epochs of all clusters.
#[derive(Clone)]
pub struct Epochs {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl Epochs {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    /// The epoch as it is; `None` if there has never been one.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(&self, cluster: &str) -> Result<Option<Versioned<Epoch>>, CoordinationError> {
        document::read(&*self.store, &self.keyspace.cluster(cluster, "epoch")?).await
    }

    /// Opens the next one, if `current` still is the present one.
    ///
    /// # Errors
    /// A conflict if somebody else has opened one. When it is uncertain, [`Epochs::current`] tells: it has happened if the
    /// number is the next one and was opened by our token.
    pub async fn open_next(
        &self,
        cluster: &str,
        current: Option<Versioned<Epoch>>,
        leadership: &Leadership,
    ) -> Result<Versioned<Epoch>, CoordinationError> {
        let key = self.keyspace.cluster(cluster, "epoch")?;
        let number = current.as_ref().map_or(0, |epoch| epoch.value.number) + 1;
        let epoch = Epoch { number, opened_by: leadership.token() };
        let expected = current.map_or(Expected::Absent, |epoch| epoch.unchanged());
        let transaction = Transaction::new().when(&key, expected).put(&key, document::encode(&key, &epoch)?);
        let version = document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(Versioned { value: epoch, version })
    }
}
