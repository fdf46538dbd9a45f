//! Several writes that happen together or not at all.

use crate::Key;
use crate::store::{Revision, SessionId, StoreError};

/// Largest value in bytes. ZooKeeper refuses packets over 1 MiB and etcd requests over 1.5 MiB.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Largest sum of all values of a transaction in bytes.
const MAX_TRANSACTION_BYTES: usize = 512 * 1024;

/// Most conditions, and most writes, of one transaction. etcd's own default limit is 128.
pub const MAX_OPERATIONS: usize = 64;

/// What a key must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It does not exist.
    Absent,
    /// It was last written by exactly this change.
    Version(Revision),
}

/// What must hold for a transaction to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub key: Key,
    pub expected: Expected,
}

/// One change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the value, and anew whether the key vanishes with a session.
    Put { key: Key, value: Vec<u8>, session: Option<SessionId> },
    /// What does not exist stays so.
    Delete { key: Key },
}

impl Write {
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Conditions and writes. At most one condition and one write may name the same key, and at most one session may be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
}

impl Transaction {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, key: &Key, expected: Expected) -> Self {
        self.conditions.push(Condition { key: key.clone(), expected });
        self
    }

    /// Adds a condition that is named before all others when it does not hold.
    pub(crate) fn when_first(mut self, key: &Key, expected: Expected) -> Self {
        self.conditions.insert(0, Condition { key: key.clone(), expected });
        self
    }

    /// Sets a value that stays.
    #[must_use]
    pub fn put(mut self, key: &Key, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put { key: key.clone(), value: value.into(), session: None });
        self
    }

    /// Sets a value that vanishes with the session.
    #[must_use]
    pub fn put_bound(mut self, key: &Key, value: impl Into<Vec<u8>>, session: SessionId) -> Self {
        self.writes.push(Write::Put { key: key.clone(), value: value.into(), session: Some(session) });
        self
    }

    /// Deletes a key, if there is one.
    #[must_use]
    pub fn delete(mut self, key: &Key) -> Self {
        self.writes.push(Write::Delete { key: key.clone() });
        self
    }

    /// Refuses what not every back end could do.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let invalid = |why: &str| Err(StoreError::Invalid(why.to_owned()));
        if self.writes.is_empty() {
            return invalid("a transaction without a write");
        }
        if self.conditions.len() > MAX_OPERATIONS || self.writes.len() > MAX_OPERATIONS {
            return invalid("more than 64 conditions or writes in one transaction");
        }
        if has_duplicates(self.writes.iter().map(Write::key))
            || has_duplicates(self.conditions.iter().map(|condition| &condition.key))
        {
            return invalid("a key is named twice in one transaction");
        }
        let sizes = self.writes.iter().map(|write| match write {
            Write::Put { value, .. } => value.len(),
            Write::Delete { .. } => 0,
        });
        if sizes.clone().any(|size| size > MAX_VALUE_BYTES) || sizes.sum::<usize>() > MAX_TRANSACTION_BYTES {
            return invalid("a value of more than 256 KiB, or more than 512 KiB in one transaction");
        }
        let mut sessions = self.sessions();
        let first = sessions.next();
        if sessions.any(|session| Some(session) != first) {
            return invalid("two sessions in one transaction");
        }
        Ok(())
    }

    fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.writes.iter().filter_map(|write| match write {
            Write::Put { session, .. } => *session,
            Write::Delete { .. } => None,
        })
    }

    /// Every key that a condition or a write names, once.
    pub(crate) fn keys(&self) -> Vec<&Key> {
        let conditions = self.conditions.iter().map(|condition| &condition.key);
        let mut keys: Vec<_> = conditions.chain(self.writes.iter().map(Write::key)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The session to which keys are bound.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.sessions().next()
    }
}

fn has_duplicates<'a>(keys: impl Iterator<Item = &'a Key>) -> bool {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_back_end_could_not_do_no_back_end_is_asked_for() {
        let key = |name: &str| Key::new(name).unwrap();
        let put = |name: &str| Transaction::new().put(&key(name), "v");
        assert_eq!(put("a").put(&key("b"), "v").when(&key("a"), Expected::Absent).check(), Ok(()));
        let two_sessions =
            Transaction::new().put_bound(&key("a"), "", SessionId(1)).put_bound(&key("b"), "", SessionId(2));
        let many = (0..=MAX_OPERATIONS).fold(Transaction::new(), |t, n| t.put(&key(&n.to_string()), ""));
        for impossible in [
            Transaction::new().when(&key("a"), Expected::Absent),
            put("a").delete(&key("a")),
            put("a").when(&key("b"), Expected::Absent).when(&key("b"), Expected::Absent),
            Transaction::new().put(&key("a"), vec![0; MAX_VALUE_BYTES + 1]),
            two_sessions,
            many,
        ] {
            assert!(matches!(impossible.check(), Err(StoreError::Invalid(_))), "{impossible:?}");
        }
    }
}
