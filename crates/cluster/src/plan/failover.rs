//! The plan for a primary that is gone.

use topology::GtidPosition;

use super::candidate::{errant, rank};
use super::proof::prove;
use super::situation::{Member, Situation};
use super::value::{Kind, LeftOut, Plan, Refusal, Step};

/// Who takes over, and how. `allow_loss`: go on without the proof that nothing acknowledged is lost.
///
/// # Errors
/// Why nobody can, or must not without somebody's word.
pub fn failover(situation: &Situation, allow_loss: bool) -> Result<Plan, Refusal> {
    let (fit, mut left_out) = rank(situation);
    let refuse = |why: String, left_out: &[LeftOut]| Err(Refusal { why, left_out: left_out.to_vec() });
    let Some(best) = fit.first() else {
        return refuse("no server can become the primary".to_owned(), &left_out);
    };
    let most = most_advanced(situation);
    let mut warnings = Vec::new();
    // Who has it all and can hand it on: the best itself, if it can.
    let holder = if best.has().covers(&most) {
        Some(*best)
    } else {
        donors(situation).find(|m| m.has().covers(&most))
    };
    let Some(holder) = holder else {
        let why = stranded(situation, best, &most);
        if !allow_loss {
            return refuse(format!("{why}; repair it, or accept the loss (--allow-loss)"), &left_out);
        }
        warnings.push(why);
        return Ok(plan(situation, best, None, &mut left_out, warnings));
    };
    let from = (holder.server != best.server).then_some(holder);
    let plan = plan(situation, best, from, &mut left_out, warnings);
    if !plan.proof.is_lossless() && !allow_loss {
        let why = format!("{}; nothing is done without somebody's word (--allow-loss)", plan.proof.why());
        return refuse(why, &plan.left_out);
    }
    Ok(plan)
}

/// The position that all reachable replicas together have, whatever state they are in. What somebody wrote to a replica
/// itself does not count.
fn most_advanced(situation: &Situation) -> GtidPosition {
    let mut most = GtidPosition::default();
    for member in situation.replicas() {
        if errant(member, situation).is_empty() {
            most.advance_all(&member.has());
        } else if let Some(replication) = &member.replication {
            // What it received is the primary's nevertheless.
            most.advance_all(&replication.received);
        }
    }
    most
}

/// Replicas from which another one can fetch: they need not be fit to be the primary.
fn donors(situation: &Situation) -> impl Iterator<Item = &Member> {
    situation.replicas().filter(|m| m.applies() && m.logs && errant(m, situation).is_empty())
}

fn stranded(situation: &Situation, best: &Member, most: &GtidPosition) -> String {
    let missing = |m: &&Member| {
        most.points().iter().any(|p| m.has().seq(p.domain) >= p.seq && best.has().seq(p.domain) < p.seq)
    };
    let holders: Vec<_> = situation.replicas().filter(missing).map(|m| m.server.as_str()).collect();
    format!(
        "{} has received up to {most}, which {} (at {}) lacks, and cannot hand it on",
        holders.join(", "),
        best.server,
        best.has()
    )
}

fn plan(
    situation: &Situation,
    best: &Member,
    from: Option<&Member>,
    left_out: &mut Vec<LeftOut>,
    warnings: Vec<String>,
) -> Plan {
    // A broken one keeps its relay log: nothing is done to it.
    let sound = |m: &&Member| m.applies() && !m.maintenance;
    let sound: Vec<String> = situation.replicas().filter(sound).map(|m| m.server.clone()).collect();
    let follow =
        |m: &&Member| m.server != best.server && sound.contains(&m.server) && errant(m, situation).is_empty();
    let follow: Vec<String> = situation.replicas().filter(follow).map(|m| m.server.clone()).collect();
    left_out.retain(|l| l.server != best.server && !follow.contains(&l.server));
    let new = best.server.clone();
    let proof = prove(situation);
    let mut steps = vec![
        Step::Hold { finish: false },
        Step::Fence,
        Step::StopReceiving { servers: sound.clone() },
        Step::Drain { servers: sound },
    ];
    if let Some(from) = from {
        steps.push(Step::Level { server: new.clone(), from: from.server.clone() });
    }
    steps.push(Step::Promote { server: new.clone() });
    if !follow.is_empty() {
        steps.push(Step::Repoint { servers: follow, to: new.clone() });
        steps.push(Step::AwaitAcknowledger { server: new.clone() });
    }
    steps.extend([Step::Open { server: new.clone() }, Step::Release]);
    let why = match from {
        None => format!("it has the most: {}", best.has()),
        Some(from) => format!("the rules prefer it; it fetches from {} what it lacks", from.server),
    };
    Plan {
        kind: Kind::Failover,
        cluster: situation.cluster.clone(),
        epoch: situation.epoch,
        old: situation.primary.clone(),
        new,
        why,
        proof,
        steps,
        left_out: std::mem::take(left_out),
        warnings,
    }
}
