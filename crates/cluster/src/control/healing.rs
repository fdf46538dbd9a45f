//! Servers that fell out of replication and come back.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use topology::Extra;

use crate::plan::{Rejoin, Situation, rejoin};

/// The shortest time between two attempts on one server; it doubles with every failure.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What to do to a server by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// It was the primary of an earlier epoch and takes writes.
    Fence(String),
    /// It can follow the primary.
    Follow(String),
    /// Its threads were stopped by its restart.
    Start(String),
    /// Nothing can be done by itself; people are told why, and what only this server has is kept.
    Quarantine(String, String, Vec<Extra>),
}

/// What is known of servers that are not well.
#[derive(Debug, Default)]
pub(super) struct Healing {
    /// Deposed by a failover or a switchover of hadal's, and not seen replicating since.
    deposed: HashSet<String>,
    /// Were away since they last replicated.
    away: HashSet<String>,
    /// Did not follow when the primary changed.
    stragglers: HashSet<String>,
    attempts: HashMap<String, (u32, Instant)>,
    /// Those that hadal leaves alone until somebody decides, and why.
    quarantined: HashMap<String, String>,
}

impl Healing {
    pub(super) fn depose(&mut self, server: &str) {
        self.deposed.insert(server.to_owned());
    }

    /// Whether it led before, and has not been seen replicating since.
    pub(super) fn is_deposed(&self, server: &str) -> bool {
        self.deposed.contains(server)
    }

    /// It leads, whatever it was before.
    pub(super) fn promoted(&mut self, server: &str) {
        self.deposed.remove(server);
    }

    /// The server did not take part in a change of the primary.
    pub(super) fn left_out(&mut self, server: &str) {
        self.away.insert(server.to_owned());
        self.stragglers.insert(server.to_owned());
    }

    /// Notes who is away, and who is well again.
    pub(super) fn look(&mut self, situation: &Situation) {
        for member in &situation.members {
            if !member.up {
                self.away.insert(member.server.clone());
            } else if rejoin(situation, &member.server) == Ok(Rejoin::Replicates)
                && !self.strays(situation, &member.server)
            {
                self.stragglers.remove(&member.server);
                self.deposed.remove(&member.server);
                self.away.remove(&member.server);
                self.attempts.remove(&member.server);
                self.quarantined.remove(&member.server);
            }
        }
    }

    /// The next thing to do, if there is one that is due.
    pub(super) fn next(&mut self, situation: &Situation, now: Instant) -> Option<Cure> {
        let primary = situation.primary.as_deref();
        let members: Vec<_> = situation
            .members
            .iter()
            .filter(|m| m.up && !m.maintenance && Some(m.server.as_str()) != primary)
            .map(|m| (m.server.clone(), m.read_only))
            .collect();
        for (server, read_only) in members {
            let deposed = self.deposed.contains(&server);
            if !(deposed || self.away.contains(&server)) || !self.is_due(&server, now) {
                continue;
            }
            // Even while no primary is there to join.
            if deposed && !read_only {
                return Some(Cure::Fence(server));
            }
            let strays = self.strays(situation, &server);
            match rejoin(situation, &server) {
                Ok(Rejoin::Replicates | Rejoin::Start) if strays => return Some(Cure::Follow(server)),
                Ok(Rejoin::Follow) => return Some(Cure::Follow(server)),
                Ok(Rejoin::Start) => return Some(Cure::Start(server)),
                Ok(Rejoin::Ahead(extra)) => {
                    let list: Vec<_> = extra.iter().map(ToString::to_string).collect();
                    let why = format!("it has transactions that the primary never had: {}", list.join(", "));
                    if let Some(cure) = self.quarantine(&server, why, extra) {
                        return Some(cure);
                    }
                }
                Ok(Rejoin::Broken(why)) => {
                    if let Some(cure) =
                        self.quarantine(&server, format!("its applying thread is broken: {why}"), Vec::new())
                    {
                        return Some(cure);
                    }
                }
                Ok(Rejoin::Behind(why)) => {
                    if let Some(cure) = self.quarantine(&server, why, Vec::new()) {
                        return Some(cure);
                    }
                }
                Ok(Rejoin::Replicates) | Err(_) => {}
            }
        }
        None
    }

    /// It was to follow the primary and follows another server.
    fn strays(&self, situation: &Situation, server: &str) -> bool {
        let follows = situation
            .member(server)
            .is_some_and(|m| situation.primary.as_deref().is_some_and(|primary| m.follows(primary)));
        self.stragglers.contains(server) && !follows
    }

    fn is_due(&self, server: &str, now: Instant) -> bool {
        self.attempts.get(server).is_none_or(|(failures, at)| {
            let pause = PAUSE.saturating_mul(1 << failures.min(&7)).min(LONGEST_PAUSE);
            now.saturating_duration_since(*at) >= pause
        })
    }

    /// An attempt on the server has ended.
    pub(super) fn tried(&mut self, server: &str, succeeded: bool, now: Instant) {
        let (failures, at) = self.attempts.entry(server.to_owned()).or_insert((0, now));
        *failures = if succeeded { 0 } else { failures.saturating_add(1) };
        *at = now;
    }

    /// Tells once that a server is left alone.
    fn quarantine(&mut self, server: &str, why: String, extra: Vec<Extra>) -> Option<Cure> {
        let known = self.quarantined.insert(server.to_owned(), why.clone());
        (known.as_ref() != Some(&why)).then(|| Cure::Quarantine(server.to_owned(), why, extra))
    }
}
