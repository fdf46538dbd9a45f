//! Election, detection and failover in a world that is made up: three servers, several nodes of hadal and their clients, one
//! store. Everything of hadal is real but the sockets: candidates, attendants, watchers, the board, the controller, plans, and
//! the SQL that is sent, which a model of a MariaDB server answers ([`machine`], [`statements`]). Time is tokio's, paused; what
//! goes wrong follows from a seed.
//!
//! What must hold in every world, numbered as in the project's list of invariants:
//! - I1: every acknowledged write is in the history that goes on.
//! - I2: once a client has had an acknowledgement from a new primary, nobody gets one from the old for what was begun later.
//! - I3: every replica's log is a beginning of the primary's.
//! - I4: a write that was refused is nowhere.
//! - I5: when nothing has been wrong for a while, one node leads, one server is writable, and clients of every node write.
//! - I6: nodes are killed at any moment, and I5 holds: what they left half-done is finished or undone.

mod clients;
mod machine;
mod model;
mod node;
mod statements;
mod trouble;
mod world;

pub(crate) use model::{Model, Session};

use std::time::Duration;

use world::Outcome;

const SEEDS: u64 = 500;
/// After that, nothing goes wrong any more.
pub(crate) const CALM: Duration = Duration::from_secs(8);
pub(crate) const END: Duration = Duration::from_secs(18);

fn simulate(seed: u64) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, world::run(seed))
}

/// What they show together, and those in which something was wrong.
fn simulate_all(seeds: impl Iterator<Item = u64>) -> (Outcome, Vec<u64>) {
    let (mut all, mut failed) = (Outcome::default(), Vec::new());
    for seed in seeds {
        match std::panic::catch_unwind(|| simulate(seed)) {
            Ok(outcome) => all = all.plus(outcome),
            Err(_told) => failed.push(seed),
        }
    }
    (all, failed)
}

#[test]
fn no_world_loses_what_was_acknowledged() {
    // One world or several of them, to look at. The same seed is the same world every time.
    if let Ok(seeds) = std::env::var("SEED") {
        let (from, to) = seeds.split_once('-').unwrap_or((&seeds, &seeds));
        for seed in from.parse().unwrap()..=to.parse().unwrap() {
            println!("SEED {seed}: {:?}", simulate_all(std::iter::once(seed)));
        }
        return;
    }
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let shares = (0..threads).map(|share| (0..SEEDS).filter(move |seed| seed % threads == share));
    let running: Vec<_> = shares.map(|share| std::thread::spawn(move || simulate_all(share))).collect();
    let (mut all, mut failed) = (Outcome::default(), Vec::new());
    for (outcome, wrong) in running.into_iter().map(|share| share.join().unwrap()) {
        all = all.plus(outcome);
        failed.extend(wrong);
    }
    println!("{all:?}");
    assert!(failed.is_empty(), "seeds {failed:?}; SEED=N shows one of them");
    // Worlds in which nothing happens prove nothing.
    assert!(all.bereft > SEEDS as usize / 3, "too few worlds with a failover: {all:?}");
    assert!(all.given_up > 3, "too few new primaries were lost half-way: {all:?}");
    assert!(all.switchovers > SEEDS as usize / 15, "too few switchovers: {all:?}");
    assert!(all.acknowledged > SEEDS as usize * 500, "clients hardly wrote: {all:?}");
    assert!(all.halted * 10 < SEEDS as usize, "too many worlds came to a halt: {all:?}");
}
