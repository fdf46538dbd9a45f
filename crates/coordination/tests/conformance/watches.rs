//! What those who follow see.

use std::collections::BTreeMap;
use std::time::Duration;

use coordination::Key;
use coordination::store::{Change, Event, Revision, Transaction};

use crate::server::{Bench, PATIENCE, TTL};

/// What a follower knows from its events alone.
#[derive(Default)]
struct Follower {
    known: BTreeMap<Key, (Vec<u8>, Revision)>,
    revision: Revision,
}

impl Follower {
    fn take(&mut self, event: Event) {
        match event {
            Event::Resync(snapshot) => {
                self.revision = snapshot.revision;
                let known =
                    snapshot.entries.into_iter().map(|entry| (entry.key, (entry.value, entry.version)));
                self.known = known.collect();
            }
            Event::Changed { revision, changes } => {
                assert!(revision > self.revision, "{revision} after {}", self.revision);
                self.revision = revision;
                changes.into_iter().for_each(|change| self.apply(change));
            }
        }
    }

    /// Every write adds one to its key's value, so a change that was left out would show.
    fn apply(&mut self, change: Change) {
        let number = |value: &[u8]| String::from_utf8_lossy(value).parse::<u64>().unwrap();
        match change {
            Change::Put(entry) => {
                let before = self.known.get(&entry.key).map_or(0, |(value, _)| number(value));
                assert_eq!(number(&entry.value), before + 1, "{} was changed unseen", entry.key);
                self.known.insert(entry.key, (entry.value, entry.version));
            }
            Change::Deleted(key) => {
                assert!(self.known.remove(&key).is_some(), "{key} came and went unseen");
            }
        }
    }
}

pub(crate) async fn every_change_is_seen_or_a_gap_is_reported(bench: Bench) {
    let mut watch = bench.store.watch(&bench.root);
    let mut follower = Follower::default();
    let first = watch.next().await;
    assert!(matches!(first, Event::Resync(_)), "{first:?}");
    follower.take(first);
    let writer = bench.clone();
    let written = tokio::spawn(async move {
        let key = |n: u32| writer.root.join(&(n % 3).to_string()).unwrap();
        let mut values = [0_u64; 3];
        for n in 0..60 {
            let value = &mut values[(n % 3) as usize];
            let transaction = if n % 7 == 6 {
                *value = 0;
                Transaction::new().delete(&key(n))
            } else {
                *value += 1;
                Transaction::new().put(&key(n), value.to_string())
            };
            writer.store.commit(transaction).await.unwrap();
            if n % 10 == 0 {
                // Room to be followed change by change, and not only in one leap.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        writer.store.list(&writer.root).await.unwrap()
    });
    let expected = written.await.unwrap();
    let expected: BTreeMap<_, _> =
        expected.entries.into_iter().map(|entry| (entry.key, (entry.value, entry.version))).collect();
    let following = async {
        while follower.known != expected {
            follower.take(watch.next().await);
        }
    };
    tokio::time::timeout(PATIENCE, following).await.expect("what was written last is not seen");
}

pub(crate) async fn a_key_that_expires_is_a_change(bench: Bench) {
    let key = bench.root.join("1").unwrap();
    let mut watch = bench.store.watch(&bench.root);
    let mut follower = Follower::default();
    follower.take(watch.next().await);
    let session = bench.store.open_session(TTL).await.unwrap();
    bench.store.commit(Transaction::new().put_bound(&key, "1", session.id)).await.unwrap();
    let following = async {
        while !follower.known.contains_key(&key) {
            follower.take(watch.next().await);
        }
        while follower.known.contains_key(&key) {
            follower.take(watch.next().await);
        }
    };
    tokio::time::timeout(PATIENCE, following).await.expect("nobody was told that the key is gone");
}
