//! The read-only mode of a cluster: told by people, kept in the store, in force on every node.

use std::sync::Arc;

use coordination::ReadOnly;
use tokio::time::Instant;

use super::{Controller, FLAGS_EVERY};
use crate::control::{OrderError, OrderReport};
use crate::events::EventKind;
use crate::execute::StepError;

impl Controller {
    /// Reads the mode, on every node, leading or not. What was known last counts while the store does not answer.
    pub(super) async fn follow_mode(&mut self, cluster: &str) -> Result<(), StepError> {
        if self.mode_read.is_some_and(|at| at.elapsed() < FLAGS_EVERY) {
            return Ok(());
        }
        self.mode_read = Some(Instant::now());
        match self.coordination.read_only.current(cluster).await {
            Ok(mode) => self.adopt_mode(mode).await,
            Err(error) => {
                tracing::debug!(cluster, %error, "cannot read the read-only mode");
                Ok(())
            }
        }
    }

    async fn adopt_mode(&mut self, mode: Option<ReadOnly>) -> Result<(), StepError> {
        if mode == self.mode {
            return Ok(());
        }
        let why = mode.as_ref().map(|mode| Arc::from(mode.reason.as_str()));
        self.steering.read_only(why).await?;
        let (from, to) =
            if mode.is_some() { ("taking writes", "read-only") } else { ("read-only", "taking writes") };
        let reason = mode.as_ref().map(|mode| format!("{} ({})", mode.reason, mode.by)).unwrap_or_default();
        if self.mode.is_some() != mode.is_some() {
            self.steering.note(EventKind::Action, None, from, to, &reason).await;
        }
        self.mode = mode;
        Ok(())
    }

    /// `hadal read-only`. It is in force on this node when the call returns, and on all others some seconds later.
    pub(super) async fn set_mode(
        &mut self,
        on: bool,
        reason: String,
        by: String,
    ) -> Result<OrderReport, OrderError> {
        let cluster = self.pictures.borrow().situation.cluster.clone();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mode = on.then_some(ReadOnly { reason, by, since_ms });
        let modes = &self.coordination.read_only;
        let done = match &mode {
            Some(mode) => modes.set(&cluster, mode).await,
            None => modes.clear(&cluster).await,
        };
        done.map_err(|error| OrderError::Failed(error.to_string()))?;
        let stopping = |_| OrderError::Unavailable("hadal is stopping".into());
        self.adopt_mode(mode).await.map_err(stopping)?;
        let text = format!("{cluster} {}", if on { "is read-only" } else { "takes writes" });
        Ok(OrderReport { plan: None, text, done: true, took_ms: 0, held_ms: 0 })
    }
}
