//! All client sessions of this process: found by id for `KILL`, listed for `SHOW HADAL SESSIONS`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use atomic_waker::AtomicWaker;
use topology::ServerId;

use self::ids::Ids;
use crate::place::{ClusterIndex, Place};
use crate::session::Pins;

mod ids;

pub(crate) use ids::FIRST_ID;

/// Things that others ask of a session. It looks at them whenever it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Signal {
    /// `KILL CONNECTION`.
    Kill = 1,
    /// Give back the connection that is held only for its diagnostics.
    Release = 2,
    /// `wait_timeout`, or the login's deadline, has passed.
    Timeout = 4,
    /// The gateway stops: end as soon as nothing is under way.
    Drain = 8,
}

/// What others see of a session.
#[derive(Debug)]
pub(crate) struct SessionShared {
    /// The thread id that the client was told.
    pub(crate) id: u32,
    pub(crate) client: SocketAddr,
    signals: AtomicU8,
    waker: AtomicWaker,
    /// The server connection in use, packed; 0 is none.
    backend: AtomicU64,
    /// Kills under way against `backend`: a connection that is let go meanwhile must not serve anybody else.
    kills: AtomicU32,
    /// hadal has passed on a kill since the present statement began.
    killed_on_server: AtomicBool,
    pub(crate) pins: AtomicU32,
    pub(crate) busy: AtomicBool,
    /// Holds a connection that it can give back.
    pub(crate) leasing: AtomicBool,
    /// What the leased connection knows cannot be asked for: it is given back only if somebody needs it.
    pub(crate) precious: AtomicBool,
    interrupted: AtomicBool,
    epoch_over: AtomicBool,
    /// See `session::replay::described`.
    pub(crate) replay: AtomicU8,
    pub(crate) stalled_ms: AtomicU64,
    /// Milliseconds since the gateway's start at which the last command began or ended.
    pub(crate) active_ms: AtomicU64,
    /// The client's own `wait_timeout`; during login the login's. 0 is none.
    pub(crate) timeout_ms: AtomicU64,
    pub(crate) statements: AtomicU64,
    labels: Mutex<Labels>,
}

/// Words that change seldom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) user: Arc<str>,
    pub(crate) cluster: Arc<str>,
    pub(crate) database: Arc<str>,
}

impl SessionShared {
    pub(crate) fn raise(&self, signal: Signal) {
        self.signals.fetch_or(signal as u8, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Takes the most urgent signal, or registers `waker` to be told of the next.
    pub(crate) fn poll_signal(&self, waker: &Waker) -> Option<Signal> {
        if self.signals.load(Ordering::Acquire) == 0 {
            self.waker.register(waker);
            if self.signals.load(Ordering::SeqCst) == 0 {
                return None;
            }
        }
        self.take_signal()
    }

    fn take_signal(&self) -> Option<Signal> {
        for signal in [Signal::Kill, Signal::Timeout, Signal::Release, Signal::Drain] {
            let bit = signal as u8;
            if self.signals.fetch_and(!bit, Ordering::SeqCst) & bit != 0 {
                return Some(signal);
            }
        }
        None
    }

    /// Whether what is under way must stop: killed, or a peer that has stalled for too long. Registers `waker` for the
    /// moment when it must.
    pub(crate) fn must_stop(&self, waker: &Waker) -> bool {
        const STOP: u8 = Signal::Kill as u8 | Signal::Timeout as u8;
        self.waker.register(waker);
        self.signals.load(Ordering::SeqCst) & STOP != 0
    }

    /// Whether the session has been asked to end as soon as nothing is under way.
    pub(crate) fn is_draining(&self) -> bool {
        self.signals.load(Ordering::SeqCst) & Signal::Drain as u8 != 0
    }

    /// Another epoch has begun: what waits for an answer of the former primary waits no longer.
    pub(crate) fn interrupt_for_epoch(&self) {
        self.epoch_over.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether another epoch has begun since [`Self::begin_epoch`]. Registers `waker` for the moment when it does.
    pub(crate) fn is_epoch_over(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.epoch_over.load(Ordering::SeqCst)
    }

    /// The same, where the waker is registered already.
    pub(crate) fn has_epoch_ended(&self) -> bool {
        self.epoch_over.load(Ordering::Relaxed)
    }

    /// From now on the present epoch counts.
    pub(crate) fn begin_epoch(&self) {
        if self.epoch_over.load(Ordering::Relaxed) {
            self.epoch_over.store(false, Ordering::SeqCst);
        }
    }

    /// `KILL QUERY` of a command that waits for a connection.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub(crate) fn clear_interrupt(&self) {
        if self.is_interrupted() {
            self.interrupted.store(false, Ordering::SeqCst);
        }
    }

    /// Notes since when a peer has not taken, or not given, what the session waits for; 0 is not at all.
    pub(crate) fn set_stalled(&self, since_ms: u64) {
        if self.stalled_ms.load(Ordering::Relaxed) != since_ms {
            self.stalled_ms.store(since_ms, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & Signal::Kill as u8 != 0
    }

    /// Asks for a leased connection; false where there is none.
    pub(crate) fn ask_to_release(&self) -> bool {
        let leasing = self.leasing.load(Ordering::SeqCst);
        if leasing {
            self.raise(Signal::Release);
        }
        leasing
    }

    pub(crate) fn set_backend(&self, backend: Option<(Place, u32)>) {
        let packed = backend.map_or(0, |(place, thread)| {
            1 << 63
                | u64::from(place.cluster.0 & 0x7fff) << 48
                | u64::from(place.server.0) << 32
                | u64::from(thread)
        });
        self.backend.store(packed, Ordering::SeqCst);
    }

    /// The server connection that the session uses now.
    pub(crate) fn backend(&self) -> Option<(Place, u32)> {
        let packed = self.backend.load(Ordering::SeqCst);
        (packed != 0).then(|| {
            let cluster = ClusterIndex((packed >> 48) as u16 & 0x7fff);
            (Place { cluster, server: ServerId((packed >> 32) as u16) }, packed as u32)
        })
    }

    /// Runs while a kill is on its way to the server: until the guard is dropped, the session closes the connections
    /// that it lets go. Whoever looks second, session or killer, sees the other.
    pub(crate) fn guard_kill(&self) -> KillGuard<'_> {
        self.kills.fetch_add(1, Ordering::SeqCst);
        self.killed_on_server.store(true, Ordering::SeqCst);
        KillGuard(self)
    }

    /// Whether somebody meant the present statement to end: nobody must bring it back.
    pub(crate) fn was_killed_on_server(&self) -> bool {
        self.killed_on_server.load(Ordering::SeqCst)
    }

    /// Before the next statement.
    pub(crate) fn forget_kills(&self) {
        if self.was_killed_on_server() && !self.is_under_fire() {
            self.killed_on_server.store(false, Ordering::SeqCst);
        }
    }

    /// Whether a connection that was just let go may be the target of a kill.
    pub(crate) fn is_under_fire(&self) -> bool {
        self.kills.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn labels(&self) -> Labels {
        lock(&self.labels).clone()
    }

    pub(crate) fn set_labels(&self, change: impl FnOnce(&mut Labels)) {
        change(&mut lock(&self.labels));
    }

    pub(crate) fn pins(&self) -> Pins {
        Pins::from_bits(self.pins.load(Ordering::Relaxed))
    }
}

/// See [`SessionShared::guard_kill`].
pub(crate) struct KillGuard<'a>(&'a SessionShared);

impl Drop for KillGuard<'_> {
    fn drop(&mut self) {
        self.0.kills.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    ids: Ids,
    sessions: Mutex<HashMap<u32, Arc<SessionShared>>>,
}

impl Registry {
    /// The sessions of the node of this name.
    pub(crate) fn of_node(name: &str) -> Self {
        Self { ids: Ids::of_node(name), sessions: Mutex::default() }
    }

    /// A new session, unless there are `max` already.
    pub(crate) fn admit(&self, client: SocketAddr, max: usize) -> Option<Arc<SessionShared>> {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= max.min(ids::MOST) {
            return None;
        }
        let id = self.free_id(&sessions);
        let shared = Arc::new(SessionShared {
            id,
            client,
            signals: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            backend: AtomicU64::new(0),
            kills: AtomicU32::new(0),
            killed_on_server: AtomicBool::new(false),
            pins: AtomicU32::new(0),
            busy: AtomicBool::new(false),
            leasing: AtomicBool::new(false),
            precious: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
            epoch_over: AtomicBool::new(false),
            replay: AtomicU8::new(0),
            stalled_ms: AtomicU64::new(0),
            active_ms: AtomicU64::new(0),
            timeout_ms: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            labels: Mutex::default(),
        });
        sessions.insert(id, shared.clone());
        Some(shared)
    }

    fn free_id(&self, sessions: &HashMap<u32, Arc<SessionShared>>) -> u32 {
        loop {
            let id = self.ids.next();
            if !sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Whether the id is of a session of another node.
    pub(crate) fn is_elsewhere(&self, id: u32) -> bool {
        self.ids.is_anothers(id)
    }

    pub(crate) fn remove(&self, id: u32) {
        lock(&self.sessions).remove(&id);
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<SessionShared>> {
        lock(&self.sessions).get(&id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// All sessions, by id.
    pub(crate) fn all(&self) -> Vec<Arc<SessionShared>> {
        let mut all: Vec<_> = lock(&self.sessions).values().cloned().collect();
        all.sort_by_key(|s| s.id);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn client() -> SocketAddr {
        ([127, 0, 0, 1], 4711).into()
    }

    fn session() -> Arc<SessionShared> {
        Registry::of_node("gw-1").admit(client(), 1).unwrap()
    }

    #[test]
    fn ids_are_never_a_servers_and_never_given_twice() {
        let registry = Registry::of_node("gw-1");
        let sessions: Vec<_> = (0..6).map(|_| registry.admit(client(), 10).unwrap()).collect();
        let ids: Vec<u32> = sessions.iter().map(|s| s.id).collect();
        // Those that are taken are passed over.
        registry.ids.begin_again();
        let next = registry.admit(client(), 10).unwrap();
        assert!(next.id >= FIRST_ID && !ids.contains(&next.id));
        assert_eq!(registry.all().len(), 7);
        assert!(registry.all().is_sorted_by_key(|s| s.id));
    }

    #[test]
    fn who_is_one_too_many_is_not_admitted_until_somebody_leaves() {
        let registry = Registry::of_node("gw-1");
        let first = registry.admit(client(), 2).unwrap();
        let second = registry.admit(client(), 2).unwrap();
        assert!(registry.admit(client(), 2).is_none());
        registry.remove(first.id);
        assert!(registry.get(first.id).is_none() && registry.get(second.id).is_some());
        assert_eq!(registry.len(), 1);
        assert!(registry.admit(client(), 2).is_some());
    }

    #[test]
    fn the_most_urgent_signal_comes_first_and_each_once() {
        let session = session();
        for signal in [Signal::Drain, Signal::Release, Signal::Kill, Signal::Timeout, Signal::Kill] {
            session.raise(signal);
        }
        assert!(session.is_killed());
        for expected in [Signal::Kill, Signal::Timeout, Signal::Release, Signal::Drain] {
            assert_eq!(session.poll_signal(Waker::noop()), Some(expected));
        }
        assert_eq!(session.poll_signal(Waker::noop()), None);
    }

    #[test]
    fn a_signal_wakes_whoever_looked_in_vain() {
        let (session, bell) = (session(), Arc::new(Bell::default()));
        let waker = Waker::from(bell.clone());
        assert_eq!(session.poll_signal(&waker), None);
        session.raise(Signal::Release);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        // A connection that somebody else needs is no reason to stop what is under way; a kill is.
        assert!(!session.must_stop(&waker));
        session.raise(Signal::Kill);
        assert_eq!(bell.0.load(Ordering::SeqCst), 2);
        assert!(session.must_stop(&waker), "and is not used up by looking");
        assert!(session.must_stop(&waker));
        session.clear_interrupt();
        assert!(!session.is_interrupted());
        session.interrupt();
        assert_eq!(bell.0.load(Ordering::SeqCst), 3);
        assert!(session.is_interrupted());
        session.clear_interrupt();
        assert!(!session.is_interrupted());
    }

    #[test]
    fn a_kill_counts_for_the_statement_that_it_was_meant_for() {
        let session = session();
        assert!(!session.was_killed_on_server());
        let kill = session.guard_kill();
        session.forget_kills();
        assert!(session.was_killed_on_server(), "it is on its way");
        drop(kill);
        assert!(session.was_killed_on_server());
        session.forget_kills();
        assert!(!session.was_killed_on_server());
    }

    #[test]
    fn only_who_holds_a_spare_connection_is_asked_for_it() {
        let session = session();
        assert!(!session.ask_to_release());
        assert_eq!(session.poll_signal(Waker::noop()), None);
        session.leasing.store(true, Ordering::SeqCst);
        assert!(session.ask_to_release());
        assert_eq!(session.poll_signal(Waker::noop()), Some(Signal::Release));
    }

    #[test]
    fn every_server_connection_survives_being_packed() {
        let session = session();
        assert_eq!(session.backend(), None);
        for cluster in [0, 1, 0x7fff] {
            for server in [0, 1, u16::MAX] {
                for thread in [0, 1, u32::MAX] {
                    let place = Place { cluster: ClusterIndex(cluster), server: ServerId(server) };
                    session.set_backend(Some((place, thread)));
                    assert_eq!(session.backend(), Some((place, thread)));
                }
            }
        }
        session.set_backend(None);
        assert_eq!(session.backend(), None);
    }

    #[test]
    fn a_connection_is_under_fire_until_the_last_of_its_kills_has_arrived() {
        let session = session();
        let (first, second) = (session.guard_kill(), session.guard_kill());
        drop(first);
        assert!(session.is_under_fire());
        drop(second);
        assert!(!session.is_under_fire());
    }
}
