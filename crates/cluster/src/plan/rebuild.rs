//! From whom a server gets its data anew, and whether it may.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use topology::Extra;

use super::candidate::foreign;
use super::errant::errant;
use super::rejoin::{Rejoin, rejoin};
use super::situation::{Member, Rebuilding, Situation, distance};
use super::value::Refusal;

/// A replica that lacks more transactions than this is no donor while there are others: the copy would begin as late.
const LATE: u64 = 100_000;

/// How data come from one server to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `mariadb-backup` on the donor, streamed into a folder beside the server's own data.
    StreamedBackup,
}

/// What is to be done to one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildPlan {
    pub server: String,
    pub donor: String,
    pub method: Method,
    /// Transactions that only the server has: they are written to a file before anything else.
    pub extra: Vec<Extra>,
    /// One clause: why this donor.
    pub why: String,
}

impl std::fmt::Display for RebuildPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server, donor, why, .. } = self;
        writeln!(f, "rebuild of {server} from {donor}: {why}")?;
        let mut number = 1;
        let mut step = |text: String| {
            number += 1;
            writeln!(f, "  {:2}. {text}", number - 1)
        };
        if !self.extra.is_empty() {
            let extra: Vec<_> = self.extra.iter().map(Extra::to_string).collect();
            step(format!("keep what only {server} has in a file: {}", extra.join(", ")))?;
        }
        step(format!(
            "copy the data of {donor} into a folder beside those of {server}, which goes on meanwhile"
        ))?;
        step("bring the copy to one moment (--prepare)".to_owned())?;
        step(format!(
            "stop {server}, put the copy in place of its data, which stay beside it, and start it"
        ))?;
        step("let it replicate from the copy's position, and wait until it has everything".to_owned())?;
        step("remove the old data, unless they are to be kept".to_owned())
    }
}

/// How a server can be rebuilt now. `avoid`: a donor that just failed is taken only where there is no other.
///
/// # Errors
/// It must not be touched, or there is nobody to copy from.
pub fn rebuild(situation: &Situation, server: &str, avoid: Option<&str>) -> Result<RebuildPlan, Refusal> {
    let refuse = |why: String| Err(Refusal::new(why));
    let Some(member) = situation.member(server) else {
        return refuse(format!("{server} is no server of this cluster"));
    };
    let Some(primary) = situation.primary().filter(|p| p.up && !p.read_only) else {
        return refuse("there is no primary to which it could belong afterwards".to_owned());
    };
    if primary.server == server {
        return refuse(format!("{server} is the primary"));
    }
    if member.maintenance {
        return refuse(format!("{server} is in maintenance"));
    }
    if !member.up && member.rebuilding == Rebuilding::No {
        let why = "does not answer: what only it has could not be kept, so start it first";
        return refuse(format!("{server} {why}"));
    }
    let speaks_mariadb = |m: &Member| m.version.is_empty() || m.version.contains("MariaDB");
    if !speaks_mariadb(member) || !speaks_mariadb(primary) {
        return refuse(format!("{server}: only MariaDB servers can be rebuilt"));
    }
    let Some((donor, why)) = donor(situation, member, primary, avoid) else {
        return refuse(format!("no server of the release of {server} is there to copy from"));
    };
    let extra = if member.up && member.rebuilding != Rebuilding::Swapped {
        errant(member, situation)
    } else {
        Vec::new()
    };
    let donor = donor.server.clone();
    Ok(RebuildPlan {
        server: server.to_owned(),
        donor,
        method: Method::StreamedBackup,
        extra,
        why: why.to_owned(),
    })
}

/// The replica whose work is least missed; the primary where there is no replica.
fn donor<'a>(
    situation: &'a Situation,
    member: &Member,
    primary: &'a Member,
    avoid: Option<&str>,
) -> Option<(&'a Member, &'static str)> {
    let same_release =
        |m: &Member| m.release() == (0, 0) || member.release() == (0, 0) || m.release() == member.release();
    let lacks = |m: &Member| distance(&m.position, &primary.position);
    let gives = |m: &&Member| {
        m.server != member.server
            && m.rebuilding == Rebuilding::No
            && !m.maintenance
            && same_release(m)
            && rejoin(situation, &m.server) == Ok(Rejoin::Replicates)
            && foreign(m, situation).is_none()
    };
    let avoided = |m: &Member| avoid == Some(m.server.as_str());
    let best = situation.replicas().filter(gives).min_by_key(|m| {
        // Whoever should not become the primary has the least to do in a failover.
        let is_late = lacks(m) > LATE;
        (avoided(m), is_late, Reverse(m.promotion), m.zone != member.zone, lacks(m), m.server.clone())
    });
    match best {
        Some(replica) if !avoided(replica) => Some((replica, "a replica that has everything")),
        _ if same_release(primary) && !avoided(primary) => Some((primary, "no replica can give its data")),
        replica => replica.map(|replica| (replica, "there is no other")),
    }
}
