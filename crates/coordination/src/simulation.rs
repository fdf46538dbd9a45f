//! Elections in a world that is made up: one store, several nodes, everything that can go wrong between them, and an operator who
//! deletes keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::simulated::{Dice, Network, NodeClock, Process, Stopped, World};
use crate::store::Transaction;
use crate::{Election, ElectionHandle, ElectionOptions, Keyspace, Token};

const SEEDS: u64 = 500;
const NODES: usize = 3;
const TTL: Duration = Duration::from_secs(1);
/// After that, nothing goes wrong any more.
const FAULTS_END: Duration = Duration::from_secs(8);
const END: Duration = Duration::from_secs(12);

/// What must never be otherwise.
struct Referee {
    newest: Token,
    terms: usize,
}

impl Referee {
    fn look(&mut self, seed: u64, candidates: &[ElectionHandle]) -> usize {
        let leading: Vec<_> = candidates.iter().filter_map(ElectionHandle::leadership).collect();
        let tokens: Vec<_> = leading.iter().map(|leadership| leadership.token()).collect();
        assert!(tokens.len() <= 1, "seed {seed}: leaders with the tokens {tokens:?} at once");
        for token in &tokens {
            assert!(*token >= self.newest, "seed {seed}: token {token} after {}", self.newest);
            self.terms += usize::from(*token > self.newest);
            self.newest = *token;
        }
        tokens.len()
    }
}

/// One run. Gives how many terms of office there were.
async fn run(seed: u64) -> usize {
    let start = Instant::now();
    let mut dice = Dice(seed);
    let world = World::new(!seed, FAULTS_END);
    let keyspace = Keyspace::new("hadal").unwrap();
    let (mut candidates, mut cuts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for node in 0..NODES {
        let network = Network::new(&world);
        let clock = NodeClock::new(&mut dice);
        let options = ElectionOptions::new("main", &node.to_string(), TTL);
        let store = Arc::new(network.clone());
        let (election, handle) = Election::with_clock(store, &keyspace, options, Arc::new(clock)).unwrap();
        let stopped_until = Stopped::default();
        tokio::task::spawn_local(Process::new(election.run(std::future::pending()), &stopped_until));
        candidates.push(handle);
        cuts.push(network);
        stops.push(stopped_until);
    }
    let mut referee = Referee { newest: Token(0), terms: 0 };
    let leader_key = keyspace.election("main").unwrap().join("leader").unwrap();
    let mut leaders = 0;
    while start.elapsed() < END {
        sleep(Duration::from_millis(10)).await;
        leaders = referee.look(seed, &candidates);
        if world.is_calm() {
            continue;
        }
        let victim = usize::try_from(dice.below(NODES as u64)).unwrap();
        match dice.below(420) {
            0 => cuts[victim].cut(world.now() + dice.millis(100, 3000)),
            1 => *stops[victim].borrow_mut() = Some(Box::pin(sleep(dice.millis(100, 3000)))),
            // The store is away for everybody.
            2 => {
                let until = world.now() + dice.millis(100, 2000);
                cuts.iter().for_each(|network| network.cut(until));
            }
            3 if seed.is_multiple_of(3) => {
                world.change(|state, _| state.apply(Transaction::new().delete(&leader_key).writes));
            }
            4 => candidates[victim].resign(dice.millis(0, 1000)),
            _ => world.tick(),
        }
    }
    assert_eq!(leaders, 1, "seed {seed}: nobody leads although nothing has been wrong for long");
    referee.terms
}

fn simulate(seed: u64) -> usize {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, run(seed))
}

#[test]
fn there_is_one_leader_at_most_in_every_world() {
    let halves = [0, 1].map(|half| {
        std::thread::spawn(move || (0..SEEDS / 2).map(|seed| simulate(seed * 2 + half)).sum::<usize>())
    });
    let terms: usize = halves.into_iter().map(|half| half.join().unwrap()).sum();
    let per_world = terms as f64 / SEEDS as f64;
    assert!(per_world > 3.0, "only {per_world} terms per world: nothing has gone wrong");
}

#[test]
fn a_world_can_be_repeated() {
    assert_eq!(simulate(42), simulate(42));
}
