//! The record of who acknowledges: kept so that it always contains every server whose acknowledgement may have counted.
//!
//! A server enters it as soon as it is seen acknowledging. It leaves when it is gone from the primary and all that stay have
//! everything that the primary had written at a moment after it went: whatever it alone acknowledged is then elsewhere, too. So
//! does the primary itself, where it was a replica before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coordination::Acknowledgers;
use topology::Position;

use crate::board::Start;
use crate::plan::{Member, Situation};

/// Follows the record of one cluster.
#[derive(Debug, Default)]
pub(super) struct Acknowledging {
    /// Those that went, with what the primary had written after that.
    gone: Vec<(String, Position)>,
    /// What the primary had written when its commits were first seen to wait for more than is recorded.
    stricter_since: Option<Position>,
}

impl Acknowledging {
    /// The set that should be recorded now; `None`: the present one is right.
    pub(super) fn next(
        &mut self,
        situation: &Situation,
        starts: &HashMap<String, Start>,
        present: Option<&Acknowledgers>,
    ) -> Option<Acknowledgers> {
        let primary = situation.primary().filter(|p| p.up && !p.read_only)?;
        let acknowledging = |server: &str| {
            let follows =
                |r: &crate::plan::Replication| r.acknowledges && r.connected && r.source == primary.server;
            situation.member(server).is_some_and(|m| m.up && m.replication.as_ref().is_some_and(follows))
        };
        let now: BTreeSet<String> =
            situation.members.iter().filter(|m| acknowledging(&m.server)).map(|m| m.server.clone()).collect();
        let recorded = present.map(|p| p.servers.clone()).unwrap_or_default();
        self.gone.retain(|(server, _)| recorded.contains(server) && !now.contains(server));
        for server in recorded.difference(&now) {
            if !self.gone.iter().any(|(gone, _)| gone == server) {
                self.gone.push((server.clone(), primary.position.clone()));
            }
        }
        let complete = |position: &Position| {
            // Without anybody who stays, its copy may be the only one.
            !now.is_empty()
                && now.iter().all(|server| situation.member(server).is_some_and(|m| m.has().covers(position)))
        };
        let leaves = |server: &&String| {
            let gone = self.gone.iter().find(|(gone, _)| gone == *server);
            gone.is_some_and(|(_, position)| complete(position))
        };
        let stays: BTreeSet<String> = recorded.iter().filter(|server| !leaves(server)).cloned().collect();
        let servers: BTreeSet<String> = stays.union(&now).cloned().collect();
        // So that with fewer missing one of them is at hand.
        let enough = now.len() >= primary.wait_for as usize;
        let wait_for = self.wait_for(primary, present, enough, complete);
        let before = present.map(|p| p.started.clone()).unwrap_or_default();
        let started = started(situation, starts, &servers, &before);
        let same = servers == recorded && started == before && present.is_none_or(|p| p.wait_for == wait_for);
        (!same).then_some(Acknowledgers { servers, wait_for, started })
    }

    /// The least that any commit may have waited for which is not everywhere yet.
    fn wait_for(
        &mut self,
        primary: &Member,
        present: Option<&Acknowledgers>,
        enough: bool,
        complete: impl Fn(&Position) -> bool,
    ) -> u32 {
        let recorded = present.map_or(primary.wait_for, |p| p.wait_for);
        if primary.wait_for <= recorded {
            self.stricter_since = None;
            return primary.wait_for;
        }
        let since = self.stricter_since.get_or_insert_with(|| primary.position.clone());
        if enough && complete(since) { primary.wait_for } else { recorded }
    }
}

/// When the servers were started, as far as it is known that they have kept since what they acknowledged.
fn started(
    situation: &Situation,
    starts: &HashMap<String, Start>,
    servers: &BTreeSet<String>,
    before: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let at = |server: &String| {
        let start = starts.get(server).filter(|start| !start.unproved);
        match (start, situation.member(server).filter(|m| m.up)) {
            (Some(_), Some(member)) if member.restarted => Some(INCOMPLETE),
            (Some(start), Some(_)) => Some(start.at),
            _ => before.get(server).copied(),
        }
    };
    servers.iter().filter_map(|server| Some((server.clone(), at(server)?))).collect()
}

/// Instead of when a server was started: what it had received may be gone.
const INCOMPLETE: i64 = 0;

/// What the store knows of a server that this process has not seen well yet: it was not started since it was. In doubt it was.
pub(super) fn recall(situation: &mut Situation, starts: &HashMap<String, Start>, recorded: &Acknowledgers) {
    for member in &mut situation.members {
        let start = starts.get(&member.server).filter(|start| start.unproved);
        if let (Some(start), Some(at)) = (start, recorded.started.get(&member.server)) {
            member.restarted = start.at != *at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Member, Replication};

    fn situation(written: u64, replicas: &[(&str, bool, u64)]) -> Situation {
        let position = |seq: u64| -> Position { format!("0-1-{seq}").parse().unwrap() };
        let primary = Member {
            server: "a:1".into(),
            up: true,
            read_only: false,
            position: position(written),
            ..Member::unknown()
        };
        let replica = |(server, acknowledges, seq): &(&str, bool, u64)| Member {
            server: (*server).to_owned(),
            up: true,
            replication: Some(Replication {
                source: "a:1".into(),
                connected: *acknowledges,
                acknowledges: *acknowledges,
                received: position(*seq),
                ..Replication::default()
            }),
            ..Member::unknown()
        };
        let members = std::iter::once(primary).chain(replicas.iter().map(replica)).collect();
        Situation { primary: Some("a:1".into()), members, ..Situation::default() }
    }

    fn names(set: Option<&Acknowledgers>) -> String {
        set.map(|s| s.servers.iter().cloned().collect::<Vec<_>>().join(" ")).unwrap_or_default()
    }

    #[test]
    fn more_acknowledgements_count_once_everybody_has_what_came_before() {
        let mut acknowledging = Acknowledging::default();
        let mut at = |written, wait_for, c, present: Option<&Acknowledgers>| {
            let mut situation = situation(written, &[("b:1", true, written), ("c:1", true, c)]);
            situation.members[0].wait_for = wait_for;
            acknowledging.next(&situation, &HashMap::new(), present)
        };
        let first = at(10, 1, 10, None);
        assert_eq!(first.as_ref().map(|p| p.wait_for), Some(1));
        assert_eq!(at(12, 2, 11, first.as_ref()), None);
        assert_eq!(at(14, 2, 11, first.as_ref()), None);
        let second = at(14, 2, 12, first.as_ref());
        assert_eq!(second.as_ref().map(|p| p.wait_for), Some(2));
        assert_eq!(at(15, 2, 12, second.as_ref()), None);
        // Fewer count at once.
        assert_eq!(at(15, 1, 12, second.as_ref()).map(|p| p.wait_for), Some(1));
    }

    #[test]
    fn one_that_went_leaves_only_when_the_others_have_everything() {
        let mut acknowledging = Acknowledging::default();
        let mut next = |situation: &Situation, present: Option<&Acknowledgers>| {
            acknowledging.next(situation, &HashMap::new(), present)
        };
        let both = next(&situation(10, &[("b:1", true, 10), ("c:1", true, 9)]), None);
        assert_eq!(names(both.as_ref()), "b:1 c:1");
        let both = both.as_ref();
        assert_eq!(next(&situation(12, &[("b:1", true, 12), ("c:1", true, 12)]), both), None);
        // b goes with 15, which c does not have yet.
        assert_eq!(next(&situation(15, &[("b:1", false, 15), ("c:1", true, 14)]), both), None);
        assert_eq!(next(&situation(16, &[("b:1", false, 15), ("c:1", true, 14)]), both), None);
        let one = next(&situation(17, &[("b:1", false, 15), ("c:1", true, 15)]), both);
        assert_eq!(names(one.as_ref()), "c:1");
        // Nobody is left who could have everything.
        assert_eq!(next(&situation(18, &[("b:1", false, 15), ("c:1", false, 18)]), one.as_ref()), None);
    }

    #[test]
    fn the_store_remembers_who_was_not_started_since_it_was_level() {
        let start = |at, unproved| HashMap::from([("b:1".to_owned(), Start { at, unproved })]);
        let replicas = [("b:1", true, 10)];
        let seen = situation(10, &replicas);
        let next = |starts: &HashMap<String, Start>, present: Option<&Acknowledgers>, seen: &Situation| {
            Acknowledging::default().next(seen, starts, present)
        };
        // Not before it was seen level.
        let unproved = next(&start(500, true), None, &seen).unwrap();
        assert_eq!(unproved.started, BTreeMap::new());
        let level = next(&start(500, false), Some(&unproved), &seen).unwrap();
        assert_eq!(level.started, BTreeMap::from([("b:1".to_owned(), 500)]));
        assert_eq!(next(&start(500, false), Some(&level), &seen), None);
        // Another process, which has not seen it level, leaves the record as it is.
        assert_eq!(next(&start(700, true), Some(&level), &seen), None);
        let mut incomplete = seen.clone();
        incomplete.members[1].restarted = true;
        let record = next(&start(700, false), Some(&level), &incomplete).unwrap();
        assert_eq!(record.started["b:1"], INCOMPLETE);

        let restarted = |start: HashMap<String, Start>, recorded: &Acknowledgers, guessed: bool| {
            let mut situation = seen.clone();
            situation.members[1].restarted = guessed;
            recall(&mut situation, &start, recorded);
            situation.members[1].restarted
        };
        assert!(!restarted(start(500, true), &level, true));
        assert!(restarted(start(700, true), &level, false));
        assert!(restarted(start(700, true), &record, false));
        assert!(restarted(start(500, true), &unproved, true));
        // What was seen goes before what is recorded.
        assert!(!restarted(start(700, false), &level, false));
        assert!(restarted(start(500, false), &level, true));
    }
}
