//! Column definitions: the description of one column of a result set, or of one parameter of a statement.

use crate::capability::Capabilities;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// Collations that answers of our own use.
pub mod collation {
    /// `utf8mb3_general_ci`.
    pub const UTF8MB3: u16 = 33;
    /// `utf8mb4_general_ci`.
    pub const UTF8MB4: u16 = 45;
    /// `binary`: numbers and bytes.
    pub const BINARY: u16 = 63;
}

/// Type codes of columns (`MYSQL_TYPE_*`), as far as anything here makes or looks for them.
pub mod column_type {
    pub const LONG: u8 = 0x03;
    pub const DOUBLE: u8 = 0x05;
    pub const NULL: u8 = 0x06;
    pub const LONGLONG: u8 = 0x08;
    pub const VAR_STRING: u8 = 0xFD;
}

/// Flags of columns.
pub mod column_flag {
    pub const NOT_NULL: u16 = 1;
    pub const UNSIGNED: u16 = 32;
    pub const BINARY: u16 = 128;
}

/// A column definition (`Protocol::ColumnDefinition41`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDef<'a> {
    /// Always `def`.
    pub catalog: &'a [u8],
    pub schema: &'a [u8],
    /// The table's name in the query, its alias.
    pub table: &'a [u8],
    pub org_table: &'a [u8],
    /// The column's name in the query, its alias.
    pub name: &'a [u8],
    pub org_name: &'a [u8],
    /// MariaDB's type and format names, raw; only with [`Capabilities::MARIADB_EXTENDED_METADATA`].
    pub extended: &'a [u8],
    pub collation: u16,
    /// The greatest width in bytes.
    pub length: u32,
    pub kind: u8,
    pub flags: u16,
    pub decimals: u8,
    /// The default value, in answers to `COM_FIELD_LIST` only: with its length in front, as it came.
    pub default: &'a [u8],
}

const FIXED: u64 = 12;

impl<'a> ColumnDef<'a> {
    /// A column of text in utf8mb4, at most `width` characters wide.
    pub fn text(name: &'a str, width: u32) -> Self {
        let length = width.saturating_mul(4);
        Self::of(name, column_type::VAR_STRING, collation::UTF8MB4, length)
    }

    /// A column of 64-bit integers.
    pub fn integer(name: &'a str) -> Self {
        let flags = column_flag::BINARY;
        ColumnDef { flags, ..Self::of(name, column_type::LONGLONG, collation::BINARY, 21) }
    }

    fn of(name: &'a str, kind: u8, collation: u16, length: u32) -> Self {
        ColumnDef {
            catalog: b"def",
            schema: &[],
            table: &[],
            org_table: &[],
            name: name.as_bytes(),
            org_name: &[],
            extended: &[],
            collation,
            length,
            kind,
            flags: 0,
            decimals: 0,
            default: &[],
        }
    }

    /// Reads the definition as sent on a connection with `caps`.
    pub fn parse(payload: &'a [u8], caps: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "column definition");
        let [catalog, schema, table, org_table, name, org_name] = read_names(&mut reader)?;
        let has_extended = caps.contains(Capabilities::MARIADB_EXTENDED_METADATA);
        let extended = if has_extended { reader.lenenc_bytes()? } else { &[] };
        if reader.lenenc_int()? != FIXED {
            return Err(reader.malformed("unknown fixed fields"));
        }
        let (collation, length) = (reader.u16()?, reader.u32()?);
        let (kind, flags, decimals) = (reader.u8()?, reader.u16()?, reader.u8()?);
        reader.u16()?;
        let default = reader.take_rest();
        Ok(ColumnDef {
            catalog,
            schema,
            table,
            org_table,
            name,
            org_name,
            extended,
            collation,
            length,
            kind,
            flags,
            decimals,
            default,
        })
    }

    /// Appends the payload for a connection with `caps`.
    pub fn encode(&self, caps: Capabilities, out: &mut Vec<u8>) {
        for text in [self.catalog, self.schema, self.table, self.org_table, self.name, self.org_name] {
            out.put_lenenc_bytes(text);
        }
        if caps.contains(Capabilities::MARIADB_EXTENDED_METADATA) {
            out.put_lenenc_bytes(self.extended);
        }
        out.put_lenenc_int(FIXED);
        out.put_u16(self.collation);
        out.put_u32(self.length);
        out.push(self.kind);
        out.put_u16(self.flags);
        out.push(self.decimals);
        out.put_u16(0);
        out.extend_from_slice(self.default);
    }

    /// This definition under another name: how a rewritten expression keeps the name that the client wrote.
    #[must_use]
    pub fn renamed(self, name: &'a [u8]) -> Self {
        ColumnDef { name, ..self }
    }
}

fn read_names<'a>(reader: &mut Reader<'a>) -> Result<[&'a [u8]; 6], Malformed> {
    let mut names = [&[][..]; 6];
    for name in &mut names {
        *name = reader.lenenc_bytes()?;
    }
    Ok(names)
}
