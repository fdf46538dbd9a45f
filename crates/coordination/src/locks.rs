//! Named locks for applications and jobs, each with a fencing token.
//!
//! A lock is a document that its holder renews. It is bound to no session: the holder is no node of hadal but somebody who
//! calls one, now this one and then another. It lapses when a node has watched it stay unchanged for its whole time to live
//! by the node's own monotonic clock; no clocks are compared. So a lock may outlive its time, never the other way round.
//!
//! **Pass the token to whatever the lock protects**, and let that refuse a smaller one than it has seen: a holder that was
//! paused does not know that its time is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::SharedClock;
use crate::document::{self, CoordinationError, Versioned};
use crate::election::Token;
use crate::lease::Lease;
use crate::store::{Change, Event, Expected, Revision, StoreError, Transaction};
use crate::{BootClock, Key, Keyspace, Store};

/// Longest time to live.
const MAX_TTL: Duration = Duration::from_secs(24 * 3600);

/// A lock that was held longer than its time is taken this much later, for clocks that do not run alike.
const DRIFT: u32 = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    owner: String,
    ttl_ms: u64,
    /// `None` as long as it was not renewed: then it is the version of the record itself.
    token: Option<Token>,
}

impl Record {
    fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms).min(MAX_TTL)
    }
}

/// A lock that was had.
#[derive(Clone, Debug)]
pub struct Grant {
    pub name: String,
    pub owner: String,
    pub token: Token,
    ttl: Duration,
    version: Revision,
    lease: Lease,
}

impl Grant {
    /// How long it is ours without a renewal, by the clock of the node that gave it.
    pub fn remaining(&self) -> Duration {
        self.lease.remaining()
    }
}

/// Why a lock was not had or kept.
#[derive(Clone, Debug, Error)]
pub enum LockError {
    /// And was not free within the time that the caller was ready to wait.
    #[error("the lock {name} is held by {owner}")]
    Held { name: String, owner: String },
    /// Its time was over and it was taken, or it was released.
    #[error("the lock {0} is not held with this token any more")]
    Lost(String),
    #[error(transparent)]
    Coordination(#[from] CoordinationError),
}

impl From<StoreError> for LockError {
    fn from(error: StoreError) -> Self {
        Self::Coordination(error.into())
    }
}

/// Gives locks. One per process, so that all its callers profit from what one has seen.
pub struct Locks {
    store: Arc<dyn Store>,
    prefix: Key,
    clock: SharedClock,
    /// Since when each lock is as it is.
    seen: Mutex<BTreeMap<Key, (Revision, Duration)>>,
}

impl Locks {
    /// # Errors
    /// A prefix that is too long.
    pub fn new(store: Arc<dyn Store>, keyspace: &Keyspace) -> Result<Self, CoordinationError> {
        Ok(Self { store, prefix: keyspace.locks()?, clock: Arc::new(BootClock), seen: Mutex::default() })
    }

    /// Watches all locks until `shutdown` resolves, so that one whose holder is long gone is free at once. Without it,
    /// whoever wants such a lock waits for its time to live once.
    pub async fn observe(&self, shutdown: impl Future<Output = ()>) {
        let mut watch = self.store.watch(&self.prefix);
        let follow = async {
            loop {
                self.take_in(watch.next().await);
            }
        };
        tokio::select! {
            biased;
            () = shutdown => {}
            never = follow => never,
        }
    }

    fn take_in(&self, event: Event) {
        match event {
            Event::Resync(snapshot) => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.retain(|key, _| snapshot.get(key).is_some());
                drop(seen);
                for entry in snapshot.entries {
                    self.since(&entry.key, entry.version);
                }
            }
            Event::Changed { changes, .. } => changes.into_iter().for_each(|change| match change {
                Change::Put(entry) => drop(self.since(&entry.key, entry.version)),
                Change::Deleted(key) => self.forget(&key),
            }),
        }
    }

    fn forget(&self, key: &Key) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Since when the lock has been seen at this version, at most until now. Older news than we have change nothing.
    fn since(&self, key: &Key, version: Revision) -> Duration {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.entry(key.clone()).or_insert((version, now));
        if known.0 < version {
            *known = (version, now);
        }
        if known.0 == version { known.1 } else { now }
    }

    /// Takes a lock, waiting for it at most `wait`.
    ///
    /// # Errors
    /// It is held. When the answer is uncertain, it may have been taken, and is free again after `ttl`.
    pub async fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Grant, LockError> {
        let key = self.prefix.join(name).map_err(CoordinationError::from)?;
        let give_up = self.clock.now().saturating_add(wait);
        let mut watch = self.store.watch(&self.prefix);
        loop {
            let asked = self.clock.now();
            let held = document::read::<Record>(&*self.store, &key).await?;
            let free_at = held.as_ref().map_or(Duration::ZERO, |held| self.lapses(&key, held));
            if free_at <= asked {
                let expected = held.as_ref().map_or(Expected::Absent, Versioned::unchanged);
                match self.take(&key, name, owner, ttl, expected).await {
                    Err(LockError::Coordination(CoordinationError::Conflict(_))) => continue,
                    done => return done,
                }
            }
            if asked >= give_up {
                let owner = held.map(|held| held.value.owner).unwrap_or_default();
                return Err(LockError::Held { name: name.to_owned(), owner });
            }
            let patience = free_at.min(give_up).saturating_sub(asked);
            tokio::select! {
                biased;
                _event = watch.next() => {}
                () = tokio::time::sleep(patience) => {}
            }
        }
    }

    fn lapses(&self, key: &Key, held: &Versioned<Record>) -> Duration {
        let ttl = held.value.ttl();
        self.since(key, held.version).saturating_add(ttl).saturating_add(ttl / DRIFT)
    }

    async fn take(
        &self,
        key: &Key,
        name: &str,
        owner: &str,
        ttl: Duration,
        expected: Expected,
    ) -> Result<Grant, LockError> {
        let ttl = ttl.min(MAX_TTL);
        let asked = self.clock.now();
        let record = Record { owner: owner.to_owned(), ttl_ms: millis(ttl), token: None };
        let transaction = Transaction::new().when(key, expected).put(key, document::encode(key, &record)?);
        let version = self.store.commit(transaction).await?;
        let lease = Lease::new(self.clock.clone(), asked.saturating_add(ttl));
        let token = Token(version.0);
        Ok(Grant { name: name.to_owned(), owner: owner.to_owned(), token, ttl, version, lease })
    }

    /// Makes it last its whole time again.
    ///
    /// # Errors
    /// It is lost.
    pub async fn renew(&self, grant: Grant) -> Result<Grant, LockError> {
        let key = self.prefix.join(&grant.name).map_err(CoordinationError::from)?;
        let asked = self.clock.now();
        let record =
            Record { owner: grant.owner.clone(), ttl_ms: millis(grant.ttl), token: Some(grant.token) };
        let transaction = Transaction::new()
            .when(&key, Expected::Version(grant.version))
            .put(&key, document::encode(&key, &record)?);
        let version = self.store.commit(transaction).await.map_err(|error| lost(&grant, error))?;
        let lease = Lease::new(self.clock.clone(), asked.saturating_add(grant.ttl));
        Ok(Grant { version, lease, ..grant })
    }

    /// Gives it back.
    ///
    /// # Errors
    /// It is lost already.
    pub async fn release(&self, grant: Grant) -> Result<(), LockError> {
        let key = self.prefix.join(&grant.name).map_err(CoordinationError::from)?;
        let transaction = Transaction::new().when(&key, Expected::Version(grant.version)).delete(&key);
        self.store.commit(transaction).await.map_err(|error| lost(&grant, error))?;
        Ok(())
    }

    /// Whether nobody else has taken the lock since it was given with this token. Linearizable: what a resource does that
    /// cannot compare tokens itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn validate(&self, name: &str, token: Token) -> Result<bool, CoordinationError> {
        let key = self.prefix.join(name)?;
        let held = document::read::<Record>(&*self.store, &key).await?;
        Ok(held.is_some_and(|held| held.value.token.unwrap_or(Token(held.version.0)) == token))
    }
}

fn lost(grant: &Grant, error: StoreError) -> LockError {
    match error {
        StoreError::Refused { .. } => LockError::Lost(grant.name.clone()),
        error => error.into(),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
