//! The packets between login and its OK: the server asks for another plugin, or a plugin has more to say.

use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// The server's wish that the client prove itself by another plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthSwitchRequest<'a> {
    pub plugin: &'a [u8],
    /// The plugin's data as it stands on the wire: a scramble of 20 bytes and a zero behind, or
    /// of 32 bytes without one for `client_ed25519`.
    pub data: &'a [u8],
}

impl<'a> AuthSwitchRequest<'a> {
    /// The packet's first byte.
    pub const HEADER: u8 = 0xFE;

    /// Reads the packet. A packet of the header alone is the wish of an ancient server for `mysql_old_password`.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "auth switch request");
        if reader.u8()? != Self::HEADER {
            return Err(reader.malformed("wrong header"));
        }
        if reader.is_empty() {
            return Ok(AuthSwitchRequest { plugin: b"mysql_old_password", data: &[] });
        }
        let plugin = reader.nul_bytes()?;
        Ok(AuthSwitchRequest { plugin, data: reader.take_rest() })
    }

    /// The packet's payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + self.plugin.len() + self.data.len());
        out.push(Self::HEADER);
        out.put_nul_bytes(self.plugin);
        out.extend_from_slice(self.data);
        out
    }
}

/// More data of the plugin in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMoreData<'a> {
    pub data: &'a [u8],
}

impl<'a> AuthMoreData<'a> {
    /// The packet's first byte.
    pub const HEADER: u8 = 0x01;

    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        match payload.split_first() {
            Some((&Self::HEADER, data)) => Ok(AuthMoreData { data }),
            _ => Err(Malformed::new("auth data", "wrong header")),
        }
    }

    /// The packet's payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + self.data.len());
        out.push(Self::HEADER);
        out.extend_from_slice(self.data);
        out
    }
}
