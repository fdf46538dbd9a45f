//! The plan for another primary while the present one is well.

use super::candidate::{is_far, is_newer, sorted_out, unfit};
use super::field::Field;
use super::level::beyond_logs;
use super::proof::Proof;
use super::situation::{Applier, Member, Promotion, Situation, distance};
use super::value::{Kind, LeftOut, Plan, Refusal, Step};
use super::warn::{older, upstream};

/// With more to receive and apply a server is taken only where nobody has less: writes wait for it.
const LAGS: u64 = 1000;

/// With more they would wait until the switchover is given up.
const TOO_LATE: u64 = 10_000;

/// Who takes over, and how. Without `to` it is the best one there is.
///
/// # Errors
/// Why that cannot be done now. Nothing has been touched.
pub fn switchover(situation: &Situation, to: Option<&str>) -> Result<Plan, Refusal> {
    let old = situation.primary().ok_or_else(|| Refusal::new("no primary is known"))?;
    if !old.up {
        let why = format!("the primary {} does not answer: this needs a failover", old.server);
        return Err(Refusal::new(why));
    }
    let (fit, mut left_out) = sorted_out(situation);
    let new = match to {
        Some(to) => chosen(situation, old, to)?,
        None => best(situation, old, &fit, &mut left_out)?,
    };
    let field = Field::of(situation, new, u64::MAX);
    acknowledged(situation, new, &field)?;
    let mut left_out: Vec<_> = left_out.into_iter().filter(|l| !field.takes_part(&l.server)).collect();
    left_out.extend(field.behind().map(|m| LeftOut::new(m, beyond_logs(m, new))));
    let follow = situation.replicas().filter(|m| field.follows(m)).map(|m| m.server.clone());
    let follow = follow.chain([old.server.clone()]).collect();
    Ok(Plan {
        kind: Kind::Switchover,
        cluster: situation.cluster.clone(),
        epoch: situation.epoch,
        old: Some(old.server.clone()),
        new: new.server.clone(),
        why: format!("it is at {}, the primary at {}", new.has(), old.position),
        proof: Proof::Lossless { why: "the primary hands over in order".to_owned() },
        steps: steps(&old.server, &new.server, follow),
        left_out,
        warnings: warnings(situation, old, new, &field),
    })
}

fn steps(from: &str, to: &str, follow: Vec<String>) -> Vec<Step> {
    let server = || to.to_owned();
    vec![
        Step::Hold { finish: true },
        Step::Demote { server: from.to_owned() },
        Step::CatchUp { server: server(), with: from.to_owned() },
        Step::Fence,
        Step::Promote { server: server() },
        // Relay logs may be thrown away here: the new primary has everything.
        Step::Repoint { servers: follow, to: server() },
        Step::AwaitAcknowledger { server: server() },
        Step::Open { server: server() },
        Step::Release,
    ]
}

fn chosen<'a>(situation: &'a Situation, old: &Member, to: &str) -> Result<&'a Member, Refusal> {
    if to == old.server {
        return Err(Refusal::new(format!("{to} is the primary already")));
    }
    let Some(new) = situation.member(to) else {
        let names: Vec<_> = situation.members.iter().map(|m| m.server.as_str()).collect();
        return Err(Refusal::new(format!("{to} is no server of this cluster; it has {}", names.join(", "))));
    };
    let why = unfit(new, situation).map(|why| why.to_string()).or_else(|| unready(new, old));
    match why {
        None => Ok(new),
        Some(why) => Err(Refusal::new(format!("{to} cannot become the primary: {why}"))),
    }
}

/// The one that people want most; with how much it has received nothing is decided, for it gets the rest.
fn best<'a>(
    situation: &Situation,
    old: &Member,
    fit: &[&'a Member],
    left_out: &mut Vec<LeftOut>,
) -> Result<&'a Member, Refusal> {
    let mut ready = Vec::new();
    for member in fit {
        match unready(member, old) {
            None if !is_newer(member, situation) => ready.push(*member),
            None => left_out.extend(unfit(member, situation).map(|w| LeftOut::new(member, w.to_string()))),
            Some(why) => left_out.push(LeftOut::new(member, why)),
        }
    }
    let order = |m: &&Member| {
        let lacks = distance(&m.position, &old.position);
        let reluctant = (m.promotion == Promotion::PreferNot, if lacks > LAGS { lacks } else { 0 });
        (reluctant, m.promotion, is_far(m, situation), lacks, m.server.clone())
    };
    ready.into_iter().min_by_key(order).ok_or_else(|| Refusal {
        why: "no other server can become the primary".to_owned(),
        left_out: left_out.clone(),
    })
}

/// Why it would never come level with the primary.
fn unready(new: &Member, old: &Member) -> Option<String> {
    let replication = new.replication.as_ref()?;
    if replication.source != old.server {
        return Some(format!("it replicates from {}, not from the primary", replication.source));
    }
    if !replication.connected {
        return Some("it does not receive from the primary at present".to_owned());
    }
    if replication.applier != Applier::Running {
        return Some("its applying thread is stopped".to_owned());
    }
    let lacks = distance(&new.position, &old.position);
    (lacks > TOO_LATE).then(|| format!("it is {lacks} transactions behind; let it catch up first"))
}

/// Enough servers will acknowledge what the new primary commits: else it would commit nothing.
fn acknowledged(situation: &Situation, new: &Member, field: &Field<'_>) -> Result<(), Refusal> {
    let wanted = situation.acknowledgers.as_ref().map_or(0, |a| a.wait_for as usize);
    // The old primary is one of them.
    let there = field.replicas().filter(|m| acknowledges(m)).count() + 1;
    if there >= wanted {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "commits on {} would wait for {wanted} acknowledgements, of which {there} could be had",
        new.server
    )))
}

fn acknowledges(member: &Member) -> bool {
    member.replication.as_ref().is_some_and(|r| r.acknowledges)
}

fn warnings(situation: &Situation, old: &Member, new: &Member, field: &Field<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let enrolled = situation.acknowledgers.iter().flat_map(|a| &a.servers);
    for server in enrolled.filter(|s| !situation.member(s).is_some_and(|m| m.up)) {
        warnings.push(format!("{server} acknowledged commits, and does not answer"));
    }
    let waits = situation.acknowledgers.as_ref().is_some_and(|a| !a.servers.is_empty() && a.wait_for > 0);
    if waits && !field.replicas().any(acknowledges) {
        warnings.push(format!("commits on {} wait until {} acknowledges them", new.server, old.server));
    }
    let lacks = distance(&new.position, &old.position);
    if lacks > LAGS {
        warnings.push(format!("{} is {lacks} transactions behind, and writes wait for that", new.server));
    }
    warnings.extend(older(new, field.replicas().chain([old])));
    warnings.extend(upstream(situation));
    warnings
}
