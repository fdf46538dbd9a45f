//! The controller's way to the service: directives that are in the view when the call returns. A leader's are told to the other
//! nodes as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use coordination::{Leadership, Succession};
use tokio::sync::{mpsc, oneshot};
use topology::Writes;

use super::Voice;
use crate::events::{Event, EventKind};
use crate::execute::StepError;
use crate::observe::probe::Observation;
use crate::rebuild::RebuildStatus;
use crate::report::{Directive, Report};

#[derive(Clone)]
pub(crate) struct Steering {
    reports: mpsc::Sender<Report>,
    voice: Voice,
}

impl Steering {
    pub(crate) fn new(reports: mpsc::Sender<Report>, voice: Voice) -> Self {
        Self { reports, voice }
    }

    async fn direct(&self, directive: Directive) -> Result<(), StepError> {
        let (done, waiting) = oneshot::channel();
        let sent = self.reports.send(Report::Directive { directive, done }).await;
        sent.map_err(|_| StepError::Stopping)?;
        waiting.await.map_err(|_| StepError::Stopping)
    }

    /// In whose name the other nodes are told something.
    pub(crate) fn lead(&self, leadership: Option<&Leadership>) {
        self.voice.lead(leadership);
    }

    /// Here and on all other nodes. They hold before this one does, so that clients here wait less.
    pub(crate) async fn writes(&self, writes: Writes) -> Result<(), StepError> {
        if matches!(writes, Writes::Held { .. }) {
            self.voice.hold(&writes).await?;
            return self.set_writes(writes).await;
        }
        self.set_writes(writes.clone()).await?;
        self.voice.tell(&writes).await
    }

    /// Here alone.
    pub(crate) async fn set_writes(&self, writes: Writes) -> Result<(), StepError> {
        self.direct(Directive::Writes(writes)).await
    }

    /// Here and on all other nodes, for which it waits: briefly, or for `patience`.
    pub(crate) async fn next_epoch(&self, number: u64, patience: Option<Duration>) -> Result<(), StepError> {
        self.set_next_epoch(number).await?;
        self.voice.fence(number, patience).await
    }

    /// Here alone.
    pub(crate) async fn set_next_epoch(&self, number: u64) -> Result<(), StepError> {
        self.direct(Directive::NextEpoch(number)).await
    }

    /// The newest epoch that was told here, by this node or to it.
    pub(crate) fn told_epoch(&self) -> u64 {
        self.voice.epoch()
    }

    /// Another node told it.
    pub(crate) fn heard_epoch(&self, number: u64) {
        self.voice.set_epoch(number);
    }

    /// The epoch as it is, with which a leader begins.
    pub(crate) async fn begin_with_epoch(&self, number: u64) -> Result<(), StepError> {
        self.voice.set_epoch(number);
        self.epoch(number).await
    }

    /// Tells the other nodes what they could not be told before.
    pub(crate) async fn repeat(&self) -> Result<(), StepError> {
        self.voice.repeat().await
    }

    /// Replicas that were asked to stop receiving.
    pub(crate) async fn prepared(&self, servers: &[String]) -> Result<(), StepError> {
        self.voice.prepared(servers).await
    }

    /// Tells the other nodes whose acknowledgement may count. Gives whether all have heard it.
    pub(crate) async fn acknowledgers(&self, servers: &BTreeSet<String>) -> Result<bool, StepError> {
        self.voice.acknowledgers(servers).await
    }

    /// A server leads although it does not take writes: here and, by a leader, on all other nodes.
    pub(crate) async fn succeeded(&self, succession: &Succession) -> Result<(), StepError> {
        self.direct(Directive::Promoted(succession.new.clone())).await?;
        self.voice.succession(succession).await
    }

    /// Has all servers looked at now.
    pub(crate) async fn look(&self) -> Result<(), StepError> {
        self.direct(Directive::Look).await
    }

    pub(crate) async fn epoch(&self, number: u64) -> Result<(), StepError> {
        self.direct(Directive::Epoch(number)).await
    }

    pub(crate) async fn heals(&self, heals: bool) -> Result<(), StepError> {
        self.direct(Directive::Heals(heals)).await
    }

    pub(crate) async fn read_only(&self, why: Option<Arc<str>>) -> Result<(), StepError> {
        self.direct(Directive::ReadOnly(why)).await
    }

    pub(crate) async fn maintenance(&self, reasons: BTreeMap<String, String>) -> Result<(), StepError> {
        self.direct(Directive::Maintenance(reasons)).await
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
