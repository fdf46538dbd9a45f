//! What people should know before a plan is carried out.

use topology::Position;

use super::candidate::replicated;
use super::failover::usurper;
use super::field::Field;
use super::level::{Levelled, gap};
use super::situation::{Member, Situation};

/// So many transactions to apply are felt as a pause.
const NOTABLE: u64 = 1000;

pub(super) fn failover_warnings(
    situation: &Situation,
    new: &Member,
    levelled: &Levelled<'_>,
    field: &Field<'_>,
    most: &Position,
) -> Vec<String> {
    let mut warnings: Vec<String> = usurper(situation).into_iter().collect();
    warnings.extend(alive(situation));
    warnings.extend(out_of_reach(situation, most));
    warnings.extend(still_hear(situation));
    for server in levelled.sources.iter().chain([&new]) {
        warnings.extend(backlog(server));
    }
    for from in &levelled.sources {
        if from.maintenance {
            warnings.push(format!("{} is in maintenance, and is needed for what it alone has", from.server));
        }
        if new.is_older_than(from) {
            warnings
                .push(format!("{} fetches from {}, which runs {}", new.server, from.server, from.version));
        }
    }
    warnings.extend(older(new, field.replicas()));
    warnings.extend(upstream(situation));
    warnings.extend(unacknowledged(situation, new, field));
    warnings
}

/// There is a better way than a failover.
fn alive(situation: &Situation) -> Option<String> {
    let primary = situation.primary().filter(|p| p.up)?;
    Some(match primary.read_only {
        true => format!("{} answers and is read-only: it could be made writable again", primary.server),
        false => {
            format!("{} answers and takes writes: a switchover would end no transaction", primary.server)
        }
    })
}

/// What was last seen on servers that are not reached, and nowhere else.
fn out_of_reach(situation: &Situation, most: &Position) -> Vec<String> {
    let primary = situation.primary.as_deref();
    let mut lines = Vec::new();
    for member in situation.members.iter().filter(|m| !m.up) {
        let is_primary = Some(member.server.as_str()) == primary;
        if !is_primary && !situation.is_replica(member) {
            continue;
        }
        let had = if is_primary { member.has() } else { replicated(member, situation) };
        if !most.covers(&had) {
            let lost = gap(most, &had);
            lines.push(format!(
                "{}, which is not reached, was seen with {lost} that nobody at hand has",
                member.server
            ));
        }
    }
    lines
}

/// A primary that others still hear may not be dead.
fn still_hear(situation: &Situation) -> Option<String> {
    if situation.primary().is_some_and(|p| p.up) {
        return None;
    }
    let primary = situation.primary.as_deref()?;
    let hears = |m: &&Member| m.follows(primary) && m.replication.as_ref().is_some_and(|r| r.connected);
    let names: Vec<_> = situation.replicas().filter(hears).map(|m| m.server.as_str()).collect();
    let who = names.join(", ");
    (!names.is_empty()).then(|| {
        format!("a connection to {primary} is still open on {who}: it may be alive, and hadal alone cut off from it")
    })
}

fn backlog(member: &Member) -> Option<String> {
    let count = member.backlog();
    let text = || format!("{} has {count} transactions to apply before writes go on", member.server);
    (count >= NOTABLE).then(text)
}

/// Replicas that the new primary's release is too new for.
pub(super) fn older<'a>(new: &Member, replicas: impl Iterator<Item = &'a Member>) -> Option<String> {
    let older: Vec<_> = replicas.filter(|m| m.is_older_than(new)).map(|m| m.server.as_str()).collect();
    let text = || {
        format!(
            "{} runs {}, from which {} may not be able to replicate",
            new.server,
            new.version,
            older.join(", ")
        )
    };
    (!older.is_empty()).then(text)
}

/// The primary itself replicates from somewhere, which nobody goes on with.
pub(super) fn upstream(situation: &Situation) -> Option<String> {
    let primary = situation.primary()?;
    let source = &primary.replication.as_ref()?.source;
    let outside = situation.member(source).is_none();
    let text = || {
        format!(
            "{} replicated from {source}: nobody goes on with that, set it up on the new primary",
            primary.server
        )
    };
    outside.then(text)
}

/// Nobody is left who would acknowledge the new primary's commits, or fewer than they wait for.
fn unacknowledged(situation: &Situation, new: &Member, field: &Field<'_>) -> Option<String> {
    let wanted = situation.acknowledgers.as_ref().is_some_and(|a| a.wait_for > 0 && !a.servers.is_empty());
    let there = field.replicas().count();
    match u32::try_from(there).unwrap_or(u32::MAX) {
        0 if wanted => Some(format!("no replica is left to acknowledge what {} commits", new.server)),
        few if wanted && few < new.wait_for => Some(format!(
            "commits on {} wait for {} acknowledgements, of which {there} can be had",
            new.server, new.wait_for
        )),
        _ => None,
    }
}
