//! `COM_CHANGE_USER`: a login in the middle of a connection.

use crate::attributes::Attributes;
use crate::capability::Capabilities;
use crate::command::Command;
use crate::handshake_response::read_attributes;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// The fields of `COM_CHANGE_USER`. Which of the later ones are there depends on the capabilities of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    pub user: &'a [u8],
    /// The proof for the plugin named below. It is made on the scramble that the client saw last.
    pub auth: &'a [u8],
    /// The new database; an empty name counts as none.
    pub database: Option<&'a [u8]>,
    /// The collation; here it has 16 bits. Absent from the shortest form.
    pub collation: Option<u16>,
    pub plugin: Option<&'a [u8]>,
    /// The raw block of connection attributes, without its length.
    pub attributes: &'a [u8],
}

impl<'a> ChangeUser<'a> {
    /// Reads the packet, command byte included, of a connection with `caps`.
    pub fn parse(payload: &'a [u8], caps: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_CHANGE_USER");
        if reader.u8()? != Command::ChangeUser as u8 {
            return Err(reader.malformed("another command"));
        }
        let user = reader.nul_bytes()?;
        let auth = if caps.contains(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.bytes(usize::from(len))?
        } else {
            reader.nul_bytes()?
        };
        let database = Some(reader.nul_bytes_or_rest()).filter(|name| !name.is_empty());
        let collation = if reader.is_empty() { None } else { Some(reader.u16()?) };
        let has_plugin = caps.contains(Capabilities::PLUGIN_AUTH) && !reader.is_empty();
        let plugin = has_plugin.then(|| reader.nul_bytes_or_rest());
        let attributes = read_attributes(&mut reader, caps)?;
        Ok(ChangeUser { user, auth, database, collation, plugin, attributes })
    }

    /// The pairs of names and values.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The packet's payload, for a connection with `caps`.
    pub fn encode(&self, caps: Capabilities) -> Vec<u8> {
        let mut out = vec![Command::ChangeUser as u8];
        out.put_nul_bytes(self.user);
        if caps.contains(Capabilities::SECURE_CONNECTION) {
            let auth = self.auth.get(..255).unwrap_or(self.auth);
            out.push(auth.len() as u8);
            out.extend_from_slice(auth);
        } else {
            out.put_nul_bytes(self.auth);
        }
        out.put_nul_bytes(self.database.unwrap_or_default());
        let Some(collation) = self.collation else { return out };
        out.put_u16(collation);
        if caps.contains(Capabilities::PLUGIN_AUTH) {
            let Some(plugin) = self.plugin else { return out };
            out.put_nul_bytes(plugin);
        }
        if caps.contains(Capabilities::CONNECT_ATTRS) {
            out.put_lenenc_bytes(self.attributes);
        }
        out
    }
}
