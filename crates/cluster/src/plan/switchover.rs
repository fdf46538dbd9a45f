//! The plan for another primary while the present one is well.

use super::candidate::{errant, rank, unfit};
use super::proof::Proof;
use super::situation::{Member, Situation};
use super::value::{Kind, Plan, Refusal, Step};

/// Who takes over, and how. Without `to` it is the best one there is.
///
/// # Errors
/// Why that cannot be done now. Nothing has been touched.
pub fn switchover(situation: &Situation, to: Option<&str>) -> Result<Plan, Refusal> {
    let old = situation.primary().ok_or_else(|| Refusal::new("no primary is known"))?;
    if !old.up {
        return Err(Refusal::new(format!(
            "the primary {} does not answer: this needs a failover",
            old.server
        )));
    }
    let (fit, left_out) = rank(situation);
    let new = match to {
        Some(to) => chosen(situation, old, to)?,
        None => *fit.first().ok_or_else(|| Refusal {
            why: "no other server can become the primary".to_owned(),
            left_out: left_out.clone(),
        })?,
    };
    if !new.replication.as_ref().is_some_and(|r| r.connected && r.source == old.server) {
        let why = format!(
            "{} does not receive from the primary at present: nothing would arrive there",
            new.server
        );
        return Err(Refusal { why, left_out });
    }
    let follow = |m: &&Member| {
        m.server != new.server && m.applies() && !m.maintenance && errant(m, situation).is_empty()
    };
    let mut follow: Vec<String> = situation.replicas().filter(follow).map(|m| m.server.clone()).collect();
    let acknowledged = situation
        .replicas()
        .any(|m| follow.contains(&m.server) && m.replication.as_ref().is_some_and(|r| r.acknowledges));
    let left_out =
        left_out.into_iter().filter(|l| l.server != new.server && !follow.contains(&l.server)).collect();
    follow.push(old.server.clone());
    let mut warnings = Vec::new();
    if !acknowledged && situation.acknowledgers.as_ref().is_some_and(|a| !a.servers.is_empty()) {
        warnings.push(format!("commits on {} wait until {} acknowledges them", new.server, old.server));
    }
    let (from, to) = (old.server.clone(), new.server.clone());
    Ok(Plan {
        kind: Kind::Switchover,
        cluster: situation.cluster.clone(),
        epoch: situation.epoch,
        old: Some(from.clone()),
        new: to.clone(),
        why: format!("it is at {}, the primary at {}", new.has(), old.position),
        proof: Proof::Lossless { why: "the primary hands over in order".to_owned() },
        steps: vec![
            Step::Hold { finish: true },
            Step::Demote { server: from.clone() },
            Step::CatchUp { server: to.clone(), with: from },
            Step::Fence,
            Step::Promote { server: to.clone() },
            Step::Repoint { servers: follow, to: to.clone() },
            Step::AwaitAcknowledger { server: to.clone() },
            Step::Open { server: to },
            Step::Release,
        ],
        left_out,
        warnings,
    })
}

fn chosen<'a>(situation: &'a Situation, old: &Member, to: &str) -> Result<&'a Member, Refusal> {
    if to == old.server {
        return Err(Refusal::new(format!("{to} is the primary already")));
    }
    let Some(new) = situation.member(to) else {
        let names: Vec<_> = situation.members.iter().map(|m| m.server.as_str()).collect();
        return Err(Refusal::new(format!("{to} is no server of this cluster; it has {}", names.join(", "))));
    };
    match unfit(new, situation) {
        None => Ok(new),
        Some(why) => Err(Refusal::new(format!("{to} cannot become the primary: {why}"))),
    }
}
