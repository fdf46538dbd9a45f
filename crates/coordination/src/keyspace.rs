//! Where everything lies in the store.

use crate::{Key, KeyError};

/// The keys of one installation. Two that share a store have different prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    prefix: Key,
}

impl Keyspace {
    /// # Errors
    /// An empty or overlong prefix.
    pub fn new(prefix: &str) -> Result<Self, KeyError> {
        Ok(Self { prefix: Key::new(prefix)? })
    }

    fn below(&self, path: &[&str]) -> Result<Key, KeyError> {
        path.iter().try_fold(self.prefix.clone(), |key, segment| key.join(segment))
    }

    pub(crate) fn election(&self, name: &str) -> Result<Key, KeyError> {
        self.below(&["elections", name])
    }

    pub(crate) fn nodes(&self) -> Result<Key, KeyError> {
        self.below(&["nodes"])
    }

    pub(crate) fn locks(&self) -> Result<Key, KeyError> {
        self.below(&["locks"])
    }

    pub(crate) fn cluster(&self, cluster: &str, what: &str) -> Result<Key, KeyError> {
        self.below(&["clusters", cluster, what])
    }
}
