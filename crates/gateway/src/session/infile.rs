//! `LOAD DATA LOCAL INFILE`: the client's own file, relayed packet by packet.

use std::io;
use std::task::Poll;

use super::client::Inbound;
use super::response::{Relay, RelayError, Seen, Step};
use super::{Client, Session};
use crate::backend::Backend;
use crate::registry::SessionShared;
use crate::worker::Worker;

impl Session {
    /// Relays the file that the server asked for, then the rest of the response. Memory is bounded by one packet.
    pub(super) async fn relay_file(
        mut relay: Relay<'_>,
        worker: &Worker,
        shared: &SessionShared,
        client: &mut Client,
        backend: &mut Backend,
    ) -> Result<Seen, RelayError> {
        loop {
            // The client counts on from the server's request.
            let mut sequence = relay.seen.last_sequence.wrapping_add(1);
            let mut full = false;
            loop {
                shared.set_stalled(worker.now_ms().max(1));
                let packet = std::future::poll_fn(|cx| match client.poll_packet(cx, worker, sequence) {
                    Poll::Pending if shared.must_stop(cx.waker()) => Poll::Ready(Err(RelayError::Stopped)),
                    polled => polled.map_err(RelayError::Client),
                });
                let packet = match packet.await? {
                    Inbound::Command(packet) => packet,
                    _ => return Err(RelayError::Client(io::ErrorKind::InvalidData.into())),
                };
                backend.socket.write_all(packet.raw()).await.map_err(RelayError::Server)?;
                sequence = sequence.wrapping_add(1);
                // An empty packet ends the file, unless it only ends a packet of the greatest length.
                if packet.payload().is_empty() && !full {
                    break;
                }
                full = packet.payload().len() == mysql_wire::MAX_PAYLOAD;
            }
            relay.sent = 0;
            shared.set_stalled(0);
            let step = std::future::poll_fn(|cx| match relay.poll(cx, worker, client, backend, b"") {
                Poll::Pending if shared.must_stop(cx.waker()) => Poll::Ready(Err(RelayError::Stopped)),
                polled => polled,
            });
            // Several statements in one text may each ask for a file.
            if step.await? != Step::LocalInfile {
                return Ok(relay.seen);
            }
        }
    }
}
