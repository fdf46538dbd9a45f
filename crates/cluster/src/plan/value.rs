//! The plan itself.

use serde::{Deserialize, Serialize};

use super::proof::Proof;
use super::situation::Member;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The primary is gone.
    Failover,
    /// The primary is well, and another one is wanted.
    Switchover,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Failover => "failover",
            Kind::Switchover => "switchover",
        }
    }
}

/// One thing to do. Each can be done again after it was done, or half done, with the same result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// Gateways hold new statements for the primary. `finish`: what is under way may come to its end.
    Hold { finish: bool },
    /// Make the server read-only, once its transactions have ended or were ended.
    Demote { server: String },
    /// Wait until the server has applied everything that the other one wrote.
    CatchUp { server: String, with: String },
    /// The next epoch begins: no gateway writes through a connection from before.
    Fence,
    /// Replicas stop receiving, and go on applying. No reachable one may go on: it would acknowledge what a primary that
    /// comes to life again commits. Of those that will be drained, an applying thread that was stopped is started first:
    /// started last it would throw the relay log away.
    StopReceiving { servers: Vec<String> },
    /// Wait until everything that was received is applied.
    Drain { servers: Vec<String> },
    /// The server fetches from the other one what it lacks.
    Level { server: String, from: String },
    /// The server stops being a replica, and waits for acknowledgements from now on. It stays read-only.
    Promote { server: String },
    /// These servers replicate from that one.
    Repoint { servers: Vec<String>, to: String },
    /// Wait until a replica acknowledges the server's commits.
    AwaitAcknowledger { server: String },
    /// The server takes writes.
    Open { server: String },
    /// Gateways learn of the new primary and let go what they held.
    Release,
}

/// A server that takes no part, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub server: String,
    pub why: String,
}

impl LeftOut {
    pub(super) fn new(member: &Member, why: impl Into<String>) -> Self {
        Self { server: member.server.clone(), why: why.into() }
    }
}

/// What will be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub kind: Kind,
    pub cluster: String,
    /// In which it was made.
    pub epoch: u64,
    pub old: Option<String>,
    pub new: String,
    /// One clause: why this server.
    pub why: String,
    pub proof: Proof,
    pub steps: Vec<Step>,
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Plan {
    /// Takes the writes from this server.
    pub(crate) fn demotes(&self, server: &str) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Demote { server: old } if old == server))
    }

    /// Servers that stop receiving on the way.
    pub(crate) fn stopped(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().flat_map(|step| match step {
            Step::StopReceiving { servers } => servers.as_slice(),
            _ => &[],
        })
    }
}

/// Why there is no plan. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    pub why: String,
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), left_out: Vec::new() }
    }
}
