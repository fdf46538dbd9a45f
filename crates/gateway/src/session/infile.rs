//! `LOAD DATA LOCAL INFILE`: the client's own file, relayed packet by packet.

use std::io;
use std::task::Poll;

use super::client::Inbound;
use super::response::{Relay, RelayError, Seen, Step};
use super::{Client, Session};
use crate::backend::Backend;
use crate::worker::Worker;

impl Session {
    /// Relays the file that the server asked for, then the rest of the response. Memory is bounded by one packet.
    pub(super) async fn relay_file(
        mut relay: Relay<'_>,
        worker: &Worker,
        client: &mut Client,
        backend: &mut Backend,
    ) -> Result<Seen, RelayError> {
        loop {
            // The client counts on from the server's request.
            let mut sequence = relay.scanner.last_seq().wrapping_add(1);
            loop {
                let packet = std::future::poll_fn(|cx| client.poll_packet(cx, worker, sequence)).await;
                let packet = match packet.map_err(RelayError::Client)? {
                    Inbound::Command(packet) => packet,
                    _ => return Err(RelayError::Client(io::ErrorKind::InvalidData.into())),
                };
                backend.socket.write_all(packet.raw()).await.map_err(RelayError::Server)?;
                sequence = sequence.wrapping_add(1);
                if packet.payload().is_empty() {
                    break;
                }
            }
            relay.sent = 0;
            let step = std::future::poll_fn(|cx| match relay.poll(cx, worker, client, backend, b"") {
                Poll::Ready(step) => Poll::Ready(step),
                Poll::Pending => Poll::Pending,
            });
            // Several statements in one text may each ask for a file.
            if step.await? != Step::LocalInfile {
                return Ok(relay.seen);
            }
        }
    }
}
