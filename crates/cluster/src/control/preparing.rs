//! Getting ready for a failover that is likely.
//!
//! `STOP SLAVE IO_THREAD` on a replica whose primary is frozen takes two seconds: the thread waits for the primary, and does not
//! look up before it is called a second time (tried on MariaDB 10.11). So it is asked to stop that long before the primary has been silent for long enough to be called dead. Where the primary comes back after all, the
//! thread gets its answer, ends at once, and is started again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::board::Picture;
use crate::detect::death::{Fault, ReplicaSigns};
use crate::execute::replica;
use crate::options::ObserveOptions;

/// How long before the end of the patience the receiving threads are asked to stop.
const AHEAD: Duration = Duration::from_millis(2000);

/// A replica that has heard nothing for this long may have lost the primary.
const QUIET: Duration = Duration::from_millis(800);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    /// Replicas that were asked to stop receiving.
    asked: Vec<String>,
    tasks: JoinSet<()>,
}

impl Preparation {
    /// `verdict` is the last word on the primary.
    pub(super) async fn consider(
        &mut self,
        options: &Arc<ObserveOptions>,
        picture: &Picture,
        verdict: Option<&'static str>,
    ) {
        while self.tasks.try_join_next().is_some() {}
        match verdict {
            Some("suspect") if self.asked.is_empty() => self.begin(options, picture),
            // Who does not receive cannot say any more that it lives.
            Some("suspect") if !is_likely(options, picture) => self.undo(options).await,
            // On its way, or still undecided.
            Some("suspect" | "dead" | "cut off") => {}
            _ if !self.asked.is_empty() => self.undo(options).await,
            _ => {}
        }
    }

    fn begin(&mut self, options: &Arc<ObserveOptions>, picture: &Picture) {
        let lost = |(_, r): &(String, ReplicaSigns)| !r.up || !r.connected || r.quiet_for >= QUIET;
        if !is_likely(options, picture) || !picture.replicas.iter().all(lost) {
            return;
        }
        let primary = picture.situation.primary.clone().unwrap_or_default();
        let follows = picture.situation.replicas().filter(|m| m.follows(&primary));
        self.asked = follows.map(|m| m.server.clone()).collect();
        for server in &self.asked {
            let (options, server) = (options.clone(), server.clone());
            self.tasks.spawn(async move {
                if let Err(error) = replica::stop_receiving(&options, &server).await {
                    tracing::debug!(server, %error, "a replica does not stop receiving yet");
                }
            });
        }
    }

    /// Whether the replica hears nothing because it was asked to.
    pub(super) fn has_asked(&self, server: &str) -> bool {
        self.asked.iter().any(|asked| asked == server)
    }

    /// Who was asked to stop.
    pub(super) fn asked(&self) -> &[String] {
        &self.asked
    }

    /// A leader before asked them.
    pub(super) fn adopt(&mut self, servers: Vec<String>) {
        self.asked = servers;
    }

    /// A failover has taken them over.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    async fn undo(&mut self, options: &Arc<ObserveOptions>) {
        // What was asked first has to be over first.
        while self.tasks.join_next().await.is_some() {}
        for server in std::mem::take(&mut self.asked) {
            match replica::resume_receiving(options, &server).await {
                Ok(()) => tracing::info!(server, "the primary is back; its replica receives again"),
                Err(error) => {
                    tracing::warn!(server, %error, "a replica does not receive again yet");
                    self.asked.push(server);
                }
            }
        }
    }
}

/// Nothing comes from the primary, and soon that is enough for a failover.
fn is_likely(options: &ObserveOptions, picture: &Picture) -> bool {
    picture.primary.as_ref().is_some_and(|primary| {
        primary.fault == Some(Fault::Silent) && primary.silent_for + AHEAD >= options.control.silence
    })
}
