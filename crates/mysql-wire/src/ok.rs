//! The OK packet: a statement's outcome, the session's status, and what the statement changed about the session.
//!
//! Its tail is sent by servers so, whatever the manuals say: the info text has a length in front with and without
//! [`Capabilities::SESSION_TRACK`], and is left out altogether where it is empty and no session state stands behind it.

use crate::capability::Capabilities;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;
use crate::status::StatusFlags;

/// An OK packet. With [`Capabilities::DEPRECATE_EOF`] the same packet, under the header 0xFE, ends a result's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ok<'a> {
    /// 0x00, or 0xFE in the place of an EOF packet.
    pub header: u8,
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: StatusFlags,
    pub warnings: u16,
    /// Text for people, such as `Records: 2  Duplicates: 0  Warnings: 0`.
    pub info: &'a [u8],
    /// The blocks of session state changes (see [`crate::session_state`]), without their length.
    pub session_state: &'a [u8],
}

impl<'a> Ok<'a> {
    /// The header of an ordinary OK.
    pub const HEADER: u8 = 0x00;
    /// The header of an OK that ends the rows of a result.
    pub const END_OF_ROWS: u8 = 0xFE;

    /// A plain OK with nothing but a status.
    pub fn new(status: StatusFlags) -> Ok<'static> {
        Ok {
            header: Self::HEADER,
            affected_rows: 0,
            last_insert_id: 0,
            status,
            warnings: 0,
            info: &[],
            session_state: &[],
        }
    }

    /// Reads the packet of a connection with `caps`.
    pub fn parse(payload: &'a [u8], caps: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "OK packet");
        let header = reader.u8()?;
        if header != Self::HEADER && header != Self::END_OF_ROWS {
            return Err(reader.malformed("wrong header"));
        }
        let affected_rows = reader.lenenc_int()?;
        let last_insert_id = reader.lenenc_int()?;
        let status = StatusFlags(reader.u16()?);
        let warnings = reader.u16()?;
        let info = if reader.is_empty() { &[][..] } else { reader.lenenc_bytes()? };
        let tracked = caps.contains(Capabilities::SESSION_TRACK)
            && status.contains(StatusFlags::SESSION_STATE_CHANGED)
            && !reader.is_empty();
        let session_state = if tracked { reader.lenenc_bytes()? } else { &[] };
        Result::Ok(Ok { header, affected_rows, last_insert_id, status, warnings, info, session_state })
    }

    /// This packet with other session state, and with the flag that says whether there is any.
    #[must_use]
    pub fn with_session_state(self, session_state: &'a [u8]) -> Self {
        let flag = StatusFlags::SESSION_STATE_CHANGED;
        let status =
            if session_state.is_empty() { self.status.without(flag) } else { self.status.with(flag) };
        Ok { status, session_state, ..self }
    }

    /// Appends the payload as a server sends it to a client with `caps`: to one without
    /// [`Capabilities::SESSION_TRACK`] no session state, and no word that there was one.
    pub fn encode(&self, caps: Capabilities, out: &mut Vec<u8>) {
        let tracked = caps.contains(Capabilities::SESSION_TRACK)
            && self.status.contains(StatusFlags::SESSION_STATE_CHANGED);
        out.push(self.header);
        out.put_lenenc_int(self.affected_rows);
        out.put_lenenc_int(self.last_insert_id);
        let status =
            if tracked { self.status } else { self.status.without(StatusFlags::SESSION_STATE_CHANGED) };
        out.put_u16(status.0);
        out.put_u16(self.warnings);
        if tracked || !self.info.is_empty() {
            out.put_lenenc_bytes(self.info);
        }
        if tracked {
            out.put_lenenc_bytes(self.session_state);
        }
    }
}
