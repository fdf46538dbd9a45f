//! Who can become the primary, and who should.

use serde::{Deserialize, Serialize};
use topology::{Extra, Position};

pub use super::errant::errant;
use super::situation::{Applier, Member, Promotion, Rebuilding, Situation, distance};
use super::value::LeftOut;

/// Why a server cannot become the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "detail")]
pub enum Unfit {
    Unreachable,
    NoReplica,
    /// It replicates from somebody else.
    Outside(String),
    Maintenance,
    /// Its data are being replaced.
    Rebuilt,
    MustNot,
    NoLog,
    /// Not a single transaction has arrived there.
    Empty,
    /// As it is set up, it could not lead.
    Unprepared(String),
    Broken(String),
    /// Both its threads are stopped: starting one throws away what is not applied, so many transactions.
    Trapped(u64),
    /// Transactions that were written to it behind replication's back.
    Errant(Vec<Extra>),
    /// It gets what it has through a server that has such transactions.
    Tainted(String),
    /// It cannot be replicated from by servers of these releases.
    Newer(String),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfit::Unreachable => f.write_str("it does not answer"),
            Unfit::NoReplica => f.write_str("it does not replicate from this cluster"),
            Unfit::Outside(source) => {
                write!(f, "it replicates from {source}, which does not lead to this cluster's primary")
            }
            Unfit::Maintenance => f.write_str("it is in maintenance"),
            Unfit::Rebuilt => f.write_str("it is being rebuilt, and not complete yet"),
            Unfit::MustNot => f.write_str("its promotion rule is must_not"),
            Unfit::NoLog => f.write_str("it lacks a binary log with log_slave_updates"),
            Unfit::Unprepared(why) => write!(f, "it cannot lead: {why}"),
            Unfit::Empty => f.write_str("it has none of this cluster's transactions"),
            Unfit::Broken(why) => write!(f, "its applying thread is broken: {why}"),
            Unfit::Trapped(count) => write!(
                f,
                "both its threads are stopped, and starting one would throw away its relay log with {count} \
                 transactions that are not applied"
            ),
            Unfit::Errant(extra) => {
                f.write_str("it has transactions of its own that the primary never had: ")?;
                list(f, extra)
            }
            Unfit::Tainted(source) => {
                write!(f, "it replicates through {source}, which has transactions that the primary never had")
            }
            Unfit::Newer(version) => {
                write!(f, "it runs {version}, from which older replicas cannot replicate")
            }
        }
    }
}

fn list(f: &mut std::fmt::Formatter<'_>, extra: &[Extra]) -> std::fmt::Result {
    for (i, extra) in extra.iter().enumerate() {
        write!(f, "{}{extra}", if i > 0 { ", " } else { "" })?;
    }
    Ok(())
}

/// What keeps a server from becoming the primary of this cluster.
pub fn unfit(member: &Member, situation: &Situation) -> Option<Unfit> {
    barred(member, situation).or_else(|| {
        let is_newer = situation.replicas().any(|other| other.is_older_than(member));
        is_newer.then(|| Unfit::Newer(member.version.clone()))
    })
}

/// What keeps it from it for certain: a newer release is a reason to prefer others, not to have no primary.
pub(super) fn barred(member: &Member, situation: &Situation) -> Option<Unfit> {
    if !member.up {
        return Some(Unfit::Unreachable);
    }
    let Some(replication) = &member.replication else { return Some(Unfit::NoReplica) };
    if let Some(source) = situation.stranger(member) {
        return Some(Unfit::Outside(source.to_owned()));
    }
    if member.maintenance {
        return Some(Unfit::Maintenance);
    }
    if member.rebuilding != Rebuilding::No {
        return Some(Unfit::Rebuilt);
    }
    if let Applier::Broken(why) = &replication.applier {
        return Some(Unfit::Broken(why.clone()));
    }
    if member.is_trapped() {
        return Some(Unfit::Trapped(member.backlog()));
    }
    // Last what does not keep it from being a replica.
    foreign(member, situation)
        .or_else(|| (member.promotion == Promotion::MustNot).then_some(Unfit::MustNot))
        .or_else(|| (!member.logs).then_some(Unfit::NoLog))
        .or_else(|| member.unprepared.clone().map(Unfit::Unprepared))
        .or_else(|| member.has().is_empty().then_some(Unfit::Empty))
}

/// It has, or may get at any moment, what the primary never had.
pub(super) fn foreign(member: &Member, situation: &Situation) -> Option<Unfit> {
    let errant_of = errant(member, situation);
    if !errant_of.is_empty() {
        return Some(Unfit::Errant(errant_of));
    }
    let through = situation.between(member).into_iter().find(|m| !errant(m, situation).is_empty());
    through.map(|m| Unfit::Tainted(m.server.clone()))
}

/// The position that all reachable replicas together have, whatever state they are in. What somebody wrote to a replica
/// itself does not count.
pub(crate) fn most_advanced(situation: &Situation) -> Position {
    let mut most = Position::default();
    for member in situation.replicas() {
        most.advance_all(&replicated(member, situation));
    }
    most
}

/// What a server has by replication: of one with errant transactions, what it received besides.
pub(super) fn replicated(member: &Member, situation: &Situation) -> Position {
    let errant = errant(member, situation);
    if errant.is_empty() {
        return member.has();
    }
    if let Some(set) = member.has().set() {
        let own = errant.iter().filter_map(|extra| match extra {
            Extra::Set(set) => Some(set),
            Extra::Range(_) => None,
        });
        return own.fold(set.clone(), |set, own| set.minus(own)).into();
    }
    let errant: Vec<_> = errant.iter().filter_map(Extra::range).collect();
    let received = member.replication.iter().flat_map(|r| r.received.points());
    let mut position = Position::default();
    for point in member.base.points().iter().chain(received) {
        if !errant.iter().any(|e| (e.domain, e.server) == (point.domain, point.server)) {
            position.advance(*point);
        }
    }
    position
}

/// The servers that can become the primary, the best first, and why the others cannot. A server from which others could
/// not replicate comes last.
pub fn rank(situation: &Situation) -> (Vec<&Member>, Vec<LeftOut>) {
    let (mut fit, left_out) = sorted_out(situation);
    let most = most_advanced(situation);
    fit.sort_by_cached_key(|m| {
        let reluctant = (is_newer(m, situation), m.promotion == Promotion::PreferNot);
        let missing = distance(&m.has(), &most);
        (reluctant, missing, m.promotion, is_far(m, situation), m.server.clone())
    });
    (fit, left_out)
}

pub(super) fn is_newer(member: &Member, situation: &Situation) -> bool {
    situation.replicas().any(|other| other.is_older_than(member))
}

/// Not in the primary's zone.
pub(super) fn is_far(member: &Member, situation: &Situation) -> bool {
    let zone = situation.primary().and_then(|p| p.zone.as_ref());
    zone.is_some() && member.zone.as_ref() != zone
}

/// Those who may, in the order of the situation, and why the others may not.
pub(super) fn sorted_out(situation: &Situation) -> (Vec<&Member>, Vec<LeftOut>) {
    let (mut fit, mut left_out) = (Vec::new(), Vec::new());
    let primary = situation.primary.as_deref();
    for member in situation.members.iter().filter(|m| Some(m.server.as_str()) != primary) {
        match barred(member, situation) {
            None => fit.push(member),
            Some(why) => left_out.push(LeftOut::new(member, why.to_string())),
        }
    }
    (fit, left_out)
}
