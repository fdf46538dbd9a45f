//! One document per cluster that only the leader writes, and only over what it has read.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::{self, CoordinationError, Versioned};
use crate::election::Leadership;
use crate::store::{Expected, Transaction};
use crate::{Keyspace, Store};

/// What is kept once for every cluster.
pub trait ClusterDocument: Serialize + DeserializeOwned {
    /// The last part of its key.
    const NAME: &'static str;
}

/// The documents of one kind of all clusters.
pub struct ClusterDocuments<T> {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for ClusterDocuments<T> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), keyspace: self.keyspace.clone(), kind: PhantomData }
    }
}

impl<T: ClusterDocument> ClusterDocuments<T> {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace, kind: PhantomData }
    }

    /// The document as it is; `None` if there has never been one.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(&self, cluster: &str) -> Result<Option<Versioned<T>>, CoordinationError> {
        document::read(&*self.store, &self.keyspace.cluster(cluster, T::NAME)?).await
    }

    /// Replaces the document, if `current` still is the present one.
    ///
    /// # Errors
    /// A conflict if somebody else has changed it.
    pub async fn replace(
        &self,
        cluster: &str,
        current: Option<&Versioned<T>>,
        next: T,
        leadership: &Leadership,
    ) -> Result<Versioned<T>, CoordinationError> {
        let key = self.keyspace.cluster(cluster, T::NAME)?;
        let expected = current.map_or(Expected::Absent, Versioned::unchanged);
        let transaction = Transaction::new().when(&key, expected).put(&key, document::encode(&key, &next)?);
        let version = document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(Versioned { value: next, version })
    }
}
