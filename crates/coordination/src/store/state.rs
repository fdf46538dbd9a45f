//! The store as a value: no disk, no tasks, no clock of its own. The embedded back end keeps one, simulations too.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::Key;
use crate::store::{
    Change, Condition, Entry, Expected, Revision, Session, SessionId, Snapshot, StoreError, Transaction,
    Write,
};

/// Changes that are remembered for those who follow. Who falls further behind gets everything anew.
const REMEMBERED_CHANGES: usize = 1024;

#[derive(Debug)]
struct OpenSession {
    ttl: Duration,
    /// On the clock of whoever keeps the state.
    ends: Duration,
}

/// Entries, sessions, and the newest changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    revision: Revision,
    entries: BTreeMap<Key, Entry>,
    sessions: BTreeMap<SessionId, OpenSession>,
    sessions_opened: u64,
    recent: VecDeque<(Revision, Change)>,
    /// The newest change that is no longer in `recent`.
    forgotten: Revision,
}

impl State {
    /// What was there before a restart.
    pub(crate) fn with(revision: Revision, entries: impl IntoIterator<Item = Entry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        Self { revision, entries, forgotten: revision, ..Self::default() }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn list(&self, prefix: &Key) -> Snapshot {
        let from = (Bound::Excluded(prefix.clone()), Bound::Unbounded);
        let near = self.entries.range(from).take_while(|(key, _)| key.as_str().starts_with(prefix.as_str()));
        let entries = near.filter(|(key, _)| key.is_below(prefix)).map(|(_, entry)| entry.clone()).collect();
        Snapshot { revision: self.revision, entries }
    }

    /// Whether the transaction may happen at `now`. Changes nothing.
    pub(crate) fn check(&self, transaction: &Transaction, now: Duration) -> Result<(), StoreError> {
        transaction.check()?;
        if transaction.session().is_some_and(|session| !self.lives(session, now)) {
            return Err(StoreError::SessionEnded);
        }
        let holds = |condition: &&Condition| {
            let version = self.entries.get(&condition.key).map(|entry| entry.version);
            match condition.expected {
                Expected::Absent => version.is_none(),
                Expected::Version(expected) => version == Some(expected),
            }
        };
        match transaction.conditions.iter().find(|condition| !holds(condition)) {
            Some(condition) => Err(StoreError::Refused { key: condition.key.clone() }),
            None => Ok(()),
        }
    }

    /// Makes the writes of a transaction that was checked.
    pub(crate) fn apply(&mut self, writes: Vec<Write>) -> Revision {
        self.revision.0 += 1;
        for write in writes {
            match write {
                Write::Put { key, value, session } => {
                    let entry = Entry { key: key.clone(), value, version: self.revision, session };
                    self.entries.insert(key, entry.clone());
                    self.remember(Change::Put(entry));
                }
                Write::Delete { key } => {
                    if self.entries.remove(&key).is_some() {
                        self.remember(Change::Deleted(key));
                    }
                }
            }
        }
        self.revision
    }

    fn remember(&mut self, change: Change) {
        self.recent.push_back((self.revision, change));
        while self.recent.len() > REMEMBERED_CHANGES {
            if let Some((revision, _)) = self.recent.pop_front() {
                self.forgotten = revision;
            }
        }
    }

    /// Everything below the prefix that changed after `after`; `None` if that is no longer known.
    pub(crate) fn changes(&self, prefix: &Key, after: Revision) -> Option<Vec<Change>> {
        if after < self.forgotten {
            return None;
        }
        let is_below = |change: &Change| match change {
            Change::Put(entry) => entry.key.is_below(prefix),
            Change::Deleted(key) => key.is_below(prefix),
        };
        let newer = self.recent.iter().filter(|(revision, change)| *revision > after && is_below(change));
        Some(newer.map(|(_, change)| change.clone()).collect())
    }

    pub(crate) fn open_session(&mut self, ttl: Duration, now: Duration) -> Session {
        self.sessions_opened += 1;
        let id = SessionId(self.sessions_opened);
        self.sessions.insert(id, OpenSession { ttl, ends: now.saturating_add(ttl) });
        Session { id, ttl }
    }

    fn lives(&self, session: SessionId, now: Duration) -> bool {
        self.sessions.get(&session).is_some_and(|session| now < session.ends)
    }

    pub(crate) fn renew(&mut self, session: SessionId, now: Duration) -> Result<(), StoreError> {
        match self.sessions.get_mut(&session) {
            Some(session) if now < session.ends => {
                session.ends = now.saturating_add(session.ttl);
                Ok(())
            }
            _ => Err(StoreError::SessionEnded),
        }
    }

    /// Ends one session and deletes its keys.
    pub(crate) fn end_session(&mut self, session: SessionId) {
        if self.sessions.remove(&session).is_none() {
            return;
        }
        let bound = self.entries.values().filter(|entry| entry.session == Some(session));
        let writes: Vec<_> = bound.map(|entry| Write::Delete { key: entry.key.clone() }).collect();
        if !writes.is_empty() {
            self.apply(writes);
        }
    }

    /// Ends all sessions whose time is over.
    pub(crate) fn expire(&mut self, now: Duration) {
        let over = self.sessions.iter().filter(|(_, session)| session.ends <= now);
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_session(id);
        }
    }

    /// When the next session is over if nobody renews it.
    pub(crate) fn next_end(&self) -> Option<Duration> {
        self.sessions.values().map(|session| session.ends).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(name: &str) -> Key {
        Key::new("p").unwrap().join(name).unwrap()
    }

    fn put(state: &mut State, name: &str) -> Revision {
        state.apply(Transaction::new().put(&key(name), name).writes)
    }

    #[test]
    fn who_falls_too_far_behind_is_told_so() {
        let prefix = Key::new("p").unwrap();
        let mut state = State::default();
        let first = put(&mut state, "a");
        let second = put(&mut state, "b");
        assert_eq!(state.changes(&prefix, first).unwrap().len(), 1);
        for _ in 0..REMEMBERED_CHANGES {
            put(&mut state, "c");
        }
        assert_eq!(state.changes(&prefix, first), None);
        assert_eq!(state.changes(&prefix, second).unwrap().len(), REMEMBERED_CHANGES);
    }

    #[test]
    fn what_was_changed_before_a_restart_is_not_known_as_a_change() {
        let state = State::with(Revision(7), []);
        assert_eq!(state.changes(&key("a"), Revision(6)), None);
        assert_eq!(state.changes(&key("a"), Revision(7)), Some(Vec::new()));
    }

    #[test]
    fn a_session_that_is_over_is_not_renewed_even_if_nobody_has_cleared_it_away() {
        let mut state = State::default();
        let session = state.open_session(SECOND, Duration::ZERO).id;
        let bound = Transaction::new().put_bound(&key("a"), "", session);
        assert_eq!(state.check(&bound, SECOND / 2), Ok(()));
        state.apply(bound.clone().writes);
        assert_eq!(state.renew(session, SECOND / 2), Ok(()));
        assert_eq!(state.renew(session, SECOND + SECOND / 2), Err(StoreError::SessionEnded));
        assert_eq!(state.check(&bound, SECOND * 2), Err(StoreError::SessionEnded));
        assert!(state.get(&key("a")).is_some());
        state.expire(SECOND * 2);
        assert_eq!(state.get(&key("a")), None);
    }
}
