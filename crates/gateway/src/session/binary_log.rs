//! Clients of the binary log: `COM_REGISTER_SLAVE` and `COM_BINLOG_DUMP`, as replicas, `mariadb-binlog` and tools for
//! change data capture send them.
//!
//! They get a connection to the primary that nobody had before and nobody has afterwards. What the client sets in
//! front of them (`@master_heartbeat_period`, `@slave_connect_state`, …) are user variables, so that the session is
//! bound to its connection by then. Whether the user may do any of it is the server's to say.

use std::io;
use std::task::{Context, Poll};

use mysql_wire::ResponseKind;

use super::client::CommandPacket;
use super::drive::drive;
use super::job::Job;
use super::response::{Relay, RelayError, Step};
use super::run::Ran;
use super::{Client, End, Pins, Session};
use crate::backend::Backend;
use crate::registry::SessionShared;
use crate::worker::Worker;

/// `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
const ACCESS_DENIED: u16 = 1227;

impl Session {
    /// Relays such a command. Memory is bounded as for any response: one read, however long the stream goes on.
    pub(super) async fn replicate(&mut self, command: &CommandPacket, kind: ResponseKind) -> Result<(), End> {
        let was_pinned = self.pins.contains(Pins::BINARY_LOG);
        if self.held.is_none() {
            Box::pin(self.return_lease()).await;
            self.wants_fresh = true;
        }
        self.pins.insert(Pins::BINARY_LOG);
        let facts = super::command_facts(false);
        let ran = self.run(Job::new(command, kind, &facts)).await;
        self.wants_fresh = false;
        let ran = ran?;
        let error = match &ran {
            Ran::Answered(seen) => seen.error,
            Ran::Refused => Some(ACCESS_DENIED),
        };
        if kind == ResponseKind::BinlogDump && error != Some(ACCESS_DENIED) {
            // The server closes the connection behind a stream (tried on MariaDB 10.11).
            return Err(End::Quit);
        }
        if error.is_some() && !was_pinned {
            // Nothing has begun.
            self.pins.remove(Pins::BINARY_LOG);
            if let Some(held) = self.held.take() {
                self.settle(held, true).await?;
            }
        }
        Ok(())
    }
}

/// Relays events until the stream ends. Meanwhile the client may acknowledge them, and may leave.
pub(super) async fn stream(
    relay: &mut Relay<'_>,
    (worker, shared): (&Worker, &SessionShared),
    client: &mut Client,
    backend: &mut Backend,
    command: &[u8],
) -> Result<Step, RelayError> {
    let mut acknowledgements = Acknowledgements::default();
    drive(relay, (worker, shared), client, backend, command, |cx, client, backend| {
        if shared.is_draining() {
            return Poll::Ready(RelayError::Stopped);
        }
        acknowledgements.poll(cx, worker, client, backend)
    })
    .await
}

/// What a semi-synchronous replica sends while it receives.
#[derive(Default)]
struct Acknowledgements {
    unsent: Vec<u8>,
}

impl Acknowledgements {
    /// First byte of a replica's answer to an event of a semi-synchronous primary.
    const FIRST: u8 = 0xEF;

    /// Sends on what has come. Ready only with what ends the stream.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        client: &mut Client,
        backend: &mut Backend,
    ) -> Poll<RelayError> {
        loop {
            while !self.unsent.is_empty() {
                match backend.socket.poll_write(cx, &self.unsent) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(RelayError::Server(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(n)) => drop(self.unsent.drain(..n)),
                    Poll::Ready(Err(error)) => return Poll::Ready(RelayError::Server(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            match client.poll_acknowledgement(cx, worker, Self::FIRST) {
                Poll::Ready(Ok(packet)) => self.unsent = packet,
                Poll::Ready(Err(error)) => return Poll::Ready(RelayError::Client(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
