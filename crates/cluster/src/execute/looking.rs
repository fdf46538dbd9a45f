//! Looks at servers outside of the watchers' rhythm.

use std::sync::Arc;

use topology::Position;

use super::StepError;
use super::together::each;
use crate::control::Steering;
use crate::observe::probe::{Observation, probe};
use crate::observe::session;
use crate::options::ObserveOptions;
use crate::plan::Situation;

pub(crate) async fn look(options: &ObserveOptions, server: &str) -> Result<Observation, StepError> {
    let failed = |error| StepError::Server { server: server.to_owned(), doing: "looking at it", error };
    let address = server
        .parse()
        .map_err(|error| StepError::Unexpected { server: server.to_owned(), why: format!("{error}") })?;
    #[cfg(test)]
    if let Some(model) = &options.model {
        return model.look(&address).await.map_err(failed);
    }
    let mut client = session::open(options, &address, "control").await.map_err(failed)?;
    let node = options.heartbeat.then_some(options.node.as_str());
    let seen = probe(&mut client, node).await.map_err(failed);
    client.close().await;
    seen
}

pub(super) async fn last_position(options: &ObserveOptions, server: &str) -> Result<Position, StepError> {
    Ok(look(options, server).await?.written)
}

/// The service learns how the servers are now, instead of with its next looks.
pub(crate) async fn look_again(options: &Arc<ObserveOptions>, steering: &Steering, situation: &Situation) {
    let servers: Vec<String> = situation.members.iter().filter(|m| m.up).map(|m| m.server.clone()).collect();
    let seen = each(options, &servers, |o, s| async move { look(&o, &s).await }).await;
    // Who leads comes last: with the others following it, it is believed at once.
    let leads = |seen: &Result<Observation, StepError>| seen.as_ref().is_ok_and(|s| s.channels.is_empty());
    let (last, first): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(_, seen)| leads(seen));
    for (server, seen) in first.into_iter().chain(last) {
        if let Ok(seen) = seen {
            steering.seen(server, seen).await;
        }
    }
}
