//! One connection to a server, and what is known of its state.

mod connect;
mod exchange;
mod statements;

use std::sync::Arc;
use std::time::Instant;

use mysql_wire::Capabilities;

pub(crate) use connect::{OpenError, Opening, adopt, open, options};
pub(crate) use exchange::{ExchangeError, Reply, ascii, query_packet};
pub(crate) use statements::Statements;

use crate::io::Socket;
use crate::place::Place;
use crate::pool::Slot;
use crate::state::StateSet;

/// A connection that is open and logged in. Dropping it closes it and frees its slot. Moving it, from pool to session
/// and back with every statement, moves a pointer.
#[derive(Debug)]
pub(crate) struct Backend(Box<Connection>);

impl std::ops::Deref for Backend {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl std::ops::DerefMut for Backend {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

/// What a [`Backend`] is made of.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) place: Place,
    /// The worker whose runtime the socket is registered with.
    pub(crate) worker: u16,
    /// The server's own id of this connection.
    pub(crate) thread_id: u32,
    /// Those that shape responses; see `session::response_shape`.
    pub(crate) capabilities: Capabilities,
    pub(crate) state: Arc<StateSet>,
    pub(crate) statements: Statements,
    pub(crate) opened: Instant,
    /// When it entered its database.
    pub(crate) entered: Instant,
    /// `ClusterEntry::databases` when it did.
    pub(crate) databases: u64,
    pub(crate) idle_since: Instant,
    /// How often it was used: tells a session whether somebody else had it in between.
    pub(crate) uses: u64,
    pub(crate) generation: u64,
    /// The view's epoch in which it was opened.
    pub(crate) epoch: u64,
    /// The epoch in which it was taken for what needs the primary.
    pub(crate) leads: Option<u64>,
    /// Bytes of a response that were read but not yet scanned. Empty whenever the connection is at rest.
    pub(crate) carry: Vec<u8>,
    /// Something on it cannot be taken back by setting variables: it must be reset before anybody else has it.
    pub(crate) tainted: bool,
    /// Its last statement failed after it may have changed the session; the next OK tells.
    pub(crate) untold: bool,
    /// It has statements that belong to the session that holds it.
    pub(crate) had_private: bool,
    /// Its server will close it soon: it is not given back.
    pub(crate) short_lived: bool,
    /// The client that it was opened for has proved itself on it: nobody else ever gets it.
    pub(crate) exclusive: bool,
    /// Its list of warnings and errors may not be empty.
    pub(crate) listed: bool,
    /// What `LAST_INSERT_ID()` gives there, where that is known.
    pub(crate) insert_id: Option<u64>,
    /// Commands to be sent in front of the next one that need no answer (`COM_STMT_CLOSE`).
    pub(crate) outbox: Vec<u8>,
    slot: Slot,
}

impl Backend {
    /// Whether the connection is at rest, of the current generation, and not closed by its server.
    pub(crate) fn is_reusable(&mut self, generation: u64) -> bool {
        !self.tainted && self.generation == generation && self.carry.is_empty() && self.socket.is_quiet()
    }

    /// Keeps the right to a connection, closes this one.
    pub(crate) fn into_slot(self) -> Slot {
        self.0.slot
    }

    pub(crate) fn pool(&self) -> &Arc<crate::pool::ServerPool> {
        self.slot.pool()
    }

    /// Moves the connection to the calling worker's runtime. An error loses the connection.
    pub(crate) fn move_to(mut self, worker: u16) -> std::io::Result<Self> {
        if self.worker == worker {
            return Ok(self);
        }
        let Connection { socket, .. } = &mut *self.0;
        socket.reattach()?;
        self.worker = worker;
        Ok(self)
    }

    /// Gives the connection back to its pool. The caller has proved its state.
    pub(crate) fn give_back(self, now: Instant) {
        let pool = self.slot.pool().clone();
        self.give_back_to(&pool, now);
    }

    /// The same, for who has the pool at hand, which must be the connection's own.
    pub(crate) fn give_back_to(mut self, pool: &Arc<crate::pool::ServerPool>, now: Instant) {
        if !self.socket.is_at_rest() {
            // Something was begun on it, and given up.
            return;
        }
        self.idle_since = now;
        self.uses += 1;
        pool.put(self);
    }
}
