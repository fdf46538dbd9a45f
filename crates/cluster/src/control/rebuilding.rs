//! Which servers are being rebuilt: one at a time, the others wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use coordination::{Rebuild, RebuildPhase, Token, Versioned};
use tokio::task::JoinSet;
use tokio::time::Instant;
use topology::Extra;

use crate::plan;
use crate::rebuild::{Job, Progress, RebuildError, RebuildStatus};

/// How often people are shown how far it is.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rebuilding {
    /// Of which term the records are.
    term: Option<Token>,
    records: BTreeMap<String, Versioned<Rebuild>>,
    running: Option<Arc<Progress>>,
    task: JoinSet<Result<(), RebuildError>>,
    shown: Option<(RebuildStatus, Instant)>,
    /// Nothing is begun on a server before this by itself.
    not_before: HashMap<String, Instant>,
    /// What is kept in a file already, by server.
    saved: HashMap<String, Vec<Extra>>,
}

impl Rebuilding {
    pub(super) fn is_of(&self, term: Token) -> bool {
        self.term == Some(term)
    }

    /// What the store says when a term begins.
    pub(super) fn begin_term(&mut self, term: Token, records: Vec<(String, Versioned<Rebuild>)>) {
        self.term = Some(term);
        self.records = records.into_iter().collect();
    }

    /// Stops what is under way; gives the servers about which people were told something.
    pub(super) fn stop(&mut self) -> Vec<String> {
        self.task.abort_all();
        self.task = JoinSet::new();
        self.running = None;
        self.shown = None;
        self.term = None;
        std::mem::take(&mut self.records).into_keys().collect()
    }

    /// As plans have to know it.
    pub(super) fn of(&self, server: &str) -> plan::Rebuilding {
        let running = self.running.as_ref().filter(|progress| progress.server == server);
        let phase = match running {
            Some(progress) => Some(progress.record().value.phase),
            None => self.records.get(server).map(|record| record.value.phase),
        };
        match phase {
            None => plan::Rebuilding::No,
            Some(RebuildPhase::Copying) => plan::Rebuilding::Copying,
            Some(RebuildPhase::Swapped) => plan::Rebuilding::Swapped,
        }
    }

    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_ref().map(|progress| progress.server.as_str())
    }

    pub(super) fn is_at_work_on(&self, server: &str) -> bool {
        self.running() == Some(server)
    }

    pub(super) fn record(&self, server: &str) -> Option<&Versioned<Rebuild>> {
        self.records.get(server)
    }

    /// The next server whose rebuild nobody works on and that has not failed.
    pub(super) fn left(&self, now: Instant) -> Option<(String, Versioned<Rebuild>)> {
        let is_due = |server: &String| self.not_before.get(server).is_none_or(|at| *at <= now);
        let left =
            self.records.iter().find(|(server, record)| record.value.failed.is_none() && is_due(server));
        left.map(|(server, record)| (server.clone(), record.clone()))
    }

    /// Servers whose rebuild has failed after their data were touched.
    pub(super) fn failed(&self) -> impl Iterator<Item = &String> {
        self.records.iter().filter(|(_, record)| record.value.failed.is_some()).map(|(server, _)| server)
    }

    /// Whether a rebuild may be begun without anybody's word.
    pub(super) fn may_begin(&self, server: &str, now: Instant) -> bool {
        self.running.is_none() && self.not_before.get(server).is_none_or(|at| *at <= now)
    }

    pub(super) fn pause(&mut self, server: &str, until: Instant) {
        self.not_before.insert(server.to_owned(), until);
    }

    pub(super) fn start(&mut self, progress: Arc<Progress>, job: Job) {
        self.records.insert(progress.server.clone(), progress.record());
        self.running = Some(progress);
        self.task.spawn(job.run());
    }

    /// How the one that ran has ended, with its last record.
    pub(super) fn ended(&mut self) -> Option<(String, Versioned<Rebuild>, Result<(), RebuildError>)> {
        let outcome = self.task.try_join_next()?;
        let progress = self.running.take()?;
        let lost =
            |error: tokio::task::JoinError| Err(RebuildError::Unfit(format!("the task ended: {error}")));
        let record = progress.record();
        self.records.insert(progress.server.clone(), record.clone());
        self.shown = None;
        Some((progress.server.clone(), record, outcome.unwrap_or_else(lost)))
    }

    pub(super) fn set(&mut self, server: &str, record: Option<Versioned<Rebuild>>) {
        match record {
            Some(record) => self.records.insert(server.to_owned(), record),
            None => self.records.remove(server),
        };
    }

    /// What people should be shown now, if it is time and there is something new.
    pub(super) fn news(&mut self, now: Instant) -> Option<(String, RebuildStatus)> {
        let progress = self.running.as_ref()?;
        let status = progress.status();
        let old = self.shown.as_ref();
        let is_new = old.is_none_or(|(shown, at)| {
            shown.step != status.step || *shown != status && now.saturating_duration_since(*at) >= SHOW_EVERY
        });
        if !is_new {
            return None;
        }
        self.shown = Some((status.clone(), now));
        Some((progress.server.clone(), status))
    }

    pub(super) fn saved(&mut self, server: &str, extra: &[Extra]) {
        self.saved.insert(server.to_owned(), extra.to_vec());
    }

    /// Of these transactions, what is not kept in a file yet.
    pub(super) fn unsaved(&self, server: &str, extra: Vec<Extra>) -> Vec<Extra> {
        if self.saved.get(server) == Some(&extra) { Vec::new() } else { extra }
    }
}
