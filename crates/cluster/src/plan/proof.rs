//! Whether everything that was ever acknowledged is at hand.
//!
//! A commit is acknowledged to a client once `wait_for` (k) of the enrolled acknowledgers (R) have it in their relay logs.
//! Nobody knows which k. So every such commit is certain to be on one of the servers at hand only if fewer than k acknowledgers
//! are missing, that is if at least R−k+1 are there. With MariaDB k is 1: all must be there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::situation::Situation;

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
    let at_hand = |server: &&String| situation.member(server).is_some_and(|m| m.up);
    let missing: Vec<_> = enrolled.servers.iter().filter(|s| !at_hand(s)).map(String::as_str).collect();
    let (all, wait_for) = (enrolled.servers.len(), enrolled.wait_for.max(1) as usize);
    let needed = (all + 1).saturating_sub(wait_for).max(1);
    let there = all - missing.len();
    if there >= needed {
        let why = format!("{there} of {all} acknowledgers are at hand, {needed} are needed");
        return Proof::Lossless { why };
    }
    may_lose(format!(
        "only {there} of {all} acknowledgers are at hand and {needed} are needed: commits may be on {} alone",
        missing.join(", ")
    ))
}
