//! What goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordination::simulated::{Dice, World};
use tokio::time::sleep;

use super::node::Node;
use super::world::{NODES, SERVERS, Servers, Shared, lock};
use crate::Order;

/// What will be put right, and when.
pub(super) struct Trouble {
    servers: BTreeMap<usize, Duration>,
    nodes: BTreeMap<usize, Duration>,
    /// Of so many ticks, about one brings something.
    rarity: u64,
}

impl Trouble {
    pub(super) fn new(seed: u64) -> Self {
        Self { servers: BTreeMap::new(), nodes: BTreeMap::new(), rarity: 60 + seed % 5 * 50 }
    }

    pub(super) fn make(&mut self, store: &Arc<World>, servers: &Shared, nodes: &mut [Node], dice: &mut Dice) {
        self.mend(store, servers, nodes, dice, store.now());
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
            _ => order(&nodes[node]),
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
