//! Servers that fell out of replication and come back.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use topology::Extra;

use crate::plan::{Member, Rebuilding, Rejoin, Situation, rejoin};

/// The shortest time between two attempts on one server; it doubles with every failure.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A server that must not be written to is not left alone for long.
const LONGEST_PAUSE_OF_FENCING: Duration = Duration::from_secs(5);

/// Somebody who stops a receiving thread for a moment need not ask for maintenance first.
const GRACE_OF_HALTED: Duration = Duration::from_secs(5);
/// A replica that is not well for this long, although it was never away, is looked after, too.
const AILING: Duration = Duration::from_secs(3);
/// An applying thread is started again so often within the time, and then no more.
const RESTARTS: (usize, Duration) = (5, Duration::from_secs(600));

/// What to do to a server by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// It was the primary of an earlier epoch and takes writes.
    Fence(String),
    /// It can follow the primary.
    Follow(String),
    /// Its threads were stopped, by its restart or by somebody.
    Start(String),
    /// Nothing can be done by itself; people are told why, and what only this server has is kept.
    Quarantine(String, String, Vec<Extra>),
}

/// What is known of servers that are not well.
#[derive(Debug, Default)]
pub(super) struct Healing {
    /// Deposed by a failover or a switchover of hadal's, and not seen replicating since.
    deposed: HashSet<String>,
    /// Whom hadal promoted last.
    promoted: Option<String>,
    /// Were away since they last replicated.
    away: HashSet<String>,
    /// Did not follow when the primary changed.
    stragglers: HashSet<String>,
    /// Since when they do not receive, because somebody stopped that.
    halted: HashMap<String, Instant>,
    attempts: HashMap<String, (u32, Instant)>,
    /// Since when replicas cannot go on by themselves.
    ailing: HashMap<String, Instant>,
    /// When applying threads were started again.
    restarts: HashMap<String, Vec<Instant>>,
    /// Those that hadal leaves alone until somebody decides, and why.
    quarantined: HashMap<String, String>,
    /// The one of them that nobody has been told of yet.
    untold: Option<String>,
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
        self.promoted = Some(server.to_owned());
    }

    /// The primary, where it is one that hadal has deposed and that has come back to life, and whom hadal promoted instead is
    /// there: nobody may be made to follow it, least of all its successor, which may have acknowledged something already.
    fn usurper<'a>(&self, situation: &'a Situation) -> Option<&'a Member> {
        let primary = situation.primary().filter(|p| self.is_deposed(&p.server))?;
        let promoted = situation.member(self.promoted.as_ref()?)?;
        (promoted.up && promoted.replication.is_none()).then_some(primary)
    }

    /// The server did not take part in a change of the primary.
    pub(super) fn left_out(&mut self, server: &str) {
        self.away.insert(server.to_owned());
        self.stragglers.insert(server.to_owned());
    }

    /// Somebody has stopped its threads, or may have.
    pub(super) fn touched(&mut self, server: &str) {
        self.away.insert(server.to_owned());
    }

    /// Notes who is away, and who is well again.
    pub(super) fn look(&mut self, situation: &Situation, now: Instant) {
        for member in &situation.members {
            self.note_ailing(situation, &member.server, now);
            // A primary may wait for its acknowledgement. That it does not apply harms nobody, and backups stop it for a while.
            let halted = member.up && member.replication.as_ref().is_some_and(|r| r.halted);
            if halted && rejoin(situation, &member.server) == Ok(Rejoin::Start) {
                self.halted.entry(member.server.clone()).or_insert(now);
            } else {
                self.halted.remove(&member.server);
            }
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

    fn note_ailing(&mut self, situation: &Situation, server: &str, now: Instant) {
        let ails = matches!(
            rejoin(situation, server),
            Ok(Rejoin::Restart(_)
                | Rejoin::Broken(_)
                | Rejoin::Severed(_)
                | Rejoin::Behind(_)
                | Rejoin::Ahead(_))
        );
        if !ails {
            self.ailing.remove(server);
        } else if now.saturating_duration_since(*self.ailing.entry(server.to_owned()).or_insert(now))
            >= AILING
        {
            self.away.insert(server.to_owned());
        }
    }

    /// Whether it is left alone, because its own data do not let it join.
    pub(super) fn is_quarantined(&self, server: &str) -> bool {
        self.quarantined.contains_key(server)
    }

    /// It has other data.
    pub(super) fn renewed(&mut self, server: &str) {
        self.quarantined.remove(server);
        self.attempts.remove(server);
        self.restarts.remove(server);
        self.deposed.remove(server);
        self.stragglers.remove(server);
    }

    /// It was to get other data, and has not: people are told once more where it cannot join as it is.
    pub(super) fn not_renewed(&mut self, server: &str) {
        self.quarantined.remove(server);
        self.attempts.remove(server);
        self.away.insert(server.to_owned());
    }

    /// The next thing to do, if there is one that is due.
    pub(super) fn next(&mut self, situation: &Situation, now: Instant) -> Option<Cure> {
        if let Some(usurper) = self.usurper(situation) {
            let writes = usurper.up && !usurper.read_only && !usurper.maintenance;
            let due = writes && self.is_due(&usurper.server, LONGEST_PAUSE_OF_FENCING, now);
            return due.then(|| Cure::Fence(usurper.server.clone()));
        }
        let primary = situation.primary.as_deref();
        let members: Vec<_> = situation
            .members
            .iter()
            .filter(|m| m.up && !m.maintenance && Some(m.server.as_str()) != primary)
            .map(|m| (m.server.clone(), m.read_only, m.rebuilding != Rebuilding::No))
            .collect();
        for (server, read_only, is_rebuilt) in members {
            let deposed = self.deposed.contains(&server);
            // Even while no primary is there to join, and again and again.
            if deposed && !read_only && self.is_due(&server, LONGEST_PAUSE_OF_FENCING, now) {
                return Some(Cure::Fence(server));
            }
            if is_rebuilt {
                // Whoever rebuilds it sees to everything else.
                continue;
            }
            let halted = self
                .halted
                .get(&server)
                .is_some_and(|since| now.saturating_duration_since(*since) >= GRACE_OF_HALTED);
            let concerns = deposed || halted || self.away.contains(&server);
            if !concerns || deposed && !read_only || !self.is_due(&server, LONGEST_PAUSE, now) {
                continue;
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
                Ok(Rejoin::Restart(_)) if self.may_restart(&server, now) => return Some(Cure::Start(server)),
                Ok(what @ (Rejoin::Restart(_) | Rejoin::Broken(_) | Rejoin::Severed(_))) => {
                    if let Some(cure) = self.quarantine(&server, what.to_string(), Vec::new()) {
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

    /// What stops again and again is not repaired by starting it.
    fn may_restart(&mut self, server: &str, now: Instant) -> bool {
        let (most, within) = RESTARTS;
        let restarts = self.restarts.entry(server.to_owned()).or_default();
        restarts.retain(|at| now.saturating_duration_since(*at) < within);
        let may = restarts.len() < most;
        if may {
            restarts.push(now);
        }
        may
    }

    fn is_due(&self, server: &str, longest: Duration, now: Instant) -> bool {
        self.attempts.get(server).is_none_or(|(failures, at)| {
            let pause = PAUSE.saturating_mul(1 << failures.min(&7)).min(longest);
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
        let is_news = known.as_ref() != Some(&why);
        if is_news {
            self.untold = Some(server.to_owned());
        }
        is_news.then(|| Cure::Quarantine(server.to_owned(), why, extra))
    }

    /// People know of the one that was quarantined last.
    pub(super) fn told(&mut self) {
        self.untold = None;
    }

    /// Telling was broken off: it is done again.
    pub(super) fn forget_untold(&mut self) {
        if let Some(server) = self.untold.take() {
            self.quarantined.remove(&server);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Applier, Replication};

    /// A primary and a replica whose threads are stopped or not.
    fn situation(halted: bool, applier: Applier) -> Situation {
        let primary = Member { server: "a:1".into(), id: 1, up: true, read_only: false, ..Member::unknown() };
        let replication = Replication {
            source: "a:1".into(),
            connected: !halted,
            halted,
            applier,
            ..Replication::default()
        };
        let replica = Member {
            server: "b:1".into(),
            id: 2,
            up: true,
            replication: Some(replication),
            ..Member::unknown()
        };
        Situation { primary: Some("a:1".into()), members: vec![primary, replica], ..Situation::default() }
    }

    /// What is done to the replica so many seconds after it was first seen like this.
    fn after(seconds: u64, situation: &Situation) -> Option<Cure> {
        let (mut healing, begin) = (Healing::default(), Instant::now());
        let now = begin + Duration::from_secs(seconds);
        healing.look(situation, begin);
        healing.look(situation, now);
        healing.next(situation, now)
    }

    #[test]
    fn a_replica_that_somebody_keeps_from_receiving_is_started_after_a_while() {
        let start = Some(Cure::Start("b:1".into()));
        assert_eq!(after(4, &situation(true, Applier::Running)), None);
        assert_eq!(after(5, &situation(true, Applier::Running)), start);
        assert_eq!(after(5, &situation(true, Applier::Stopped)), start);
        // Backups stop the applying thread alone.
        assert_eq!(after(60, &situation(false, Applier::Stopped)), None);
        let mut kept = situation(true, Applier::Running);
        kept.members[1].maintenance = true;
        assert_eq!(after(60, &kept), None);
    }

    #[test]
    fn a_pause_that_ended_does_not_count() {
        let (mut healing, begin) = (Healing::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (halted, well) = (situation(true, Applier::Running), situation(false, Applier::Running));
        for (seconds, situation) in [(0, &halted), (3, &well), (4, &halted), (8, &halted)] {
            healing.look(situation, at(seconds));
            assert_eq!(healing.next(situation, at(seconds)), None, "{seconds}");
        }
        assert!(healing.next(&halted, at(9)).is_some());
    }

    #[test]
    fn a_former_primary_that_takes_writes_is_never_left_alone_for_long() {
        let mut situation = situation(false, Applier::Running);
        situation.members[1].read_only = false;
        situation.members[1].replication = None;
        let (mut healing, mut now) = (Healing::default(), Instant::now());
        healing.depose("b:1");
        for _ in 0..20 {
            healing.look(&situation, now);
            assert_eq!(healing.next(&situation, now), Some(Cure::Fence("b:1".into())));
            healing.tried("b:1", false, now);
            now += LONGEST_PAUSE_OF_FENCING;
        }
    }

    #[test]
    fn nobody_is_made_to_follow_a_former_primary_that_has_come_back_to_life() {
        // What was promoted writes, and the board still takes the former primary for the present one.
        let mut situation = situation(false, Applier::Running);
        situation.members[1].read_only = false;
        situation.members[1].replication = None;
        let (mut healing, now) = (Healing::default(), Instant::now());
        healing.depose("a:1");
        healing.promoted("b:1");
        healing.left_out("b:1");
        for read_only in [false, true] {
            situation.members[1].read_only = read_only;
            healing.look(&situation, now);
            assert_eq!(healing.next(&situation, now), Some(Cure::Fence("a:1".into())));
        }
        situation.members[0].read_only = true;
        assert_eq!(healing.next(&situation, now), None);
    }
}
