//! The controller's way to the service: directives that are in the view when the call returns.

use tokio::sync::{mpsc, oneshot};
use topology::Writes;

use crate::events::{Event, EventKind};
use crate::execute::StepError;
use crate::observe::probe::Observation;
use crate::rebuild::RebuildStatus;
use crate::report::{Directive, Report};

#[derive(Clone)]
pub(crate) struct Steering {
    reports: mpsc::Sender<Report>,
}

impl Steering {
    pub(crate) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self { reports }
    }

    async fn direct(&self, directive: Directive) -> Result<(), StepError> {
        let (done, waiting) = oneshot::channel();
        let sent = self.reports.send(Report::Directive { directive, done }).await;
        sent.map_err(|_| StepError::Stopping)?;
        waiting.await.map_err(|_| StepError::Stopping)
    }

    pub(crate) async fn writes(&self, writes: Writes) -> Result<(), StepError> {
        self.direct(Directive::Writes(writes)).await
    }

    pub(crate) async fn next_epoch(&self, number: u64) -> Result<(), StepError> {
        self.direct(Directive::NextEpoch(number)).await
    }

    pub(crate) async fn epoch(&self, number: u64) -> Result<(), StepError> {
        self.direct(Directive::Epoch(number)).await
    }

    pub(crate) async fn heals(&self, heals: bool) -> Result<(), StepError> {
        self.direct(Directive::Heals(heals)).await
    }

    pub(crate) async fn rebuild(&self, server: &str, status: Option<RebuildStatus>) -> Result<(), StepError> {
        self.direct(Directive::Rebuild(server.to_owned(), status)).await
    }

    /// What could not be told will be seen with the next look.
    pub(crate) async fn seen(&self, server: String, seen: Observation) {
        let _ = self.direct(Directive::Seen(server, Box::new(seen))).await;
    }

    /// Something for people to know.
    pub(crate) async fn note(
        &self,
        kind: EventKind,
        server: Option<String>,
        from: &str,
        to: &str,
        why: &str,
    ) {
        let _ = self.direct(Directive::Note(Event::new(kind, server, from, to, why))).await;
    }
}
