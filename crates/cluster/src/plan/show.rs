//! Plans for people.

use std::fmt;

use super::proof::Proof;
use super::value::{Plan, Refusal, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Hold { finish: true } => f.write_str("hold new statements; what is under way may finish"),
            Step::Hold { finish: false } => f.write_str("hold statements for the primary"),
            Step::Demote { server } => {
                write!(f, "make {server} read-only, once its transactions have ended or were ended")
            }
            Step::CatchUp { server, with } => write!(f, "wait until {server} has everything of {with}"),
            Step::Fence => f.write_str("open the next epoch: nothing is written through older connections"),
            Step::StopReceiving { servers } => write!(f, "stop receiving on {}", servers.join(", ")),
            Step::Drain { servers } => write!(f, "apply everything received on {}", servers.join(", ")),
            Step::Level { server, from } => write!(f, "{server} fetches what it lacks from {from}"),
            Step::Promote { server } => {
                write!(f, "{server} leaves replication; its commits wait for acknowledgements")
            }
            Step::Repoint { servers, to } => write!(f, "let {} replicate from {to}", servers.join(", ")),
            Step::AwaitAcknowledger { server } => write!(f, "wait for a replica that acknowledges {server}"),
            Step::Open { server } => write!(f, "{server} takes writes"),
            Step::Release => f.write_str("publish the new primary and release what was held"),
        }
    }
}

impl Step {
    /// As the journal calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Hold { .. } => "hold",
            Step::Demote { .. } => "demote",
            Step::CatchUp { .. } => "catch_up",
            Step::Fence => "fence",
            Step::StopReceiving { .. } => "stop_receiving",
            Step::Drain { .. } => "drain",
            Step::Level { .. } => "level",
            Step::Promote { .. } => "promote",
            Step::Repoint { .. } => "repoint",
            Step::AwaitAcknowledger { .. } => "await_acknowledger",
            Step::Open { .. } => "open",
            Step::Release => "release",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old = self.old.as_deref().unwrap_or("nobody");
        writeln!(f, "{} of {}: {old} -> {}", self.kind.as_str(), self.cluster, self.new)?;
        writeln!(f, "  why {}: {}", self.new, self.why)?;
        match &self.proof {
            Proof::Lossless { why } => writeln!(f, "  nothing acknowledged is lost: {why}")?,
            Proof::MayLose { why } => writeln!(f, "  ACKNOWLEDGED COMMITS MAY BE LOST: {why}")?,
        }
        for warning in &self.warnings {
            writeln!(f, "  attention: {warning}")?;
        }
        for (i, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {:2}. {step}", i + 1)?;
        }
        for left in &self.left_out {
            writeln!(f, "  left out {}: {}", left.server, left.why)?;
        }
        Ok(())
    }
}

impl Refusal {
    /// With the servers that were left out.
    pub fn explained(&self) -> String {
        let mut text = self.why.clone();
        for left in &self.left_out {
            text += &format!("\n  {}: {}", left.server, left.why);
        }
        text
    }
}
