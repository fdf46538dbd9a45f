//! Why a transaction was not replayed.

use thiserror::Error;

/// Named in the client's error, in `SHOW HADAL SESSIONS` and in the metrics.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Obstacle {
    #[error(
        "it ran a statement that is not repeated, such as a call of stored code, a cursor, or one that ends a transaction"
    )]
    Statement,
    #[error("its session has state that only its connection knew")]
    SessionState,
    #[error("it wrote to a table without transactions")]
    PlainTable,
    #[error("whether it wrote to a table without transactions is not known")]
    Untold,
    #[error("one of its statements failed for a reason that may not come again")]
    Failure,
    #[error("it has more statements than gateway.replay_statements")]
    Statements,
    #[error("its statements have more bytes than gateway.replay_bytes")]
    Bytes,
    #[error("the statement that was under way may have ended it, or written to a table without transactions")]
    UnderWay,
    #[error("a statement had another result than before")]
    Differs,
    #[error("the new primary did not take it")]
    Refused,
    #[error("it took longer than gateway.replay_ms")]
    TooLong,
    #[error("it was tried gateway.replay_attempts times")]
    Attempts,
}

impl Obstacle {
    pub(crate) const ALL: [Self; 12] = [
        Self::Statement,
        Self::SessionState,
        Self::PlainTable,
        Self::Untold,
        Self::Failure,
        Self::Statements,
        Self::Bytes,
        Self::UnderWay,
        Self::Differs,
        Self::Refused,
        Self::TooLong,
        Self::Attempts,
    ];

    /// As metrics and tables name it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::SessionState => "session_state",
            Self::PlainTable => "plain_table",
            Self::Untold => "untold",
            Self::Failure => "failure",
            Self::Statements => "statements",
            Self::Bytes => "bytes",
            Self::UnderWay => "under_way",
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
            Self::Attempts => "attempts",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_is_listed_in_its_place_and_named_once() {
        for (at, obstacle) in Obstacle::ALL.iter().enumerate() {
            assert_eq!(*obstacle as usize, at);
        }
        let mut labels: Vec<_> = Obstacle::ALL.iter().map(|o| o.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Obstacle::ALL.len());
    }
}
