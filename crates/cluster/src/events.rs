//! What happened to a cluster, for people: a bounded list, the newest last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Another server became the primary, or none is.
    Primary,
    Role,
    Health,
    /// A server was added.
    Discovered,
    /// The heartbeat cannot be written, or can again.
    Heartbeat,
    /// Accounts or the catalogue cannot be read, or can again.
    Dictionary,
    /// The primary fails, as far as hadal can tell.
    Verdict,
    /// A failover, a switchover, a server that joins again.
    Action,
    /// This node leads, or does not.
    Leadership,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Milliseconds since 1970, UTC.
    pub at_unix_ms: u64,
    pub kind: EventKind,
    /// `HOST:PORT`, where it is about one server.
    pub server: Option<String>,
    pub from: String,
    pub to: String,
    pub why: String,
}

impl Event {
    pub(crate) fn new(kind: EventKind, server: Option<String>, from: &str, to: &str, why: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            at_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            kind,
            server,
            from: from.to_owned(),
            to: to.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// The newest events of a cluster. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<VecDeque<Event>>>);

/// Older ones are forgotten; the log has them.
const KEPT: usize = 256;

impl Events {
    /// Writes an event to the log and keeps it.
    pub(crate) fn publish(&self, cluster: &str, event: Event) {
        let Event { kind, server, from, to, why, .. } = &event;
        let server = server.as_deref().unwrap_or("");
        tracing::info!(cluster, ?kind, server, from, to, why, "cluster changed");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(event);
    }

    /// The newest events, the oldest of them first.
    pub fn list(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
