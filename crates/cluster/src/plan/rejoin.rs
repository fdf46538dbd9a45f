//! What to do with a server that is not part of the replication and should be.

use topology::Extra;

use super::situation::{Applier, Situation};
use super::value::Refusal;

/// What becomes of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejoin {
    /// It is a replica already, and nothing is to be done.
    Replicates,
    /// Its history is part of the primary's: it can follow as it is.
    Follow,
    /// It follows, but was stopped: its threads are started.
    Start,
    /// It has transactions that the primary never had.
    Ahead(Vec<Extra>),
    /// Applying stopped with an error.
    Broken(String),
}

/// Judges one server against the primary.
///
/// # Errors
/// There is nothing to join, or the server cannot be asked.
pub fn rejoin(situation: &Situation, server: &str) -> Result<Rejoin, Refusal> {
    let Some(primary) = situation.primary().filter(|p| p.up && !p.read_only) else {
        return Err(Refusal::new("there is no primary to join"));
    };
    if primary.server == server {
        return Err(Refusal::new(format!("{server} is the primary")));
    }
    let Some(member) = situation.member(server) else {
        return Err(Refusal::new(format!("{server} is no server of this cluster")));
    };
    if !member.up {
        return Err(Refusal::new(format!("{server} does not answer")));
    }
    let extra = member.history.beyond(&primary.history, &primary.base);
    // A replica may show what the primary wrote after it was asked.
    let extra: Vec<_> = extra.into_iter().filter(|extra| extra.server != primary.id).collect();
    if !extra.is_empty() {
        return Ok(Rejoin::Ahead(extra));
    }
    Ok(match &member.replication {
        Some(r) if matches!(r.applier, Applier::Broken(_)) => match &r.applier {
            Applier::Broken(why) => Rejoin::Broken(why.clone()),
            _ => Rejoin::Start,
        },
        Some(r) if r.source == primary.server => match r.applier {
            Applier::Running if r.connected => Rejoin::Replicates,
            _ => Rejoin::Start,
        },
        _ => Rejoin::Follow,
    })
}
