//! The error packet, and MariaDB's progress reports, which travel as errors that are none.

use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// The code that marks a progress report.
pub const PROGRESS_CODE: u16 = 0xFFFF;

const GENERAL_SQLSTATE: [u8; 5] = *b"HY000";

/// An error as a server reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {code} ({}): {message}", String::from_utf8_lossy(sqlstate))]
pub struct ServerError {
    pub code: u16,
    pub sqlstate: [u8; 5],
    pub message: String,
}

impl ServerError {
    pub fn new(code: u16, sqlstate: &[u8; 5], message: impl Into<String>) -> Self {
        ServerError { code, sqlstate: *sqlstate, message: message.into() }
    }

    /// The payload of the error packet that reports this.
    pub fn encode(&self) -> Vec<u8> {
        let packet =
            ErrPacket { code: self.code, sqlstate: Some(self.sqlstate), message: self.message.as_bytes() };
        let mut out = Vec::with_capacity(9 + self.message.len());
        packet.encode(&mut out);
        out
    }
}

impl From<ErrPacket<'_>> for ServerError {
    fn from(packet: ErrPacket<'_>) -> Self {
        ServerError {
            code: packet.code,
            sqlstate: packet.sqlstate.unwrap_or(GENERAL_SQLSTATE),
            message: String::from_utf8_lossy(packet.message).into_owned(),
        }
    }
}

/// An error packet's fields. The message is in the connection's character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    pub code: u16,
    /// Absent where the server reports an error instead of a greeting.
    pub sqlstate: Option<[u8; 5]>,
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// The packet's first byte.
    pub const HEADER: u8 = 0xFF;

    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "error packet");
        if reader.u8()? != Self::HEADER {
            return Err(reader.malformed("wrong header"));
        }
        let code = reader.u16()?;
        match reader.rest().split_first_chunk::<6>() {
            Some((&[b'#', a, b, c, d, e], message)) => {
                Ok(ErrPacket { code, sqlstate: Some([a, b, c, d, e]), message })
            }
            _ => Ok(ErrPacket { code, sqlstate: None, message: reader.rest() }),
        }
    }

    /// Whether this is a progress report ([`Progress::parse`]) and the response goes on.
    pub fn is_progress(&self) -> bool {
        self.code == PROGRESS_CODE
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::HEADER);
        out.put_u16(self.code);
        if let Some(sqlstate) = self.sqlstate {
            out.push(b'#');
            out.extend_from_slice(&sqlstate);
        }
        out.extend_from_slice(self.message);
    }
}

/// How far a long statement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    pub stage: u8,
    pub stages: u8,
    /// Of this stage, in thousandths of a percent.
    pub progress: u32,
    /// What the server is doing.
    pub info: &'a [u8],
}

impl<'a> Progress<'a> {
    /// Reads an error packet with [`PROGRESS_CODE`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "progress report");
        if reader.u8()? != ErrPacket::HEADER || reader.u16()? != PROGRESS_CODE {
            return Err(reader.malformed("wrong header"));
        }
        reader.u8()?; // the number of texts, always one
        let (stage, stages, progress) = (reader.u8()?, reader.u8()?, reader.u24()?);
        Ok(Progress { stage, stages, progress, info: reader.lenenc_bytes()? })
    }
}
