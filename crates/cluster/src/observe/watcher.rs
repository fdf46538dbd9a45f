//! The task that watches one server: it looks at the server again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_client::ClientError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use topology::{Address, ServerId};

use super::looks::{Looker, Looks};
use super::pending::Pending;
use super::probe::Observation;
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
        let (looker, mut looks) = (self.looker(), Looks::default());
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let seen = self
                .look_or_tell(&looker, &mut looks)
                .await
                .map_err(|error| Failure::of(&error, began.into_std()));
            failures = if seen.is_ok() { 0 } else { failures.saturating_add(1) };
            if self.reports.send(Report::Looked { server: self.id, seen: seen.map(Box::new) }).await.is_err()
            {
                return;
            }
            self.pause(began, failures).await;
        }
    }

    fn looker(&self) -> Looker {
        Looker {
            id: self.id,
            address: self.address.clone(),
            options: self.options.clone(),
            writing: self.writing.clone(),
        }
    }

    /// One look. That it takes long is told before it is known how it ends: should this be the primary, the others are asked
    /// about it meanwhile.
    async fn look_or_tell(&self, looker: &Looker, looks: &mut Looks) -> Result<Observation, ClientError> {
        let mut look = std::pin::pin!(looks.look(looker));
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
}
