//! From whom a MySQL server gets its data anew.

use super::candidate::foreign;
use super::situation::{Applier, Member, Situation, distance};
use super::value::Refusal;

/// The replica that has the most of the primary's, so that the primary is spared; where there is none, the primary.
///
/// # Errors
/// Nobody has the same release, without which a server cannot be cloned, or there is no primary to follow afterwards.
pub fn donor<'a>(situation: &'a Situation, server: &str) -> Result<&'a Member, Refusal> {
    let Some(primary) = situation.primary().filter(|p| p.up && !p.read_only) else {
        return Err(Refusal::new("there is no primary to follow"));
    };
    let Some(member) = situation.member(server) else {
        return Err(Refusal::new(format!("{server} is no server of this cluster")));
    };
    if primary.server == server {
        return Err(Refusal::new(format!("{server} is the primary")));
    }
    let can_give = |m: &&Member| m.server != server && m.uuid.is_some() && m.release() == member.release();
    let well = |m: &&Member| {
        let replicates = |r: &super::Replication| r.connected && r.applier == Applier::Running;
        m.replication.as_ref().is_some_and(replicates) && !m.maintenance && foreign(m, situation).is_none()
    };
    let replica = situation
        .replicas()
        .filter(can_give)
        .filter(well)
        .min_by_key(|m| (distance(&m.position, &primary.position), m.server.clone()));
    replica.or_else(|| Some(primary).filter(can_give)).ok_or_else(|| {
        Refusal::new(format!(
            "no other server runs {}, and another release's data cannot be cloned",
            member.version
        ))
    })
}
