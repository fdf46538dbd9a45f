//! The same on MySQL, where what one server has and another lacks is the difference of two sets.
//!
//! `gtid_executed` and what a replica has received and not applied are all that a server shows of its past. What the primary
//! does not have of that is errant, with the exceptions of `errant.rs`. A replica is looked at at another moment than the
//! primary, and after AFTER_SYNC may have what the primary has not committed itself: hence the first exception.

use topology::{GtidSet, ServerUuid};

use super::situation::{Member, Situation};

/// The errant transactions of one server, by who began them.
pub(super) fn errant(member: &Member, situation: &Situation) -> Vec<GtidSet> {
    let shown = member.has().into_set();
    match situation.primary().filter(|p| p.uuid.is_some()) {
        Some(primary) => {
            let mut extra = shown.minus(&primary.has().into_set());
            if let Some(own) = primary.uuid.filter(|own| member.uuid != Some(*own)) {
                extra = extra.without(own);
            }
            if is_fed(primary, member, situation) {
                let members = situation.members.iter().filter_map(|m| m.uuid);
                let outside = members.fold(extra.clone(), |set, uuid| set.without(uuid));
                extra = extra.minus(&outside);
            }
            extra.by_server()
        }
        None => compared(member, &shown, situation),
    }
}

/// The primary replicates from another cluster, and hands on what that one's servers write.
fn is_fed(primary: &Member, member: &Member, situation: &Situation) -> bool {
    let from_outside = primary.replication.as_ref().is_some_and(|r| situation.member(&r.source).is_none());
    from_outside && situation.is_replica(member)
}

/// Without a primary to compare with: what no other replica has, unless it got that from here. What the lost primary wrote may
/// well be on one of them only.
fn compared(member: &Member, shown: &GtidSet, situation: &Situation) -> Vec<GtidSet> {
    let mut known = GtidSet::default();
    let mut asked = false;
    for other in situation.replicas().filter(|other| other.server != member.server) {
        if !situation.between(other).iter().any(|m| m.server == member.server) {
            known.add(&other.has().into_set());
            asked = true;
        }
    }
    if !asked {
        return Vec::new();
    }
    let extra = shown.minus(&known);
    leaders(situation).into_iter().fold(extra, |extra, uuid| extra.without(uuid)).by_server()
}

/// Who leads, as those know it that replicate from there.
fn leaders(situation: &Situation) -> Vec<ServerUuid> {
    let Some(primary) = situation.primary() else { return Vec::new() };
    let direct = situation.replicas().filter(|m| m.follows(&primary.server));
    direct.filter_map(|m| m.replication.as_ref()?.source_uuid).collect()
}
