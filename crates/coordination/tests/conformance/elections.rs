//! One leader at a time, with rising tokens, whatever happens to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordination::store::Transaction;
use coordination::{
    BootClock, Election, ElectionHandle, ElectionOptions, Leadership, LeaseClock, SharedClock, Standing,
    Store,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cuttable::Cuttable;
use crate::server::{Bench, PATIENCE, TTL};

/// A candidate that runs until it is dropped.
pub(crate) struct Candidate {
    pub(crate) handle: ElectionHandle,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Candidate {
    pub(crate) fn start(bench: &Bench, name: &str, store: Arc<dyn Store>) -> Self {
        Self::with_clock(bench, name, store, Arc::new(BootClock))
    }

    pub(crate) fn with_clock(bench: &Bench, name: &str, store: Arc<dyn Store>, clock: SharedClock) -> Self {
        let options = ElectionOptions::new("main", name, TTL);
        let (election, handle) = Election::with_clock(store, &bench.keyspace, options, clock).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(election.run(async {
            let _ = stopped.await;
        }));
        Self { handle, stop: Some(stop), task }
    }

    /// Waits until it leads.
    pub(crate) async fn leads(&self) -> Leadership {
        self.leads_after(0).await
    }

    pub(crate) async fn leads_after(&self, token: u64) -> Leadership {
        let mut changes = self.handle.changes();
        let leading = async {
            loop {
                if let Some(leadership) = self.handle.leadership().filter(|now| now.token().0 > token) {
                    return leadership;
                }
                // A short sleep too, because a lease can be over before the standing says so.
                let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
            }
        };
        tokio::time::timeout(PATIENCE, leading).await.expect("it does not become the leader")
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Looks at all candidates again and again.
fn referee(handles: Vec<ElectionHandle>, done: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut newest = 0;
        loop {
            let is_last = done.load(Ordering::SeqCst);
            let leading: Vec<_> = handles.iter().filter_map(ElectionHandle::leadership).collect();
            // Looking at one after the other takes time: only who leads before and after it counts.
            let still: Vec<_> = leading.iter().filter(|leadership| leadership.is_held()).collect();
            assert!(still.len() <= 1, "several lead: {still:?}");
            if let Some(leadership) = still.first() {
                let token = leadership.token().0;
                assert!(token >= newest, "token {token} after {newest}");
                newest = token;
            }
            if is_last {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
}

pub(crate) async fn of_many_candidates_one_leads_and_tokens_rise(bench: Bench) {
    let stores: Vec<_> = (0..4).map(|_| Cuttable::new(&bench.store)).collect();
    let candidates: Vec<_> = stores
        .iter()
        .enumerate()
        .map(|(n, store)| Candidate::start(&bench, &n.to_string(), store.clone()))
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let looking = referee(candidates.iter().map(|c| c.handle.clone()).collect(), done.clone());
    let (mut leader, mut term) = leader_after(&candidates, 0).await;
    for round in 0..3 {
        if round == 1 {
            candidates[leader].handle.resign(TTL);
        } else {
            stores[leader].cut(true);
        }
        term_is_over(&term).await;
        let before = leader;
        (leader, term) = leader_after(&candidates, term.token().0).await;
        stores[before].cut(false);
    }
    done.store(true, Ordering::SeqCst);
    looking.await.unwrap();
}

/// Waits for a leader with a greater token, and gives who it is.
async fn leader_after(candidates: &[Candidate], token: u64) -> (usize, Leadership) {
    let waiting = async {
        loop {
            let leading = candidates.iter().enumerate().find_map(|(n, c)| Some((n, c.handle.leadership()?)));
            match leading {
                Some(found) if found.1.token().0 > token => return found,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("there is no new leader")
}

pub(crate) async fn a_leader_that_is_cut_off_stops_before_the_next_one_leads(bench: Bench) {
    let way = Cuttable::new(&bench.store);
    let first = Candidate::start(&bench, "first", way.clone());
    let term = first.leads().await;
    let second = Candidate::start(&bench, "second", bench.store.clone());
    until("the second sees the first", || {
        matches!(second.handle.standing(), Standing::Following { leader: Some(holder) } if holder.candidate == "first")
    })
    .await;
    way.cut(true);
    // Not at once: that the store does not answer does not mean that the leadership is lost.
    assert!(term.is_held() || term.remaining().is_zero());
    term_is_over(&term).await;
    let next = second.leads_after(term.token().0).await;
    assert!(!term.is_held() && next.token() > term.token());
    until("the first knows nothing", || matches!(first.handle.standing(), Standing::Unknown)).await;
    way.cut(false);
    until("the first follows", || matches!(first.handle.standing(), Standing::Following { .. })).await;
}

pub(crate) async fn term_is_over(term: &Leadership) {
    until("the term is over", || !term.is_held()).await;
}

pub(crate) async fn a_deleted_key_is_noticed_and_nobody_leads_too_early(bench: Bench) {
    let candidates = [
        Candidate::start(&bench, "a", bench.store.clone()),
        Candidate::start(&bench, "b", bench.store.clone()),
    ];
    let done = Arc::new(AtomicBool::new(false));
    let looking = referee(candidates.iter().map(|c| c.handle.clone()).collect(), done.clone());
    let (_, term) = leader_after(&candidates, 0).await;
    let key = bench.root.join("elections").unwrap().join("main").unwrap().join("leader").unwrap();
    assert!(bench.store.get(&key).await.unwrap().is_some());
    bench.store.commit(Transaction::new().delete(&key)).await.unwrap();
    term_is_over(&term).await;
    leader_after(&candidates, term.token().0).await;
    done.store(true, Ordering::SeqCst);
    looking.await.unwrap();
}

pub(crate) async fn a_resigned_leader_is_succeeded_at_once(bench: Bench) {
    let first = Candidate::start(&bench, "first", bench.store.clone());
    let term = first.leads().await;
    let second = Candidate::start(&bench, "second", bench.store.clone());
    first.handle.resign(PATIENCE);
    assert!(!term.is_held(), "it still leads after it has resigned");
    let next = second.leads().await;
    assert!(next.token() > term.token());
    second.stop().await;
    assert!(!next.is_held());
    let third = Candidate::start(&bench, "third", bench.store.clone());
    assert!(third.leads().await.token() > next.token());
}

/// The seat becomes free, and no watch tells: it has to be looked at.
pub(crate) async fn a_silent_watch_delays_nothing_for_long(bench: Bench) {
    let first = Candidate::start(&bench, "first", Cuttable::deaf(&bench.store));
    let term = first.leads().await;
    let second = Candidate::start(&bench, "second", Cuttable::deaf(&bench.store));
    until("the second follows", || matches!(second.handle.standing(), Standing::Following { .. })).await;
    let key = bench.root.join("elections").unwrap().join("main").unwrap().join("leader").unwrap();
    bench.store.commit(Transaction::new().delete(&key)).await.unwrap();
    term_is_over(&term).await;
    first.stop().await;
    assert!(second.leads().await.token() > term.token());
}

/// A clock that can be stopped, as that of a machine that sleeps without knowing it.
#[derive(Default)]
pub(crate) struct StoppableClock(Mutex<Option<Duration>>);

impl StoppableClock {
    pub(crate) fn stop(&self) {
        *self.0.lock().unwrap() = Some(BootClock.now());
    }

    pub(crate) fn go_on(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl LeaseClock for StoppableClock {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().unwrap_or_else(|| BootClock.now())
    }
}
