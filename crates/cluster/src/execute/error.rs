//! Why a step was not made.

use coordination::{CoordinationError, NotLeading};
use mysql_client::ClientError;
use thiserror::Error;

use crate::plan::Refusal;

/// See the module.
#[derive(Debug, Error)]
pub(crate) enum StepError {
    #[error("{server}: {doing}: {error}")]
    Server { server: String, doing: &'static str, error: ClientError },
    #[error("{server}: {what} within {ms} ms")]
    TooSlow { server: String, what: String, ms: u128 },
    /// Something about a server is not as the plan takes it to be.
    #[error("{server}: {why}")]
    Unexpected { server: String, why: String },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0}")]
    NotLeading(#[from] NotLeading),
    #[error("the coordination store: {0}")]
    Store(#[from] CoordinationError),
    #[error("hadal is stopping")]
    Stopping,
}

impl StepError {
    /// Whether what was to be written is there, or something else instead.
    pub(crate) fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Store(CoordinationError::Conflict(_) | CoordinationError::Store(_)))
    }

    /// Who leads now decides; this node must not touch anything any more.
    pub(crate) fn ends_our_part(&self) -> bool {
        matches!(self, Self::NotLeading(_) | Self::Stopping)
            || matches!(self, Self::Store(CoordinationError::NotLeading(_)))
    }
}
