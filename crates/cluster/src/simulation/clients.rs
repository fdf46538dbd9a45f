//! Clients of all nodes, as the gateway lets them write; and the judgement on what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coordination::Action;
use topology::{Health, Writes};

use super::END;
use super::machine::{Answer, Machine};
use super::node::Node;
use super::world::{NODES, Outcome, SERVERS, Servers, Shared, lock};

/// Per node.
const CLIENTS: usize = 2;
/// As long as a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
struct Write {
    token: u64,
    server: usize,
    epoch: u64,
    starts: u32,
    began: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    write: Write,
    node: usize,
    at: Duration,
}

#[derive(Default)]
pub(super) struct Clients {
    tokens: u64,
    under_way: BTreeMap<(usize, usize), Write>,
    acknowledged: Vec<Acknowledged>,
    refused: BTreeSet<u64>,
    unknown: usize,
    /// When a server's first acknowledgement came since it was opened at that time.
    terms: BTreeMap<(usize, Duration), Duration>,
}

impl Clients {
    pub(super) fn act(&mut self, seed: u64, servers: &Shared, nodes: &[Node]) {
        let mut servers = lock(servers);
        for node in nodes {
            for client in 0..CLIENTS {
                let key = (node.number, client);
                if !node.is_alive() {
                    self.unknown += usize::from(self.under_way.remove(&key).is_some());
                } else if node.stands_still() {
                } else if let Some(write) = self.under_way.get(&key).copied() {
                    self.hear(seed, &mut servers, node, key, write);
                } else {
                    self.begin(&mut servers, node, key);
                }
            }
        }
    }

    fn begin(&mut self, servers: &mut Servers, node: &Node, key: (usize, usize)) {
        let view = node.view();
        let Some(primary) = view.primary().filter(|_| view.writes == Writes::Open) else { return };
        let server = usize::from(primary.id.0);
        let (now, machine) = (servers.now(), &servers.machines[server]);
        let down = matches!(primary.health, Health::Down(_));
        if down || !machine.up || !servers.connects(SERVERS + node.number, server) || !servers.dice.one_in(5)
        {
            return;
        }
        self.tokens += 1;
        let (token, epoch, starts) = (self.tokens, view.epoch, servers.machines[server].starts);
        let session = 1000 + u64::try_from(key.0 * CLIENTS + key.1).unwrap();
        self.under_way.insert(key, Write { token, server, epoch, starts, began: now });
        servers.machines[server].write(session, token, now);
    }

    fn hear(&mut self, seed: u64, servers: &mut Servers, node: &Node, key: (usize, usize), write: Write) {
        let now = servers.now();
        let connects = servers.connects(SERVERS + node.number, write.server);
        let machine = &servers.machines[write.server];
        let answer = machine.answers.get(&write.token).copied().filter(|_| connects);
        let over = node.view().epoch != write.epoch
            || connects && machine.starts != write.starts
            || now.saturating_sub(write.began) > PATIENCE;
        match answer {
            // What a connection of an epoch that is over brings is not passed on.
            _ if over => self.unknown += 1,
            None => return,
            Some(Answer::Lost) => self.unknown += 1,
            Some(Answer::Refused) => drop(self.refused.insert(write.token)),
            Some(Answer::Acknowledged) => self.acknowledge(seed, machine, node.number, write, now),
        }
        self.under_way.remove(&key);
    }

    /// I2.
    fn acknowledge(&mut self, seed: u64, machine: &Machine, node: usize, write: Write, now: Duration) {
        let newer = self.terms.iter().find(|((server, opened), first)| {
            *server != write.server && *opened > machine.opened && **first < write.began
        });
        assert!(
            newer.is_none(),
            "seed {seed}: {write:?} at node {node} was acknowledged at {now:?} by a server that was opened at {:?}, \
             although {newer:?} had acknowledged before it began",
            machine.opened
        );
        self.terms.entry((write.server, machine.opened)).or_insert(now);
        self.acknowledged.push(Acknowledged { write, node, at: now });
    }

    pub(super) fn judge(&self, seed: u64, servers: &Shared, nodes: &[Node], history: &[Action]) -> Outcome {
        let servers = lock(servers);
        let leaders = nodes.iter().filter(|n| n.coordination.election.leadership().is_some()).count();
        assert_eq!(leaders, 1, "seed {seed}: nodes lead after a long calm");
        let mut outcome = Outcome {
            acknowledged: self.acknowledged.len(),
            refused: self.refused.len(),
            unknown: self.unknown,
            ..Outcome::default()
        };
        for (action, end) in history.iter().filter_map(|action| Some((action, action.outcome.as_ref()?))) {
            outcome.failovers += usize::from(end["done"] == true && action.kind == "failover");
            outcome.switchovers += usize::from(end["done"] == true && action.kind == "switchover");
            outcome.given_up += usize::from(end["promoted"] == true);
        }
        outcome.bereft = usize::from(outcome.failovers > 0);
        match servers.writable()[..] {
            [primary] => self.judge_with(seed, &servers, primary, nodes),
            [] => {
                self.judge_halted(seed, &servers, nodes);
                outcome.halted = 1;
            }
            ref several => panic!("seed {seed}: {several:?} are writable{}", describe(&servers, nodes)),
        }
        outcome
    }

    /// I1, I3, I4, I5.
    fn judge_with(&self, seed: u64, servers: &Servers, primary: usize, nodes: &[Node]) {
        let log = &servers.machines[primary].log;
        let there: BTreeSet<u64> = log.iter().map(|entry| entry.token).collect();
        assert_eq!(there.len(), log.len(), "seed {seed}: something was written twice");
        for acknowledged in &self.acknowledged {
            assert!(there.contains(&acknowledged.write.token), "seed {seed}: lost {acknowledged:?}");
        }
        let phantom = self.refused.iter().find(|token| there.contains(token));
        assert!(phantom.is_none(), "seed {seed}: {phantom:?} was refused and is there");
        for machine in servers.machines.iter().filter(|m| m.source.as_ref().is_some_and(|s| s.connected)) {
            assert!(
                log.starts_with(&machine.log),
                "seed {seed}: the log of db{} is another",
                machine.number + 1
            );
        }
        for node in 0..NODES {
            let lately = |a: &Acknowledged| a.node == node && a.at + Duration::from_secs(4) > END;
            let view = nodes[node].view();
            assert!(
                self.acknowledged.iter().any(lately),
                "seed {seed}: clients of node {node} do not write: {:?}, {:?}, the primary is {primary}{}",
                view.writes,
                view.primary,
                describe(servers, nodes)
            );
        }
    }

    /// Nobody could be proved to have everything: then somebody has it, and the leader says why nothing is done.
    fn judge_halted(&self, seed: u64, servers: &Servers, nodes: &[Node]) {
        let there: BTreeSet<u64> = servers
            .machines
            .iter()
            .flat_map(|machine| machine.log.iter().chain(&machine.relay))
            .map(|entry| entry.token)
            .collect();
        for acknowledged in &self.acknowledged {
            assert!(there.contains(&acknowledged.write.token), "seed {seed}: lost {acknowledged:?}");
        }
        let explained = nodes.iter().any(|node| matches!(node.view().writes, Writes::Refused { .. }));
        assert!(
            explained,
            "seed {seed}: nobody takes writes, and nobody says why{}",
            describe(servers, nodes)
        );
    }
}

fn describe(servers: &Servers, nodes: &[Node]) -> String {
    let server = |m: &Machine| {
        let (log, has) = (m.written(), m.received());
        format!(
            "\n  db{}: up {}, read_only {}, waits {}, wrote {log}, applied {}, received {has}, {:?}",
            m.number + 1,
            m.up,
            m.read_only,
            m.waits,
            m.slave_pos,
            m.source
        )
    };
    servers.machines.iter().map(server).chain(nodes.iter().map(Node::describe)).collect()
}
