//! Relaying one response from a server connection to the client.
//!
//! Bytes go through untouched. Only the few packets that end or steer a response are looked at: they tell the
//! transaction's state and what changed in the session, and they are rewritten where they carry trackers that the
//! client did not ask for.
//!
//! Nothing is read from the server while the client has not taken what was read before, so memory is bounded by one
//! read, however slow the client and however large the result.

use std::io;
use std::task::{Context, Poll, ready};

use mysql_wire::scan::{ResponseKind, ResponseScanner, SteerKind};
use mysql_wire::{Capabilities, Eof, ErrPacket, Malformed, OkPacket, StatusFlags};
use thiserror::Error;

use super::Client;
use super::own_ids::Rename;
use super::replay::Checksum;
use crate::backend::Backend;
use crate::worker::Worker;

mod tracked;

pub(crate) use tracked::{DEFAULT_VARIABLES, Tracked};

/// What the response told.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of the last OK or EOF; `None` if the response ended with an error, which tells no status.
    pub(crate) status: Option<StatusFlags>,
    pub(crate) error: Option<u16>,
    pub(crate) affected: u64,
    pub(crate) insert_id: u64,
    pub(crate) warnings: u16,
    /// Rows of the last result set; `None` if the last result was no result set.
    pub(crate) rows: Option<u64>,
    /// Rows of the last result set, whatever came after it.
    pub(crate) last_rows: Option<u64>,
    /// Session state blocks of all OK packets, one behind the other.
    pub(crate) changes: Vec<u8>,
    /// Whether the client has been sent a part of the response.
    pub(crate) forwarded: bool,
    /// Any byte of the response has been read.
    pub(crate) begun: bool,
    /// The first packet of a `COM_STMT_PREPARE` response.
    pub(crate) prepare_ok: Option<mysql_wire::stmt::PrepareOk>,
    pub(crate) bytes: u64,
    /// Sequence number of the server's last packet.
    pub(crate) last_sequence: u8,
    /// Of the whole response, where the session asks for one.
    pub(crate) checksum: u64,
}

/// How far the relay got before it had to return.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Complete,
    /// The server wants a file of the client's; the request has been relayed.
    LocalInfile,
    /// The response is a single error, not relayed, since the caller may try elsewhere. It is complete.
    HeldError,
}

#[derive(Debug, Error)]
pub(crate) enum RelayError {
    #[error("client: {0}")]
    Client(io::Error),
    #[error("server: {0}")]
    Server(io::Error),
    #[error("server: {0}")]
    Protocol(#[from] Malformed),
    #[error("stopped")]
    Stopped,
    #[error("another primary took over")]
    EpochOver,
    #[error("a packet beyond its end")]
    Overrun,
}

/// A response that has to be rewritten as a whole must not be larger than this.
pub(crate) const COLLECT_LIMIT: usize = 16 << 20;

/// One response under way.
pub(crate) struct Relay<'a> {
    pub(crate) scanner: ResponseScanner,
    pub(crate) capabilities: Capabilities,
    pub(crate) tracked: &'a Tracked,
    /// Return [`Step::HeldError`] instead of relaying an error that is the first thing of the response.
    pub(crate) hold_error: bool,
    /// A prepared statement's id as the client knows it.
    pub(crate) statement_id: Option<u32>,
    /// The response is wanted for what it tells, not for the client.
    pub(crate) swallow: bool,
    /// Names of columns to be put back: definitions are kept back, rows are not.
    pub(crate) rename: Option<&'a Rename>,
    /// Keeps the whole response back, for the caller to rewrite. Bounded by [`COLLECT_LIMIT`]; a larger one is
    /// swallowed.
    pub(crate) collect: Option<Vec<u8>>,
    pub(crate) too_large: bool,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) held_error: Vec<u8>,
    pub(crate) seen: Seen,
    /// Bytes of the command that have been sent.
    pub(crate) sent: usize,
    /// The connection's `carry` holds bytes that this scanner has not looked at: a pipelined answer.
    unscanned: bool,
    /// What it has come to, while the client has not taken everything yet.
    reached: Option<Step>,
}

impl<'a> Relay<'a> {
    pub(crate) fn new(kind: ResponseKind, backend: &Backend, tracked: &'a Tracked) -> Self {
        let capabilities = backend.response_capabilities();
        Self {
            scanner: ResponseScanner::new(kind, capabilities),
            capabilities,
            tracked,
            hold_error: false,
            statement_id: None,
            swallow: false,
            rename: None,
            collect: None,
            too_large: false,
            checksum: None,
            held_error: Vec::new(),
            seen: Seen::default(),
            sent: 0,
            unscanned: !backend.carry.is_empty(),
            reached: None,
        }
    }

    /// Whether a read that can be sent elsewhere waits for a replica that does not answer.
    pub(crate) fn is_given_up_by(&self, worker: &Worker, backend: &Backend) -> bool {
        let movable = self.hold_error && backend.leads.is_none() && !self.seen.forwarded;
        movable && worker.is_down(backend.place)
    }

    /// Sends `command`, then relays. Not cancel-safe: dropped in the middle, the server connection must be closed.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        client: &mut Client,
        backend: &mut Backend,
        command: &[u8],
    ) -> Poll<Result<Step, RelayError>> {
        while self.sent < command.len() {
            let n =
                ready!(backend.socket.poll_write(cx, &command[self.sent..])).map_err(RelayError::Server)?;
            if n == 0 {
                return Poll::Ready(Err(RelayError::Server(io::ErrorKind::WriteZero.into())));
            }
            self.sent += n;
        }
        loop {
            if !client.output.is_empty() {
                ready!(client.poll_flush(cx)).map_err(RelayError::Client)?;
            }
            // What the socket did not take must be gone before the session goes on.
            if let Some(step) = self.reached.take() {
                return Poll::Ready(Ok(step));
            }
            self.reached =
                ready!(worker.with_scratch(|scratch| self.poll_part(cx, scratch, client, backend)))?;
        }
    }

    /// Reads once, scans and forwards what was read.
    fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Vec<u8>,
        client: &mut Client,
        backend: &mut Backend,
    ) -> Poll<Result<Option<Step>, RelayError>> {
        let kept = backend.carry.len();
        if scratch.len() < kept + 16 * 1024 {
            scratch.resize(kept + 64 * 1024, 0);
        }
        let n = if std::mem::take(&mut self.unscanned) {
            0
        } else {
            let n = ready!(backend.socket.poll_read(cx, &mut scratch[kept..])).map_err(RelayError::Server)?;
            if n == 0 {
                return Poll::Ready(Err(RelayError::Server(io::ErrorKind::UnexpectedEof.into())));
            }
            n
        };
        scratch[..kept].copy_from_slice(&backend.carry);
        backend.carry.clear();
        self.seen.begun = true;
        self.seen.bytes += n as u64;
        Poll::Ready(self.forward(cx, &scratch[..kept + n], client, backend))
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        client: &mut Client,
        backend: &mut Backend,
    ) -> Result<Option<Step>, RelayError> {
        // `from..at` has been scanned and goes to the client as it is.
        let (mut from, mut at) = (0, 0);
        let mut step = None;
        while at < bytes.len() {
            let scanned = self.scanner.scan(&bytes[at..])?;
            let packet_at = at + scanned.forward;
            if let Some(checksum) = &mut self.checksum {
                checksum.add(bytes.get(at..packet_at).unwrap_or_default());
            }
            let Some(steering) = scanned.steering else {
                at = packet_at;
                step = scanned.done.then_some(Step::Complete);
                break;
            };
            let end = at + steering.end;
            let Some(packet) = bytes.get(packet_at..end) else { return Err(RelayError::Overrun) };
            if packet.get(3) == Some(&1) && self.must_hold(&steering.kind, scanned.done) {
                self.observe(&steering.kind, packet)?;
                self.held_error = packet.to_vec();
                backend.carry.extend_from_slice(&bytes[end..]);
                return Ok(Some(Step::HeldError));
            }
            if let Some(rewritten) = self.observe(&steering.kind, packet)? {
                self.emit(client, &bytes[from..packet_at]);
                self.emit(client, &rewritten);
                from = end;
            }
            at = end;
            if matches!(steering.kind, SteerKind::LocalInfile) {
                self.seen.last_sequence = self.scanner.last_seq();
                step = Some(Step::LocalInfile);
                break;
            }
            if scanned.done {
                step = Some(Step::Complete);
                break;
            }
        }
        backend.carry.extend_from_slice(&bytes[at..]);
        self.send(cx, client, &bytes[from..at])?;
        Ok(step)
    }

    fn must_hold(&self, kind: &SteerKind, done: bool) -> bool {
        self.hold_error && done && matches!(kind, SteerKind::Err) && !self.seen.forwarded
    }

    /// Puts bytes behind what waits for the client.
    fn emit(&mut self, client: &mut Client, bytes: &[u8]) {
        if self.swallow || bytes.is_empty() {
            return;
        }
        self.seen.forwarded = true;
        if let Some(collected) = &mut self.collect {
            collected.extend_from_slice(bytes);
            return;
        }
        client.output.extend_from_slice(bytes);
    }

    /// Lets what was kept back go as soon as that can be: definitions with their names put back, or nothing at all.
    fn release_collected(&mut self, client: &mut Client) {
        if let Some(rename) = self.rename.filter(|_| self.scanner.is_past_definitions()) {
            let packets = self.collect.take().unwrap_or_default();
            client.output.extend_from_slice(&rename.apply(&packets, client.capabilities));
        } else if self.collect.as_ref().is_some_and(|c| c.len() > COLLECT_LIMIT) {
            self.collect = None;
            (self.swallow, self.too_large) = (true, true);
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Result<(), RelayError> {
        match client.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(RelayError::Client(error)),
            _ => Ok(()),
        }
    }

    /// Sends bytes straight from the scratch buffer; only what the socket does not take is copied.
    fn send(&mut self, cx: &mut Context<'_>, client: &mut Client, bytes: &[u8]) -> Result<(), RelayError> {
        if self.swallow || bytes.is_empty() && client.output.is_empty() {
            return Ok(());
        }
        if self.collect.is_some() {
            self.emit(client, bytes);
            self.release_collected(client);
            return self.flush(cx, client);
        }
        if !client.output.is_empty() {
            self.emit(client, bytes);
            return self.flush(cx, client);
        }
        self.seen.forwarded = true;
        let mut done = 0;
        while done < bytes.len() {
            match client.socket.poll_write(cx, &bytes[done..]) {
                Poll::Ready(Ok(n)) if n > 0 => done += n,
                Poll::Ready(Ok(_)) => return Err(RelayError::Client(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Err(error)) => return Err(RelayError::Client(error)),
                Poll::Pending => {
                    client.output.extend_from_slice(&bytes[done..]);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Learns from a steering packet; the packet to be sent instead, where it must not go as it is.
    fn observe(&mut self, kind: &SteerKind, packet: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let payload = packet.get(4..).unwrap_or_default();
        if let Some(checksum) = &mut self.checksum {
            checksum.add_steering(*kind, payload, self.capabilities)?;
        }
        match kind {
            SteerKind::Ok => self.observe_ok(packet, payload),
            SteerKind::Eof => {
                let eof = Eof::parse(payload)?;
                self.seen.rows = Some(self.scanner.rows());
                self.seen.last_rows = self.seen.rows;
                self.seen.status = Some(eof.status);
                self.seen.warnings = eof.warnings;
                Ok(self.tracked.clear_flag(eof.status, packet))
            }
            SteerKind::Err => {
                let error = ErrPacket::parse(payload)?;
                self.seen.error = Some(error.code);
                self.seen.status = None;
                self.seen.rows = None;
                Ok(None)
            }
            SteerKind::PrepareOk => {
                let prepared = mysql_wire::stmt::PrepareOk::parse(payload)?;
                self.seen.warnings = prepared.warnings;
                self.seen.prepare_ok = Some(prepared);
                let Some(id) = self.statement_id else { return Ok(None) };
                let mut patched = packet.to_vec();
                if let Some(place) = patched.get_mut(5..9) {
                    place.copy_from_slice(&id.to_le_bytes());
                }
                Ok(Some(patched))
            }
            SteerKind::MetadataEof => self.observe_metadata(packet, payload),
            SteerKind::LocalInfile | SteerKind::Progress => Ok(None),
        }
    }

    /// Between definitions and rows: tells whether a cursor was opened.
    fn observe_metadata(&mut self, packet: &[u8], payload: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let eof = Eof::parse(payload)?;
        self.seen.status = Some(eof.status);
        self.seen.warnings = eof.warnings;
        Ok(self.tracked.clear_flag(eof.status, packet))
    }

    fn observe_ok(&mut self, packet: &[u8], payload: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let ok = OkPacket::parse(payload, self.capabilities)?;
        self.seen.status = Some(ok.status);
        self.seen.warnings = ok.warnings;
        self.seen.error = None;
        if ok.header == OkPacket::END_OF_ROWS {
            self.seen.rows = Some(self.scanner.rows());
            self.seen.last_rows = self.seen.rows;
        }
        if ok.header == OkPacket::HEADER {
            self.seen.affected = ok.affected_rows;
            self.seen.insert_id = ok.last_insert_id;
            self.seen.rows = None;
        }
        if ok.session_state.is_empty() && !ok.status.contains(StatusFlags::SESSION_STATE_CHANGED) {
            return Ok(None);
        }
        self.seen.changes.extend_from_slice(ok.session_state);
        let mut rewritten = Vec::with_capacity(packet.len());
        self.tracked.rewrite(&ok, packet[3], &mut rewritten);
        Ok(Some(rewritten))
    }
}
