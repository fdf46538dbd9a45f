//! The plan for a primary that is gone.

use topology::Position;

use super::candidate::{most_advanced, rank, replicated};
use super::field::Field;
use super::level::{Levelled, beyond_logs, gap, level};
use super::proof::{Proof, prove};
use super::situation::{Member, Situation};
use super::value::{Kind, LeftOut, Plan, Refusal, Step};
use super::warn::failover_warnings;

/// A replica with more to apply would keep everybody waiting.
const LATE: u64 = 10_000;

/// Who takes over, and how. `allow_loss`: go on without the proof that nothing acknowledged is lost. Whether the primary is
/// gone is not asked here: the plan says it where it does answer.
///
/// # Errors
/// Why nobody can, or must not without somebody's word.
pub fn failover(situation: &Situation, allow_loss: bool) -> Result<Plan, Refusal> {
    let Some(old) = situation.primary.clone() else {
        let why = "it is not known which server is or was the primary; make one writable by hand";
        return Err(Refusal::new(why));
    };
    let (fit, left_out) = rank(situation);
    let Some(new) = fit.first() else {
        let why = match left_out.is_empty() {
            true => "no server can become the primary: there is no other",
            false => "no server can become the primary",
        };
        return Err(Refusal { why: why.to_owned(), left_out });
    };
    let most = most_advanced(situation);
    let levelled = level(situation, new, &most);
    let field = Field::of(situation, new, LATE);
    let left_out = field.left_out(left_out);
    let plan = Plan {
        kind: Kind::Failover,
        cluster: situation.cluster.clone(),
        epoch: situation.epoch,
        old: Some(old),
        new: new.server.clone(),
        why: why(new, &levelled, &most),
        proof: promise(situation, new, &levelled, &most),
        steps: steps(situation, new, &levelled, &field),
        left_out,
        warnings: failover_warnings(situation, new, &levelled, &field, &most),
    };
    let unproven = || (!plan.proof.is_lossless()).then(|| plan.proof.why().to_owned());
    match usurper(situation).or_else(unproven) {
        Some(why) if !allow_loss => {
            let why = format!("{why}; nothing is done without somebody's word (--allow-loss)");
            Err(Refusal { why, left_out: plan.left_out })
        }
        _ => Ok(plan),
    }
}

/// A server that somebody may have promoted by hand: it takes writes, replicates from nobody, and has this cluster's past.
pub(super) fn usurper(situation: &Situation) -> Option<String> {
    let most = most_advanced(situation);
    let has_past = |m: &Member| {
        if let (Some(own), Some(most), Some(uuid)) = (m.position.set(), most.set(), m.uuid) {
            let past = own.without(uuid);
            return past.minus(most) != past;
        }
        let mut points = m.history.points().iter();
        points.any(|p| p.server != m.id && most.seq(p.domain) >= p.seq)
    };
    let is_one = |m: &&Member| {
        let other = Some(m.server.as_str()) != situation.primary.as_deref();
        other && m.up && !m.read_only && m.replication.is_none() && has_past(m)
    };
    let found = situation.members.iter().find(is_one)?;
    Some(format!(
        "{} takes writes, replicates from nobody and has this cluster's past: it may have been promoted by hand",
        found.server
    ))
}

fn promise(situation: &Situation, new: &Member, levelled: &Levelled<'_>, most: &Position) -> Proof {
    let proof = prove(situation);
    if levelled.reaches.covers(most) {
        return proof;
    }
    let lost = gap(&levelled.reaches, most);
    let has = |m: &&Member| m.server != new.server && !levelled.reaches.covers(&replicated(m, situation));
    let holders: Vec<_> = situation.replicas().filter(has).map(|m| m.server.as_str()).collect();
    let mut why = format!("{lost} would be lost, which {} received and cannot hand on", holders.join(", "));
    if let Proof::MayLose { why: also } = proof {
        why = format!("{why}; {also}");
    }
    Proof::MayLose { why }
}

fn why(new: &Member, levelled: &Levelled<'_>, most: &Position) -> String {
    let has = new.has();
    if levelled.sources.is_empty() {
        return if has.covers(most) {
            format!("it has the most: {has}")
        } else {
            format!("it has the most of those that may: {has}")
        };
    }
    let sources: Vec<_> = levelled.sources.iter().map(|m| m.server.as_str()).collect();
    let lacks = gap(&has, &levelled.reaches);
    format!("it is the best of those that may, and fetches {lacks} from {}", sources.join(" and "))
}

fn steps(situation: &Situation, new: &Member, levelled: &Levelled<'_>, field: &Field<'_>) -> Vec<Step> {
    let names = |chosen: &dyn Fn(&Member) -> bool| -> Vec<String> {
        situation.replicas().filter(|m| chosen(m)).map(|m| m.server.clone()).collect()
    };
    let is_source = |m: &Member| levelled.sources.iter().any(|s| s.server == m.server);
    let drained = |m: &Member| m.server == new.server || is_source(m) || field.follows(m);
    let direct = |m: &Member| situation.primary.as_deref().is_some_and(|p| m.follows(p));
    let is_halted = |m: &Member| m.replication.as_ref().is_some_and(|r| r.halted);
    let stop = names(&|m| drained(m) || direct(m) && !is_halted(m));
    let server = new.server.clone();
    let mut steps = vec![
        Step::Hold { finish: false },
        Step::Fence,
        Step::StopReceiving { servers: stop },
        Step::Drain { servers: names(&drained) },
    ];
    let fetch = |from: &&Member| Step::Level { server: server.clone(), from: from.server.clone() };
    steps.extend(levelled.sources.iter().map(fetch));
    steps.push(Step::Promote { server: server.clone() });
    let follow = names(&|m| field.follows(m));
    let has_followers = !follow.is_empty() || field.has_below();
    if !follow.is_empty() {
        steps.push(Step::Repoint { servers: follow, to: server.clone() });
    }
    if has_followers {
        steps.push(Step::AwaitAcknowledger { server: server.clone() });
    }
    steps.extend([Step::Open { server }, Step::Release]);
    steps
}

impl Field<'_> {
    /// Adds those who could be the primary and take no part, and drops those who do.
    fn left_out(&self, unfit: Vec<LeftOut>) -> Vec<LeftOut> {
        let mut left_out: Vec<_> = unfit.into_iter().filter(|l| !self.takes_part(&l.server)).collect();
        left_out.extend(self.late().map(|m| {
            let why = format!("it has {} transactions to apply first, and joins afterwards", m.backlog());
            LeftOut::new(m, why)
        }));
        left_out.extend(self.behind().map(|m| LeftOut::new(m, beyond_logs(m, self.leader()))));
        left_out
    }
}
