//! The servers with what connects them, and one run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coordination::simulated::{Dice, World};
use tokio::time::{Instant, sleep};

use super::clients::Clients;
use super::machine::{Machine, position};
use super::node::Node;
use super::trouble::Trouble;
use super::{CALM, END};

pub(super) const SERVERS: usize = 3;
pub(super) const NODES: usize = 3;
const TICK: Duration = Duration::from_millis(10);
/// A replica that hears nothing for this long looks for its source anew.
const NET_TIMEOUT: Duration = Duration::from_secs(3);

/// What a run shows, or all of them together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) acknowledged: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
    pub(super) failovers: usize,
    /// Worlds with a failover.
    pub(super) bereft: usize,
    /// New primaries that were lost before they could be opened.
    pub(super) given_up: usize,
    pub(super) switchovers: usize,
    /// Worlds that ended without a primary, because nobody could be proved to have everything.
    pub(super) halted: usize,
}

impl Outcome {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            refused: self.refused + other.refused,
            unknown: self.unknown + other.unknown,
            failovers: self.failovers + other.failovers,
            bereft: self.bereft + other.bereft,
            given_up: self.given_up + other.given_up,
            switchovers: self.switchovers + other.switchovers,
            halted: self.halted + other.halted,
        }
    }
}

/// The servers and the cables between them and the nodes.
pub(super) struct Servers {
    start: Instant,
    pub(super) dice: Dice,
    pub(super) machines: Vec<Machine>,
    /// Until when two hosts do not reach each other; servers first, then nodes.
    cuts: Vec<Vec<Duration>>,
    beaten: Duration,
}

/// Shared by all; the runtime has one thread, and nobody keeps it over an await.
pub(super) type Shared = Arc<Mutex<Servers>>;

pub(super) fn lock(servers: &Shared) -> MutexGuard<'_, Servers> {
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Servers {
    fn new(dice: Dice) -> Self {
        let mut machines: Vec<_> = (0..SERVERS).map(Machine::new).collect();
        for (number, machine) in machines.iter_mut().enumerate() {
            if number > 0 {
                machine.change_source(0, false, Duration::ZERO);
                machine.start_threads(true, true, Duration::ZERO);
            } else {
                (machine.read_only, machine.waits, machine.acknowledges) = (false, true, false);
            }
        }
        let cuts = vec![vec![Duration::ZERO; SERVERS + NODES]; SERVERS + NODES];
        Self { start: Instant::now(), dice, machines, cuts, beaten: Duration::ZERO }
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn cut(&mut self, one: &[usize], until: Duration) {
        for a in one {
            for b in (0..self.cuts.len()).filter(|b| !one.contains(b)) {
                self.cuts[*a][b] = until;
                self.cuts[b][*a] = until;
            }
        }
    }

    pub(super) fn connects(&self, a: usize, b: usize) -> bool {
        self.cuts[a][b] <= self.now()
    }

    /// Replicas that acknowledge what this server commits.
    pub(super) fn acknowledgers(&self, server: usize) -> usize {
        let follows = |m: &&Machine| {
            m.up && m.acknowledges && m.source.as_ref().is_some_and(|s| s.connected && s.server == server)
        };
        self.machines.iter().filter(follows).count()
    }

    pub(super) fn writable(&self) -> Vec<usize> {
        self.machines.iter().filter(|m| m.up && !m.read_only).map(|m| m.number).collect()
    }

    /// A little time passes: replicas receive and apply, servers that were woken take what has piled up.
    fn tick(&mut self) {
        let now = self.now();
        let beats = now.saturating_sub(self.beaten) >= Duration::from_millis(400);
        if beats {
            self.beaten = now;
        }
        for number in 0..SERVERS {
            let machine = &mut self.machines[number];
            if !machine.up || machine.stands_still(now) {
                continue;
            }
            for (session, token) in std::mem::take(&mut machine.inbox) {
                machine.write(session, token, now);
            }
            self.receive(number, beats, now);
            let most = usize::try_from(self.dice.below(4)).unwrap();
            self.machines[number].apply(most);
        }
    }

    fn receive(&mut self, number: usize, beats: bool, now: Duration) {
        let Some(source) = self.machines[number].source.clone().filter(|source| source.receives) else {
            return;
        };
        let from = &self.machines[source.server];
        let linked = self.connects(number, source.server);
        let refused = linked && !from.up;
        let silent = !linked || from.stands_still(now);
        if refused || silent {
            let lost = refused || now.saturating_sub(source.heard) > NET_TIMEOUT;
            if let Some(source) = self.machines[number].source.as_mut().filter(|_| lost) {
                source.connected = false;
            }
            return;
        }
        if self.dice.one_in(3) {
            return;
        }
        let at = self.machines[number].received();
        let next =
            from.log.iter().rposition(|entry| position(Some(entry)) == at).map_or(0, |index| index + 1);
        let diverged = (next == 0 && !at.is_empty()) || self.machines[number].log_ends_apart(&at);
        let news: Vec<_> = from.log.iter().skip(next).take(8).copied().collect();
        let machine = &mut self.machines[number];
        let acknowledges = machine.acknowledges;
        let Some(source) = &mut machine.source else { return };
        if diverged {
            (source.receives, source.connected) = (false, false);
            source.error = "requested starting GTID is not in the source's binary log".into();
            return;
        }
        (source.connected, source.heard) = (true, now);
        source.heartbeats += u64::from(beats);
        machine.relay.extend(&news);
        if let (Some(newest), true) = (news.last(), acknowledges) {
            let gtid = newest.gtid;
            let from = self.machines[number].source.as_ref().map_or(0, |source| source.server);
            self.machines[from].acknowledged(gtid);
        }
    }
}

/// Everything of one seed.
pub(super) async fn run(seed: u64) -> Outcome {
    let mut dice = Dice(seed);
    // Most stores are good: else hardly any change of the primary would come to an end.
    let store = World::steady(!seed, CALM, if seed.is_multiple_of(3) { 1 } else { 15 });
    let servers: Shared = Arc::new(Mutex::new(Servers::new(Dice(seed ^ 0x5151))));
    let mut nodes: Vec<_> =
        (0..NODES).map(|number| Node::start(number, &store, &servers, &mut dice)).collect();
    let mut clients = Clients::default();
    let mut trouble = Trouble::new(seed);
    while store.now() < END {
        sleep(TICK).await;
        store.tick();
        lock(&servers).tick();
        clients.act(seed, &servers, &nodes);
        if !store.is_calm() {
            trouble.make(&store, &servers, &mut nodes, &mut dice);
        } else {
            trouble.end(&store, &servers, &mut nodes, &mut dice);
        }
    }
    let history = nodes[0].coordination.journal.history("main").await.unwrap();
    clients.judge(seed, &servers, &nodes, &history)
}
