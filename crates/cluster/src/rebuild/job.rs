//! One rebuild, from the first look to the replica that has everything.

mod copying;
mod joining;
mod swapping;

use std::sync::Arc;
use std::time::Duration;

use coordination::{CoordinationError, Leadership, NotLeading, Rebuild, RebuildPhase};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use topology::{Address, Extra};

use super::script::{self, Scripts};
use super::shell::{Shell, ShellError};
use super::status::Progress;
use crate::board::Picture;
use crate::control::{Coordination, Steering};
use crate::execute::{StepError, replica, seed};
use crate::options::ObserveOptions;
use crate::plan::{Replication, Situation};

/// For a script that looks, moves or removes.
const SHORT: Duration = Duration::from_secs(120);
/// For stopping a server, and for one that starts on its copy.
const PATIENCE: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_millis(250);

/// Why a rebuild came to an end.
#[derive(Debug, Error)]
pub(crate) enum RebuildError {
    #[error(transparent)]
    Shell(#[from] ShellError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("copying: {0}")]
    Copy(std::io::Error),
    #[error("{0}")]
    Unfit(String),
    #[error("it took longer than {0} s (rebuild.timeout_s)")]
    Timeout(u64),
}

impl RebuildError {
    /// Whoever leads now goes on with it.
    pub(crate) fn ends_our_part(&self) -> bool {
        matches!(self, Self::Step(error) if error.ends_our_part())
    }

    /// The same would come of it again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Unfit(_))
    }
}

impl From<CoordinationError> for RebuildError {
    fn from(error: CoordinationError) -> Self {
        Self::Step(error.into())
    }
}

/// See the module.
pub(crate) struct Job {
    pub(crate) options: Arc<ObserveOptions>,
    pub(crate) coordination: Coordination,
    pub(crate) leadership: Leadership,
    pub(crate) steering: Steering,
    pub(crate) pictures: watch::Receiver<Arc<Picture>>,
    pub(crate) cluster: String,
    pub(crate) progress: Arc<Progress>,
    /// To be kept in a file first.
    pub(crate) extra: Vec<Extra>,
}

impl Job {
    /// Goes on behind what the record says. Dropped, it stops where it is, and can be begun again.
    pub(crate) async fn run(mut self) -> Result<(), RebuildError> {
        let limit = self.options.control.rebuild.timeout;
        let leadership = self.leadership.clone();
        let outcome = tokio::select! {
            done = tokio::time::timeout(limit, self.work()) => {
                done.unwrap_or(Err(RebuildError::Timeout(limit.as_secs())))
            }
            () = leadership.over() => Err(StepError::from(NotLeading::LeaseOver).into()),
        };
        if let Err(error) = &outcome
            && !error.ends_our_part()
            && self.record().phase == RebuildPhase::Copying
            && let Err(error) = self.abandon().await
        {
            tracing::warn!(server = self.progress.server, %error, "what was copied could not be removed");
        }
        outcome
    }

    async fn work(&mut self) -> Result<(), RebuildError> {
        if self.record().position.is_empty() {
            self.copy().await?;
        }
        let server = self.progress.server.clone();
        // Somebody else may have come that far.
        let swapped = self.is_swapped(&server).await?;
        if !swapped {
            self.swap().await?;
        }
        if !swapped || !seed::has_begun(&self.options, &server).await? {
            self.begin().await?;
        }
        self.catch_up().await?;
        self.finish().await
    }

    fn record(&self) -> Rebuild {
        self.progress.record().value
    }

    /// In the store before it is so.
    async fn note(&self, change: impl FnOnce(&mut Rebuild)) -> Result<(), RebuildError> {
        let present = self.progress.record();
        let mut next = present.value.clone();
        change(&mut next);
        let (cluster, server) = (&self.cluster, &self.progress.server);
        let written = self.coordination.rebuilds.put(cluster, server, Some(&present), next, &self.leadership);
        self.progress.written(written.await?);
        Ok(())
    }

    fn held(&self) -> Result<(), RebuildError> {
        match self.leadership.is_held() {
            true => Ok(()),
            false => Err(StepError::from(NotLeading::LeaseOver).into()),
        }
    }

    fn shell(&self, server: &str) -> Result<Shell, RebuildError> {
        let address: Address =
            server.parse().map_err(|error| RebuildError::Unfit(format!("{server}: {error}")))?;
        Ok(Shell::new(&self.options.control.rebuild.shell, &address)?)
    }

    /// Waits until no script of an earlier attempt works on the server's data: until then nothing can be done about them.
    async fn await_earlier(&self, shell: &Shell, limit: Duration) -> Result<(), RebuildError> {
        let began = Instant::now();
        loop {
            match shell.run("looking at its data", &self.scripts().is_free(), SHORT).await {
                Err(error) if error.is(script::BUSY) && began.elapsed() < limit => {
                    self.progress.at("waiting for the end of an earlier attempt");
                    sleep(AGAIN).await;
                }
                looked => return Ok(looked.map(drop)?),
            }
        }
    }

    fn scripts(&self) -> Scripts {
        let record = self.record();
        Scripts { data_dir: record.data_dir, id: record.id }
    }

    fn situation(&self) -> Situation {
        self.pictures.borrow().situation.clone()
    }

    fn has_other_acknowledgers(&self) -> bool {
        let situation = self.situation();
        let acknowledges = |r: &Replication| r.acknowledges && r.connected;
        situation
            .replicas()
            .any(|m| m.server != self.progress.server && m.replication.as_ref().is_some_and(acknowledges))
    }

    async fn finish(&self) -> Result<(), RebuildError> {
        self.progress.at("removing the old data");
        let finish = self.scripts().finish(self.options.control.rebuild.keep_old);
        let removed =
            self.shell(&self.progress.server)?.run("removing the old data", &finish, PATIENCE).await;
        if let Err(error) = removed {
            // It replicates: what is left over costs room, and the next rebuild removes it.
            tracing::warn!(server = self.progress.server, %error, "the old data are left over");
        }
        Ok(())
    }

    /// Its own data are as they were, and so is its replication.
    async fn abandon(&self) -> Result<(), RebuildError> {
        if let Err(error) = replica::resume_receiving(&self.options, &self.progress.server).await {
            tracing::debug!(server = self.progress.server, %error, "it does not receive");
        }
        if self.record().data_dir.is_empty() {
            return Ok(());
        }
        let shell = self.shell(&self.progress.server)?;
        self.await_earlier(&shell, SHORT).await?;
        shell.run("removing the copy", &self.scripts().abandon(), SHORT).await?;
        Ok(())
    }
}
