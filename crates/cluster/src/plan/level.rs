//! From whom a new primary fetches what it lacks.

use std::fmt::Write as _;

use topology::{GtidSet, Position};

use super::candidate::foreign;
use super::situation::{Member, Rebuilding, Situation, distance};

/// Whom it fetches from, in this order, and how far it comes by that.
pub(super) struct Levelled<'a> {
    pub(super) sources: Vec<&'a Member>,
    pub(super) reaches: Position,
}

/// The fewest replicas that together bring `new` as close to `most` as can be. They need not be fit to be the primary.
pub(super) fn level<'a>(situation: &'a Situation, new: &Member, most: &Position) -> Levelled<'a> {
    let mut donors: Vec<&Member> = situation
        .replicas()
        .filter(|m| m.server != new.server && can_hand_on(m, situation) && !new.is_behind_logs_of(m))
        .collect();
    // Of two that help as much: one on which nobody works, of a release from which `new` can replicate.
    donors.sort_by_key(|m| (m.maintenance, new.is_older_than(m), m.server.as_str()));
    let mut levelled = Levelled { sources: Vec::new(), reaches: new.has() };
    while !levelled.reaches.covers(most) {
        let lacks_with = |m: &Member| {
            let mut reached = levelled.reaches.clone();
            reached.advance_all(&m.has());
            distance(&reached, most)
        };
        let Some(best) = donors.iter().copied().min_by_key(|m| lacks_with(m)) else { break };
        if lacks_with(best) >= distance(&levelled.reaches, most) {
            break;
        }
        levelled.reaches.advance_all(&best.has());
        levelled.sources.push(best);
    }
    levelled
}

/// Why a server cannot fetch from another one what it lacks.
pub(super) fn beyond_logs(member: &Member, source: &Member) -> String {
    let lacks = gap(&member.has(), &source.purged);
    format!("it lacks {lacks}, of which {} has no binary logs any more: it has to be rebuilt", source.server)
}

fn missing(from: &Position, to: &GtidSet) -> String {
    from.set().map_or_else(|| to.to_string(), |from| to.minus(from).to_string())
}

fn can_hand_on(member: &Member, situation: &Situation) -> bool {
    let complete = member.rebuilding != Rebuilding::Swapped;
    complete && member.applies() && member.logs && foreign(member, situation).is_none()
}

/// What lies between two positions, for people: `0-1-101…105 (5 transactions)`.
pub(super) fn gap(from: &Position, to: &Position) -> String {
    let mut text = to.set().map(|to| missing(from, to)).unwrap_or_default();
    for point in to.points().iter().filter(|p| p.seq > from.seq(p.domain)) {
        let first = from.seq(point.domain).saturating_add(1);
        let separator = if text.is_empty() { "" } else { "," };
        let _ = match first == point.seq {
            true => write!(text, "{separator}{point}"),
            false => write!(text, "{separator}{}-{}-{first}…{}", point.domain, point.server, point.seq),
        };
    }
    match distance(from, to) {
        1 => text + " (1 transaction)",
        count => format!("{text} ({count} transactions)"),
    }
}
