//! The pool, one event after the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mysql_wire::Capabilities;

use super::checkout::CheckoutError;
use super::model::{A, B, World, pool_of};
use super::waiter::Line;
use super::{Checkout, PoolLimits, ServerPool};
use crate::backend::Backend;
use crate::state::StateSet;

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Checkout, CheckoutError>> + 'a>>;

const LIMIT: Duration = Duration::from_secs(10);

/// A world, and what is asked of it all the time.
struct Room {
    world: World,
    pool: Arc<ServerPool>,
}

impl Room {
    fn of(max_connections: u32) -> Self {
        Self { world: World::new(), pool: pool_of(max_connections, LIMIT, 2) }
    }

    fn run<T>(&self, test: impl AsyncFnOnce(&Self) -> T) -> T {
        self.world.runtime.block_on(test(self))
    }

    /// A connection that is there or may be opened; the test fails where there is none.
    fn take(&self, capabilities: Capabilities) -> Backend {
        match self.pool.try_checkout(&self.world.want(capabilities), 0) {
            Some(ready) => self.opened(ready, capabilities),
            None => panic!("none is free"),
        }
    }

    fn opened(&self, got: Checkout, capabilities: Capabilities) -> Backend {
        match got {
            Checkout::Ready(backend) => backend,
            Checkout::Open(slot) => self.world.open(slot, capabilities, 0),
        }
    }

    /// Joins the queue.
    async fn wait(&self, capabilities: Capabilities) -> Waiting<'_> {
        self.wait_on(0, capabilities).await
    }

    async fn wait_on(&self, worker: u16, capabilities: Capabilities) -> Waiting<'_> {
        let mut waiting: Waiting<'_> =
            Box::pin(async move { self.pool.checkout(&self.world.want(capabilities), worker).await });
        assert!(outcome(&mut waiting).await.is_none(), "it did not have to wait");
        waiting
    }

    /// Open, idle, waiting.
    fn counts(&self) -> (u32, u32, u32) {
        let status = self.pool.status("main", String::new());
        (status.open, status.idle, status.waiting)
    }
}

/// What a waiting session has got by now.
async fn outcome(waiting: &mut Waiting<'_>) -> Option<Result<Checkout, CheckoutError>> {
    poll_fn(|cx| match waiting.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn connection(waiting: &mut Waiting<'_>) -> Option<Backend> {
    match outcome(waiting).await? {
        Ok(Checkout::Ready(backend)) => Some(backend),
        other => panic!("{other:?}"),
    }
}

fn give_back(backend: Backend) {
    backend.give_back(Instant::now());
}

#[test]
fn those_who_wait_are_served_in_the_order_of_their_arrival() {
    let room = Room::of(1);
    room.run(async |room| {
        let mut backend = room.take(A);
        let id = backend.id;
        let mut queue = Vec::new();
        for _ in 0..5 {
            queue.push(room.wait(A).await);
        }
        // Two lose patience: their turn goes to those behind them.
        drop(queue.remove(3));
        drop(queue.remove(0));
        assert_eq!(room.counts(), (1, 0, 3));
        for served in 0..queue.len() {
            give_back(backend);
            for later in &mut queue[served + 1..] {
                assert!(connection(later).await.is_none(), "before its turn");
            }
            backend = connection(&mut queue[served]).await.expect("its turn has come");
            assert_eq!(backend.id, id);
        }
        give_back(backend);
        assert_eq!(room.counts(), (1, 1, 0));
    });
}

#[test]
fn a_connection_stays_with_its_worker_but_the_first_is_passed_only_so_often() {
    let room = Room::of(1);
    room.run(async |room| {
        let mut backend = room.take(A);
        let mut foreign = [room.wait_on(1, A).await, room.wait_on(1, A).await];
        let mut own = Vec::new();
        for _ in 0..Line::PATIENCE + 2 {
            own.push(room.wait(A).await);
        }
        let (before, after) = own.split_at_mut(Line::PATIENCE as usize);
        for waiting in before {
            give_back(backend);
            backend = connection(waiting).await.expect("of the connection's worker");
        }
        give_back(backend);
        backend = connection(&mut foreign[0]).await.expect("its patience is at an end");
        // The next first one is passed as often, not less.
        for waiting in after {
            give_back(backend);
            backend = connection(waiting).await.expect("of the connection's worker");
        }
        give_back(backend);
        backend = connection(&mut foreign[1]).await.expect("nobody else is left");
        give_back(backend);
        assert_eq!(room.counts(), (1, 1, 0));
    });
}

#[test]
fn who_needs_another_connection_is_not_served_before_the_first() {
    let room = Room::of(1);
    room.run(async |room| {
        let backend = room.take(A);
        let mut first = room.wait_on(1, A).await;
        let mut other = room.wait(B).await;
        give_back(backend);
        assert!(outcome(&mut other).await.is_none());
        assert!(connection(&mut first).await.is_some());
    });
}

#[test]
fn nobody_overtakes_those_who_wait() {
    let room = Room::of(1);
    room.run(async |room| {
        let backend = room.take(A);
        let mut waiting = room.wait(A).await;
        give_back(backend);
        // Granted, though the one who waits has not looked yet.
        assert!(room.pool.try_checkout(&room.world.want(A), 0).is_none());
        assert!(connection(&mut waiting).await.is_some());
    });
}

#[test]
fn a_freed_slot_goes_to_the_first_who_waits() {
    let room = Room::of(2);
    room.run(async |room| {
        let (broken, _other) = (room.take(A), room.take(A));
        let mut waiting = [room.wait(A).await, room.wait(A).await];
        drop(broken);
        assert!(matches!(outcome(&mut waiting[0]).await, Some(Ok(Checkout::Open(_)))));
        // It could not open one, so the next may try.
        assert!(matches!(outcome(&mut waiting[1]).await, Some(Ok(Checkout::Open(_)))));
        assert_eq!(room.counts(), (1, 0, 0));
    });
}

#[test]
fn a_time_limit_leaves_no_trace_and_names_the_settings() {
    let room = Room::of(1);
    room.run(async |room| {
        let backend = room.take(A);
        let mut longer = room.wait(A).await;
        let error = room.pool.checkout(&room.world.want(A), 0).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no connection became free within 10000 ms: all 1 connections of user app are in use and 2 sessions wait \
             (clusters.*.pool.max_connections, wait_timeout_ms)",
        );
        // The other one's limit has passed in the same moment, but it has not looked yet.
        assert_eq!(room.counts(), (1, 0, 1));
        assert!(matches!(outcome(&mut longer).await, Some(Err(CheckoutError::TimedOut { .. }))));
        drop(longer);
        assert_eq!(room.counts(), (1, 0, 0));
        give_back(backend);
        assert_eq!(room.counts(), (1, 1, 0));
        assert_eq!(room.pool.status("main", String::new()).timeouts_total, 2);
    });
}

#[test]
fn what_was_granted_to_one_who_left_goes_to_the_next() {
    let room = Room::of(1);
    room.run(async |room| {
        let backend = room.take(A);
        let first = room.wait(A).await;
        let mut second = room.wait(A).await;
        give_back(backend);
        drop(first);
        let backend = connection(&mut second).await.expect("handed on");
        let third = room.wait(A).await;
        give_back(backend);
        drop(third);
        assert_eq!(room.counts(), (1, 1, 0));
        let backend = room.take(A);
        let fourth = room.wait(A).await;
        drop(backend);
        drop(fourth);
        assert_eq!(room.counts(), (0, 0, 0), "a slot too");
    });
}

#[test]
fn an_idle_connection_that_does_not_fit_makes_room() {
    let room = Room::of(1);
    room.run(async |room| {
        let first = room.take(A);
        let id = first.id;
        give_back(first);
        let other = room.take(B);
        assert_ne!(other.id, id);
        assert_eq!(room.counts(), (1, 0, 0));
        // For one who waits as well.
        let mut waiting = room.wait(A).await;
        give_back(other);
        assert!(matches!(outcome(&mut waiting).await, Some(Ok(Checkout::Open(_)))));
    });
}

#[test]
fn a_connection_inside_a_database_is_not_given_to_a_session_outside_of_any() {
    let room = Room::of(2);
    room.run(async |room| {
        let inside = Arc::new(StateSet { database: Some(b"shop"[..].into()), ..(*room.world.state).clone() });
        let mut backend = room.take(A);
        let id = backend.id;
        backend.state = inside.clone();
        give_back(backend);
        assert_ne!(room.take(A).id, id);
        let want = super::Want { state: &inside, ..room.world.want(A) };
        let Some(Checkout::Ready(same)) = room.pool.try_checkout(&want, 0) else { panic!("it is idle") };
        assert_eq!(same.id, id);
    });
}

#[test]
fn a_connection_in_the_wanted_state_is_preferred_to_a_newer_one() {
    let room = Room::of(3);
    room.run(async |room| {
        let inside = Arc::new(StateSet { database: Some(b"shop"[..].into()), ..(*room.world.state).clone() });
        let mut all = [room.take(A), room.take(A), room.take(A)];
        all[1].state = inside.clone();
        let id = all[1].id;
        all.into_iter().for_each(give_back);
        let want = super::Want { state: &inside, ..room.world.want(A) };
        let Some(Checkout::Ready(best)) = room.pool.try_checkout(&want, 0) else { panic!("three are idle") };
        assert_eq!(best.id, id);
    });
}

#[test]
fn retired_connections_are_closed_whether_idle_or_in_use() {
    let room = Room::of(2);
    room.run(async |room| {
        let (idle, used) = (room.take(A), room.take(A));
        give_back(idle);
        let used_id = used.id;
        room.pool.retire_all();
        assert_eq!(room.counts(), (1, 0, 0), "the idle one is gone");
        give_back(used);
        assert_eq!(room.counts(), (0, 0, 0));
        let fresh = room.take(A);
        assert_ne!(fresh.id, used_id);
        // And one that is given to somebody who waits, but retired before he looks.
        let other = room.take(A);
        let mut waiting = room.wait(A).await;
        give_back(other);
        room.pool.retire_all();
        assert!(matches!(outcome(&mut waiting).await, Some(Ok(Checkout::Open(_)))));
        assert_eq!(room.counts(), (1, 0, 0));
        drop(fresh);
    });
}

#[test]
fn a_certain_connection_is_had_only_as_it_was_left() {
    let room = Room::of(1);
    room.run(async |room| {
        let backend = room.take(A);
        let (id, uses) = (backend.id, backend.uses);
        assert!(room.pool.take_exact(id, uses).is_none(), "in use");
        give_back(backend);
        assert!(room.pool.take_exact(id, uses).is_none(), "that use is over");
        assert!(room.pool.take_exact(id + 1, uses + 1).is_none(), "another one");
        let backend = room.pool.take_exact(id, uses + 1).expect("idle since");
        give_back(backend);
        assert!(room.pool.take_exact(id, uses + 1).is_none(), "used since");
        room.pool.retire_all();
        assert!(room.pool.take_exact(id, uses + 2).is_none(), "closed");
    });
}

#[test]
fn what_is_old_or_idle_for_too_long_is_closed_but_for_the_minimum() {
    let room = Room::of(4);
    room.pool.set_limits(PoolLimits {
        min_idle: 1,
        idle_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(600),
        ..room.pool.limits()
    });
    room.run(async |room| {
        let all = [room.take(A), room.take(A), room.take(A)];
        all.into_iter().for_each(give_back);
        let now = Instant::now();
        room.pool.tidy(0, now + Duration::from_secs(59));
        assert_eq!(room.counts(), (3, 3, 0));
        room.pool.tidy(1, now + Duration::from_secs(61));
        assert_eq!(room.counts(), (3, 3, 0), "another worker's");
        room.pool.tidy(0, now + Duration::from_secs(61));
        assert_eq!(room.counts(), (1, 1, 0));
        room.pool.tidy(0, now + Duration::from_secs(601));
        assert_eq!(room.counts(), (0, 0, 0));
        // The minimum is opened again, like the one opened last.
        room.pool.count_opened(B);
        let (slot, capabilities) = room.pool.slot_to_warm().expect("fewer than the minimum");
        assert_eq!(capabilities, B);
        assert!(room.pool.slot_to_warm().is_none());
        drop(slot);
    });
}

#[test]
fn the_connection_of_another_worker_is_better_than_a_new_one() {
    let room = Room::of(4);
    room.run(async |room| {
        let backend = room.take(A);
        let id = backend.id;
        give_back(backend);
        let Some(Checkout::Ready(same)) = room.pool.try_checkout(&room.world.want(A), 1) else { panic!() };
        assert_eq!((same.id, same.worker), (id, 0));
    });
}

fn limited(room: &Room, max_connections: u32) {
    room.pool.set_limits(PoolLimits { max_connections, ..room.pool.limits() });
}

#[test]
fn a_raised_limit_serves_those_who_wait() {
    let room = Room::of(1);
    room.run(async |room| {
        let first = room.take(A);
        let mut waiting = [room.wait(A).await, room.wait(A).await];
        limited(room, 2);
        let Some(Ok(got)) = outcome(&mut waiting[0]).await else { panic!("there is room for one more") };
        assert!(outcome(&mut waiting[1]).await.is_none(), "but not for two");
        let second = room.opened(got, A);
        assert_eq!(room.counts(), (2, 0, 1));
        give_back(second);
        give_back(connection(&mut waiting[1]).await.expect("given back"));
        give_back(first);
        assert_eq!(room.counts(), (2, 2, 0));
    });
}

#[test]
fn a_lowered_limit_closes_what_comes_back() {
    let room = Room::of(3);
    room.run(async |room| {
        let mut all = vec![room.take(A), room.take(A), room.take(A)];
        limited(room, 1);
        assert_eq!(room.counts(), (3, 0, 0), "nothing in use is closed");
        let mut waiting = room.wait(A).await;
        give_back(all.remove(0));
        give_back(all.remove(0));
        assert_eq!(room.counts(), (1, 0, 1));
        give_back(all.remove(0));
        give_back(connection(&mut waiting).await.expect("the last one goes on"));
        assert_eq!(room.counts(), (1, 1, 0));
    });
}

#[test]
fn idle_connections_beyond_a_lowered_limit_are_closed() {
    let room = Room::of(3);
    room.run(async |room| {
        let all = [room.take(A), room.take(A), room.take(A)];
        all.into_iter().for_each(give_back);
        limited(room, 2);
        room.pool.tidy(0, Instant::now());
        assert_eq!(room.counts(), (2, 2, 0));
        room.pool.tidy(0, Instant::now());
        assert_eq!(room.counts(), (2, 2, 0));
    });
}
