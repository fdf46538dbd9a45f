//! The greeting: a server's first packet, with its version, its capabilities and the scramble to prove a password on.

use crate::capability::Capabilities;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;
use crate::status::StatusFlags;

/// Bytes of random data that a password is proved on.
pub const SCRAMBLE_LEN: usize = 20;

/// A greeting of protocol version 10 (`Protocol::HandshakeV10`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Always 10 on a parsed greeting.
    pub protocol: u8,
    /// As it stands on the wire: MariaDB before 11 puts `5.5.5-` in front for old replicas.
    pub version: String,
    pub thread_id: u32,
    /// Never contains a zero byte when it comes from a server.
    pub scramble: [u8; SCRAMBLE_LEN],
    pub capabilities: Capabilities,
    /// The server's default collation, its low eight bits.
    pub collation: u8,
    pub status: StatusFlags,
    /// The plugin that the scramble belongs to; empty without [`Capabilities::PLUGIN_AUTH`].
    pub auth_plugin: String,
}

impl Greeting {
    /// The packet's payload.
    pub fn encode(&self) -> Vec<u8> {
        let (first, second) = self.scramble.split_at(8);
        let mut out = Vec::with_capacity(80 + self.version.len());
        out.push(self.protocol);
        out.put_nul_bytes(self.version.as_bytes());
        out.put_u32(self.thread_id);
        out.put_nul_padded(first);
        out.put_u16(self.capabilities.low() as u16);
        out.push(self.collation);
        out.put_u16(self.status.0);
        out.put_u16((self.capabilities.low() >> 16) as u16);
        let has_plugin = self.capabilities.contains(Capabilities::PLUGIN_AUTH);
        out.push(if has_plugin { SCRAMBLE_LEN as u8 + 1 } else { 0 });
        out.extend_from_slice(&[0; 6]);
        out.put_u32(self.extended_field());
        out.put_nul_padded(second);
        if has_plugin {
            out.put_nul_bytes(self.auth_plugin.as_bytes());
        }
        out
    }

    /// The extended flags are reserved bytes where the bit that says so is missing.
    fn extended_field(&self) -> u32 {
        if self.capabilities.contains(Capabilities::LONG_PASSWORD) { 0 } else { self.capabilities.extended() }
    }

    /// Reads a greeting. An error packet in its place (host blocked, too many connections) is the caller's to see:
    /// its first byte is 0xFF.
    pub fn parse(payload: &[u8]) -> Result<Greeting, Malformed> {
        let mut reader = Reader::new(payload, "greeting");
        let protocol = reader.u8()?;
        if protocol != 10 {
            return Err(reader.malformed("unknown protocol version"));
        }
        let version = String::from_utf8_lossy(reader.nul_bytes()?).into_owned();
        let thread_id = reader.u32()?;
        let mut scramble = [0; SCRAMBLE_LEN];
        let (first, second) = scramble.split_at_mut(8);
        first.copy_from_slice(reader.bytes(8)?);
        reader.u8()?;
        let low = u32::from(reader.u16()?);
        let collation = reader.u8()?;
        let status = StatusFlags(reader.u16()?);
        let high = u32::from(reader.u16()?);
        let scramble_len = usize::from(reader.u8()?);
        reader.bytes(6)?;
        let capabilities = Capabilities::join(low | high << 16, reader.u32()?);
        second.copy_from_slice(reader.bytes(12)?);
        // What is left of the scramble is its terminating zero, and more for plugins with a longer one.
        reader.bytes(scramble_len.saturating_sub(SCRAMBLE_LEN).max(1))?;
        let auth_plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            String::from_utf8_lossy(reader.nul_bytes_or_rest()).into_owned()
        } else {
            String::new()
        };
        Ok(Greeting { protocol, version, thread_id, scramble, capabilities, collation, status, auth_plugin })
    }
}

trait PutPadded {
    /// Bytes as they are (zeros too), and a zero behind.
    fn put_nul_padded(&mut self, bytes: &[u8]);
}

impl PutPadded for Vec<u8> {
    fn put_nul_padded(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
        self.push(0);
    }
}
