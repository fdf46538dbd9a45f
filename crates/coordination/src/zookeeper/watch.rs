//! Follows a prefix: a watch on the root tells that something has changed, two snapshots tell what.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Inner;
use super::connection::Connection;
use super::tree::Root;
use crate::Key;
use crate::store::{Change, Event, Snapshot};

/// Between two attempts to begin anew.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a connection is looked at while nothing fires. It pings by itself, and ends when nothing comes back.
const LOOK: Duration = Duration::from_millis(200);

/// Nobody follows any more.
struct Unwanted;

pub(super) async fn follow(inner: Arc<Inner>, prefix: Key, events: mpsc::Sender<Event>) {
    while follow_once(&inner, &prefix, &events).await.is_ok() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// As long as one connection lasts, because watches are lost with it.
async fn follow_once(inner: &Inner, prefix: &Key, events: &mpsc::Sender<Event>) -> Result<(), Unwanted> {
    let Ok(connection) = inner.limited(&inner.plain, "watching ZooKeeper", inner.plain.connection()).await
    else {
        return Ok(());
    };
    let mut fired = connection.fired();
    let mut last: Option<(Snapshot, Root)> = None;
    loop {
        fired.mark_unchanged();
        let reading = inner.tree.snapshot(&connection, prefix, true);
        let Ok(now) = inner.limited(&inner.plain, "watching ZooKeeper", reading).await else { return Ok(()) };
        let event = match &last {
            Some(before) => news(before, &now),
            None => Some(Event::Resync(now.0.clone())),
        };
        if let Some(event) = event {
            events.send(event).await.map_err(|_| Unwanted)?;
        }
        last = Some(now);
        if !fires(&connection, &mut fired).await {
            return Ok(());
        }
    }
}

/// Whether a watch fired before the connection ended.
async fn fires(connection: &Connection, fired: &mut tokio::sync::watch::Receiver<u64>) -> bool {
    loop {
        match tokio::time::timeout(LOOK, fired.changed()).await {
            Ok(changed) => return changed.is_ok(),
            Err(_) if connection.has_ended() => return false,
            Err(_) => {}
        }
    }
}

/// What has changed between two snapshots, if the root's counters prove that nothing has happened in between that they do
/// not show; otherwise everything.
fn news((before, old): &(Snapshot, Root), (now, new): &(Snapshot, Root)) -> Option<Event> {
    let changes = difference(before, now);
    let transactions = new.stat.version.wrapping_sub(old.stat.version);
    let made_and_deleted = new.stat.children_version.wrapping_sub(old.stat.children_version);
    let seen = symmetric_difference(&old.names, &new.names);
    if transactions > 1 || usize::try_from(made_and_deleted) != Ok(seen) {
        return Some(Event::Resync(now.clone()));
    }
    (!changes.is_empty()).then_some(Event::Changed { revision: now.revision, changes })
}

fn difference(before: &Snapshot, now: &Snapshot) -> Vec<Change> {
    let gone = before.entries.iter().filter(|entry| now.get(&entry.key).is_none());
    let gone = gone.map(|entry| Change::Deleted(entry.key.clone()));
    let put = now.entries.iter().filter(|entry| before.get(&entry.key) != Some(entry));
    gone.chain(put.map(|entry| Change::Put(entry.clone()))).collect()
}

/// How many names are in only one of two ordered lists.
fn symmetric_difference(a: &[String], b: &[String]) -> usize {
    let only =
        |of: &[String], other: &[String]| of.iter().filter(|name| other.binary_search(name).is_err()).count();
    only(a, b) + only(b, a)
}

#[cfg(test)]
mod tests {
    use super::super::jute::Stat;
    use super::*;
    use crate::store::{Entry, Revision};

    fn state(version: i32, children_version: i32, keys: &[(&str, u64)]) -> (Snapshot, Root) {
        let key = |name: &str| Key::new("p").unwrap().join(name).unwrap();
        let entry = |(name, version): &(&str, u64)| Entry {
            key: key(name),
            value: Vec::new(),
            version: Revision(*version),
            session: None,
        };
        let stat = Stat { modified: 0, version, children_version, owner: 0, children_changed: 0 };
        let names = keys.iter().map(|(name, _)| format!("p:{name}")).collect();
        let snapshot = Snapshot { revision: Revision(0), entries: keys.iter().map(entry).collect() };
        (snapshot, Root { stat, names })
    }

    #[test]
    fn what_cannot_be_proved_to_be_everything_is_a_resync() {
        let before = state(5, 10, &[("a", 1), ("b", 2)]);
        let changed = |now: &_| matches!(news(&before, now), Some(Event::Changed { .. }));
        let resync = |now: &_| matches!(news(&before, now), Some(Event::Resync(_)));
        assert!(changed(&state(6, 11, &[("a", 1), ("b", 2), ("c", 9)])), "one made");
        assert!(changed(&state(6, 10, &[("a", 1), ("b", 9)])), "one written");
        assert!(changed(&state(5, 11, &[("a", 1)])), "one expired");
        assert!(resync(&state(7, 10, &[("a", 1), ("b", 9)])), "b may have been written twice");
        assert!(resync(&state(6, 12, &[("a", 1), ("b", 9)])), "b was deleted and made anew");
        assert!(resync(&state(6, 12, &[("a", 1), ("b", 2)])), "something was made and expired");
        assert_eq!(news(&before, &before), None);
    }
}
