//! Packet framing: three bytes of length, one of sequence, payload; payloads of 16 MiB and more are split over several
//! packets, the last of which is shorter than the maximum (and may be empty).

use std::ops::Range;

/// The longest payload of one packet. A packet of exactly this length is continued by the next one.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// Length of a packet's header.
pub const HEADER: usize = 4;

/// A packet's header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length of the payload behind the header.
    pub len: usize,
    /// Sequence number, counted from 0 at every command and wrapping.
    pub seq: u8,
}

impl Header {
    /// The header at the beginning of `buf`; `None` while fewer than four bytes are there.
    #[inline]
    pub fn parse(buf: &[u8]) -> Option<Header> {
        let word = u32::from_le_bytes(*buf.first_chunk::<HEADER>()?);
        Some(Header { len: (word & 0x00FF_FFFF) as usize, seq: (word >> 24) as u8 })
    }

    /// The four bytes of this header. `len` must not exceed [`MAX_PAYLOAD`].
    pub fn encode(self) -> [u8; HEADER] {
        debug_assert!(self.len <= MAX_PAYLOAD);
        ((self.len as u32 & 0x00FF_FFFF) | u32::from(self.seq) << 24).to_le_bytes()
    }
}

/// Appends `payload` to `out` as one packet, or as several where it has 16 MiB or more, and counts `seq` on.
pub fn write_packet(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    let mut chunks = payload.chunks(MAX_PAYLOAD);
    loop {
        let chunk = chunks.next().unwrap_or_default();
        out.extend_from_slice(&Header { len: chunk.len(), seq: *seq }.encode());
        out.extend_from_slice(chunk);
        *seq = seq.wrapping_add(1);
        if chunk.len() < MAX_PAYLOAD {
            return;
        }
    }
}

/// Appends one packet whose payload is written by `fill` directly behind its header, and counts `seq` on. For small
/// packets that are built piece by piece, without a buffer of their own.
pub fn write_packet_with(out: &mut Vec<u8>, seq: &mut u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    fill(out);
    let len = out.len() - start - HEADER;
    if len < MAX_PAYLOAD {
        let header = Header { len, seq: *seq }.encode();
        if let Some(place) = out.get_mut(start..start + HEADER) {
            place.copy_from_slice(&header);
        }
        *seq = seq.wrapping_add(1);
    } else {
        let payload = out.split_off(start + HEADER);
        out.truncate(start);
        write_packet(out, seq, &payload);
    }
}

/// Why no packet can be made of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The payload, all of its parts together, is longer than allowed. Known from the headers alone, so that the
    /// bytes need not be received first.
    #[error("packet of {len} bytes or more is longer than the limit of {limit} bytes")]
    TooLong { len: usize, limit: usize },
    /// A part of a split packet does not carry the sequence number behind that of the part before it.
    #[error("packets out of order: expected sequence number {expected}, got {got}")]
    OutOfOrder { expected: u8, got: u8 },
}

/// Where the payload of a whole packet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// In the buffer that was given.
    InBuffer(Range<usize>),
    /// Joined from the parts of a split packet.
    Joined(Vec<u8>),
}

/// A whole packet found at the beginning of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub payload: Payload,
    /// How many bytes of the buffer the packet took, headers included. They may be relayed as they are.
    pub consumed: usize,
    /// Sequence number of the first part.
    pub first_seq: u8,
    /// Sequence number of the last part; an answer begins with the one behind it.
    pub last_seq: u8,
}

impl Frame {
    /// The payload's bytes; `buf` is the buffer that the frame was found in.
    pub fn bytes<'a>(&'a self, buf: &'a [u8]) -> &'a [u8] {
        match &self.payload {
            Payload::InBuffer(range) => buf.get(range.clone()).unwrap_or_default(),
            Payload::Joined(bytes) => bytes,
        }
    }
}

/// Finds whole packets at the beginning of a buffer, whatever number of parts they are split into.
///
/// It keeps no bytes: the buffer does, so that a packet can be relayed as it came. A packet of one part, by far the
/// most common, is not copied.
#[derive(Clone, Debug)]
pub struct Assembler {
    limit: usize,
}

impl Assembler {
    /// An assembler that refuses payloads of more than `limit` bytes (a server's `max_allowed_packet`).
    pub fn new(limit: usize) -> Self {
        Assembler { limit }
    }

    /// The greatest payload accepted.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Accept payloads of up to `limit` bytes from now on (small before a login, larger behind it).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The packet at the beginning of `buf`, or `None` while it is incomplete: call again with more bytes behind.
    pub fn next_packet(&self, buf: &[u8]) -> Result<Option<Frame>, FrameError> {
        let Some(first) = Header::parse(buf) else { return Ok(None) };
        self.check(first.len)?;
        if first.len == MAX_PAYLOAD {
            return self.next_split(buf, first);
        }
        let consumed = HEADER + first.len;
        if buf.len() < consumed {
            return Ok(None);
        }
        let payload = Payload::InBuffer(HEADER..consumed);
        Ok(Some(Frame { payload, consumed, first_seq: first.seq, last_seq: first.seq }))
    }

    /// A packet of several parts: walks the headers first and copies only when all the bytes are there.
    fn next_split(&self, buf: &[u8], first: Header) -> Result<Option<Frame>, FrameError> {
        let (mut at, mut total, mut part) = (0, first.len, first);
        while part.len == MAX_PAYLOAD {
            at += HEADER + MAX_PAYLOAD;
            let Some(next) = buf.get(at..).and_then(Header::parse) else { return Ok(None) };
            let expected = part.seq.wrapping_add(1);
            if next.seq != expected {
                return Err(FrameError::OutOfOrder { expected, got: next.seq });
            }
            total += next.len;
            self.check(total)?;
            part = next;
        }
        let consumed = at + HEADER + part.len;
        let Some(whole) = buf.get(..consumed) else { return Ok(None) };
        let payload = Payload::Joined(join(whole, total));
        Ok(Some(Frame { payload, consumed, first_seq: first.seq, last_seq: part.seq }))
    }

    fn check(&self, len: usize) -> Result<(), FrameError> {
        if len > self.limit { Err(FrameError::TooLong { len, limit: self.limit }) } else { Ok(()) }
    }
}

/// The payloads of `whole` one behind the other.
fn join(whole: &[u8], total: usize) -> Vec<u8> {
    let mut joined = Vec::with_capacity(total);
    for part in whole.chunks(HEADER + MAX_PAYLOAD) {
        joined.extend_from_slice(part.get(HEADER..).unwrap_or_default());
    }
    joined
}
