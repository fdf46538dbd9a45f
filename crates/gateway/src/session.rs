//! One client's connection from login to the end.
//!
//! A session lives on the worker that accepted it and never moves, so its state needs no locks. Its phases are its
//! files: `login` → `serve` (one command after the other) → the end, where what it held is given back or closed.

mod absorb;
mod admin_sql;
mod aim;
mod answer;
mod attempt;
mod binary_log;
mod carry;
mod causal;
mod change_user;
mod client;
mod command;
mod count;
mod decide;
mod diagnostics;
mod displaced;
mod drive;
mod dynamic;
mod dynamic_ids;
mod exchange;
mod execute;
mod finish;
mod forwarded;
mod globals;
mod hold;
mod identity;
mod infile;
mod job;
mod kill;
mod last;
mod lease;
mod login;
mod lost;
mod opening;
mod outcome;
mod own_connection;
mod own_ids;
mod pinning;
mod pins;
mod prepare;
mod process_list;
mod query;
mod recover;
mod replay;
mod response;
mod restore;
mod run;
mod sequence;
mod special;
mod split;
mod state;
mod statement;
mod sync;
mod variables;

pub(crate) use client::Client;
pub(crate) use forwarded::MOST_AT_ONCE as FORWARDED_AT_ONCE;
pub(crate) use outcome::{Outcomes, Tokens};
pub(crate) use pins::Pins;
pub(crate) use replay::{Replays, described as replay_described};
pub(crate) use statement::Texts;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use mysql_wire::{Capabilities, ServerError, StatusFlags};
use rustc_hash::FxHashMap;
use sql::{Access, Effects, Facts, Reason, Verb};
use thiserror::Error;
use topology::{GtidPosition, ServerId};

use crate::backend::Backend;
use crate::place::{ClusterIndex, Place};
use crate::pool::{ServerPool, UserPools};
use crate::registry::SessionShared;
use crate::settings::ClusterSettings;
use crate::state::StateSet;
use crate::worker::Worker;

/// Why a session ends. Nobody is told: the client has gone, or has been told already.
#[derive(Debug, Error)]
pub(crate) enum End {
    #[error("the client has left")]
    ClientLeft,
    #[error("the client said goodbye")]
    Quit,
    #[error("lost the client: {0}")]
    Client(#[from] std::io::Error),
    #[error("the client broke the protocol: {0}")]
    Protocol(&'static str),
    #[error("killed")]
    Killed,
    #[error("idle for longer than its wait_timeout")]
    IdleTooLong,
    #[error("the gateway stops")]
    Draining,
    #[error("login refused: {0}")]
    Refused(String),
    #[error("lost the server connection that held its state: {0}")]
    StateLost(String),
}

/// Who the client is, after login.
pub(crate) struct Identity {
    pub(crate) user: Arc<str>,
    pub(crate) cluster: ClusterIndex,
    pub(crate) pools: Arc<UserPools>,
    /// In every cluster.
    pub(crate) settings: Arc<ClusterSettings>,
    /// What servers store of the password.
    pub(crate) stored: Option<[u8; 20]>,
    pub(crate) may_kill_others: bool,
    pub(crate) sees_processes: bool,
}

/// What is known of the last statement, for functions and statements that ask for it.
#[derive(Clone, Debug)]
pub(crate) struct LastStatement {
    /// The connection it ran on, and that connection's use count then.
    pub(crate) ran_on: Option<(crate::place::Place, u64, u64)>,
    /// The same of the statement whose warnings and errors are listed.
    pub(crate) conditions_on: Option<(Place, u64, u64)>,
    /// What `FOUND_ROWS()` gives, and the connection that knows it where this is not sure.
    pub(crate) found_rows: u64,
    pub(crate) found_on: Option<(Place, u64, u64)>,
    pub(crate) row_count: i64,
    /// It left warnings or an error behind.
    pub(crate) has_conditions: bool,
    /// `SHOW WARNINGS` as the server gave it, when the connection had to be given back.
    pub(crate) captured_warnings: Option<Vec<u8>>,
}

impl Default for LastStatement {
    /// As on a new connection.
    fn default() -> Self {
        Self {
            ran_on: None,
            conditions_on: None,
            found_rows: 1,
            found_on: None,
            row_count: 0,
            has_conditions: false,
            captured_warnings: None,
        }
    }
}

/// `LAST_INSERT_ID()` of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertId {
    Known(u64),
    /// Only the connection of this id, held or leased, knows.
    On(u64),
    /// That connection still had another session's when the server answered an INSERT with the id `told`. It has that
    /// one now if the id was generated, and the other if the client gave it (tried on MariaDB 10.11).
    Perhaps {
        on: u64,
        told: u64,
        before: u64,
    },
}

impl InsertId {
    /// The connection that has to be asked.
    pub(crate) fn on(self) -> Option<u64> {
        match self {
            InsertId::Known(_) => None,
            InsertId::On(on) | InsertId::Perhaps { on, .. } => Some(on),
        }
    }
}

pub(crate) struct Session {
    pub(crate) worker: Rc<Worker>,
    pub(crate) shared: Arc<SessionShared>,
    pub(crate) client: Client,
    pub(crate) identity: Identity,
    /// The client's capabilities, as far as they shape responses: a part of the pool's key.
    shape: Capabilities,
    /// What the session has set so far.
    state: Arc<StateSet>,
    /// What it was right after login: `COM_RESET_CONNECTION` returns to it.
    initial: Arc<StateSet>,
    autocommit_off_by_default: bool,
    /// Settings that are not put on pooled connections, since they would harm the pool: `wait_timeout` and
    /// `interactive_timeout`. Honoured by the gateway, and set where a statement reads them.
    timeouts: Vec<(&'static str, Vec<u8>)>,
    /// The client's own `session_track_*`.
    tracked: response::Tracked,
    /// The server connection that the session cannot do without, and why.
    held: Option<Backend>,
    pins: Pins,
    /// What sets the user variables of a session that has no connection at present.
    carried: Option<variables::Assignments>,
    /// What has set those on its connection, as long as [`Pins::USER_VARIABLE`] holds it there; `None`: nobody knows.
    variables: Option<variables::Assignments>,
    /// A connection kept for its diagnostics; given back when somebody needs it.
    lease: Option<Backend>,
    insert_id: InsertId,
    last: LastStatement,
    /// The next command goes there, whatever it is.
    direct_to: Option<Place>,
    /// Newest transaction of this session in every cluster: reads must see it.
    positions: Vec<GtidPosition>,
    /// There are rules that send tables to other clusters.
    ruled: bool,
    /// Where the session works by itself, and where its present command goes; see `aim`.
    base: ClusterIndex,
    target: ClusterIndex,
    /// The held transaction has to be moved there first.
    moves: bool,
    /// The statements of a transaction in which nothing has happened yet.
    opening: Option<Vec<Box<[u8]>>>,
    /// Accounts of other clusters among which this session's user was found.
    admitted: Vec<(ClusterIndex, Arc<topology::Accounts>)>,
    statements: FxHashMap<u32, Rc<statement::Statement>>,
    next_statement: u32,
    /// How many it has closed, for those who ask for `Com_stmt_close`.
    closed_statements: u64,
    last_prepared: u32,
    /// The lexer's mode, kept in step with `state`.
    mode: sql::Mode,
    /// Pools that were asked before.
    known_pools: Vec<(Place, Arc<ServerPool>)>,
    user_hash: u64,
    client_hash: u64,
    /// The gateway stops: end with the transaction.
    draining: bool,
    /// Rows of other servers' process lists, by session, while a list is being made.
    remote_threads: HashMap<u32, Vec<Option<Vec<u8>>>>,
    /// The time at the last look at the clock: when the last command began or ended.
    clock: Instant,
    /// The last decision sent a read to the primary because of a view in it.
    last_why_view: bool,
    /// The login is through.
    entered_once: bool,
    /// When the session entered its database, or changed something about it.
    entered: Instant,
    /// The connection that this session's last NEXTVAL ran on.
    sequence_on: Option<u64>,
    /// Such a connection had to be given up.
    sequence_lost: bool,
    /// The next command needs a connection that remembers nothing.
    wants_fresh: bool,
    /// The gateway has put a question of its own to the connection after the last statement.
    asked_behind: bool,
    /// What a server reported last.
    last_status: StatusFlags,
    /// What `PREPARE … FROM` was last given under each name, as far as it may be a KILL.
    dynamic_texts: HashMap<String, sql::DynamicText>,
    /// What has to be put back into the names of columns when such a statement is executed.
    dynamic_names: HashMap<String, Rc<own_ids::Rename>>,
    /// A user variable may hold a text that asks for ids of threads.
    variables_mention_ids: bool,
    /// What the server made of the KILL that is being run.
    killing: Option<kill::Killing>,
    /// Up to which of the changes by SET GLOBAL the session has kept its own values.
    globals_seen: u64,
    /// A transaction that began on a replica.
    split: Option<split::Split>,
    /// The transaction has left its replica.
    split_left: bool,
    /// The replica that serves the reads of this transaction.
    split_replica: Option<ServerId>,
    /// Of the greeting; `COM_CHANGE_USER` may prove itself on it once more.
    scramble: [u8; 20],
    /// What is kept of the open transaction, where `transaction_replay` is on.
    replay: Option<Box<replay::Replay>>,
    /// The server may have got the statement that was sent last.
    sent: bool,
    /// What is kept of a `COMMIT`, where `commit_journal` is on.
    journal: Option<Box<outcome::Journal>>,
}

impl Session {
    fn new(
        worker: Rc<Worker>,
        shared: Arc<SessionShared>,
        client: Client,
        identity: Identity,
        state: StateSet,
    ) -> Self {
        let state = worker.core.interner.intern(state);
        let mut session = Self {
            shape: response_shape(client.capabilities),
            tracked: response::Tracked::new(client.capabilities, response::DEFAULT_VARIABLES),
            initial: state.clone(),
            state,
            autocommit_off_by_default: false,
            timeouts: Vec::new(),
            held: None,
            pins: Pins::NONE,
            carried: None,
            variables: None,
            lease: None,
            insert_id: InsertId::Known(0),
            last: LastStatement::default(),
            direct_to: None,
            positions: vec![GtidPosition::default(); worker.core.clusters.len()],
            ruled: !worker.core.rules.is_empty(),
            base: identity.cluster,
            target: identity.cluster,
            moves: false,
            opening: None,
            admitted: Vec::new(),
            statements: FxHashMap::default(),
            next_statement: 1,
            closed_statements: 0,
            last_prepared: 0,
            mode: sql::Mode::default(),
            known_pools: Vec::new(),
            user_hash: 0,
            client_hash: 0,
            draining: false,
            scramble: [0; 20],
            remote_threads: HashMap::new(),
            clock: Instant::now(),
            last_why_view: false,
            entered_once: false,
            entered: Instant::now(),
            sequence_on: None,
            sequence_lost: false,
            wants_fresh: false,
            asked_behind: false,
            last_status: StatusFlags::default(),
            dynamic_texts: HashMap::new(),
            dynamic_names: HashMap::new(),
            variables_mention_ids: false,
            killing: None,
            globals_seen: worker.core.global_changes.count(),
            split: None,
            split_left: false,
            split_replica: None,
            replay: None,
            sent: false,
            journal: None,
            worker,
            shared,
            client,
            identity,
        };
        session.adopt_identity();
        session
    }

    /// Takes over what follows from who the client is.
    fn adopt_identity(&mut self) {
        (self.base, self.target) = (self.identity.cluster, self.identity.cluster);
        self.admitted.clear();
        let entry = self.worker.core.cluster(self.identity.cluster);
        let view = entry.view();
        let off = view.catalogue.globals.get("autocommit");
        self.autocommit_off_by_default = off.is_some_and(|v| v == "0" || v.eq_ignore_ascii_case("OFF"));
        let hash = |text: &str| {
            text.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
        };
        self.user_hash = hash(&self.identity.user);
        self.client_hash = hash(&self.shared.client.ip().to_string());
        self.known_pools.clear();
        self.globals_seen = self.worker.core.global_changes.count();
        let (user, cluster) = (self.identity.user.clone(), entry.name.clone());
        drop(view);
        self.tracked = response::Tracked::new(self.client.capabilities, &self.default_tracked());
        self.shared.set_labels(|labels| {
            labels.user = user;
            labels.cluster = cluster;
            labels.database = Arc::from("");
        });
    }

    /// Forgets everything that belonged to the user before.
    fn forget_user(&mut self) {
        self.statements.clear();
        self.dynamic_texts.clear();
        self.dynamic_names.clear();
        self.closed_statements = 0;
        self.timeouts.clear();
        self.insert_id = InsertId::Known(0);
        self.last = LastStatement::default();
        self.positions.fill(GtidPosition::default());
    }

    fn default_tracked(&self) -> String {
        let view = self.worker.core.cluster(self.identity.cluster).view();
        let own = view.catalogue.globals.get("session_track_system_variables");
        own.cloned().unwrap_or_else(|| response::DEFAULT_VARIABLES.to_owned())
    }

    /// The servers' own `wait_timeout`, until the session sets another.
    fn restore_timeout(&self) {
        let interactive = self.client.capabilities.contains(Capabilities::INTERACTIVE);
        let name = if interactive { "interactive_timeout" } else { "wait_timeout" };
        let view = self.worker.core.cluster(self.identity.cluster).view();
        let seconds = view.catalogue.globals.get(name).and_then(|v| v.parse::<u64>().ok()).unwrap_or(28_800);
        self.shared.timeout_ms.store(seconds.saturating_mul(1000), Ordering::Relaxed);
    }

    /// Ends the session: what it held is cleaned and given back, or closed.
    async fn end(&mut self, why: &End) {
        // A client that left in the middle of something leaves connections in a state that nobody has proved.
        let proved =
            matches!(why, End::Quit | End::ClientLeft | End::IdleTooLong | End::Draining | End::Killed);
        if proved {
            self.drop_connections().await;
        }
    }
}

/// A client's whole stay.
pub(crate) async fn run(worker: Rc<Worker>, shared: Arc<SessionShared>, client: Client) {
    let login = login::Login {
        worker: worker.clone(),
        shared: shared.clone(),
        client,
        scramble: crate::scramble::fresh(),
        sequence: 0,
    };
    let leave = Leave { worker, shared };
    let why = match Box::pin(login.run()).await {
        Ok(mut session) => {
            let why = match session.serve().await {
                Ok(()) => End::Quit,
                Err(why) => why,
            };
            Box::pin(session.end(&why)).await;
            why
        }
        Err(why) => why,
    };
    tracing::debug!(session = leave.shared.id, client = %leave.shared.client, %why, "a session has ended");
}

/// Takes the session out of the lists, whatever ends it.
struct Leave {
    worker: Rc<Worker>,
    shared: Arc<SessionShared>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.worker.sessions.borrow_mut().remove(&self.shared.id);
        self.worker.core.sessions.remove(self.shared.id);
    }
}

/// `ER_CONNECT_TO_FOREIGN_DATA_SOURCE`: a server behind hadal cannot be reached, and nothing was executed.
pub(crate) const UNREACHABLE: u16 = 1429;

/// An error for a client.
pub(crate) fn error(code: u16, state: &str, message: String) -> ServerError {
    let state = <[u8; 5]>::try_from(state.as_bytes()).unwrap_or(*b"HY000");
    ServerError::new(code, &state, message)
}

/// Facts of a command that is no SQL: the primary's, or the held connection's.
pub(crate) fn command_facts(changes_database: bool) -> Facts {
    Facts {
        verb: Verb::Unknown,
        access: Access::Write,
        reason: if changes_database { Reason::SessionChange } else { Reason::ServerState },
        effects: if changes_database { Effects::USE_SCHEMA } else { Effects::NONE },
        statements: 1,
        tables: Box::default(),
        functions: Box::default(),
        schemas: Box::default(),
        digest: 0,
        digest_text: Box::default(),
    }
}

/// What must be in a key for responses to have the form that the client expects.
fn response_shape(client: Capabilities) -> Capabilities {
    const SHAPING: Capabilities = Capabilities(
        Capabilities::FOUND_ROWS.0
            | Capabilities::NO_SCHEMA.0
            | Capabilities::ODBC.0
            | Capabilities::LOCAL_FILES.0
            | Capabilities::IGNORE_SPACE.0
            | Capabilities::MULTI_STATEMENTS.0
            | Capabilities::MULTI_RESULTS.0
            | Capabilities::PS_MULTI_RESULTS.0
            | Capabilities::DEPRECATE_EOF.0
            | Capabilities::LONG_FLAG.0
            | Capabilities::MARIADB_STMT_BULK.0
            | Capabilities::MARIADB_EXTENDED_METADATA.0
            | Capabilities::MARIADB_BULK_UNIT_RESULTS.0,
    );
    const ALWAYS: Capabilities = Capabilities(
        Capabilities::PROTOCOL_41.0
            | Capabilities::TRANSACTIONS.0
            | Capabilities::SECURE_CONNECTION.0
            | Capabilities::PLUGIN_AUTH.0
            | Capabilities::CONNECT_ATTRS.0,
    );
    (client & SHAPING) | ALWAYS
}
