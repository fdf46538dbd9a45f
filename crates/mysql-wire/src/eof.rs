//! The EOF packet: ends column definitions, and rows, where [`DEPRECATE_EOF`] was not agreed on.
//!
//! [`DEPRECATE_EOF`]: crate::Capabilities::DEPRECATE_EOF

use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;
use crate::status::StatusFlags;

/// An EOF packet's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Eof {
    pub warnings: u16,
    pub status: StatusFlags,
}

impl Eof {
    /// The packet's first byte; a row may begin with it too, but is longer then.
    pub const HEADER: u8 = 0xFE;
    /// A payload of this length or more that begins with the header is no EOF.
    pub const MAX_LEN: usize = 9;

    pub fn parse(payload: &[u8]) -> Result<Eof, Malformed> {
        let mut reader = Reader::new(payload, "EOF packet");
        if reader.u8()? != Self::HEADER || payload.len() >= Self::MAX_LEN {
            return Err(reader.malformed("wrong header"));
        }
        Ok(Eof { warnings: reader.u16()?, status: StatusFlags(reader.u16()?) })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::HEADER);
        out.put_u16(self.warnings);
        out.put_u16(self.status.0);
    }
}
