//! Packets over a socket: whole payloads in and out, with the sequence numbers checked.

use std::io;

use mysql_wire::{Assembler, Frame, FrameError, write_packet};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::pulse::Pulse;

/// Why a packet could not be exchanged. The stream is of no use afterwards.
#[derive(Debug, Error)]
pub(crate) enum PacketError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("packet number {got} where {expected} was due")]
    OutOfOrder { expected: u8, got: u8 },
}

/// A socket seen as packets.
#[derive(Debug)]
pub(crate) struct Packets {
    stream: TcpStream,
    /// Received and not yet handed out; `used` bytes of it are done with.
    inbox: Vec<u8>,
    used: usize,
    seq: u8,
    assembler: Assembler,
    pulse: Option<Pulse>,
}

/// One read asks for this much.
const READ: usize = 16 * 1024;

impl Packets {
    /// Payloads of more than `limit` bytes are refused.
    pub(crate) fn new(stream: TcpStream, limit: usize) -> Self {
        let assembler = Assembler::new(limit);
        Self { stream, inbox: Vec::new(), used: 0, seq: 0, assembler, pulse: None }
    }

    /// With somebody who wants to know when bytes come.
    pub(crate) fn heard_by(self, pulse: Option<Pulse>) -> Self {
        Self { pulse, ..self }
    }

    /// Begins a command: sequence numbers count from 0 again.
    pub(crate) fn begin(&mut self) {
        self.seq = 0;
    }

    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<(), PacketError> {
        let mut out = Vec::with_capacity(payload.len() + 4);
        write_packet(&mut out, &mut self.seq, payload);
        self.stream.write_all(&out).await?;
        Ok(())
    }

    /// The next packet's payload goes to `take`.
    pub(crate) async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Result<T, PacketError> {
        let frame = self.next_frame().await?;
        if frame.first_seq != self.seq {
            return Err(PacketError::OutOfOrder { expected: self.seq, got: frame.first_seq });
        }
        self.seq = frame.last_seq.wrapping_add(1);
        let taken = take(frame.bytes(self.unread()));
        self.used += frame.consumed;
        Ok(taken)
    }

    async fn next_frame(&mut self) -> Result<Frame, PacketError> {
        loop {
            if let Some(frame) = self.assembler.next_packet(self.unread())? {
                return Ok(frame);
            }
            self.inbox.drain(..self.used);
            self.used = 0;
            self.inbox.reserve(READ);
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(pulse) = &self.pulse {
                pulse.beat();
            }
        }
    }

    /// Bytes that arrived and nobody has asked for.
    pub(crate) fn unread(&self) -> &[u8] {
        self.inbox.get(self.used..).unwrap_or_default()
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Says goodbye; the peer answers nothing.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}
