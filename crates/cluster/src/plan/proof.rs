//! Whether everything that was ever acknowledged is at hand.
//!
//! A commit is acknowledged to a client once `wait_for` (k) of the enrolled acknowledgers (R) have it in their relay logs.
//! Nobody knows which k. So every such commit is certain to be on one of the servers at hand only if fewer than k acknowledgers
//! are missing, that is if at least R−k+1 are there. With MariaDB k is 1: all must be there.
//!
//! The same number keeps a primary that was only frozen from acknowledging anything after the failover: fewer than k
//! acknowledgers are out of hadal's reach, and all others stop receiving.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use topology::{Extra, MariaGtid};

use super::errant::errant;
use super::situation::{Member, Rebuilding, Situation};

/// Whose acknowledgement a commit may have waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgers {
    pub servers: BTreeSet<String>,
    pub wait_for: u32,
}

/// What can be promised of acknowledged commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "promise")]
pub enum Proof {
    /// None is lost. The clause says why.
    Lossless { why: String },
    /// Some may be.
    MayLose { why: String },
}

impl Proof {
    pub fn is_lossless(&self) -> bool {
        matches!(self, Proof::Lossless { .. })
    }

    pub fn why(&self) -> &str {
        match self {
            Proof::Lossless { why } | Proof::MayLose { why } => why,
        }
    }
}

/// Judges what a failover now could promise.
pub fn prove(situation: &Situation) -> Proof {
    let may_lose = |why: String| Proof::MayLose { why };
    if situation.fell_back {
        return may_lose("the primary had stopped waiting for acknowledgements".to_owned());
    }
    let Some(enrolled) = situation.acknowledgers.as_ref().filter(|a| !a.servers.is_empty()) else {
        return may_lose("no replica was known to acknowledge the primary's commits".to_owned());
    };
    if enrolled.wait_for == 0 {
        return may_lose("the primary's commits waited for no acknowledgement".to_owned());
    }
    let missing: Vec<_> = enrolled.servers.iter().filter_map(|s| missing(s, situation)).collect();
    let (all, wait_for) = (enrolled.servers.len(), enrolled.wait_for as usize);
    let needed = (all + 1).saturating_sub(wait_for).max(1);
    let there = all - missing.len();
    if there >= needed {
        let why = format!("{there} of {all} acknowledgers are at hand, {needed} needed");
        return Proof::Lossless { why };
    }
    may_lose(format!("{there} of {all} acknowledgers are at hand, {needed} needed: {}", missing.join("; ")))
}

/// Why what a server acknowledged is not known to be there, if so.
fn missing(server: &str, situation: &Situation) -> Option<String> {
    let Some(member) = situation.member(server) else {
        return Some(format!("{server} is no server of this cluster any more"));
    };
    if !member.up {
        return Some(format!("{server} does not answer"));
    }
    if !situation.is_replica(member) {
        return Some(format!("{server} does not replicate from this cluster any more"));
    }
    if member.rebuilding == Rebuilding::Swapped {
        return Some(format!("{server} is being rebuilt, and what it had acknowledged may not be there yet"));
    }
    if member.is_forgetful() {
        return Some(format!("{server} was restarted, and what it had received and not applied may be gone"));
    }
    let hides = obscured(member, situation)?;
    Some(format!(
        "{server} has received up to {hides}, which the primary never had; how much of the primary's is not known"
    ))
}

/// A transaction that is not the primary's at the end of what was received: how far the primary's reach cannot be told. On
/// MySQL, sets tell it in any case.
fn obscured(member: &Member, situation: &Situation) -> Option<MariaGtid> {
    let errant = errant(member, situation);
    let errant: Vec<_> = errant.iter().filter_map(Extra::range).collect();
    let foreign =
        |p: &&MariaGtid| errant.iter().any(|e| (e.domain, e.server) == (p.domain, p.server) && e.to == p.seq);
    member.replication.as_ref()?.received.points().iter().find(foreign).copied()
}
