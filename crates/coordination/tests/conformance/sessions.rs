//! Keys that live as long as somebody does.

use std::time::{Duration, Instant};

use coordination::store::{Session, Transaction};
use coordination::{Key, Store, StoreError};

use crate::server::{Bench, PATIENCE, TTL};

/// Waits until the key is gone, and gives when that was seen.
async fn gone(store: &dyn Store, key: &Key) -> Instant {
    let begin = Instant::now();
    while store.get(key).await.unwrap().is_some() {
        assert!(begin.elapsed() < PATIENCE, "{key} does not vanish");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Instant::now()
}

async fn bound(bench: &Bench, name: &str, session: Session) -> Key {
    let key = bench.root.join(name).unwrap();
    bench.store.commit(Transaction::new().put_bound(&key, "", session.id)).await.unwrap();
    key
}

pub(crate) async fn a_key_lives_as_long_as_its_session_is_renewed_and_not_longer(bench: Bench) {
    // On a machine that stands still for longer than the session lasts, nothing can be said about it.
    for _ in 0..10 {
        let opened = Instant::now();
        let session = bench.store.open_session(TTL * 2).await.unwrap();
        let key = bench.root.join("key").unwrap();
        let put = bench.store.commit(Transaction::new().put_bound(&key, "", session.id)).await;
        let (mut last, mut is_late) = (opened, put.is_err());
        while opened.elapsed() < session.ttl * 2 && !is_late {
            tokio::time::sleep(session.ttl / 8).await;
            let asked = Instant::now();
            let renewed = bench.store.renew_session(session.id).await;
            is_late = last.elapsed() >= session.ttl;
            assert!(is_late || renewed.is_ok(), "ended early: {renewed:?}");
            last = asked;
        }
        if is_late {
            drop(bench.store.end_session(session.id).await);
            continue;
        }
        assert!(bench.store.get(&key).await.unwrap().is_some() || last.elapsed() >= session.ttl);
        let vanished = gone(&*bench.store, &key).await;
        assert!(vanished - last >= session.ttl, "gone {:?} after a renewal", vanished - last);
        assert_eq!(bench.store.renew_session(session.id).await, Err(StoreError::SessionEnded));
        return;
    }
    panic!("the machine is too slow for this test");
}

pub(crate) async fn an_ended_session_takes_all_its_keys_at_once(bench: Bench) {
    let session = bench.store.open_session(PATIENCE).await.unwrap();
    let other = bench.store.open_session(PATIENCE).await.unwrap();
    for name in ["a", "b", "c"] {
        bound(&bench, name, session).await;
    }
    let stays = bound(&bench, "other", other).await;
    assert_eq!(bench.store.get(&stays).await.unwrap().unwrap().session, Some(other.id));
    bench.store.end_session(session.id).await.unwrap();
    let left = bench.store.list(&bench.root).await.unwrap().entries;
    assert_eq!(left.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), [stays]);
    bench.store.end_session(session.id).await.unwrap();
    bench.store.end_session(other.id).await.unwrap();
}

pub(crate) async fn nothing_can_be_bound_to_a_session_that_is_over(bench: Bench) {
    let session = bench.store.open_session(TTL).await.unwrap();
    let key = bound(&bench, "a", session).await;
    gone(&*bench.store, &key).await;
    let late = bench.store.commit(Transaction::new().put_bound(&key, "", session.id)).await;
    assert_eq!(late, Err(StoreError::SessionEnded));
    assert_eq!(bench.store.get(&key).await.unwrap(), None);
}

pub(crate) async fn a_key_that_is_written_without_the_session_stays(bench: Bench) {
    let session = bench.store.open_session(PATIENCE).await.unwrap();
    let (stays, goes) = (bound(&bench, "stays", session).await, bench.root.join("goes").unwrap());
    let version = bench.store.commit(Transaction::new().put(&stays, "mine").put(&goes, "")).await.unwrap();
    bound(&bench, "goes", session).await;
    bench.store.end_session(session.id).await.unwrap();
    let left = bench.store.list(&bench.root).await.unwrap().entries;
    assert_eq!(left.len(), 1);
    assert_eq!((&left[0].key, left[0].version, left[0].session), (&stays, version, None));
}
