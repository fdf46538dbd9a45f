//! Why the store did not do what it was asked: certainly not, or nobody knows.

use thiserror::Error;

use crate::{Key, KeyError};

/// Everything but [`StoreError::Uncertain`] says for certain that nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A condition did not hold.
    #[error("{key} has changed meanwhile")]
    Refused { key: Key },
    /// There is no such session, or not any more; its keys are gone.
    #[error("the session has ended")]
    SessionEnded,
    /// Larger than any back end has to take, or contradictory in itself.
    #[error("not possible: {0}")]
    Invalid(String),
    /// The store takes no writes now: its disk is full or broken, or it does not let this account write.
    #[error("the store takes no writes: {0}")]
    Unavailable(String),
    /// There was no answer. A write may have happened, may happen later, or never. A read is just unknown.
    #[error("{attempting}: no answer from the store: {why}")]
    Uncertain { attempting: &'static str, why: String },
}

impl StoreError {
    pub(crate) fn uncertain(attempting: &'static str, why: &(impl ToString + ?Sized)) -> Self {
        Self::Uncertain { attempting, why: why.to_string() }
    }

    /// Whether the write may have happened nevertheless.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Uncertain { .. })
    }
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Bounds the time of one call; what is not answered by then is uncertain.
pub(crate) async fn limited<T>(
    limit: std::time::Duration,
    attempting: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || StoreError::uncertain(attempting, &format_args!("{} ms have passed", limit.as_millis()));
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}
