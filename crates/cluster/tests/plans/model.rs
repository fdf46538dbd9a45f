//! Clusters at random, with what hadal sees of them and what is true.
//!
//! The primary has written a stream of transactions. Every replica has received the stream up to a point and applied it up to
//! an earlier one. What k of the enrolled replicas received was acknowledged to a client. Of servers that are not reached
//! hadal knows less than there is.

use std::collections::BTreeSet;

use cluster::plan::{Acknowledgers, Applier, Member, Promotion, Replication, Situation};
use proptest::prelude::*;
use topology::Position;

/// The primary is `s1` with the id 1, the replicas are `s2` …
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) situation: Situation,
    pub(crate) truth: Vec<Truth>,
    /// Everything that was acknowledged; `None` where the primary waited for nobody.
    pub(crate) acknowledged: Option<Position>,
    /// hadal knows the primary's history.
    pub(crate) seen: bool,
}

/// What is true of one replica.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    pub(crate) server: String,
    pub(crate) errant: Option<Errant>,
    /// It replicates from somebody outside.
    pub(crate) outside: bool,
    /// A server between it and the primary.
    pub(crate) through: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errant {
    /// Written to it after it last replicated.
    Own,
    /// Of a server that is none of this cluster, long ago.
    Third,
    Domain,
    /// Its own, of a time before.
    Fork,
    /// Not applied yet.
    Relay,
}

/// What one replica is made from. Shares are per cent.
#[derive(Clone, Debug)]
struct Recipe {
    received: u64,
    applied: u64,
    shown: u64,
    /// 0: the primary; 1…3: an earlier replica, if there is one; 4: outside.
    source: usize,
    errant: Option<Errant>,
    flags: Flags,
    promotion: Promotion,
    minor: u8,
}

#[derive(Clone, Debug)]
struct Flags {
    up: bool,
    broken: bool,
    stopped: bool,
    halted: bool,
    maintenance: bool,
    logs: bool,
    restarted: bool,
    enrolled: bool,
    /// Somebody took it out of replication, and its relay log with that.
    detached: bool,
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.12)
}

fn flags() -> impl Strategy<Value = Flags> {
    let often = || prop::bool::weighted(0.85);
    (often(), rarely(), rarely(), rarely(), rarely(), often(), rarely(), prop::bool::weighted(0.6), rarely())
        .prop_map(|(up, broken, stopped, halted, maintenance, logs, restarted, enrolled, detached)| Flags {
            up,
            broken,
            stopped,
            halted,
            maintenance,
            logs,
            restarted,
            enrolled,
            detached,
        })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let errant = prop_oneof![
        12 => Just(None),
        1 => Just(Some(Errant::Own)),
        1 => Just(Some(Errant::Third)),
        1 => Just(Some(Errant::Domain)),
        1 => Just(Some(Errant::Fork)),
        1 => Just(Some(Errant::Relay)),
    ];
    let promotion = prop_oneof![
        1 => Just(Promotion::Prefer),
        6 => Just(Promotion::Neutral),
        1 => Just(Promotion::PreferNot),
        1 => Just(Promotion::MustNot),
    ];
    let source = prop_oneof![8 => Just(0_usize), 2 => 1_usize..4, 1 => Just(4_usize)];
    let share = || prop_oneof![2 => Just(100_u64), 3 => 40_u64..100];
    (
        share(),
        share(),
        share(),
        source,
        errant,
        flags(),
        promotion,
        prop_oneof![6 => Just(11_u8), 1 => Just(6_u8)],
    )
        .prop_map(|(received, applied, shown, source, errant, flags, promotion, minor)| Recipe {
            received,
            applied,
            shown,
            source,
            errant,
            flags,
            promotion,
            minor,
        })
}

/// A cluster whose primary is `up` or not.
pub(crate) fn world(up: bool) -> impl Strategy<Value = World> {
    let replicas = prop::collection::vec(recipe(), 1..6);
    (10_u64..400, prop::bool::ANY, 0_u64..=100, prop::bool::weighted(0.85), replicas, 0_u32..4, rarely())
        .prop_map(move |(written, two, last_seen, seen, replicas, wait_for, fell_back)| {
            let mut made = Making {
                written,
                two,
                situation: Situation::default(),
                truth: Vec::new(),
                acked: Vec::new(),
            };
            made.situation.cluster = "main".to_owned();
            made.situation.primary = Some("s1".to_owned());
            made.primary(up, seen || up, if up { 100 } else { last_seen });
            for recipe in &replicas {
                made.replica(recipe, seen || up);
            }
            made.finish(wait_for, fell_back, seen || up)
        })
}

struct Making {
    written: u64,
    /// Every third transaction is one of domain 1.
    two: bool,
    situation: Situation,
    truth: Vec<Truth>,
    /// How much of the stream each enrolled replica ever received.
    acked: Vec<u64>,
}

impl Making {
    /// The position after so many transactions of the stream.
    fn at(&self, count: u64) -> Position {
        let second = if self.two { count / 3 } else { 0 };
        let text = |domain: u32, seq: u64| if seq > 0 { format!("{domain}-1-{seq}") } else { String::new() };
        [text(0, count - second), text(1, second)].join(",").parse().unwrap()
    }

    fn primary(&mut self, up: bool, seen: bool, last_seen: u64) {
        let mut member = Member { server: "s1".to_owned(), up, ..Member::unknown() };
        if seen {
            let position = self.at(self.written * last_seen / 100);
            member.id = 1;
            member.read_only = false;
            member.logs = true;
            member.version = "10.11.8-MariaDB".to_owned();
            member.history = position.to_string().parse().unwrap();
            member.position = position;
        }
        self.situation.members.push(member);
    }

    fn replica(&mut self, recipe: &Recipe, seen: bool) {
        let number = self.situation.members.len() + 1;
        let server = format!("s{number}");
        let flags = &recipe.flags;
        let through = (1..4).contains(&recipe.source).then_some(recipe.source).filter(|s| *s < number - 1);
        let outside = recipe.source == 4;
        // Where a source can be no further than it is, a replica of it cannot be either.
        let limit = through.map_or(self.written, |s| self.stream(s));
        let received = limit * recipe.received / 100;
        let applied = received * recipe.applied / 100;
        if flags.enrolled && through.is_none() && !outside {
            self.acked.push(received);
            self.enroll(&server);
        }
        let kept = if flags.restarted { applied } else { received };
        let known = if flags.up { 100 } else { recipe.shown };
        let (applied, kept) = (applied * known / 100, kept * known / 100);
        let mut member = Member {
            server: server.clone(),
            id: u32::try_from(number).unwrap(),
            up: flags.up,
            version: format!("10.{}.8-MariaDB", recipe.minor),
            logs: flags.logs,
            promotion: recipe.promotion,
            maintenance: flags.maintenance,
            restarted: flags.restarted,
            position: self.at(applied),
            base: self.at(applied),
            ..Member::unknown()
        };
        let source = through.map_or("s1".to_owned(), |s| format!("s{}", s + 1));
        member.replication = Some(Replication {
            severed: None,
            source: if outside { "x".to_owned() } else { source },
            source_id: u32::try_from(through.map_or(1, |s| s + 1)).unwrap(),
            source_uuid: None,
            connected: false,
            halted: flags.halted,
            applier: match (flags.broken, flags.stopped) {
                (true, _) => Applier::Broken("error 1032".to_owned()),
                (_, true) => Applier::Stopped,
                _ => Applier::Running,
            },
            received: self.at(kept),
            acknowledges: flags.enrolled,
        });
        member.history =
            if flags.logs { member.position.to_string().parse().unwrap() } else { Default::default() };
        // Without the primary's history only what somebody just wrote there can be told.
        let told = |errant: &Errant| seen || *errant == Errant::Own;
        let errant = recipe.errant.filter(|errant| !outside && applied > 10 && told(errant));
        if outside {
            member.position = "0-24-5000".parse().unwrap();
            member.base = member.position.clone();
        }
        if let Some(errant) = errant {
            spoil(&mut member, errant);
        }
        if flags.detached {
            member.replication = None;
        }
        // What is not applied goes with the replication.
        let errant = errant.filter(|errant| !(flags.detached && *errant == Errant::Relay));
        // Nothing comes through a chain that was cut.
        let (through, outside) = (through.filter(|_| !flags.detached), outside && !flags.detached);
        self.truth.push(Truth { server, errant, outside, through });
        self.situation.members.push(member);
    }

    /// How far a replica has applied the stream, as far as it is known.
    fn stream(&self, index: usize) -> u64 {
        let position = self.situation.members.get(index).map(|m| m.base.clone()).unwrap_or_default();
        position.points().iter().filter(|p| p.server == 1).map(|p| p.seq).sum()
    }

    fn enroll(&mut self, server: &str) {
        let enrolled = self.situation.acknowledgers.get_or_insert_default();
        enrolled.servers.insert(server.to_owned());
    }

    fn finish(mut self, wait_for: u32, fell_back: bool, seen: bool) -> World {
        self.situation.fell_back = fell_back;
        let enrolled = self.situation.acknowledgers.as_mut();
        let servers: BTreeSet<_> = enrolled
            .map(|a: &mut Acknowledgers| {
                a.wait_for = wait_for;
                a.servers.clone()
            })
            .unwrap_or_default();
        self.acked.sort_unstable_by(|a, b| b.cmp(a));
        let waits = wait_for > 0 && !fell_back && !servers.is_empty();
        let count = self.acked.get(wait_for.saturating_sub(1) as usize).copied().unwrap_or(0);
        let acknowledged = waits.then(|| self.at(count));
        World { situation: self.situation, truth: self.truth, acknowledged, seen }
    }
}

/// Gives a server transactions of its own.
fn spoil(member: &mut Member, errant: Errant) {
    let id = member.id;
    let next = member.position.seq(0) + 1;
    let own = match errant {
        Errant::Own => format!("0-{id}-{next}"),
        Errant::Third => format!("0-77-{}", next / 2 + 1),
        Errant::Domain => format!("9-{id}-1"),
        Errant::Fork => format!("0-{id}-{}", next / 2 + 1),
        Errant::Relay => {
            if let Some(replication) = &mut member.replication {
                replication.received.advance(format!("0-77-{}", next + 1000).parse().unwrap());
            }
            return;
        }
    };
    member.history.advance(own.parse().unwrap());
    if matches!(errant, Errant::Own | Errant::Domain) {
        member.position.advance(own.parse().unwrap());
    }
}

impl World {
    pub(crate) fn truth(&self, server: &str) -> &Truth {
        self.truth.iter().find(|t| t.server == server).unwrap()
    }

    pub(crate) fn member(&self, server: &str) -> &Member {
        self.situation.member(server).unwrap()
    }

    /// A server with, or behind one with, transactions that the primary never had.
    pub(crate) fn is_foreign(&self, server: &str) -> bool {
        let truth = self.truth(server);
        truth.errant.is_some()
            || truth.outside
            || truth.through.is_some_and(|s| self.is_foreign(&format!("s{}", s + 1)))
    }
}
