//! What the tasks tell the service, and what it tells them.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use topology::{Accounts, Address, Catalogue, ServerId};

use crate::observe::probe::Observation;

/// The primary, as far as the heart and the dictionary need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) server: ServerId,
    pub(crate) address: Arc<Address>,
    /// A server that became primary again is looked at afresh.
    pub(crate) epoch: u64,
}

/// One piece of news.
#[derive(Debug)]
pub(crate) enum Report {
    /// A server was looked at, or why it could not be.
    Looked { server: ServerId, seen: Result<Box<Observation>, String> },
    /// A beat was written to this server, at the latest at this moment.
    Beat { server: ServerId, beat: u64, at: Instant },
    /// The heartbeat fails, or works again.
    HeartbeatFault(Option<String>),
    /// What the primary's tables say now; `None` where nothing changed. Those who asked for it are told once it is
    /// published.
    Dictionary {
        accounts: Option<Arc<Accounts>>,
        catalogue: Option<Arc<Catalogue>>,
        asked_by: Vec<oneshot::Sender<()>>,
    },
    /// Accounts or the catalogue cannot be read, or can again.
    DictionaryFault(Option<String>),
}
