//! Locks of applications.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coordination::{LockError, Locks};

use crate::server::{Bench, PATIENCE};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(400);
const NOW: Duration = Duration::ZERO;

fn locks(bench: &Bench) -> Arc<Locks> {
    Arc::new(Locks::new(bench.store.clone(), &bench.keyspace).unwrap())
}

pub(crate) async fn a_lock_has_one_holder_and_rising_tokens(bench: Bench) {
    let (here, there) = (locks(&bench), locks(&bench));
    let first = here.acquire("jobs/nightly", "a", LONG, NOW).await.unwrap();
    match there.acquire("jobs/nightly", "b", LONG, NOW).await {
        Err(LockError::Held { owner, .. }) => assert_eq!(owner, "a"),
        other => panic!("had twice: {other:?}"),
    }
    assert!(there.acquire("other", "b", LONG, NOW).await.is_ok());
    let token = first.token;
    let renewed = here.renew(first.clone()).await.unwrap();
    assert_eq!(renewed.token, token);
    assert!(there.validate("jobs/nightly", token).await.unwrap());
    // The grant as it was before the renewal is no longer good for anything.
    assert!(matches!(here.release(first).await, Err(LockError::Lost(_))));

    let waiting = there.clone();
    let next = tokio::spawn(async move { waiting.acquire("jobs/nightly", "b", LONG, PATIENCE).await });
    here.release(renewed.clone()).await.unwrap();
    let next = next.await.unwrap().unwrap();
    assert!(next.token > token);
    assert!(!here.validate("jobs/nightly", token).await.unwrap());
    assert!(here.validate("jobs/nightly", next.token).await.unwrap());
    assert!(matches!(here.renew(renewed).await, Err(LockError::Lost(_))));
    assert!(next.remaining() > NOW);
}

pub(crate) async fn a_lock_that_is_not_renewed_lapses(bench: Bench) {
    let (here, there) = (locks(&bench), locks(&bench));
    let asked = Instant::now();
    let first = here.acquire("l", "a", SHORT, NOW).await.unwrap();
    let next = there.acquire("l", "b", LONG, PATIENCE).await.unwrap();
    assert!(asked.elapsed() >= SHORT, "taken after {:?}", asked.elapsed());
    assert!(next.token > first.token && first.remaining().is_zero());
    assert!(matches!(here.renew(first.clone()).await, Err(LockError::Lost(_))));
    assert!(matches!(here.release(first).await, Err(LockError::Lost(_))));
    assert!(there.validate("l", next.token).await.unwrap());
}

pub(crate) async fn a_lock_whose_holder_is_long_gone_is_free_at_once(bench: Bench) {
    let (here, there) = (locks(&bench), locks(&bench));
    let observer = there.clone();
    let observing = tokio::spawn(async move { observer.observe(std::future::pending()).await });
    let gone = here.acquire("l", "a", SHORT, NOW).await.unwrap();
    let begin = Instant::now();
    // Nobody has asked for it all the time, and it is had without waiting as soon as it has lapsed.
    let next = loop {
        match there.acquire("l", "b", LONG, NOW).await {
            Ok(next) => break next,
            Err(LockError::Held { .. }) => tokio::time::sleep(SHORT / 8).await,
            Err(error) => panic!("{error}"),
        }
        assert!(begin.elapsed() < PATIENCE);
    };
    assert!(next.token > gone.token);
    observing.abort();
}
