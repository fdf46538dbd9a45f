//! What the gateway counts. Each worker has its own counters, so that counting costs no shared cache line; they are
//! added up when somebody looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sql::Access;

use crate::place::Place;
use crate::route::Why;
use crate::session::{Outcomes, Replays};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Ok,
    /// The server answered with an error.
    Error,
}

impl Outcome {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Error => "error",
        }
    }
}

/// Upper bounds of the duration histogram, in microseconds.
pub(crate) const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// A histogram that only its worker writes.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    pub(crate) buckets: [AtomicU64; BOUNDS_US.len() + 1],
    pub(crate) sum_us: AtomicU64,
}

/// Adds to a counter that only the calling worker writes: no other can come in between, and a plain store is cheaper.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

impl Durations {
    fn observe(&self, duration: Duration) {
        let us = duration.as_micros() as u64;
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        add(&self.buckets[bucket], 1);
        add(&self.sum_us, us);
    }
}

/// Servers with an index above this share the last line.
const SERVERS: usize = 64;
const KINDS: usize = 2;
const OUTCOMES: usize = 2;

/// One worker's counters.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    /// By server, kind and outcome.
    statements: Box<[AtomicU64]>,
    /// By on-replica and kind.
    pub(crate) durations: [[Durations; KINDS]; 2],
    refused: [AtomicU64; KINDS],
    /// By reason, then primary and replica.
    routes: [[AtomicU64; 2]; Why::COUNT],
}

impl WorkerMetrics {
    fn new() -> Self {
        Self {
            statements: (0..SERVERS * KINDS * OUTCOMES * 4).map(|_| AtomicU64::new(0)).collect(),
            durations: Default::default(),
            refused: Default::default(),
            routes: Default::default(),
        }
    }

    fn cell(&self, place: Place, kind: usize, outcome: Outcome) -> &AtomicU64 {
        let cluster = usize::from(place.cluster.0).min(3);
        let server = usize::from(place.server.0).min(SERVERS - 1);
        &self.statements[((cluster * SERVERS + server) * KINDS + kind) * OUTCOMES + outcome as usize]
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) workers: Box<[WorkerMetrics]>,
    pub(crate) accepted_clients: AtomicU64,
    pub(crate) refused_clients: AtomicU64,
    pub(crate) refused_logins: AtomicU64,
    pub(crate) replays: Replays,
    pub(crate) outcomes: Outcomes,
}

/// A sum over all workers, for the metrics endpoint.
#[derive(Clone, Debug)]
pub(crate) struct StatementCount {
    pub(crate) place: Place,
    pub(crate) kind: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) count: u64,
}

pub(crate) const KIND_NAMES: [&str; KINDS] = ["read", "write"];

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers.max(1)).map(|_| WorkerMetrics::new()).collect(),
            accepted_clients: AtomicU64::new(0),
            refused_clients: AtomicU64::new(0),
            refused_logins: AtomicU64::new(0),
            replays: Replays::default(),
            outcomes: Outcomes::default(),
        }
    }

    fn of(&self, worker: u16) -> &WorkerMetrics {
        &self.workers[usize::from(worker) % self.workers.len()]
    }

    #[expect(clippy::too_many_arguments, reason = "one line per statement, each argument a label")]
    pub(crate) fn count(
        &self,
        worker: u16,
        place: Place,
        on_replica: bool,
        access: Access,
        outcome: Outcome,
        why: &Why,
        took: Duration,
    ) {
        let own = self.of(worker);
        let kind = usize::from(access == Access::Write);
        add(own.cell(place, kind, outcome), 1);
        own.durations[usize::from(on_replica)][kind].observe(took);
        add(&own.routes[why.index()][usize::from(on_replica)], 1);
    }

    pub(crate) fn count_refused(&self, worker: u16, access: Access, _took: Duration) {
        add(&self.of(worker).refused[usize::from(access == Access::Write)], 1);
    }

    pub(crate) fn refused(&self, kind: usize) -> u64 {
        self.workers.iter().map(|w| w.refused[kind].load(Ordering::Relaxed)).sum()
    }

    /// All counters that are not zero.
    pub(crate) fn statements(&self, places: &[Place]) -> Vec<StatementCount> {
        let mut counts = Vec::new();
        for place in places {
            for (kind, name) in KIND_NAMES.iter().enumerate() {
                for outcome in [Outcome::Ok, Outcome::Error] {
                    let count = self
                        .workers
                        .iter()
                        .map(|w| w.cell(*place, kind, outcome).load(Ordering::Relaxed))
                        .sum();
                    if count > 0 {
                        counts.push(StatementCount { place: *place, kind: name, outcome, count });
                    }
                }
            }
        }
        counts
    }

    /// How often each reason led to a replica or to the primary; only where it did.
    pub(crate) fn routes(&self) -> Vec<((&'static str, bool), u64)> {
        let mut counts = Vec::new();
        for (index, label) in Why::LABELS.iter().enumerate() {
            for on_replica in [false, true] {
                let cell =
                    |w: &WorkerMetrics| w.routes[index][usize::from(on_replica)].load(Ordering::Relaxed);
                let count = self.workers.iter().map(cell).sum();
                if count > 0 {
                    counts.push(((*label, on_replica), count));
                }
            }
        }
        counts
    }
}
