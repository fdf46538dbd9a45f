//! Opening a connection: log in, then turn the server's trackers on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mysql_client::{ConnectError, ConnectOptions, Connected};
use mysql_wire::{Capabilities, LoginRequest, Secret, ServerError};
use thiserror::Error;
use topology::Address;

use super::exchange::{ExchangeError, Reply};
use super::{Backend, Connection, Statements};
use crate::io::Socket;
use crate::pool::Slot;
use crate::state::{Charset, StateSet};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What [`open`] needs beside the slot.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) address: &'a Address,
    pub(crate) secret: Secret,
    pub(crate) capabilities: Capabilities,
    pub(crate) state: Arc<StateSet>,
    pub(crate) worker: u16,
    pub(crate) epoch: u64,
}

#[derive(Debug, Error)]
pub(crate) enum OpenError {
    /// The server's own answer, for the client.
    #[error("{0}")]
    Refused(ServerError),
    #[error("{0}")]
    Unreachable(String),
}

/// Statements that every connection of the gateway begins with: without them a session's state could not be followed.
/// MariaDB's `*` includes `last_gtid` (tried on 10.11).
const TRACK: &[u8] =
    b"SET session_track_system_variables='*', session_track_schema=1, session_track_state_change=1";

/// Opens a connection in the slot. Cancel-safe: the slot is freed if this is dropped.
pub(crate) async fn open(slot: Slot, opening: Opening<'_>) -> Result<Backend, OpenError> {
    let generation = slot.pool().generation();
    let connected = mysql_client::connect(&options(&slot, &opening)).await.map_err(|error| match error {
        ConnectError::Refused(error) => OpenError::Refused(error),
        other => OpenError::Unreachable(other.to_string()),
    })?;
    adopt(slot, &opening, connected, generation).await
}

/// How the slot's user connects.
pub(crate) fn options(slot: &Slot, opening: &Opening<'_>) -> ConnectOptions {
    let pool = slot.pool();
    ConnectOptions {
        address: opening.address.clone(),
        login: LoginRequest {
            user: pool.user.as_bytes().to_vec(),
            secret: opening.secret.clone(),
            database: None,
            capabilities: opening.capabilities | Capabilities::SESSION_TRACK,
            collation: Charset::HANDSHAKE_ID,
            max_packet: 1 << 30,
            attributes: attributes(),
        },
        timeout: pool.limits().connect_timeout,
    }
}

/// Makes a connection that has logged in ready for a session. `generation` is the pool's from before it was opened.
pub(crate) async fn adopt(
    slot: Slot,
    opening: &Opening<'_>,
    connected: Connected,
    generation: u64,
) -> Result<Backend, OpenError> {
    let pool = slot.pool().clone();
    let mut backend = Backend::new(slot, opening, connected, generation);
    backend.track().await.map_err(|error| match error {
        ExchangeError::Refused(error) => OpenError::Refused(error),
        other => OpenError::Unreachable(other.to_string()),
    })?;
    pool.count_opened(backend.capabilities);
    Ok(backend)
}

/// How the connection introduces itself in the server's `session_connect_attrs`.
fn attributes() -> Vec<u8> {
    let mut raw = Vec::new();
    mysql_wire::attributes::put_attribute(&mut raw, b"program_name", b"hadal");
    raw
}

impl Backend {
    /// A connection that has just logged in. `generation` is the pool's from before it was opened.
    pub(crate) fn new(slot: Slot, opening: &Opening<'_>, connected: Connected, generation: u64) -> Self {
        let now = Instant::now();
        let pool = slot.pool();
        Backend(Box::new(Connection {
            socket: Socket::new(connected.stream),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            place: pool.place,
            worker: opening.worker,
            thread_id: connected.session.thread_id,
            capabilities: opening.capabilities,
            state: opening.state.clone(),
            statements: Statements::new(pool.limits().prepared_statements),
            opened: now,
            entered: now,
            databases: 0,
            idle_since: now,
            uses: 0,
            generation,
            epoch: opening.epoch,
            leads: None,
            carry: Vec::new(),
            tainted: false,
            untold: false,
            had_private: false,
            short_lived: false,
            listed: false,
            exclusive: false,
            insert_id: Some(0),
            outbox: Vec::new(),
            slot,
        }))
    }

    /// Turns the trackers on.
    pub(crate) async fn track(&mut self) -> Result<Reply, ExchangeError> {
        self.query(TRACK).await
    }

    /// Puts the connection back into the state of a new one, whatever a session left on it: temporary tables, user
    /// variables, locks, prepared statements. The database stays, as the protocol has it.
    pub(crate) async fn reset(
        &mut self,
        new: &Arc<StateSet>,
        intern: impl Fn(StateSet) -> Arc<StateSet>,
    ) -> Result<(), ExchangeError> {
        self.outbox.clear();
        self.insert_id = None;
        self.listed = false;
        self.command(&[0x1f]).await?;
        self.statements.clear();
        let mut state = (**new).clone();
        state.database = self.state.database.clone();
        self.state = intern(state);
        self.track().await?;
        self.tainted = false;
        Ok(())
    }
}
