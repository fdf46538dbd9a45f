//! The task that watches one server: it keeps a connection open and looks at the server again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_client::{Client, ClientError};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use topology::{Address, ServerId};

use super::pending::{self, Pending};
use super::probe::{Observation, probe, replicas};
use super::session;
use crate::options::ObserveOptions;
use crate::report::{Failure, Report};

/// The longest pause between two attempts to reach a server that is down.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Looks that were asked for are not closer together than this, however many sessions ask.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// A look that takes longer may be one that gets no answer.
const SLOW: Duration = Duration::from_millis(300);

/// While the primary may be dead.
const ALARMED_PAUSE: Duration = Duration::from_millis(100);

/// Replicas come and go rarely, and they name their source themselves.
const REPLICAS_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Watcher {
    pub(crate) id: ServerId,
    pub(crate) address: Arc<Address>,
    pub(crate) options: Arc<ObserveOptions>,
    /// Somebody wants to know now.
    pub(crate) wake: Arc<Notify>,
    pub(crate) reports: mpsc::Sender<Report>,
    /// Something is wrong with the primary: every server is looked at more often.
    pub(crate) alarm: Arc<AtomicBool>,
    /// The heart's beat that is under way.
    pub(crate) writing: watch::Receiver<Option<Pending>>,
}

impl Watcher {
    /// Watches until nobody listens any more.
    pub(crate) async fn run(self) {
        let mut open = None;
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let seen =
                self.look_or_tell(&mut open).await.map_err(|error| Failure::of(&error, began.into_std()));
            failures = if seen.is_ok() { 0 } else { failures.saturating_add(1) };
            if self.reports.send(Report::Looked { server: self.id, seen: seen.map(Box::new) }).await.is_err()
            {
                return;
            }
            self.pause(began, failures).await;
        }
    }

    /// One look. That it takes long is told before it is known how it ends: should this be the primary, the others are asked
    /// about it meanwhile.
    async fn look_or_tell(&self, open: &mut Option<Open>) -> Result<Observation, ClientError> {
        let mut look = std::pin::pin!(self.look(open));
        match tokio::time::timeout(SLOW, &mut look).await {
            Ok(seen) => seen,
            Err(_slow) => {
                // Nobody may be listening any more: the next report finds that out.
                let _ = self.reports.send(Report::Slow { server: self.id }).await;
                look.await
            }
        }
    }

    /// Sleeps until the next look is due, or until somebody asks for one.
    async fn pause(&self, began: Instant, failures: u32) {
        let doubled = self.options.poll_interval.saturating_mul(1 << failures.saturating_sub(1).min(4));
        let pause = match self.alarm.load(Ordering::Relaxed) {
            true => ALARMED_PAUSE.min(self.options.poll_interval),
            false => doubled.min(LONGEST_PAUSE.max(self.options.poll_interval)),
        };
        let rest = pause.saturating_sub(began.elapsed()).max(SHORTEST_PAUSE);
        let wanted = async {
            self.wake.notified().await;
            tokio::time::sleep(SHORTEST_PAUSE.saturating_sub(began.elapsed())).await;
        };
        let _ = tokio::time::timeout(rest, wanted).await;
    }

    /// A connection that breaks is replaced at once: it may have been killed on a healthy server. One on which nothing
    /// comes back says enough.
    async fn look(&self, open: &mut Option<Open>) -> Result<Observation, ClientError> {
        #[cfg(test)]
        if let Some(model) = &self.options.model {
            return model.look(&self.address).await;
        }
        if let Some(mut was_open) = open.take() {
            match self.look_through(&mut was_open).await {
                Ok(observation) => {
                    *open = Some(was_open);
                    return Ok(observation);
                }
                Err(error @ ClientError::Timeout(_)) => return Err(error),
                Err(_broken) => {}
            }
        }
        let client = session::open(&self.options, &self.address, "observe").await?;
        let mut fresh = Open { client, replicas: Vec::new(), replicas_due: Some(Instant::now()) };
        let observation = self.look_through(&mut fresh).await?;
        *open = Some(fresh);
        Ok(observation)
    }

    async fn look_through(&self, open: &mut Open) -> Result<Observation, ClientError> {
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
        Ok(observation)
    }
}

/// An open connection and what is not asked with every look.
struct Open {
    client: Client,
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
