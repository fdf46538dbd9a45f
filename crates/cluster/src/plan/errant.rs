//! Transactions that a server did not get from its cluster's primary.
//!
//! What counts is the newest transaction of every domain and server that a server shows anywhere: in its binary log, as
//! applied, in its relay log. What the primary's history does not know of that is errant, except
//! - what the primary itself began: a replica may well have more of it than the primary showed when it was last seen;
//! - what came from outside, where the primary replicates from there.
//!
//! Where hadal never saw the primary, the replicas are compared with each other, and what one of them wrote itself after it
//! last replicated is errant by that alone.

use topology::{Extra, ExtraRange, GtidState, MariaGtid, Position};

use super::errant_set;

use super::situation::{Member, Situation};

/// The errant transactions of one server.
pub fn errant(member: &Member, situation: &Situation) -> Vec<Extra> {
    if member.has().set().is_some() {
        return errant_set::errant(member, situation).into_iter().map(Extra::Set).collect();
    }
    ranges(member, situation).into_iter().map(Extra::Range).collect()
}

fn ranges(member: &Member, situation: &Situation) -> Vec<ExtraRange> {
    match situation.primary().filter(|p| p.id != 0) {
        Some(primary) => {
            let own = |extra: &ExtraRange| extra.server == primary.id && extra.server != member.id;
            let extra = shown(member).beyond(&primary.history, primary.base.mariadb());
            let errant =
                |extra: &ExtraRange| !own(extra) && !from_outside(extra.server, member, primary, situation);
            extra.into_iter().filter(errant).collect()
        }
        None => compared(member, situation),
    }
}

/// Everything that a server shows of its past.
pub(super) fn shown(member: &Member) -> GtidState {
    let mut shown = member.history.clone();
    let received = member.replication.iter().flat_map(|r| r.received.points());
    member.base.points().iter().chain(received).for_each(|point| shown.advance(*point));
    shown
}

/// The ids under which a primary that hadal never saw writes, as its replicas know it.
fn leaders(primary: &Member, situation: &Situation) -> Vec<u32> {
    let direct = situation.replicas().filter(|m| m.follows(&primary.server));
    direct.filter_map(|m| m.replication.as_ref()).map(|r| r.source_id).filter(|id| *id != 0).collect()
}

/// The primary replicates from another cluster, and hands on what that one's servers write.
fn from_outside(id: u32, member: &Member, primary: &Member, situation: &Situation) -> bool {
    let is_fed = primary.replication.as_ref().is_some_and(|r| situation.member(&r.source).is_none());
    is_fed && situation.is_replica(member) && situation.members.iter().all(|m| m.id != id)
}

/// Without a primary to compare with.
fn compared(member: &Member, situation: &Situation) -> Vec<ExtraRange> {
    let local = local(situation);
    let is_local = |domain: u32, server: u32| local.iter().any(|p| (p.domain, p.server) == (domain, server));
    let (mut known, mut base) = (GtidState::default(), Position::default());
    for other in situation.replicas().filter(|other| other.server != member.server) {
        let history = shown(other);
        let trusted = history.points().iter().filter(|p| !is_local(p.domain, p.server));
        trusted.for_each(|point| known.advance(*point));
        let trusted = other.base.points().iter().filter(|p| !is_local(p.domain, p.server));
        trusted.for_each(|point| base.advance(*point));
    }
    let leaders: Vec<u32> = situation.primary().map(|p| leaders(p, situation)).unwrap_or_default();
    let nobody_to_ask = known.is_empty();
    let extra = shown(member).beyond(&known, base.mariadb()).into_iter();
    extra.filter(|e| is_local(e.domain, e.server) || !nobody_to_ask && !leaders.contains(&e.server)).collect()
}

/// What replicas wrote themselves after they last replicated, as far as no other replica has it that did not get it from
/// there.
fn local(situation: &Situation) -> Vec<MariaGtid> {
    let mut local = Vec::new();
    for member in situation.replicas().filter(|m| m.id != 0) {
        let newer = |p: &&MariaGtid| p.server == member.id && p.seq > member.base.seq(p.domain);
        let elsewhere = |p: &MariaGtid| {
            situation.replicas().any(|other| {
                let below = situation.between(other).iter().any(|m| m.server == member.server);
                other.server != member.server && !below && shown(other).seq(p.domain, p.server) >= p.seq
            })
        };
        local.extend(member.history.points().iter().filter(newer).filter(|p| !elsewhere(p)));
    }
    local
}
