//! The connections of one user to one server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::sync::{AtomicU32, AtomicUsize, Mutex, lock};
use super::waiter::{Line, Waiter};
use super::{Grant, Slot, Want};
use crate::backend::Backend;
use crate::place::Place;
use crate::registry::SessionShared;

/// Limits of one pool, from `[clusters.*.pool]` and `[users.*]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    pub(crate) max_connections: u32,
    pub(crate) min_idle: u32,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) wait_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) prepared_statements: usize,
}

/// Idle connections of one worker, newest last; on cache lines of its own, so that workers do not hold each other up.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Backend>>);

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Vec<Backend>> {
        lock(&self.0)
    }
}

/// See the module above.
#[derive(Debug)]
pub(crate) struct ServerPool {
    pub(crate) place: Place,
    pub(crate) user: Arc<str>,
    /// A reload changes them.
    limits: ArcSwap<PoolLimits>,
    pub(super) open: AtomicU32,
    shards: Box<[Shard]>,
    pub(super) waiters: Mutex<Line>,
    pub(super) waiting: AtomicUsize,
    pub(super) tickets: AtomicU64,
    /// Connections opened before this number was raised are not used again (global settings changed).
    generation: AtomicU64,
    /// Sessions that hold a connection only for its diagnostics and give it back when asked.
    leases: Mutex<VecDeque<Weak<SessionShared>>>,
    pub(super) waited_total: AtomicU64,
    pub(super) timeouts_total: AtomicU64,
    opened_total: AtomicU64,
    /// Capabilities of the connection that was opened last.
    wanted: AtomicU64,
}

/// What `SHOW HADAL POOLS` and the API tell of a pool.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PoolStatus {
    pub cluster: String,
    pub server: String,
    pub user: String,
    pub max: u32,
    pub open: u32,
    pub idle: u32,
    pub waiting: u32,
    pub opened_total: u64,
    pub waited_total: u64,
    pub timeouts_total: u64,
}

impl PoolStatus {
    pub(crate) fn add(&mut self, other: &PoolStatus) {
        self.max += other.max;
        self.open += other.open;
        self.idle += other.idle;
        self.waiting += other.waiting;
        self.opened_total += other.opened_total;
        self.waited_total += other.waited_total;
        self.timeouts_total += other.timeouts_total;
    }
}

impl ServerPool {
    pub(crate) fn new(place: Place, user: Arc<str>, limits: PoolLimits, workers: usize) -> Arc<Self> {
        Arc::new(Self {
            place,
            user,
            limits: ArcSwap::from_pointee(limits),
            open: AtomicU32::new(0),
            shards: (0..workers.max(1)).map(|_| Shard::default()).collect(),
            waiters: Mutex::default(),
            waiting: AtomicUsize::new(0),
            tickets: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            leases: Mutex::default(),
            waited_total: AtomicU64::new(0),
            timeouts_total: AtomicU64::new(0),
            opened_total: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
        })
    }

    pub(crate) fn limits(&self) -> PoolLimits {
        **self.limits.load()
    }

    /// Takes changed limits over. What is open beyond a lower maximum is closed as it comes back; whoever waits below a
    /// higher one goes on.
    pub(super) fn set_limits(self: &Arc<Self>, limits: PoolLimits) {
        if self.limits() != limits {
            self.limits.store(Arc::new(limits));
            self.serve_waiters();
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Has every connection opened so far closed instead of reused.
    pub(crate) fn retire_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            shard.lock().clear();
        }
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// The servers' ids of idle connections.
    pub(crate) fn idle_threads(&self) -> Vec<u32> {
        self.shards.iter().flat_map(|s| s.lock().iter().map(|b| b.thread_id).collect::<Vec<_>>()).collect()
    }

    pub(crate) fn count_opened(&self, capabilities: mysql_wire::Capabilities) {
        self.wanted.store(capabilities.0, Ordering::Relaxed);
        self.opened_total.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a connection back. The caller has proved that its last response is complete and nothing is open on it.
    pub(crate) fn put(self: &Arc<Self>, backend: Backend) {
        if backend.exclusive || backend.generation != self.generation() {
            return;
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // What a lowered limit has made too many must end where it never rests, too.
            if self.open.load(Ordering::SeqCst) <= self.limits().max_connections {
                self.serve_waiter(backend);
            }
            return;
        }
        self.store(backend);
    }

    /// Puts an idle connection into its shard, and sees to it that nobody who began to wait meanwhile is forgotten.
    fn store(self: &Arc<Self>, backend: Backend) {
        self.shard(backend.worker).lock().push(backend);
        if self.waiting.load(Ordering::SeqCst) > 0
            && let Some(backend) = self.pop_any()
        {
            self.serve_waiter(backend);
        }
    }

    /// Hands `backend` to the next waiter, or its slot where the connection does not fit.
    fn serve_waiter(self: &Arc<Self>, backend: Backend) {
        let mut backend = backend;
        while let Some(waiter) = self.next_waiter(|line| line.next_for(&backend)) {
            if !waiter.fits(&backend) {
                let slot = backend.into_slot();
                // A waiter that left in the meantime drops the slot, which offers it to the next.
                let _ = waiter.grant.send(Grant::Slot(slot));
                return;
            }
            match waiter.grant.send(Grant::Connection(Box::new(backend))) {
                Ok(()) => return,
                Err(Grant::Connection(unwanted)) => backend = *unwanted,
                Err(Grant::Slot(_)) => return,
            }
        }
        self.store(backend);
    }

    /// Called when a slot was freed.
    pub(super) fn offer_slot(self: &Arc<Self>) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(slot) = Slot::take(self) {
            match self.next_waiter(Line::first) {
                Some(waiter) => drop(waiter.grant.send(Grant::Slot(slot))),
                // Nobody waits: giving the slot back must not look for a waiter again.
                None => drop(slot),
            }
        }
    }

    /// Who is still there of those that `next` takes from the queue.
    fn next_waiter(&self, next: impl Fn(&mut Line) -> Option<Waiter>) -> Option<Waiter> {
        let mut line = lock(&self.waiters);
        while let Some(waiter) = next(&mut line) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            if !waiter.grant.is_closed() {
                return Some(waiter);
            }
        }
        None
    }

    /// An idle connection that fits, from the calling worker's shard or another's.
    pub(super) fn take_idle(&self, want: &Want<'_>, worker: u16) -> Option<Backend> {
        let own = usize::from(worker) % self.shards.len();
        for offset in 0..self.shards.len() {
            let shard = &self.shards[(own + offset) % self.shards.len()];
            if let Some(backend) = self.take_from(&mut shard.lock(), want) {
                return Some(backend);
            }
        }
        None
    }

    fn take_from(&self, idle: &mut Vec<Backend>, want: &Want<'_>) -> Option<Backend> {
        loop {
            let index = want.choose(idle)?;
            let mut backend = idle.remove(index);
            if backend.is_reusable(self.generation()) {
                return Some(backend);
            }
        }
    }

    /// The very connection `id`, if it is idle and nobody has used it since it was used `uses` times.
    pub(crate) fn take_exact(&self, id: u64, uses: u64) -> Option<Backend> {
        for shard in &self.shards {
            let mut idle = shard.lock();
            if let Some(i) = idle.iter().position(|b| b.id == id) {
                if idle[i].uses != uses || !idle[i].is_reusable(self.generation()) {
                    return None;
                }
                return Some(idle.remove(i));
            }
        }
        None
    }

    /// Closes one idle connection that does not fit, to make room for one that does.
    pub(super) fn evict_one(&self) -> bool {
        self.shards.iter().any(|shard| {
            let mut idle = shard.lock();
            let victim = if idle.is_empty() { None } else { Some(idle.remove(0)) };
            drop(idle);
            victim.is_some()
        })
    }

    pub(super) fn pop_any(&self) -> Option<Backend> {
        self.shards.iter().find_map(|shard| shard.lock().pop())
    }

    fn shard(&self, worker: u16) -> &Shard {
        &self.shards[usize::from(worker) % self.shards.len()]
    }

    /// Notes a session that holds a connection of this pool only for its diagnostics.
    pub(crate) fn add_lease(&self, session: &Arc<SessionShared>) {
        let mut leases = lock(&self.leases);
        // Sessions that left are dropped as they come up; the bound holds whatever happens.
        while leases.len() > self.limits().max_connections as usize * 4 {
            leases.pop_front();
        }
        leases.push_back(Arc::downgrade(session));
    }

    /// Asks the session that has held such a connection longest to give it back.
    pub(crate) fn reclaim_lease(&self) {
        let mut leases = lock(&self.leases);
        while let Some(session) = leases.pop_front() {
            if let Some(session) = session.upgrade()
                && session.ask_to_release()
            {
                return;
            }
        }
    }

    /// Closes what has been idle or open too long, and keeps the minimum. Called by each worker for its own shard.
    pub(crate) fn tidy(&self, worker: u16, now: std::time::Instant) {
        let limits = self.limits();
        let mut idle = self.shard(worker).lock();
        let open = self.open.load(Ordering::Relaxed);
        let mut spare = open.saturating_sub(limits.min_idle);
        // The limit may have been lowered since they were opened.
        let mut surplus = open.saturating_sub(limits.max_connections);
        idle.retain_mut(|backend| {
            let old = now.duration_since(backend.opened) >= limits.max_lifetime;
            let stale = now.duration_since(backend.idle_since) >= limits.idle_timeout && spare > 0;
            let keep = !old && !stale && surplus == 0 && backend.is_reusable(self.generation());
            if !keep {
                spare = spare.saturating_sub(1);
                surplus = surplus.saturating_sub(1);
            }
            keep
        });
    }

    /// A slot for a connection that `min_idle` asks for, and the capabilities that were wanted last.
    pub(crate) fn slot_to_warm(self: &Arc<Self>) -> Option<(Slot, mysql_wire::Capabilities)> {
        let wanted = self.wanted.load(Ordering::Relaxed);
        if wanted == 0 || self.open.load(Ordering::Relaxed) >= self.limits().min_idle {
            return None;
        }
        Slot::take(self).map(|slot| (slot, mysql_wire::Capabilities(wanted)))
    }

    pub(crate) fn status(&self, cluster: &str, server: String) -> PoolStatus {
        let idle: usize = self.shards.iter().map(|s| s.lock().len()).sum();
        PoolStatus {
            cluster: cluster.to_owned(),
            server,
            user: self.user.to_string(),
            max: self.limits().max_connections,
            open: self.open.load(Ordering::Relaxed),
            idle: idle as u32,
            waiting: self.waiting.load(Ordering::Relaxed) as u32,
            opened_total: self.opened_total.load(Ordering::Relaxed),
            waited_total: self.waited_total.load(Ordering::Relaxed),
            timeouts_total: self.timeouts_total.load(Ordering::Relaxed),
        }
    }
}
