//! Values of the store as JSON documents, read with their version and written under conditions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::election::{Leadership, NotLeading};
use crate::store::{Entry, Expected, Revision, Snapshot, Store, StoreError, Transaction};
use crate::{Key, KeyError};

/// Why something that was to be agreed on was not.
#[derive(Clone, Debug, Error)]
pub enum CoordinationError {
    /// Nothing was changed, because only the leader may.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// Nothing was changed, because it is not as the caller has last read it.
    #[error("{0} has changed meanwhile")]
    Conflict(Key),
    /// What is there was written by something else, or by a later version.
    #[error("{key} cannot be understood: {why}")]
    Malformed { key: Key, why: String },
    /// The store's own answer; [`StoreError::Uncertain`] means that it may have happened.
    #[error(transparent)]
    Store(StoreError),
}

impl CoordinationError {
    /// Whether it may have happened nevertheless.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_uncertain())
    }
}

impl From<StoreError> for CoordinationError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused { key } => Self::Conflict(key),
            error => Self::Store(error),
        }
    }
}

impl From<KeyError> for CoordinationError {
    fn from(error: KeyError) -> Self {
        Self::Store(error.into())
    }
}

/// A document as it was read or written, for changing it later on the condition that nobody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: Revision,
}

impl<T> Versioned<T> {
    pub(crate) fn unchanged(&self) -> Expected {
        Expected::Version(self.version)
    }
}

pub(crate) fn encode(key: &Key, value: &impl Serialize) -> Result<Vec<u8>, CoordinationError> {
    serde_json::to_vec(value)
        .map_err(|error| CoordinationError::Malformed { key: key.clone(), why: error.to_string() })
}

pub(crate) fn decode<T: DeserializeOwned>(entry: &Entry) -> Result<Versioned<T>, CoordinationError> {
    let value = serde_json::from_slice(&entry.value)
        .map_err(|error| CoordinationError::Malformed { key: entry.key.clone(), why: error.to_string() })?;
    Ok(Versioned { value, version: entry.version })
}

pub(crate) async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    key: &Key,
) -> Result<Option<Versioned<T>>, CoordinationError> {
    store.get(key).await?.as_ref().map(decode).transpose()
}

/// The documents of a folder by name.
pub(crate) fn decode_all<T: DeserializeOwned>(
    snapshot: &Snapshot,
) -> Result<Vec<(String, Versioned<T>)>, CoordinationError> {
    snapshot.entries.iter().map(|entry| Ok((entry.key.name(), decode(entry)?))).collect()
}

/// A change that only the present leader can make.
pub(crate) async fn commit_as_leader(
    store: &dyn Store,
    leadership: &Leadership,
    transaction: Transaction,
) -> Result<Revision, CoordinationError> {
    let committed = store.commit(leadership.guard(transaction)?).await;
    committed.map_err(|error| leadership.explain(&error).map_or_else(|| error.into(), Into::into))
}
