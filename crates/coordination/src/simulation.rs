//! Elections in a world that is made up: one store, several nodes with clocks that do not run alike, a network that delays,
//! loses and reorders, processes that stand still, watches that stay silent, an operator who deletes keys. All of it follows
//! from a seed and takes no time.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::store::state::State;
use crate::store::{
    Answer, Entry, Event, Revision, Session, SessionId, Snapshot, Store, StoreError, Transaction, Watch,
};
use crate::{Election, ElectionHandle, ElectionOptions, Key, Keyspace, LeaseClock, Token};

const SEEDS: u64 = 500;
const NODES: usize = 3;
const TTL: Duration = Duration::from_secs(1);
const CALL_LIMIT: Duration = Duration::from_millis(400);
/// After that, nothing goes wrong any more.
const FAULTS_END: Duration = Duration::from_secs(8);
const END: Duration = Duration::from_secs(12);

/// splitmix64
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// A node's own time: begins anywhere and runs up to ten percent too fast or too slow.
#[derive(Clone, Debug)]
struct NodeClock {
    start: Instant,
    offset: Duration,
    per_mille: u32,
}

impl LeaseClock for NodeClock {
    fn now(&self) -> Duration {
        self.offset + self.start.elapsed() * self.per_mille / 1000
    }
}

struct World {
    start: Instant,
    state: Mutex<State>,
    dice: Mutex<Dice>,
    /// Wakes in the order of waiting; tokio's watch channel would roll dice of its own.
    changed: Notify,
}

impl World {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn is_calm(&self) -> bool {
        self.now() > FAULTS_END
    }

    fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap())
    }

    fn delay(&self) -> Duration {
        let is_calm = self.is_calm();
        self.roll(|dice| if !is_calm && dice.one_in(12) { dice.millis(50, 1500) } else { dice.millis(1, 8) })
    }

    fn is_lost(&self) -> bool {
        !self.is_calm() && self.roll(|dice| dice.one_in(40))
    }

    /// What the store does with a call when it arrives.
    fn change<T>(&self, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let before = state.revision();
        state.expire(self.now());
        let result = change(&mut state, self.now());
        let is_changed = state.revision() != before;
        drop(state);
        if is_changed {
            self.changed.notify_waiters();
        }
        result
    }
}

/// One node's way to the store.
#[derive(Clone)]
struct Network {
    world: Arc<World>,
    cut_until: Arc<Mutex<Duration>>,
}

impl Network {
    fn is_cut(&self) -> bool {
        *self.cut_until.lock().unwrap() > self.world.now()
    }

    /// The request travels by itself: it may arrive after the caller has given up.
    fn call<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut State, Duration) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'static, T> {
        let (this, (answer, receiver)) = (self.clone(), oneshot::channel());
        tokio::spawn(async move {
            sleep(this.world.delay()).await;
            if this.world.is_lost() || this.is_cut() {
                return sleep(END).await;
            }
            let result = this.world.change(action);
            sleep(this.world.delay()).await;
            if this.world.is_lost() || this.is_cut() {
                return sleep(END).await;
            }
            drop(answer.send(result));
        });
        Box::pin(async move {
            let late = || StoreError::uncertain("calling", "no answer in time");
            timeout(CALL_LIMIT, receiver).await.map_err(|_| late())?.map_err(|_| late())?
        })
    }
}

impl Store for Network {
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>> {
        let key = key.clone();
        self.call(move |state, _| Ok(state.get(&key).cloned()))
    }

    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot> {
        let prefix = prefix.clone();
        self.call(move |state, _| Ok(state.list(&prefix)))
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        self.call(move |state, now| {
            state.check(&transaction, now)?;
            Ok(state.apply(transaction.writes))
        })
    }

    fn open_session(&self, ttl: Duration) -> Answer<'_, Session> {
        self.call(move |state, now| Ok(state.open_session(ttl, now)))
    }

    fn renew_session(&self, session: SessionId) -> Answer<'_, ()> {
        self.call(move |state, now| state.renew(session, now))
    }

    fn end_session(&self, session: SessionId) -> Answer<'_, ()> {
        self.call(move |state, _| {
            state.end_session(session);
            Ok(())
        })
    }

    fn watch(&self, prefix: &Key) -> Watch {
        let (this, prefix) = (self.clone(), prefix.clone());
        Watch::spawn(move |events| follow(this, prefix, events))
    }
}

/// Some of what happens never arrives, without anybody being told.
async fn follow(network: Network, prefix: Key, events: mpsc::Sender<Event>) {
    let mut seen = Revision(0);
    loop {
        let revision = network.world.state.lock().unwrap().revision();
        if revision == seen {
            network.world.changed.notified().await;
            continue;
        }
        seen = revision;
        sleep(network.world.delay()).await;
        if network.is_cut() || network.world.roll(|dice| dice.one_in(4)) {
            continue;
        }
        let snapshot = network.world.state.lock().unwrap().list(&prefix);
        if events.send(Event::Resync(snapshot)).await.is_err() {
            return;
        }
    }
}

/// A process that stands still for a while: nothing in it goes on, its timers included.
struct Process<F> {
    inside: Pin<Box<F>>,
    stopped_until: Rc<RefCell<Option<Pin<Box<Sleep>>>>>,
}

impl<F: Future> Future for Process<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let stopped = self.stopped_until.clone();
        let mut stopped = stopped.borrow_mut();
        if let Some(sleep) = stopped.as_mut() {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            *stopped = None;
        }
        drop(stopped);
        self.inside.as_mut().poll(cx)
    }
}

/// What must never be otherwise.
struct Referee {
    newest: Token,
    terms: usize,
}

impl Referee {
    fn look(&mut self, seed: u64, candidates: &[ElectionHandle]) -> usize {
        let leading: Vec<_> = candidates.iter().filter_map(ElectionHandle::leadership).collect();
        let tokens: Vec<_> = leading.iter().map(|leadership| leadership.token()).collect();
        assert!(tokens.len() <= 1, "seed {seed}: leaders with the tokens {tokens:?} at once");
        for token in &tokens {
            assert!(*token >= self.newest, "seed {seed}: token {token} after {}", self.newest);
            self.terms += usize::from(*token > self.newest);
            self.newest = *token;
        }
        tokens.len()
    }
}

/// One run. Gives how many terms of office there were.
async fn run(seed: u64) -> usize {
    let start = Instant::now();
    let mut dice = Dice(seed);
    let world =
        World { start, state: Mutex::default(), dice: Mutex::new(Dice(!seed)), changed: Notify::new() };
    let world = Arc::new(world);
    let keyspace = Keyspace::new("hadal").unwrap();
    let (mut candidates, mut cuts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for node in 0..NODES {
        let cut_until = Arc::new(Mutex::default());
        let network = Network { world: world.clone(), cut_until: Arc::clone(&cut_until) };
        let per_mille = 900 + u32::try_from(dice.below(201)).unwrap();
        let clock = NodeClock { start, offset: dice.millis(0, 1 << 30), per_mille };
        let options = ElectionOptions::new("main", &node.to_string(), TTL);
        let store = Arc::new(network);
        let (election, handle) = Election::with_clock(store, &keyspace, options, Arc::new(clock)).unwrap();
        let stopped_until = Rc::default();
        let inside = Box::pin(election.run(std::future::pending()));
        tokio::task::spawn_local(Process { inside, stopped_until: Rc::clone(&stopped_until) });
        candidates.push(handle);
        cuts.push(cut_until);
        stops.push(stopped_until);
    }
    let mut referee = Referee { newest: Token(0), terms: 0 };
    let leader_key = keyspace.election("main").unwrap().join("leader").unwrap();
    let mut leaders = 0;
    while start.elapsed() < END {
        sleep(Duration::from_millis(10)).await;
        leaders = referee.look(seed, &candidates);
        if world.is_calm() {
            continue;
        }
        let victim = usize::try_from(dice.below(NODES as u64)).unwrap();
        match dice.below(420) {
            0 => *cuts[victim].lock().unwrap() = world.now() + dice.millis(100, 3000),
            1 => *stops[victim].borrow_mut() = Some(Box::pin(sleep(dice.millis(100, 3000)))),
            // The store is away for everybody.
            2 => {
                let until = world.now() + dice.millis(100, 2000);
                cuts.iter().for_each(|cut| *cut.lock().unwrap() = until);
            }
            3 if seed.is_multiple_of(3) => {
                world.change(|state, _| state.apply(Transaction::new().delete(&leader_key).writes));
            }
            4 => candidates[victim].resign(dice.millis(0, 1000)),
            _ => {
                world.change(|_, _| ());
            }
        }
    }
    assert_eq!(leaders, 1, "seed {seed}: nobody leads although nothing has been wrong for long");
    referee.terms
}

fn simulate(seed: u64) -> usize {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, run(seed))
}

#[test]
fn there_is_one_leader_at_most_in_every_world() {
    let halves = [0, 1].map(|half| {
        std::thread::spawn(move || (0..SEEDS / 2).map(|seed| simulate(seed * 2 + half)).sum::<usize>())
    });
    let terms: usize = halves.into_iter().map(|half| half.join().unwrap()).sum();
    let per_world = terms as f64 / SEEDS as f64;
    assert!(per_world > 3.0, "only {per_world} terms per world: nothing has gone wrong");
}

#[test]
fn a_world_can_be_repeated() {
    assert_eq!(simulate(42), simulate(42));
}
