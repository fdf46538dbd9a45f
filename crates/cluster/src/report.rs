//! What the tasks tell the service, and what it tells them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use mysql_client::{ClientError, ConnectError};
use tokio::sync::oneshot;
use topology::{Accounts, Address, Catalogue, ServerId, Writes};

use crate::detect::death::Fault;
use crate::events::Event;
use crate::observe::probe::Observation;
use crate::rebuild::RebuildStatus;

/// The primary, as far as the heart and the dictionary need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) server: ServerId,
    pub(crate) address: Arc<Address>,
    /// A server that became primary again is looked at afresh.
    pub(crate) epoch: u64,
}

/// Why a server could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) why: String,
    /// When the look began that failed.
    pub(crate) began: Instant,
}

impl Failure {
    pub(crate) fn of(error: &ClientError, began: Instant) -> Self {
        Self { fault: fault(error), why: error.to_string(), began }
    }
}

fn fault(error: &ClientError) -> Fault {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    if let Some(code) = error.code() {
        return Fault::Refuses(code);
    }
    match error {
        ClientError::Timeout(_) | ClientError::Connect(ConnectError::Timeout(_)) => Fault::Silent,
        ClientError::Io(io) | ClientError::Connect(ConnectError::Io(io)) => match io.kind() {
            ConnectionRefused | ConnectionReset | ConnectionAborted | UnexpectedEof => Fault::Gone,
            TimedOut => Fault::Silent,
            _ => Fault::Other,
        },
        _ => Fault::Other,
    }
}

/// What the controller decides.
#[derive(Debug)]
pub(crate) enum Directive {
    Writes(Writes),
    /// Another epoch, with this number or a greater one.
    NextEpoch(u64),
    /// The epoch is at least this one.
    Epoch(u64),
    /// hadal replaces a primary that is gone by itself.
    Heals(bool),
    /// People want no writes, and why; or they do again.
    ReadOnly(Option<Arc<str>>),
    /// A look of the controller's own at the server at this address.
    Seen(String, Box<Observation>),
    /// hadal has promoted it, although nobody sees it take writes.
    Promoted(String),
    /// Every server is looked at now.
    Look,
    /// On which servers people work, and why.
    Maintenance(BTreeMap<String, String>),
    /// How far the rebuild of a server is; `None`: it is none any more.
    Rebuild(String, Option<RebuildStatus>),
    Note(Event),
}

/// One piece of news.
#[derive(Debug)]
pub(crate) enum Report {
    /// A server was looked at, or why it could not be.
    Looked { server: ServerId, seen: Result<Box<Observation>, Failure> },
    /// A server takes unusually long to answer.
    Slow { server: ServerId },
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
    /// The controller's word; it is told once the view has it.
    Directive { directive: Directive, done: oneshot::Sender<()> },
}
