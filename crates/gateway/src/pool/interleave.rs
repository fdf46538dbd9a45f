//! Runs some threads so that only one of them works at a time, and lets a seeded number decide at each access to shared
//! memory who goes on. The same seed gives the same order of events, so that a race is found again.
//!
//! Only orders are tried, not what weaker memory orderings would allow.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError, TryLockError};
use std::task::{Wake, Waker};

thread_local! {
    static ACTOR: RefCell<Option<Actor>> = const { RefCell::new(None) };
}

/// A thread on the stage.
#[derive(Clone, Debug)]
struct Actor {
    stage: Arc<Stage>,
    number: usize,
}

#[derive(Debug)]
struct Stage {
    scene: std::sync::Mutex<Scene>,
    /// One for each actor: its turn has come.
    turns: Vec<Condvar>,
}

#[derive(Debug)]
struct Scene {
    random: u64,
    turn: usize,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Ready,
    /// Ready, and woken since it last looked.
    Woken,
    Asleep,
    Over,
}

/// Nobody can go on: what they wait for was lost.
const STUCK: usize = usize::MAX;

impl Scene {
    fn can_go(&self, number: usize) -> bool {
        matches!(self.parts[number], Part::Ready | Part::Woken)
    }

    fn number(&mut self, bound: usize) -> usize {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) as usize % bound
    }

    fn choose(&mut self) -> usize {
        let ready: Vec<usize> = (0..self.parts.len()).filter(|n| self.can_go(*n)).collect();
        if ready.is_empty() { STUCK } else { ready[self.number(ready.len())] }
    }
}

impl Stage {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the turn to somebody, perhaps to `number` itself, and returns when it is back.
    fn pass(&self, mut scene: MutexGuard<'_, Scene>, number: usize) {
        let all_over = scene.parts.iter().all(|part| *part == Part::Over);
        scene.turn = scene.choose();
        match scene.turn {
            STUCK if all_over => return,
            STUCK => self.turns.iter().for_each(Condvar::notify_all),
            next => self.turns[next].notify_all(),
        }
        if scene.parts[number] != Part::Over {
            self.await_turn(scene, number);
        }
    }

    fn await_turn(&self, mut scene: MutexGuard<'_, Scene>, number: usize) {
        while scene.turn != number {
            if scene.turn == STUCK {
                drop(scene);
                panic!("everybody waits and nobody will be woken");
            }
            scene = self.turns[number].wait(scene).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wake for Actor {
    fn wake(self: Arc<Self>) {
        let mut scene = self.stage.scene();
        let part = &mut scene.parts[self.number];
        if *part != Part::Over {
            *part = Part::Woken;
        }
    }
}

fn actor() -> Option<Actor> {
    // A thread that fails must not wait for the others while it cleans up.
    if std::thread::panicking() { None } else { ACTOR.with_borrow(Clone::clone) }
}

/// Perhaps somebody else goes on first.
pub(super) fn point() {
    if let Some(Actor { stage, number }) = actor() {
        let mut scene = stage.scene();
        // Mostly the same thread goes on: races need few changes, at unlucky moments.
        if scene.number(4) == 0 {
            stage.pass(scene, number);
        }
    }
}

/// Somebody else goes on, if there is anybody.
fn step_aside() {
    if let Some(Actor { stage, number }) = actor() {
        let scene = stage.scene();
        stage.pass(scene, number);
    } else {
        std::thread::yield_now();
    }
}

/// A waker for [`sleep`].
pub(super) fn waker() -> Waker {
    Waker::from(Arc::new(actor().expect("only actors wait")))
}

/// Waits until the waker was used. Panics when nobody is left who could do that.
pub(super) fn sleep() {
    let Actor { stage, number } = actor().expect("only actors wait");
    let mut scene = stage.scene();
    if scene.parts[number] == Part::Woken {
        scene.parts[number] = Part::Ready;
        return;
    }
    scene.parts[number] = Part::Asleep;
    stage.pass(scene, number);
    stage.scene().parts[number] = Part::Ready;
}

/// Runs `look` without losing the turn.
pub(super) fn at_once<T>(look: impl FnOnce() -> T) -> T {
    let actor = ACTOR.take();
    let seen = look();
    ACTOR.set(actor);
    seen
}

/// A number below `bound`, from the seed.
pub(super) fn number(bound: usize) -> usize {
    actor().map_or(0, |actor| actor.stage.scene().number(bound))
}

/// Runs `play` as each of `actors` actors to its end, in the order that `seed` gives.
pub(super) fn perform(seed: u64, actors: usize, play: impl Fn(usize) + Sync) {
    // Seeds that differ little must not give orders that do; and zero would stay zero.
    let random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let scene = Scene { random, turn: 0, parts: vec![Part::Ready; actors] };
    let turns = (0..actors).map(|_| Condvar::new()).collect();
    let stage = Arc::new(Stage { scene: std::sync::Mutex::new(scene), turns });
    std::thread::scope(|scope| {
        for number in 0..actors {
            let (stage, play) = (stage.clone(), &play);
            scope.spawn(move || {
                ACTOR.set(Some(Actor { stage: stage.clone(), number }));
                let _exit = Exit(Actor { stage: stage.clone(), number });
                stage.await_turn(stage.scene(), number);
                play(number);
            });
        }
    });
}

/// Lets the others go on when an actor is through, or has failed.
struct Exit(Actor);

impl Drop for Exit {
    fn drop(&mut self) {
        let Actor { stage, number } = &self.0;
        let mut scene = stage.scene();
        scene.parts[*number] = Part::Over;
        if scene.turn == *number {
            stage.pass(scene, *number);
        }
    }
}

/// A lock whose owner may lose the turn while it holds it.
#[derive(Debug, Default)]
pub(super) struct Mutex<T>(std::sync::Mutex<T>);

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    point();
    loop {
        match mutex.0.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => step_aside(),
        }
    }
}

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        #[derive(Debug)]
        pub(super) struct $name(std::sync::atomic::$name);

        #[allow(dead_code, reason = "each offers the same")]
        impl $name {
            pub(super) fn new(number: $number) -> Self {
                Self(std::sync::atomic::$name::new(number))
            }

            pub(super) fn load(&self, order: Ordering) -> $number {
                point();
                self.0.load(order)
            }

            pub(super) fn fetch_add(&self, number: $number, order: Ordering) -> $number {
                point();
                self.0.fetch_add(number, order)
            }

            pub(super) fn fetch_sub(&self, number: $number, order: Ordering) -> $number {
                point();
                self.0.fetch_sub(number, order)
            }

            pub(super) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                change: impl FnMut($number) -> Option<$number>,
            ) -> Result<$number, $number> {
                point();
                self.0.fetch_update(set, fetch, change)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicUsize, usize);
