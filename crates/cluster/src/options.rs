//! What the observer of one cluster needs to know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mysql_client::{ConnectOptions, LoginRequest, Secret};
use mysql_wire::{Capabilities, attributes};
use topology::Address;

use crate::plan::Promotion;

/// Settings of a cluster's observer. `server` fills them from the configuration.
#[derive(Clone, Debug)]
pub struct ObserveOptions {
    /// Any members; the others are discovered from them.
    pub servers: Vec<Address>,
    pub admin_user: String,
    pub admin_secret: Secret,
    /// A replica that is later takes no reads.
    pub max_lag_ms: u64,
    /// How often each server is looked at.
    pub poll_interval: Duration,
    /// For connecting to a server and for each question to it. A server that takes longer is down.
    pub probe_timeout: Duration,
    /// Write a row on the primary with every poll, to measure how late the replicas are.
    pub heartbeat: bool,
    /// Look after the table of the commit journal.
    pub commit_journal: bool,
    /// Name of this hadal node: the key of its heartbeat row.
    pub node: String,
    /// Share of reads by `HOST:PORT`; 1 where a server is not named.
    pub weights: BTreeMap<String, u32>,
    /// Read accounts and passwords' hashes from the primary. Off, users come from hadal's configuration alone.
    pub read_accounts: bool,
    /// Add servers that members replicate from, and replicas that report themselves.
    pub discover: bool,
    pub control: ControlOptions,
    /// What stands for the servers in simulations.
    #[cfg(test)]
    pub(crate) model: Option<crate::simulation::Model>,
}

/// Who may change the cluster, and how.
#[derive(Clone, Debug)]
pub struct ControlOptions {
    pub failover: FailoverMode,
    /// Nothing is done by itself that could lose an acknowledged commit, and a new primary waits for acknowledgements.
    pub lossless: bool,
    /// The account with which replicas fetch from their source. Empty: they keep the one that they have.
    pub replication_user: String,
    pub replication_password: String,
    /// By `HOST:PORT`; neutral where a server is not named.
    pub promotion: BTreeMap<String, Promotion>,
    /// By `HOST:PORT`.
    pub zones: BTreeMap<String, String>,
    /// How long a primary that does not answer may be silent before it is dead.
    pub silence: Duration,
    /// How long no commit may end on a primary that answers before its disk counts as stalled; zero: for ever.
    pub stall: Duration,
    /// Between two failovers without anybody's word.
    pub pause_between_failovers: Duration,
    /// For everything in a switchover between holding statements and letting them go.
    pub switchover_timeout: Duration,
    /// How long transactions may go on in a switchover before they are ended.
    pub grace: Duration,
    /// After this time a node of hadal that is not heard of has lost its session at the coordination store.
    pub session_end: Duration,
    /// Folder for transactions of servers that were left behind.
    pub keep_in: Option<PathBuf>,
}

/// Who replaces a primary that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailoverMode {
    /// hadal does, as soon as it is certain.
    Auto,
    /// hadal does, when it is told to.
    Manual,
    /// Nobody: hadal changes nothing.
    #[default]
    Off,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            failover: FailoverMode::Off,
            lossless: true,
            replication_user: String::new(),
            replication_password: String::new(),
            promotion: BTreeMap::new(),
            zones: BTreeMap::new(),
            silence: Duration::from_millis(2800),
            stall: Duration::from_secs(10),
            pause_between_failovers: Duration::from_secs(60),
            switchover_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(1),
            session_end: Duration::from_secs(4),
            keep_in: None,
        }
    }
}

impl ObserveOptions {
    /// Defaults for these servers and this administrative account.
    pub fn new(servers: Vec<Address>, admin_user: impl Into<String>, admin_secret: Secret) -> Self {
        Self {
            servers,
            admin_user: admin_user.into(),
            admin_secret,
            max_lag_ms: 1000,
            poll_interval: Duration::from_millis(500),
            probe_timeout: Duration::from_secs(1),
            heartbeat: true,
            commit_journal: false,
            node: "hadal".to_owned(),
            weights: BTreeMap::new(),
            read_accounts: true,
            discover: true,
            control: ControlOptions::default(),
            #[cfg(test)]
            model: None,
        }
    }

    pub(crate) fn weight(&self, address: &Address) -> u32 {
        self.weights.get(&address.to_string()).copied().unwrap_or(1)
    }

    /// How the control plane connects to a server; `purpose` is seen in the server's process list attributes.
    pub(crate) fn connect_to(&self, address: &Address, purpose: &str) -> ConnectOptions {
        let mut block = Vec::new();
        attributes::put_attribute(&mut block, b"program_name", b"hadal");
        attributes::put_attribute(&mut block, b"purpose", purpose.as_bytes());
        ConnectOptions {
            address: address.clone(),
            login: LoginRequest {
                user: self.admin_user.clone().into_bytes(),
                secret: self.admin_secret.clone(),
                database: None,
                capabilities: Capabilities::NONE,
                collation: UTF8MB4_GENERAL_CI,
                max_packet: 1 << 24,
                attributes: block,
            },
            timeout: self.probe_timeout,
        }
    }
}

const UTF8MB4_GENERAL_CI: u8 = 45;
