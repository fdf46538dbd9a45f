//! The proof of being the leader, for those who act as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Key;
use crate::lease::Lease;
use crate::store::{Expected, Revision, StoreError, Transaction};

/// Greater than that of every leader before, of whatever node. Whoever is given a smaller one than it has seen must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The leadership was somebody else's, or nobody's, when it was needed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotLeading {
    /// By our own clock; the store was not asked.
    #[error("the lease of the leadership is over")]
    LeaseOver,
    /// By the store.
    #[error("the fencing token {0} is stale: somebody else has led since, or leads")]
    Stale(Token),
}

/// One term of office. Clones are the same term: when it is over, it is over for all of them, and for good.
#[derive(Clone, Debug)]
pub struct Leadership {
    token: Token,
    leader: Key,
    lease: Lease,
}

impl Leadership {
    pub(super) fn new(taken: Revision, leader: Key, lease: Lease) -> Self {
        Self { token: Token(taken.0), leader, lease }
    }

    /// To be passed to whatever is changed in the leader's name.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Whether it is ours at this moment. To be asked before every step.
    pub fn is_held(&self) -> bool {
        self.lease.is_held()
    }

    /// How long it is ours without another renewal.
    pub fn remaining(&self) -> Duration {
        self.lease.remaining()
    }

    /// Returns when it is over by our own clock. Cancel-safe.
    pub async fn over(&self) {
        self.lease.over().await;
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn give_up(&self) {
        self.lease.give_up();
    }

    /// Makes a transaction one that only the present leader can make, and refuses at once if that is certainly not us.
    ///
    /// # Errors
    /// Our own clock says that the lease is over.
    pub fn guard(&self, transaction: Transaction) -> Result<Transaction, NotLeading> {
        if !self.is_held() {
            return Err(NotLeading::LeaseOver);
        }
        Ok(transaction.when_first(&self.leader, Expected::Version(Revision(self.token.0))))
    }

    /// Tells a stale token from another condition that did not hold.
    pub(crate) fn explain(&self, error: &StoreError) -> Option<NotLeading> {
        let stale = matches!(error, StoreError::Refused { key } if *key == self.leader);
        stale.then_some(NotLeading::Stale(self.token))
    }
}
