//! The keys of an election, and what they mean. No I/O.

use serde::{Deserialize, Serialize};

use crate::store::{Entry, Expected, Session, Snapshot, StoreError, Transaction};
use crate::{Key, Keyspace};

/// Who sits on the seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// As the candidate calls itself.
    pub candidate: String,
}

/// Where the seat of one election is kept.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) prefix: Key,
    pub(super) leader: Key,
    term: Key,
    holders: Key,
}

/// What a look at the seat says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Taken(Option<Holder>),
    /// Free, as long as nobody has taken it since.
    Free {
        term: Expected,
    },
}

impl Seat {
    pub(super) fn new(keyspace: &Keyspace, name: &str) -> Result<Self, StoreError> {
        let prefix = keyspace.election(name)?;
        let (leader, term, holders) = (prefix.join("leader")?, prefix.join("term")?, prefix.join("holders")?);
        Ok(Self { prefix, leader, term, holders })
    }

    pub(super) fn look(&self, seat: &Snapshot) -> Look {
        let is_held = seat.entries.iter().any(|entry| entry.key.is_below(&self.holders));
        match seat.get(&self.leader) {
            Some(leader) => Look::Taken(holder(leader)),
            None if is_held => Look::Taken(None),
            None => Look::Free { term: expected(seat.get(&self.term)) },
        }
    }

    /// Whoever takes the seat writes the term, so of several who found it free only one succeeds, also if that one is gone
    /// again by then.
    pub(super) fn take(
        &self,
        term: Expected,
        holder: &Holder,
        session: Session,
    ) -> Result<Transaction, StoreError> {
        let value = serde_json::to_vec(holder).map_err(|error| StoreError::Invalid(error.to_string()))?;
        Ok(Transaction::new()
            .when(&self.leader, Expected::Absent)
            .when(&self.term, term)
            .put_bound(&self.leader, value.clone(), session.id)
            .put_bound(&self.holders.join(&session.id.0.to_string())?, "", session.id)
            .put(&self.term, value))
    }
}

/// What somebody else has written is nobody that we know, and still a holder.
fn holder(entry: &Entry) -> Option<Holder> {
    serde_json::from_slice(&entry.value).ok()
}

fn expected(entry: Option<&Entry>) -> Expected {
    entry.map_or(Expected::Absent, |entry| Expected::Version(entry.version))
}
