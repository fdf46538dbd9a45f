//! The pool under several workers, in thousands of orders of events (`interleave`).

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mysql_client::Connected;
use mysql_wire::{Capabilities, Secret, StatusFlags};
use tokio::runtime::{Builder, Runtime};
use topology::{Address, ServerId};

use super::{Checkout, PoolLimits, ServerPool, Slot, Want, interleave};
use crate::backend::{Backend, Opening};
use crate::place::{ClusterIndex, Place};
use crate::state::StateSet;

pub(super) fn pool_of(max_connections: u32, wait_timeout: Duration, workers: usize) -> Arc<ServerPool> {
    let long = Duration::from_secs(3600);
    let limits = PoolLimits {
        max_connections,
        min_idle: 0,
        idle_timeout: long,
        max_lifetime: long,
        wait_timeout,
        connect_timeout: long,
        prepared_statements: 10,
    };
    let place = Place { cluster: ClusterIndex(0), server: ServerId(0) };
    ServerPool::new(place, "app".into(), limits, workers)
}

/// Opens connections without a server: all of them are one socket, at the other end of which nothing happens.
pub(super) struct World {
    pub(super) runtime: Runtime,
    near: TcpStream,
    _far: TcpStream,
    pub(super) state: Arc<StateSet>,
}

impl World {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        let (_far, _) = listener.accept().unwrap();
        // Time passes when nothing else is left to do.
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        Self { runtime, near, _far, state: Arc::new(StateSet::of_new_connection()) }
    }

    pub(super) fn want(&self, capabilities: Capabilities) -> Want<'_> {
        Want { capabilities, state: &self.state, statement: None }
    }

    pub(super) fn open(&self, slot: Slot, capabilities: Capabilities, worker: u16) -> Backend {
        let _inside = self.runtime.enter();
        let session = mysql_wire::Session {
            version: String::new(),
            thread_id: 0,
            capabilities,
            server_capabilities: capabilities,
            status: StatusFlags::AUTOCOMMIT,
            collation: 45,
            server_collation: 45,
            warnings: 0,
            info: Vec::new(),
            session_state: Vec::new(),
        };
        let stream = tokio::net::TcpStream::from_std(self.near.try_clone().unwrap()).unwrap();
        let address = Address::new("127.0.0.1", 1);
        let state = self.state.clone();
        let opening =
            Opening { address: &address, secret: Secret::None, capabilities, state, worker, epoch: 0 };
        let generation = slot.pool().generation();
        Backend::new(slot, &opening, Connected { stream, session }, generation)
    }

    /// Every connection has one reference to the state, and nobody else but this world.
    fn connections(&self) -> usize {
        Arc::strong_count(&self.state) - 1
    }
}

/// One way of running it.
struct Play<'a> {
    world: &'a World,
    pool: Arc<ServerPool>,
    /// Who has which connection.
    held: Mutex<HashMap<u64, usize>>,
    /// Who used a connection last, for which time.
    last: Mutex<HashMap<u64, (usize, u64)>>,
    /// Sessions that neither use a connection nor sleep: the pool is in their hands.
    inside: AtomicUsize,
}

const ACTORS: usize = 4;
pub(super) const A: Capabilities = Capabilities::DEPRECATE_EOF;
pub(super) const B: Capabilities = Capabilities::SESSION_TRACK;

impl Play<'_> {
    fn session(&self, me: usize) {
        let _inside = self.world.runtime.enter();
        let mut mine = None;
        for _ in 0..6 {
            let again = mine.take().filter(|_| interleave::number(2) == 0);
            let exact = again.and_then(|(id, uses)| {
                let backend = self.pool.take_exact(id, uses)?;
                assert_eq!(self.last.lock().unwrap()[&id], (me, uses), "somebody else has used it");
                Some(backend)
            });
            let backend = match exact {
                Some(backend) => Some(backend),
                None => self.check_out(me),
            };
            mine = backend.and_then(|backend| self.use_it(me, backend));
            if interleave::number(24) == 0 {
                self.pool.retire_all();
            }
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// Gets a connection, or loses patience while it waits, or cannot open one.
    fn check_out(&self, me: usize) -> Option<Backend> {
        let capabilities = if interleave::number(6) == 0 { B } else { A };
        let want = self.world.want(capabilities);
        let worker = (me % 2) as u16;
        match self.wait(pin!(self.pool.checkout(&want, worker)))? {
            Checkout::Ready(backend) => {
                assert_eq!(backend.capabilities, capabilities);
                Some(backend)
            }
            Checkout::Open(_) if interleave::number(6) == 0 => None,
            Checkout::Open(slot) => Some(self.world.open(slot, capabilities, worker)),
        }
    }

    fn wait<E: std::fmt::Debug>(
        &self,
        mut checkout: std::pin::Pin<&mut impl Future<Output = Result<Checkout, E>>>,
    ) -> Option<Checkout> {
        let patience = if interleave::number(4) == 0 { interleave::number(4) } else { usize::MAX };
        let waker = interleave::waker();
        for _ in 0..=patience {
            if let Poll::Ready(got) = checkout.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(got.unwrap());
            }
            // Who has lost patience goes when it is his turn; everybody else waits until he is called.
            if patience == usize::MAX { self.outside(interleave::sleep) } else { interleave::point() }
        }
        None
    }

    /// Uses a connection, and gives it back or closes it. What it can be recognised by is returned.
    fn use_it(&self, me: usize, backend: Backend) -> Option<(u64, u64)> {
        let (id, uses) = (backend.id, backend.uses + 1);
        assert_eq!(self.held.lock().unwrap().insert(id, me), None, "two sessions have one connection");
        assert!(self.world.connections() <= self.pool.limits().max_connections as usize, "too many are open");
        self.outside(|| {
            for _ in 0..interleave::number(4) {
                interleave::point();
                self.nobody_waits_in_vain();
            }
        });
        self.held.lock().unwrap().remove(&id);
        self.last.lock().unwrap().insert(id, (me, uses));
        if interleave::number(8) == 0 {
            return None;
        }
        backend.give_back(Instant::now());
        Some((id, uses))
    }
}

impl Play<'_> {
    fn outside(&self, act: impl FnOnce()) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
        act();
        self.inside.fetch_add(1, Ordering::SeqCst);
    }

    /// While all sessions either use a connection or wait for one, those who wait could not be served.
    fn nobody_waits_in_vain(&self) {
        interleave::at_once(|| {
            if self.inside.load(Ordering::SeqCst) == 0 {
                let status = self.pool.status("main", String::new());
                let full = status.idle == 0 && status.open == status.max;
                assert!(status.waiting == 0 || full, "{status:?}");
            }
        });
    }
}

/// All has come to rest: nobody waits, what is counted as open is idle, and all of it can be closed.
fn is_at_rest(play: &Play<'_>) {
    let status = play.pool.status("main", String::new());
    assert_eq!((status.waiting, status.open), (0, status.idle), "{status:?}");
    assert_eq!(play.world.connections(), status.idle as usize);
    play.pool.retire_all();
    assert!(!play.pool.is_in_use() && play.world.connections() == 0);
}

#[test]
fn workers_share_a_pool_in_every_order() {
    let world = World::new();
    for seed in 0..3000 {
        let max = 1 + (seed % 3) as u32;
        let pool = pool_of(max, Duration::from_secs(3600), 2);
        let play = Play {
            world: &world,
            pool,
            held: Mutex::default(),
            last: Mutex::default(),
            inside: AtomicUsize::new(ACTORS),
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            interleave::perform(seed, ACTORS, |me| play.session(me));
            is_at_rest(&play);
        }));
        assert!(outcome.is_ok(), "seed {seed} breaks it");
    }
}
