//! What every back end gives: a small versioned store of keys, with conditions, sessions and watches.

pub(crate) mod error;
pub(crate) mod state;
mod transaction;
mod watch;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::StoreError;
pub use transaction::{Condition, Expected, MAX_OPERATIONS, MAX_VALUE_BYTES, Transaction, Write};
pub use watch::{Change, Event, Watch};

use crate::Key;

/// The answer to a call; see [`StoreError`] for the ways in which it can be none.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The number of a change. Every transaction that writes gets one, greater than all before it, on whichever node it was
/// made and also after restarts. etcd: the revision; ZooKeeper: the zxid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// Names a session at the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A session as the store granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// The store keeps the session at least this long after it began to handle the last renewal. A back end may grant
    /// more or less than was asked for.
    pub ttl: Duration,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub value: Vec<u8>,
    /// The change that wrote it last. Never used twice, also not after the key was deleted and made anew.
    pub version: Revision,
    /// With the end of which the key vanishes.
    pub session: Option<SessionId>,
}

/// All entries below a prefix at one moment, ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Of the store, not of the newest entry: nothing below the prefix has changed between the two.
    pub revision: Revision,
    pub entries: Vec<Entry>,
}

impl Snapshot {
    /// The entry of that key.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == *key)
    }
}

/// A versioned store of keys.
///
/// Reads are linearizable: they show everything that was acknowledged to anybody before they began. Every call ends within
/// the time limit that the back end was opened with; when that passes, the answer is [`StoreError::Uncertain`]. Dropping a
/// future that was polled has the same meaning: its write may or may not happen.
pub trait Store: Send + Sync + 'static {
    /// One entry.
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>>;

    /// Everything below a prefix, as it was at one moment.
    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot>;

    /// Makes all writes, if all conditions hold, and otherwise none. Returns once that is durable.
    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision>;

    /// A session that ends when it is not renewed for `ttl`.
    fn open_session(&self, ttl: Duration) -> Answer<'_, Session>;

    /// Makes the session last its whole ttl again, counted from some moment after this call began. Also proves that it
    /// existed at that moment; [`StoreError::SessionEnded`] proves that it does not any more.
    fn renew_session(&self, session: SessionId) -> Answer<'_, ()>;

    /// Ends a session; its keys vanish with it, in one change. One that has ended already is a success.
    fn end_session(&self, session: SessionId) -> Answer<'_, ()>;

    /// Follows everything below a prefix, from now on. The first event is a [`Event::Resync`] with what there is. Must be
    /// called inside a tokio runtime.
    fn watch(&self, prefix: &Key) -> Watch;
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
