//! Statements under way on each server of a cluster.
//!
//! Every worker counts its own on cache lines of its own, so that counting costs no traffic between processors; they
//! are added up only where a choice depends on them.

use std::sync::atomic::{AtomicU32, Ordering};

use topology::ServerId;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outstanding {
    /// By worker, then server.
    counters: Box<[Box<[AtomicU32]>]>,
}

impl Outstanding {
    /// Counters of `servers` servers; those with a higher id share counters with lower ones.
    pub(crate) fn new(workers: usize, servers: usize) -> Self {
        let of_worker = |_| (0..servers.max(1)).map(|_| AtomicU32::new(0)).collect();
        Self { counters: (0..workers.max(1)).map(of_worker).collect() }
    }

    /// A statement of the calling worker begins. Each worker passes its own index and no other's.
    pub(crate) fn begin(&self, worker: u16, server: ServerId) {
        let counter = self.own(worker, server);
        // Nobody else writes it, so that an atomic addition is not needed.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// It has ended.
    pub(crate) fn end(&self, worker: u16, server: ServerId) {
        let counter = self.own(worker, server);
        counter.store(counter.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// Those of all workers.
    pub(crate) fn of(&self, server: ServerId) -> u32 {
        let counts = self.counters.iter().map(|own| counter(own, server).load(Ordering::Relaxed));
        counts.fold(0, u32::wrapping_add)
    }

    fn own(&self, worker: u16, server: ServerId) -> &AtomicU32 {
        counter(&self.counters[usize::from(worker) % self.counters.len()], server)
    }
}

fn counter(own: &[AtomicU32], server: ServerId) -> &AtomicU32 {
    &own[usize::from(server.0) % own.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_statements_are_added_up() {
        let outstanding = Outstanding::new(2, 4);
        outstanding.begin(0, ServerId(1));
        outstanding.begin(1, ServerId(1));
        outstanding.begin(1, ServerId(2));
        assert_eq!([1, 2, 3].map(|id| outstanding.of(ServerId(id))), [2, 1, 0]);
        outstanding.end(1, ServerId(1));
        outstanding.end(0, ServerId(1));
        assert_eq!([1, 2].map(|id| outstanding.of(ServerId(id))), [0, 1]);
    }
}
