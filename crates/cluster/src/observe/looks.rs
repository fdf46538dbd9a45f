//! Looks at one server that are under way: one that the watcher waits for, and earlier ones that are late.
//!
//! A look of which nothing has come for `probe_timeout` has failed, as far as can be told now. Where packets are lost and the others
//! come late, it may end well all the same: it goes on beside the next one, so that what comes is heard, and its connection is
//! not thrown away.

use std::sync::Arc;
use std::time::Duration;

use mysql_client::{Client, ClientError, Pulse};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use topology::{Address, ServerId};

use super::pending::{self, Pending};
use super::probe::{Observation, probe, replicas};
use super::session;
use crate::options::ObserveOptions;

/// For connecting, and for all questions of one look together. What comes later describes another time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Replicas come and go rarely, and they name their source themselves.
const REPLICAS_EVERY: Duration = Duration::from_secs(5);

/// How one server is looked at.
#[derive(Clone)]
pub(super) struct Looker {
    pub(super) id: ServerId,
    pub(super) address: Arc<Address>,
    pub(super) options: Arc<ObserveOptions>,
    /// The heart's beat that is under way.
    pub(super) writing: watch::Receiver<Option<Pending>>,
}

type Looked = Result<(Observation, Open), ClientError>;

/// See the module. Dropped, all of them end.
#[derive(Default)]
pub(super) struct Looks {
    /// What the last look that ended well was made through.
    open: Option<Open>,
    under_way: JoinSet<(u64, Looked)>,
    newest: u64,
}

impl Looks {
    /// Looks, until the server has said everything or nothing comes from it.
    ///
    /// # Errors
    /// Of this look; how earlier ones fail was told when they were late.
    pub(super) async fn look(&mut self, looker: &Looker) -> Result<Observation, ClientError> {
        #[cfg(test)]
        if let Some(model) = &looker.options.model {
            return model.look(&looker.address).await;
        }
        let limit = looker.options.probe_timeout;
        let pulse = match &self.open {
            Some(open) => open.pulse.clone(),
            None => looker.options.pulses.of(&looker.address).part(),
        };
        self.newest += 1;
        let (number, looker, open, heard) = (self.newest, looker.clone(), self.open.take(), pulse.clone());
        let began = Instant::now();
        self.under_way.spawn(async move { (number, looker.look(open, heard).await) });
        loop {
            let last = pulse.heard().map_or(began, |heard| began.max(heard.into()));
            tokio::select! {
                Some(ended) = self.under_way.join_next() => match ended {
                    Ok((_, Ok((observation, open)))) => {
                        self.open = Some(open);
                        self.under_way.abort_all();
                        return Ok(observation);
                    }
                    Ok((ended, Err(error))) if ended == number => return Err(error),
                    Ok(_) => {}
                    // An earlier one that was not needed any more.
                    Err(ended) if ended.is_cancelled() => {}
                    Err(ended) => tracing::error!(%ended, "a look came to no end"),
                },
                () = sleep_until(last + limit) => {
                    if pulse.heard().is_none_or(|heard| Instant::from(heard) <= last) {
                        return Err(ClientError::Timeout(limit));
                    }
                }
            }
        }
    }
}

impl Looker {
    /// A connection that breaks is replaced at once: it may have been killed on a healthy server.
    async fn look(&self, open: Option<Open>, pulse: Pulse) -> Looked {
        if let Some(open) = open {
            match self.look_through(open).await {
                Err(error @ ClientError::Timeout(_)) => return Err(error),
                Err(_broken) => {}
                seen => return seen,
            }
        }
        let mut client =
            session::open_with(&self.options, &self.address, "observe", &pulse, PATIENCE).await?;
        client.set_timeout(PATIENCE);
        let open = Open { client, pulse, replicas: Vec::new(), replicas_due: Some(Instant::now()) };
        self.look_through(open).await
    }

    async fn look_through(&self, open: Open) -> Looked {
        let looked = timeout(PATIENCE, self.ask(open)).await;
        looked.unwrap_or(Err(ClientError::Timeout(PATIENCE)))
    }

    async fn ask(&self, mut open: Open) -> Looked {
        let node = self.options.heartbeat.then_some(self.options.node.as_str());
        let mut observation = probe(&mut open.client, node).await?;
        if open.replicas_due.is_some_and(|due| due <= Instant::now()) {
            open.ask_for_replicas().await?;
        }
        observation.replicas.clone_from(&open.replicas);
        let pending = self.writing.borrow().clone().filter(|pending| pending.concerns(self.id));
        if let Some(pending) = pending {
            observation.pending_write = Some(pending::ask(&mut open.client, pending.connection).await?);
        }
        Ok((observation, open))
    }
}

/// An open connection and what is not asked with every look.
struct Open {
    client: Client,
    /// What comes through this connection.
    pulse: Pulse,
    replicas: Vec<(Address, u32)>,
    /// When to ask for them again; `None` where that was refused.
    replicas_due: Option<Instant>,
}

impl Open {
    async fn ask_for_replicas(&mut self) -> Result<(), ClientError> {
        match replicas(&mut self.client).await {
            Ok(replicas) => {
                self.replicas = replicas;
                self.replicas_due = Some(Instant::now() + REPLICAS_EVERY);
            }
            Err(ClientError::Server(_)) => self.replicas_due = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
