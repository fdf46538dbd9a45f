//! Who can become the primary, and who should.

use topology::{Extra, GtidPosition, GtidState};

use super::situation::{Applier, Member, Promotion, Situation};
use super::value::LeftOut;

/// Why a server cannot become the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    Unreachable,
    NoReplica,
    Maintenance,
    MustNot,
    NoLog,
    Broken(String),
    /// Transactions that were written to it behind replication's back.
    Errant(Vec<Extra>),
    /// It cannot be replicated from by servers of these releases.
    Newer(String),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfit::Unreachable => f.write_str("it does not answer"),
            Unfit::NoReplica => f.write_str("it does not replicate from this cluster"),
            Unfit::Maintenance => f.write_str("it is in maintenance"),
            Unfit::MustNot => f.write_str("its promotion rule is must_not"),
            Unfit::NoLog => f.write_str("it lacks a binary log with log_slave_updates"),
            Unfit::Broken(why) => write!(f, "its applying thread is broken: {why}"),
            Unfit::Errant(extra) => {
                f.write_str("it has transactions of its own that the primary never had: ")?;
                list(f, extra)
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
    let Some(replication) = &member.replication else { return Some(Unfit::NoReplica) };
    if !member.up {
        return Some(Unfit::Unreachable);
    }
    if member.maintenance {
        return Some(Unfit::Maintenance);
    }
    if member.promotion == Promotion::MustNot {
        return Some(Unfit::MustNot);
    }
    if !member.logs {
        return Some(Unfit::NoLog);
    }
    if let Applier::Broken(why) = &replication.applier {
        return Some(Unfit::Broken(why.clone()));
    }
    let errant = errant(member, situation);
    if !errant.is_empty() {
        return Some(Unfit::Errant(errant));
    }
    let older = |other: &Member| other.server != member.server && other.release() < member.release();
    situation.replicas().any(older).then(|| Unfit::Newer(member.version.clone()))
}

/// Transactions that the server did not get by replication. The primary's own are never among them: a replica may well have
/// received more of those than the primary showed when it was last seen.
pub fn errant(member: &Member, situation: &Situation) -> Vec<Extra> {
    let primary = situation.primary();
    let primary_id = primary.map_or(0, |p| p.id);
    let mut known = GtidState::default();
    let mut base = GtidPosition::default();
    match primary.filter(|p| !p.history.is_empty()) {
        Some(primary) => {
            known = primary.history.clone();
            base.advance_all(&primary.base);
        }
        // Never seen: what two replicas have, both got from it.
        None => {
            for other in situation.replicas().filter(|other| other.server != member.server) {
                other.history.points().iter().for_each(|point| known.advance(*point));
                base.advance_all(&other.base);
            }
            if known.is_empty() {
                return Vec::new();
            }
        }
    }
    let extra = member.history.beyond(&known, &base);
    extra.into_iter().filter(|extra| extra.server != primary_id).collect()
}

/// The servers that can become the primary, the best first, and why the others cannot.
pub fn rank<'a>(situation: &'a Situation) -> (Vec<&'a Member>, Vec<LeftOut>) {
    let primary = situation.primary.as_deref();
    let others = || situation.members.iter().filter(|m| Some(m.server.as_str()) != primary);
    let mut fit: Vec<&'a Member> = others().filter(|m| unfit(m, situation).is_none()).collect();
    let left_out = others().filter_map(|m| {
        unfit(m, situation).map(|why| LeftOut { server: m.server.clone(), why: why.to_string() })
    });
    let left_out = left_out.collect();
    let zone = situation.primary().and_then(|p| p.zone.clone());
    fit.sort_by(|a, b| {
        let rank = |m: &Member| {
            let reluctant = m.promotion == Promotion::PreferNot;
            (reluctant, std::cmp::Reverse(reach(m)), m.promotion, zone.is_some() && m.zone != zone)
        };
        rank(a).cmp(&rank(b)).then_with(|| a.server.cmp(&b.server))
    });
    (fit, left_out)
}

/// How far a server has come, as a number to compare replicas of one primary by: the sum over all domains.
fn reach(member: &Member) -> u64 {
    member.has().points().iter().fold(0_u64, |sum, point| sum.saturating_add(point.seq))
}
