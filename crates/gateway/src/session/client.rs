//! The client's side of a session: commands in, bytes out.

use std::io;
use std::task::{Context, Poll};

use mysql_wire::{Capabilities, Header, MAX_PAYLOAD};
use tokio::net::TcpStream;

use crate::io::Socket;
use crate::worker::Worker;

/// A command as it came, headers included, so that it can be sent on untouched.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandPacket {
    raw: Vec<u8>,
    /// The payload of a command of 16 MiB and more, whose parts have headers between them in `raw`.
    joined: Option<Vec<u8>>,
    /// Sequence number of its last packet: the answer begins with the next.
    pub(crate) sequence: u8,
}

impl CommandPacket {
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.joined.as_deref().unwrap_or_else(|| self.raw.get(4..).unwrap_or_default())
    }

    /// A statement that the gateway makes, or remakes, in place of the client's, whose sequence number it keeps.
    pub(crate) fn of_query(text: &[u8], sequence: u8) -> Self {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.push(mysql_wire::Command::Query as u8);
        payload.extend_from_slice(text);
        Self { sequence, ..Self::of_payload(&payload) }
    }

    /// A `COM_STMT_PREPARE` in place of the client's.
    pub(crate) fn of_prepare(text: &[u8], sequence: u8) -> Self {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.push(mysql_wire::Command::StmtPrepare as u8);
        payload.extend_from_slice(text);
        Self { sequence, ..Self::of_payload(&payload) }
    }

    fn of_payload(payload: &[u8]) -> Self {
        let mut raw = Vec::with_capacity(payload.len() + 8);
        let mut next = 0;
        mysql_wire::write_packet(&mut raw, &mut next, payload);
        let joined = (payload.len() >= MAX_PAYLOAD).then(|| payload.to_vec());
        Self { raw, joined, sequence: next.wrapping_sub(1) }
    }
}

/// What can be wrong with what a client sends.
#[derive(Debug)]
pub(crate) enum Inbound {
    Command(CommandPacket),
    /// The client closed its side.
    Left,
    /// Larger than the limit: 1153, then the end, as a server does it.
    TooLarge,
    /// 1156, then the end.
    OutOfOrder,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// Bytes that came and are not consumed yet: mostly nothing, or one command.
    input: Vec<u8>,
    /// Bytes that the socket did not take yet.
    pub(crate) output: Vec<u8>,
    pub(crate) capabilities: Capabilities,
}

/// An idle session keeps no larger buffer than this.
const KEEP: usize = 1024;

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            socket: Socket::new(stream),
            input: Vec::new(),
            output: Vec::new(),
            capabilities: Capabilities::default(),
        }
    }

    /// The next command, whose first packet must have the sequence number `expected`.
    ///
    /// Cancel-safe: what was read stays in the buffer.
    pub(crate) fn poll_command(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        expected: u8,
        limit: usize,
    ) -> Poll<io::Result<Inbound>> {
        loop {
            if let Some(inbound) = self.take_command(expected, limit) {
                return Poll::Ready(Ok(inbound));
            }
            match self.poll_fill(cx, worker) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Inbound::Left)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads what has come into the buffer; 0 is the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<io::Result<usize>> {
        worker.with_scratch(|scratch| {
            let read = self.socket.poll_read(cx, scratch);
            if let Poll::Ready(Ok(n)) = read {
                self.input.extend_from_slice(&scratch[..n]);
            }
            read
        })
    }

    /// A complete command from the buffer; the rest stays for later.
    fn take_command(&mut self, expected: u8, limit: usize) -> Option<Inbound> {
        let first = Header::parse(&self.input)?;
        if first.seq != expected {
            return Some(Inbound::OutOfOrder);
        }
        if first.len > limit {
            return Some(Inbound::TooLarge);
        }
        if first.len < MAX_PAYLOAD {
            let end = first.len + 4;
            if self.input.len() < end {
                return None;
            }
            let raw = self.split(end);
            return Some(Inbound::Command(CommandPacket { raw, joined: None, sequence: expected }));
        }
        self.take_long_command(expected, limit)
    }

    fn take_long_command(&mut self, expected: u8, limit: usize) -> Option<Inbound> {
        let (mut at, mut sequence, mut total) = (0, expected, 0);
        loop {
            let header = Header::parse(self.input.get(at..)?)?;
            if header.seq != sequence {
                return Some(Inbound::OutOfOrder);
            }
            total += header.len;
            if total > limit {
                return Some(Inbound::TooLarge);
            }
            at += header.len + 4;
            if self.input.len() < at {
                return None;
            }
            if header.len < MAX_PAYLOAD {
                break;
            }
            sequence = sequence.wrapping_add(1);
        }
        let raw = self.split(at);
        let mut joined = Vec::with_capacity(total);
        let mut rest = &raw[..];
        while let Some(header) = Header::parse(rest) {
            joined.extend_from_slice(rest.get(4..4 + header.len).unwrap_or_default());
            rest = rest.get(4 + header.len..).unwrap_or_default();
        }
        Some(Inbound::Command(CommandPacket { raw, joined: Some(joined), sequence }))
    }

    /// The first `end` bytes; without copying where they are all there is.
    fn split(&mut self, end: usize) -> Vec<u8> {
        if self.input.len() == end {
            return std::mem::take(&mut self.input);
        }
        let rest = self.input.split_off(end);
        std::mem::replace(&mut self.input, rest)
    }

    /// Takes a finished command's buffer back for the next one, if it is small.
    pub(crate) fn recycle(&mut self, command: CommandPacket) {
        let mut raw = command.raw;
        if self.input.capacity() == 0 && raw.capacity() <= KEEP {
            raw.clear();
            self.input = raw;
        }
    }

    /// The next packet of a client that is being streamed to: only acknowledgements, which begin with `first`, and the
    /// client's goodbye are of interest. Anything else stays in the buffer, to be a command after the stream.
    pub(crate) fn poll_acknowledgement(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        first: u8,
    ) -> Poll<io::Result<Vec<u8>>> {
        const QUIT: u8 = mysql_wire::Command::Quit as u8;
        loop {
            if let (Some(header), Some(kind)) = (Header::parse(&self.input), self.input.get(4)) {
                let end = header.len + 4;
                match *kind {
                    QUIT => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    kind if kind != first || header.len > KEEP => return Poll::Pending,
                    _ if self.input.len() >= end => return Poll::Ready(Ok(self.split(end))),
                    _ => {}
                }
            }
            match self.poll_fill(cx, worker) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next packet of a file that the client sends (LOCAL INFILE), header included.
    pub(crate) fn poll_packet(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        expected: u8,
    ) -> Poll<io::Result<Inbound>> {
        self.poll_command_part(cx, worker, expected)
    }

    fn poll_command_part(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        expected: u8,
    ) -> Poll<io::Result<Inbound>> {
        loop {
            if let Some(header) = Header::parse(&self.input) {
                if header.seq != expected {
                    return Poll::Ready(Ok(Inbound::OutOfOrder));
                }
                let end = header.len + 4;
                if self.input.len() >= end {
                    let raw = self.split(end);
                    return Poll::Ready(Ok(Inbound::Command(CommandPacket {
                        raw,
                        joined: None,
                        sequence: expected,
                    })));
                }
            }
            match self.poll_fill(cx, worker) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Inbound::Left)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends what is in `output`. Until it is empty nothing more may be read from a server: that is the backpressure.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut done = 0;
        let result = loop {
            if done == self.output.len() {
                break Poll::Ready(Ok(()));
            }
            match self.socket.poll_write(cx, &self.output[done..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => done += n,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if done == self.output.len() {
            self.output.clear();
            if self.output.capacity() > KEEP {
                self.output = Vec::new();
            }
        } else {
            self.output.drain(..done);
        }
        result
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }
}
