//! What to do with a server that is not part of the replication and should be.

use serde::{Deserialize, Serialize};
use topology::Extra;

use super::errant::errant;
use super::level::beyond_logs;
use super::situation::{Applier, Member, Situation};
use super::value::Refusal;

/// What becomes of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rejoin", content = "detail")]
pub enum Rejoin {
    /// It is a replica already, and nothing is to be done.
    Replicates,
    /// Its history is part of the primary's: it is made read-only where it is not, and can follow as it is. What its relay
    /// log still holds, the primary has.
    Follow,
    /// It follows, but was stopped: its threads are started.
    Start,
    /// It has transactions that the primary never had, be it only in its relay log.
    Ahead(Vec<Extra>),
    /// Applying stopped with an error that passes: it is started again.
    Restart(String),
    /// Applying stopped with an error.
    Broken(String),
    /// It lacks transactions that the primary has no binary logs of any more.
    Behind(String),
    /// Its source does not have any more what it lacks.
    Severed(String),
}

impl std::fmt::Display for Rejoin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rejoin::Replicates => f.write_str("it replicates already"),
            Rejoin::Follow => f.write_str("it can follow the primary as it is"),
            Rejoin::Start => f.write_str("it follows, and its threads have to be started"),
            Rejoin::Ahead(extra) => {
                let extra: Vec<_> = extra.iter().map(Extra::to_string).collect();
                write!(f, "it has transactions that the primary never had: {}", extra.join(", "))
            }
            Rejoin::Restart(why) => write!(f, "its applying thread is started again after {why}"),
            Rejoin::Severed(why) => write!(f, "its source cannot give what it lacks: {why}"),
            Rejoin::Broken(why) => write!(f, "its applying thread is broken: {why}"),
            Rejoin::Behind(why) => f.write_str(why),
        }
    }
}

/// Judges one server against the primary.
///
/// # Errors
/// There is nothing to join, the server cannot be asked, or somebody has other plans for it.
pub fn rejoin(situation: &Situation, server: &str) -> Result<Rejoin, Refusal> {
    let refuse = |why: String| Err(Refusal::new(why));
    let Some(primary) = situation.primary().filter(|p| p.up) else {
        return refuse("there is no primary to join".to_owned());
    };
    if primary.server == server {
        return refuse(format!("{server} is the primary"));
    }
    if primary.read_only {
        return refuse(format!("the primary {} is read-only: it may be on its way out", primary.server));
    }
    let Some(member) = situation.member(server) else {
        return refuse(format!("{server} is no server of this cluster"));
    };
    if !member.up {
        return refuse(format!("{server} does not answer"));
    }
    if member.maintenance {
        return refuse(format!("{server} is in maintenance"));
    }
    if member.id != 0 && member.id == primary.id {
        return refuse(format!("{server} has the primary's server_id, {}", member.id));
    }
    if let Some(source) = fed_by(situation, member) {
        return refuse(format!("{server} replicates from {source}, which is not of this cluster"));
    }
    match judge(situation, primary, member) {
        Rejoin::Replicates if !member.replication.as_ref().is_some_and(|r| r.connected) => {
            refuse(format!("{server} follows already, and has no connection to its source at present"))
        }
        what => Ok(what),
    }
}

/// A source outside from which it does receive.
fn fed_by<'a>(situation: &'a Situation, member: &'a Member) -> Option<&'a str> {
    let source = situation.stranger(member)?;
    let connected = member.replication.as_ref().is_some_and(|r| r.connected);
    (connected && situation.member(source).is_none()).then_some(source)
}

fn judge(situation: &Situation, primary: &Member, member: &Member) -> Rejoin {
    let extra = errant(member, situation);
    if !extra.is_empty() {
        return Rejoin::Ahead(extra);
    }
    if member.is_behind_logs_of(primary) {
        return Rejoin::Behind(beyond_logs(member, primary));
    }
    let Some(replication) = &member.replication else { return Rejoin::Follow };
    if let Applier::Broken(why) = &replication.applier {
        return if passes(why) { Rejoin::Restart(why.clone()) } else { Rejoin::Broken(why.clone()) };
    }
    let between = situation.between(member);
    let leads_here = situation.stranger(member).is_none()
        && between.last().unwrap_or(&member).follows(&primary.server)
        && between.iter().all(|m| m.up);
    match replication.applier {
        _ if leads_here && replication.severed.is_some() => {
            Rejoin::Severed(replication.severed.clone().unwrap_or_default())
        }
        _ if !leads_here => Rejoin::Follow,
        Applier::Running if !replication.halted => Rejoin::Replicates,
        _ => Rejoin::Start,
    }
}

/// Errors that are not about the data, so that the same event can go through later: a full disk (3, 1021, 1114), locks (1205,
/// 1213), memory (1037, 1038, 1041), a kill (1053, 1317, 1927), no connection for a federated table (1158–1161).
const PASSING: &[u32] =
    &[3, 1021, 1037, 1038, 1041, 1053, 1114, 1158, 1159, 1160, 1161, 1205, 1213, 1317, 1927];

/// Whether an applying thread that stopped with this error, as `error NUMBER: TEXT`, may be started again.
fn passes(why: &str) -> bool {
    let number = why.strip_prefix("error ").and_then(|rest| rest.split(':').next());
    number.and_then(|number| number.parse().ok()).is_some_and(|number: u32| PASSING.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_data_is_never_repeated() {
        assert!(passes("error 1205: Lock wait timeout exceeded"));
        assert!(passes("error 1114: The table is full"));
        for data in
            ["error 1032: Can't find record", "error 1062: Duplicate entry", "error 12050: x", "1205", ""]
        {
            assert!(!passes(data), "{data}");
        }
    }
}
