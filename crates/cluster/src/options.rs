//! What the observer of one cluster needs to know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mysql_client::{ConnectOptions, LoginRequest, Secret};
use mysql_wire::{Capabilities, attributes};
use topology::Address;

use crate::observe::pulses::Pulses;
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
    /// What is heard of the servers on all connections of the control plane.
    pub pulses: Pulses,
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
    pub rebuild: RebuildOptions,
    /// Folder for transactions of servers that were left behind.
    pub keep_in: Option<PathBuf>,
}

/// How a server is made anew from another one's data.
#[derive(Clone)]
pub struct RebuildOptions {
    /// Without anybody's word.
    pub automatic: bool,
    /// Words in front of a script that lead to the host of a server, with `{host}` and `{port}`; empty for this machine.
    pub shell: String,
    /// Empty: the server is asked.
    pub data_dir: String,
    /// Commands for a server's shell, with `{host}`, `{port}` and `{data_dir}`.
    pub stop: String,
    pub start: String,
    /// The account with which the donor's backup program logs in on the donor's own host.
    pub user: String,
    pub password: String,
    /// 0 for as fast as it goes.
    pub bytes_per_s: u64,
    pub keep_old: bool,
    /// For the whole of one attempt.
    pub timeout: Duration,
}

impl std::fmt::Debug for RebuildOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RebuildOptions").field("automatic", &self.automatic).finish_non_exhaustive()
    }
}

impl Default for RebuildOptions {
    fn default() -> Self {
        Self {
            automatic: false,
            shell: String::new(),
            data_dir: String::new(),
            stop: String::new(),
            start: String::new(),
            user: String::new(),
            password: String::new(),
            bytes_per_s: 0,
            keep_old: false,
            timeout: Duration::from_secs(24 * 3600),
        }
    }
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
            rebuild: RebuildOptions::default(),
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
            pulses: Pulses::default(),
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
