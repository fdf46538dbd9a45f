//! A made-up store for simulations: clocks that do not run alike, a network that delays, loses and reorders, processes that
//! stand still, watches that stay silent. All of it follows from a seed and takes no time. For tests only.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::store::state::State;
use crate::store::{
    Answer, Entry, Event, Revision, Session, SessionId, Snapshot, Store, StoreError, Transaction, Watch,
};
use crate::{Key, LeaseClock};

/// As long as a back end waits for an answer.
const CALL_LIMIT: Duration = Duration::from_millis(400);
/// Longer than any world lasts.
const NEVER: Duration = Duration::from_secs(3600);

/// splitmix64
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// A node's own time: begins anywhere and runs up to ten percent too fast or too slow.
#[derive(Clone, Debug)]
pub struct NodeClock {
    start: Instant,
    offset: Duration,
    per_mille: u32,
}

impl NodeClock {
    pub fn new(dice: &mut Dice) -> Self {
        let per_mille = 900 + u32::try_from(dice.below(201)).unwrap_or_default();
        Self { start: Instant::now(), offset: dice.millis(0, 1 << 30), per_mille }
    }
}

impl LeaseClock for NodeClock {
    fn now(&self) -> Duration {
        self.offset + self.start.elapsed() * self.per_mille / 1000
    }
}

/// The store and what lies between it and the nodes.
pub struct World {
    start: Instant,
    /// After that, nothing goes wrong any more.
    calm_after: Duration,
    /// It is late, or loses something, so many times more seldom.
    steadiness: u64,
    state: Mutex<State>,
    dice: Mutex<Dice>,
    /// Wakes in the order of waiting; tokio's watch channel would roll dice of its own.
    changed: Notify,
}

impl World {
    pub fn new(seed: u64, calm_after: Duration) -> Arc<Self> {
        Self::steady(seed, calm_after, 1)
    }

    /// One that answers better by this factor than the worst that there are.
    pub fn steady(seed: u64, calm_after: Duration, steadiness: u64) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            calm_after,
            steadiness,
            state: Mutex::default(),
            dice: Mutex::new(Dice(seed)),
            changed: Notify::new(),
        })
    }

    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn is_calm(&self) -> bool {
        self.now() > self.calm_after
    }

    pub fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn delay(&self) -> Duration {
        let is_calm = self.is_calm();
        self.roll(|dice| {
            if !is_calm && dice.one_in(12 * self.steadiness) {
                dice.millis(50, 1500)
            } else {
                dice.millis(1, 8)
            }
        })
    }

    pub fn is_lost(&self) -> bool {
        !self.is_calm() && self.roll(|dice| dice.one_in(40 * self.steadiness))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes for the store, too: sessions end.
    pub fn tick(&self) {
        self.change(|_, _| ());
    }

    /// What the store does with a call when it arrives.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.state();
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
pub struct Network {
    world: Arc<World>,
    cut_until: Arc<Mutex<Duration>>,
}

impl Network {
    pub fn new(world: &Arc<World>) -> Self {
        Self { world: world.clone(), cut_until: Arc::default() }
    }

    /// Nothing passes until then.
    pub fn cut(&self, until: Duration) {
        *self.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn is_cut(&self) -> bool {
        *self.cut_until.lock().unwrap_or_else(PoisonError::into_inner) > self.world.now()
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
                return sleep(NEVER).await;
            }
            let result = this.world.change(action);
            sleep(this.world.delay()).await;
            if this.world.is_lost() || this.is_cut() {
                return sleep(NEVER).await;
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
        let revision = network.world.state().revision();
        if revision == seen {
            network.world.changed.notified().await;
            continue;
        }
        seen = revision;
        sleep(network.world.delay()).await;
        if network.is_cut() || network.world.roll(|dice| dice.one_in(4)) {
            continue;
        }
        let snapshot = network.world.state().list(&prefix);
        if events.send(Event::Resync(snapshot)).await.is_err() {
            return;
        }
    }
}

/// A process that stands still for a while: nothing in it goes on, its timers included.
pub struct Process<F> {
    inside: Pin<Box<F>>,
    stopped_until: Stopped,
}

/// Until when a process stands still.
pub type Stopped = Rc<RefCell<Option<Pin<Box<Sleep>>>>>;

impl<F: Future> Process<F> {
    pub fn new(inside: F, stopped_until: &Stopped) -> Self {
        Self { inside: Box::pin(inside), stopped_until: stopped_until.clone() }
    }
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
