//! The leader's voice: what it tells the gateways of the other nodes.
//!
//! What matters for safety does not hang on being heard: servers are made read-only, replicas stop acknowledging, sessions are
//! killed. Being heard spares clients errors. So a node that does not answer is waited for only briefly, but where a commit
//! needs no acknowledgement: there, until the node's session is over, at which time it has stopped writing by itself
//! ([`crate::detect::seclusion`]).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coordination::{Announcement, Attendance, Leadership, Succession, Traffic};
use topology::Writes;

use crate::execute::StepError;

/// How long a switchover waits for the others to hold their clients' statements.
const COURTESY: Duration = Duration::from_millis(300);

/// One cluster's. Clones share what was said.
#[derive(Clone)]
pub(crate) struct Voice {
    attendance: Attendance,
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    leadership: Option<Leadership>,
    epoch: u64,
    traffic: Traffic,
    prepared: Vec<String>,
    acknowledgers: Option<BTreeSet<String>>,
    /// The first announcement with these acknowledgers.
    acknowledgers_at: Option<u64>,
    succession: Option<Succession>,
    /// What the store has of it.
    stored: Option<Traffic>,
    /// The store does not have it.
    due: bool,
    /// Nodes that did not answer the last time.
    deaf: Vec<String>,
}

impl Voice {
    pub(crate) fn new(attendance: Attendance) -> Self {
        Self { attendance, said: Arc::default() }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on in the name of this term; `None`: of nobody.
    pub(crate) fn lead(&self, leadership: Option<&Leadership>) {
        // Whatever a leader before has said stands until this one says something.
        let mut said = self.said();
        *said = Said { leadership: leadership.cloned(), epoch: said.epoch, ..Said::default() };
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.said().epoch
    }

    /// The epoch as the store has it.
    pub(crate) fn set_epoch(&self, number: u64) {
        let mut said = self.said();
        said.epoch = said.epoch.max(number);
    }

    /// Has the others hold their clients' statements, and gives them a moment for it where clients would notice.
    pub(crate) async fn hold(&self, writes: &Writes) -> Result<(), StepError> {
        self.said().traffic = traffic(writes);
        let version = self.write().await?;
        if matches!(writes, Writes::Held { finish: true, .. }) {
            self.wait(version, COURTESY).await;
        }
        Ok(())
    }

    /// Tells the others how statements for the primary fare. What the store does not take now is told later.
    pub(crate) async fn tell(&self, writes: &Writes) -> Result<(), StepError> {
        self.said().traffic = traffic(writes);
        self.repeat_after(self.write().await)
    }

    /// Tells the others of another epoch, and waits for them: `patience` at most.
    pub(crate) async fn fence(&self, number: u64, patience: Option<Duration>) -> Result<(), StepError> {
        self.set_epoch(number);
        let version = self.write().await?;
        self.wait(version, patience.unwrap_or(COURTESY)).await;
        Ok(())
    }

    /// Tells a successor which replicas were asked to stop receiving.
    pub(crate) async fn prepared(&self, servers: &[String]) -> Result<(), StepError> {
        {
            let mut said = self.said();
            if said.leadership.is_none() || said.prepared == servers {
                return Ok(());
            }
            said.prepared = servers.to_vec();
            said.stored = None;
        }
        self.repeat_after(self.write().await)
    }

    /// Tells the others whose acknowledgement may count. Gives whether all of them have heard it: who has not may take a server
    /// that is left out for one that keeps a failover from being proved.
    pub(crate) async fn acknowledgers(&self, servers: &BTreeSet<String>) -> Result<bool, StepError> {
        let is_news = {
            let mut said = self.said();
            let is_news = said.leadership.is_some() && said.acknowledgers.as_ref() != Some(servers);
            if is_news {
                said.acknowledgers = Some(servers.clone());
                (said.acknowledgers_at, said.stored) = (None, None);
            }
            is_news
        };
        if is_news {
            self.repeat_after(self.write().await)?;
        }
        let at = self.said().acknowledgers_at;
        Ok(at.is_some_and(|version| self.attendance.has_been_heard(version)))
    }

    /// Tells the others whom hadal has promoted although nobody has seen that server take writes.
    pub(crate) async fn succession(&self, succession: &Succession) -> Result<(), StepError> {
        {
            let mut said = self.said();
            if said.leadership.is_none() || said.succession.as_ref() == Some(succession) {
                return Ok(());
            }
            said.succession = Some(succession.clone());
            said.stored = None;
        }
        self.repeat_after(self.write().await)
    }

    /// Says again what the store has not taken.
    pub(crate) async fn repeat(&self) -> Result<(), StepError> {
        let due = self.said().due;
        if due { self.repeat_after(self.write().await) } else { Ok(()) }
    }

    fn repeat_after(&self, outcome: Result<u64, StepError>) -> Result<(), StepError> {
        match outcome {
            Err(error) if error.ends_our_part() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the other nodes are told later");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    async fn write(&self) -> Result<u64, StepError> {
        let (announcement, leadership) = {
            let mut said = self.said();
            let Some(leadership) = said.leadership.clone() else { return Ok(0) };
            // Nobody hears it; whoever comes later must find nothing that was held.
            if said.stored == Some(Traffic::Open) && self.attendance.is_alone() {
                return Ok(0);
            }
            (said.due, said.stored) = (true, None);
            let (epoch, traffic, prepared) = (said.epoch, said.traffic.clone(), said.prepared.clone());
            let (acknowledgers, succession) = (said.acknowledgers.clone(), said.succession.clone());
            (Announcement { epoch, traffic, prepared, acknowledgers, succession }, leadership)
        };
        let version = self.attendance.announce(&announcement, &leadership).await?;
        let mut said = self.said();
        (said.due, said.stored) = (false, Some(announcement.traffic));
        if said.acknowledgers == announcement.acknowledgers && said.acknowledgers.is_some() {
            said.acknowledgers_at.get_or_insert(version);
        }
        Ok(version)
    }

    async fn wait(&self, version: u64, patience: Duration) {
        if version == 0 {
            return;
        }
        let known = std::mem::take(&mut self.said().deaf);
        let node = self.attendance.node();
        let present = self.attendance.assembly().present;
        let others = present.keys().filter(|other| *other != node);
        // Who was deaf a moment ago is not waited for twice, unless it matters.
        if patience <= COURTESY && others.clone().all(|other| known.contains(other)) {
            self.said().deaf = known;
            return;
        }
        let deaf = self.attendance.heard(version, patience).await;
        if !deaf.is_empty() {
            tracing::warn!(nodes = deaf.join(", "), "nodes of hadal do not answer and are not waited for");
        }
        self.said().deaf = deaf;
    }
}

fn traffic(writes: &Writes) -> Traffic {
    match writes {
        Writes::Open => Traffic::Open,
        Writes::Held { why, finish } => Traffic::Held { why: why.to_string(), finish: *finish },
        Writes::Refused { why } => Traffic::Refused { why: why.to_string() },
    }
}

/// What a leader says, as the gateway is told.
pub(crate) fn writes(traffic: &Traffic) -> Writes {
    match traffic {
        Traffic::Open => Writes::Open,
        Traffic::Held { why, finish } => Writes::Held { why: why.as_str().into(), finish: *finish },
        Traffic::Refused { why } => Writes::Refused { why: why.as_str().into() },
    }
}
