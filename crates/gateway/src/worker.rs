//! One thread, one runtime, its share of the sessions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifecycle::Shutdown;
use sql::{Analyser, Facts, Mode};

use crate::backend::{self, Backend, Opening};
use crate::core::Core;
use crate::hold::Line;
use crate::place::{ClusterIndex, Place};
use crate::registry::{SessionShared, Signal};
use crate::session::Texts;

/// Size of the buffer into which a worker reads every connection.
const SCRATCH: usize = 64 * 1024;

/// Buffers of at most this size, and at most so many, are kept for packets.
const KEPT_PACKET: usize = 4096;
const KEPT_PACKETS: usize = 256;

/// What the sessions of one worker share. Never leaves its thread.
pub(crate) struct Worker {
    pub(crate) index: u16,
    pub(crate) core: Arc<Core>,
    analyser: RefCell<Analyser>,
    scratch: RefCell<Vec<u8>>,
    pub(crate) texts: RefCell<Texts>,
    pub(crate) sessions: RefCell<HashMap<u32, Arc<SessionShared>>>,
    /// Empty buffers for packets that have to be remade.
    packets: RefCell<Vec<Vec<u8>>>,
    random: Cell<u64>,
    accounts: RefCell<Vec<Arc<topology::Accounts>>>,
    /// Statements that wait for a primary, by cluster.
    lines: Box<[Line]>,
}

impl Worker {
    pub(crate) fn new(index: u16, core: Arc<Core>) -> Rc<Self> {
        let capacity = core.config.load().gateway.digest_cache;
        Rc::new(Self {
            index,
            analyser: RefCell::new(Analyser::new(capacity)),
            scratch: RefCell::new(vec![0; SCRATCH]),
            texts: RefCell::new(Texts::new(index)),
            sessions: RefCell::default(),
            packets: RefCell::default(),
            random: Cell::new(0x9e37_79b9_7f4a_7c15 ^ (u64::from(index) << 32 | 0x5bd1)),
            accounts: RefCell::default(),
            lines: core.clusters.iter().map(|_| Line::default()).collect(),
            core,
        })
    }

    pub(crate) fn facts(&self, sql: &[u8], mode: Mode) -> Rc<Facts> {
        self.analyser.borrow_mut().facts(sql, mode)
    }

    /// Where this worker's statements wait for the cluster's primary.
    pub(crate) fn line(&self, cluster: ClusterIndex) -> &Line {
        &self.lines[usize::from(cluster.0)]
    }

    /// Whether a connection was taken for a primary that is none any more.
    pub(crate) fn is_outdated(&self, backend: &Backend) -> bool {
        backend.leads.is_some_and(|epoch| epoch != self.core.cluster(backend.place.cluster).view().epoch)
    }

    /// Whether the server does not answer, as far as the control plane knows.
    pub(crate) fn is_down(&self, place: Place) -> bool {
        let view = self.core.cluster(place.cluster).view();
        view.server(place.server).is_some_and(|server| matches!(server.health, topology::Health::Down(_)))
    }

    /// Lends the scratch buffer for the duration of one poll.
    pub(crate) fn with_scratch<R>(&self, work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        work(&mut self.scratch.borrow_mut())
    }

    /// An empty buffer for a packet; give it back to [`Self::recycle_packet`].
    pub(crate) fn packet(&self) -> Vec<u8> {
        self.packets.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back for the next packet, if it is small and there are not many.
    pub(crate) fn recycle_packet(&self, mut packet: Vec<u8>) {
        let mut packets = self.packets.borrow_mut();
        if packet.capacity() <= KEPT_PACKET && packets.len() < KEPT_PACKETS {
            packet.clear();
            packets.push(packet);
        }
    }

    /// A cheap pseudo-random number, for spreading load only.
    pub(crate) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.core.started.elapsed().as_millis() as u64
    }

    /// Looks after what only time brings about: timeouts of sessions, idle connections. One tick serves all, so no
    /// statement arms a timer.
    pub(crate) async fn tick(self: Rc<Self>, shutdown: Shutdown) {
        let mut interval = tokio::time::interval(Duration::from_millis(250));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !shutdown.is_set() {
            interval.tick().await;
            self.expire_sessions();
            let now = Instant::now();
            for pool in self.core.pools.all() {
                pool.tidy(self.index, now);
                if pool.has_waiters() {
                    pool.reclaim_lease();
                }
            }
            if self.index == 0 {
                self.follow_accounts();
                self.warm_pools();
            }
        }
    }

    /// A server reads an account's privileges when it logs in: after a change nobody gets a connection from before.
    fn follow_accounts(&self) {
        let mut known = self.accounts.borrow_mut();
        for (index, entry) in self.core.clusters.iter().enumerate() {
            let now = entry.view().accounts.clone();
            match known.get_mut(index) {
                Some(before) if std::sync::Arc::ptr_eq(before, &now) => continue,
                Some(before) => *before = now,
                None => {
                    known.push(now);
                    continue;
                }
            }
            for pool in self.core.pools.all() {
                if usize::from(pool.place.cluster.0) == index {
                    pool.retire_all();
                }
            }
        }
    }

    /// Opens what `min_idle` asks for, one connection a tick and pool.
    fn warm_pools(&self) {
        for (pools, pool) in self.core.pools.all_with_users() {
            let Some((slot, capabilities)) = pool.slot_to_warm() else { continue };
            let core = self.core.clone();
            let worker = self.index;
            tokio::task::spawn_local(async move {
                let (address, epoch) = {
                    let view = core.cluster(pool.place.cluster).view();
                    let Some(server) = view.server(pool.place.server) else { return };
                    (server.address.clone(), view.epoch)
                };
                let state = core.new_connection_state.clone();
                let opening =
                    Opening { address: &address, secret: pools.secret(), capabilities, state, worker, epoch };
                match backend::open(slot, opening).await {
                    Ok(backend) => backend.give_back(Instant::now()),
                    Err(error) => {
                        tracing::debug!(server = %address, %error, "cannot open an idle connection");
                    }
                }
            });
        }
    }

    fn expire_sessions(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        const LEASE_MS: u64 = 1000;
        // The servers' own default `net_write_timeout`.
        const STALL_MS: u64 = 60_000;
        let now = self.now_ms();
        for session in self.sessions.borrow().values() {
            if session.busy.load(Relaxed) {
                let stalled = session.stalled_ms.load(Relaxed);
                if stalled > 0 && now.saturating_sub(stalled) >= STALL_MS {
                    session.raise(Signal::Timeout);
                }
                continue;
            }
            let idle = now.saturating_sub(session.active_ms.load(Relaxed));
            let timeout = session.timeout_ms.load(Relaxed);
            if timeout > 0 && idle >= timeout {
                session.raise(Signal::Timeout);
            } else if idle >= LEASE_MS && !session.precious.load(Relaxed) {
                session.ask_to_release();
            }
        }
    }

    pub(crate) fn drain_sessions(&self) {
        for session in self.sessions.borrow().values() {
            session.raise(Signal::Drain);
        }
    }
}
