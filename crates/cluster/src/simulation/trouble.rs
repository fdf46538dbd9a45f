//! What goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordination::simulated::{Dice, World};
use tokio::time::sleep;
use topology::Writes;

use super::machine::Machine;
use super::node::Node;
use super::world::{NODES, SERVERS, Servers, Shared, lock};
use crate::Order;

/// From this seed on a replica may come back to a primary that is shut in with a node. That is not right yet: the README says so.
const CAPTIVES: u64 = 10_000;

/// What will be put right, and when.
pub(super) struct Trouble {
    servers: BTreeMap<usize, Duration>,
    nodes: BTreeMap<usize, Duration>,
    /// Of so many ticks, about one brings something.
    rarity: u64,
    /// When the primary is struck for so long that it is replaced; in half of the worlds.
    blow: Option<Duration>,
    /// When a replica is cut off, and some time later shut in with the primary and a node, away from all others: in a fifth of the
    /// worlds.
    captive: Option<(Duration, usize)>,
    /// How often somebody is hit while a change of the primary is under way.
    aimed: u32,
}

impl Trouble {
    pub(super) fn new(seed: u64) -> Self {
        let blow = (seed.is_multiple_of(2)).then(|| Duration::from_millis(1200 + seed % 7 * 300));
        let aimed = u32::from(seed % 4 < 2) + u32::from(seed.is_multiple_of(3));
        let rarity = if blow.is_some() { 200 } else { 60 } + seed % 5 * 50;
        let captive = (seed >= CAPTIVES && seed % 5 == 4)
            .then(|| (Duration::from_millis(1000), usize::from(seed.is_multiple_of(2)) + 1));
        let blow = blow.filter(|_| captive.is_none());
        Self { servers: BTreeMap::new(), nodes: BTreeMap::new(), rarity, blow, captive, aimed }
    }

    pub(super) fn make(&mut self, store: &Arc<World>, servers: &Shared, nodes: &mut [Node], dice: &mut Dice) {
        self.mend(store, servers, nodes, dice, store.now());
        self.strike(store.now(), servers, dice);
        self.interfere(store.now(), servers, nodes, dice);
        self.shut_in(store.now(), servers, nodes, dice);
        if !dice.one_in(self.rarity) || store.now() < Duration::from_secs(1) {
            return;
        }
        let node = usize::try_from(dice.below(NODES as u64)).unwrap();
        let until = store.now() + dice.millis(100, 5000);
        match dice.below(16) {
            0..=4 => self.hurt_primary(&mut lock(servers), dice, until),
            5 => self.kill_server(
                &mut lock(servers),
                usize::try_from(dice.below(SERVERS as u64)).unwrap(),
                until,
            ),
            6 => {
                let server = usize::try_from(dice.below(SERVERS as u64)).unwrap();
                lock(servers).cut(&[server], until);
            }
            7 => lock(servers).cut(&[SERVERS + node], until),
            // The node with the primary on one side, all others with the store on the other.
            8 => {
                let mut servers = lock(servers);
                let with: Vec<_> = servers.writable().into_iter().take(1).chain([SERVERS + node]).collect();
                servers.cut(&with, until);
                nodes[node].network.cut(until);
            }
            9 => nodes[node].network.cut(until),
            10 => nodes.iter().for_each(|node| node.network.cut(until)),
            // Its sleep is polled when it ends: another in its place would never be.
            11 if nodes[node].stands_still() => {}
            11 => {
                let rest = dice.millis(100, 5000);
                *nodes[node].stopped.borrow_mut() = Some(Box::pin(sleep(rest)));
            }
            12 | 13 => {
                nodes[node].kill();
                self.nodes.insert(node, until);
            }
            _ => {
                let leads =
                    |node: &&Node| node.is_alive() && node.coordination.election.leadership().is_some();
                order(nodes.iter().find(leads).unwrap_or(&nodes[node]));
            }
        }
    }

    /// The primary goes for longer than anybody's patience.
    fn strike(&mut self, now: Duration, servers: &Shared, dice: &mut Dice) {
        if self.blow.take_if(|at| *at <= now).is_some() {
            self.hurt_primary(&mut lock(servers), dice, now + dice.clone().millis(3500, 7000));
        }
    }

    /// The replica finds its way back to the primary alone, long after the node has lost the store: whoever leads elsewhere has
    /// taken the replica out of the record, and needs only the other one.
    fn shut_in(&mut self, now: Duration, servers: &Shared, nodes: &[Node], dice: &mut Dice) {
        let Some((_, replica)) = self.captive.take_if(|(at, _)| *at <= now) else { return };
        let mut servers = lock(servers);
        if now < Duration::from_secs(2) {
            let next = now + dice.millis(1500, 2200);
            servers.cut(&[replica], next + Duration::from_millis(1400));
            self.captive = Some((next, replica));
            return;
        }
        let node = usize::try_from(dice.below(NODES as u64)).unwrap();
        let until = now + dice.millis(4000, 5500);
        let with: Vec<_> = servers.writable().into_iter().take(1).chain([replica, SERVERS + node]).collect();
        servers.cut(&with, until);
        nodes[node].network.cut(until);
    }

    /// Whoever changes the primary, and whom it promotes, are the worst to lose just then.
    fn interfere(&mut self, now: Duration, servers: &Shared, nodes: &[Node], dice: &mut Dice) {
        let is_under_way =
            nodes.iter().any(|n| n.is_alive() && matches!(n.view().writes, Writes::Held { .. }));
        if self.aimed == 0 || !is_under_way {
            return;
        }
        let until = now + dice.millis(100, 5000);
        let leader = nodes.iter().find(|n| n.is_alive() && n.coordination.election.leadership().is_some());
        let mut servers = lock(servers);
        // Promoted, and not open yet.
        let is_promoted = |m: &&Machine| m.up && m.source.is_none() && m.waits && m.read_only;
        let promoted = servers.machines.iter().find(is_promoted);
        let (promoted, leader) = (promoted.map(|m| m.number), leader.map(|node| node.number));
        if !dice.one_in(if promoted.is_some() { 4 } else { 30 }) {
            return;
        }
        self.aimed -= 1;
        match (dice.below(5), promoted, leader) {
            (0 | 1, Some(server), _) => self.kill_server(&mut servers, server, until),
            (2, Some(server), _) => servers.cut(&[server], until),
            (0..=3, _, Some(node)) => {
                nodes[node].kill();
                self.nodes.insert(node, until);
            }
            (_, _, Some(node)) if !nodes[node].stands_still() => {
                *nodes[node].stopped.borrow_mut() = Some(Box::pin(sleep(until.saturating_sub(now))));
            }
            _ => self.aimed += 1,
        }
    }

    fn hurt_primary(&mut self, servers: &mut Servers, dice: &mut Dice, until: Duration) {
        let Some(primary) = servers.writable().first().copied() else { return };
        match dice.below(3) {
            0 => servers.machines[primary].frozen_until = until,
            1 => servers.cut(&[primary], until),
            _ => self.kill_server(servers, primary, until),
        }
    }

    fn kill_server(&mut self, servers: &mut Servers, server: usize, until: Duration) {
        if servers.machines[server].up {
            servers.machines[server].kill();
            self.servers.insert(server, until);
        }
    }

    fn mend(
        &mut self,
        store: &Arc<World>,
        servers: &Shared,
        nodes: &mut [Node],
        dice: &mut Dice,
        now: Duration,
    ) {
        let due = |what: &BTreeMap<usize, Duration>| -> Vec<usize> {
            what.iter().filter(|(_, until)| **until <= now).map(|(number, _)| *number).collect()
        };
        for server in due(&self.servers) {
            self.servers.remove(&server);
            lock(servers).machines[server].start(now);
        }
        for node in due(&self.nodes) {
            self.nodes.remove(&node);
            nodes[node] = Node::start(node, store, servers, dice);
        }
    }

    /// Everything is put right.
    pub(super) fn end(&mut self, store: &Arc<World>, servers: &Shared, nodes: &mut [Node], dice: &mut Dice) {
        self.mend(store, servers, nodes, dice, Duration::MAX);
        for node in nodes.iter() {
            node.network.cut(Duration::ZERO);
        }
        let mut servers = lock(servers);
        for host in 0..SERVERS + NODES {
            servers.cut(&[host], Duration::ZERO);
        }
        servers.machines.iter_mut().for_each(|machine| machine.frozen_until = Duration::ZERO);
    }
}

/// An operator at any node, who does not wait for the outcome.
fn order(node: &Node) {
    let handle = node.handle.clone();
    tokio::task::spawn_local(
        async move { handle.order(Order::Switchover { to: None }, false).await.is_ok() },
    );
}
