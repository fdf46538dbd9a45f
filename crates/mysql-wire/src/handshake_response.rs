//! What a client answers a greeting with: who it is, what it can do, and the proof of its password.

use crate::attributes::Attributes;
use crate::capability::Capabilities;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

const FILLER: usize = 19;

/// A client's wish to continue under TLS: the beginning of a response, cut off in front of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SslRequest {
    pub capabilities: Capabilities,
    pub max_packet: u32,
    pub collation: u8,
}

impl SslRequest {
    /// Length of the payload.
    pub const LEN: usize = 32;

    /// Whether this first answer of a client is a wish for TLS and not a login.
    pub fn is(payload: &[u8]) -> bool {
        payload.len() == Self::LEN
            && Self::parse(payload).is_ok_and(|r| r.capabilities.contains(Capabilities::SSL))
    }

    /// Reads the fields. Does not look for [`Capabilities::SSL`]: see [`SslRequest::is`].
    pub fn parse(payload: &[u8]) -> Result<SslRequest, Malformed> {
        Self::read(&mut Reader::new(payload, "TLS request"))
    }

    fn read(reader: &mut Reader<'_>) -> Result<SslRequest, Malformed> {
        let low = reader.u32()?;
        if low & Capabilities::PROTOCOL_41.low() == 0 {
            return Err(reader.malformed("client speaks the protocol from before 4.1"));
        }
        let max_packet = reader.u32()?;
        let collation = reader.u8()?;
        reader.bytes(FILLER)?;
        let capabilities = Capabilities::join(low, reader.u32()?);
        Ok(SslRequest { capabilities, max_packet, collation })
    }

    /// The packet's payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::LEN);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mysql = self.capabilities.contains(Capabilities::LONG_PASSWORD);
        out.put_u32(self.capabilities.low());
        out.put_u32(self.max_packet);
        out.push(self.collation);
        out.extend_from_slice(&[0; FILLER]);
        out.put_u32(if mysql { 0 } else { self.capabilities.extended() });
    }
}

/// A login (`Protocol::HandshakeResponse41`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// What the client wants, extended flags included. It may want what was not offered.
    pub capabilities: Capabilities,
    pub max_packet: u32,
    pub collation: u8,
    pub user: &'a [u8],
    /// The proof for the plugin named below, over the greeting's scramble.
    pub auth: &'a [u8],
    /// The first database; an empty name counts as none.
    pub database: Option<&'a [u8]>,
    /// The plugin that `auth` is for.
    pub plugin: Option<&'a [u8]>,
    /// The raw block of connection attributes, without its length; see [`HandshakeResponse::attributes`].
    pub attributes: &'a [u8],
}

impl<'a> HandshakeResponse<'a> {
    /// Reads a login. Fails for clients from before 4.1.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "handshake response");
        let head = SslRequest::read(&mut reader)?;
        let caps = head.capabilities;
        let user = reader.nul_bytes()?;
        let auth = read_auth(&mut reader, caps)?;
        let database = caps.contains(Capabilities::CONNECT_WITH_DB).then(|| reader.nul_bytes_or_rest());
        let plugin = caps.contains(Capabilities::PLUGIN_AUTH).then(|| reader.nul_bytes_or_rest());
        Ok(HandshakeResponse {
            capabilities: caps,
            max_packet: head.max_packet,
            collation: head.collation,
            user,
            auth,
            database: database.filter(|name| !name.is_empty()),
            plugin,
            attributes: read_attributes(&mut reader, caps)?,
        })
    }

    /// The pairs of names and values.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The packet's payload. The flags that say which fields are there follow the fields. A proof longer than 255
    /// bytes needs [`Capabilities::PLUGIN_AUTH_LENENC_DATA`].
    pub fn encode(&self) -> Vec<u8> {
        let capabilities = self.capabilities_of_fields();
        let mut out = Vec::with_capacity(64 + self.user.len() + self.auth.len() + self.attributes.len());
        SslRequest { capabilities, max_packet: self.max_packet, collation: self.collation }.write(&mut out);
        out.put_nul_bytes(self.user);
        write_auth(&mut out, capabilities, self.auth);
        if let Some(database) = self.database {
            out.put_nul_bytes(database);
        }
        if let Some(plugin) = self.plugin {
            out.put_nul_bytes(plugin);
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            out.put_lenenc_bytes(self.attributes);
        }
        out
    }

    fn capabilities_of_fields(&self) -> Capabilities {
        let mut caps = self.capabilities.with(Capabilities::PROTOCOL_41);
        for (flag, present) in [
            (Capabilities::CONNECT_WITH_DB, self.database.is_some()),
            (Capabilities::PLUGIN_AUTH, self.plugin.is_some()),
        ] {
            caps = if present { caps.with(flag) } else { caps.without(flag) };
        }
        caps
    }
}

/// The proof, whose length is written in one of three ways.
fn read_auth<'a>(reader: &mut Reader<'a>, caps: Capabilities) -> Result<&'a [u8], Malformed> {
    if caps.contains(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
        reader.lenenc_bytes()
    } else if caps.contains(Capabilities::SECURE_CONNECTION) {
        let len = reader.u8()?;
        reader.bytes(usize::from(len))
    } else {
        reader.nul_bytes()
    }
}

fn write_auth(out: &mut Vec<u8>, caps: Capabilities, auth: &[u8]) {
    if caps.contains(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
        out.put_lenenc_bytes(auth);
    } else if caps.contains(Capabilities::SECURE_CONNECTION) {
        let auth = auth.get(..255).unwrap_or(auth);
        out.push(auth.len() as u8);
        out.extend_from_slice(auth);
    } else {
        out.put_nul_bytes(auth);
    }
}

/// The attribute block; a client may have the flag and end its packet in front of it.
pub(crate) fn read_attributes<'a>(
    reader: &mut Reader<'a>,
    caps: Capabilities,
) -> Result<&'a [u8], Malformed> {
    if !caps.contains(Capabilities::CONNECT_ATTRS) || reader.is_empty() {
        return Ok(&[]);
    }
    reader.lenenc_bytes()
}
