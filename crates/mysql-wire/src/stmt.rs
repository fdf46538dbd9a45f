//! Prepared statements: their head, their execution, and how an id and types are put in without decoding values.

use crate::command::Command;
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// The head of a server's answer to `COM_STMT_PREPARE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareOk {
    pub id: u32,
    pub columns: u16,
    pub params: u16,
    pub warnings: u16,
}

impl PrepareOk {
    pub fn parse(payload: &[u8]) -> Result<PrepareOk, Malformed> {
        let mut reader = Reader::new(payload, "prepare OK");
        if reader.u8()? != 0 {
            return Err(reader.malformed("wrong header"));
        }
        let (id, columns, params) = (reader.u32()?, reader.u16()?, reader.u16()?);
        reader.u8()?;
        Ok(PrepareOk { id, columns, params, warnings: reader.u16()? })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(0);
        out.put_u32(self.id);
        out.put_u16(self.columns);
        out.put_u16(self.params);
        out.push(0);
        out.put_u16(self.warnings);
    }
}

/// The statement's id in the payload of a prepare OK, or of any `COM_STMT_*` command: it stands in the same place.
pub fn statement_id(payload: &[u8]) -> Option<u32> {
    payload.get(1..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Writes another statement's id into the payload of a prepare OK or of a `COM_STMT_*` command. False if the payload
/// is too short to have one.
pub fn patch_statement_id(payload: &mut [u8], id: u32) -> bool {
    let Some(place) = payload.get_mut(1..5) else { return false };
    place.copy_from_slice(&id.to_le_bytes());
    true
}

/// The id by which MariaDB means the statement that the connection prepared last.
pub const LAST_PREPARED: u32 = u32::MAX;

/// Flag of an execution: open a cursor for reading.
pub const CURSOR_READ_ONLY: u8 = 1;

/// `COM_STMT_EXECUTE`, its fixed parts decoded and its values left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    pub id: u32,
    /// The cursor's type; 0 for none.
    pub flags: u8,
    pub iterations: u32,
    /// One bit for each parameter.
    pub null_bitmap: &'a [u8],
    /// Two bytes for each parameter, where the client sent them: it does the first time, and when they change.
    pub types: Option<&'a [u8]>,
    /// Where the values begin in the payload.
    pub values_at: usize,
    /// The values, one behind the other.
    pub values: &'a [u8],
}

impl<'a> Execute<'a> {
    /// Reads the packet, command byte included, for a statement with `params` parameters.
    pub fn parse(payload: &'a [u8], params: u16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_STMT_EXECUTE");
        if reader.u8()? != Command::StmtExecute as u8 {
            return Err(reader.malformed("another command"));
        }
        let (id, flags, iterations) = (reader.u32()?, reader.u8()?, reader.u32()?);
        let (mut null_bitmap, mut types) = (&[][..], None);
        if params > 0 {
            null_bitmap = reader.bytes(usize::from(params).div_ceil(8))?;
            if reader.u8()? == 1 {
                types = Some(reader.bytes(2 * usize::from(params))?);
            }
        }
        let values_at = payload.len() - reader.rest().len();
        Ok(Execute { id, flags, iterations, null_bitmap, types, values_at, values: reader.take_rest() })
    }

    /// Whether the execution opens a cursor.
    pub fn opens_cursor(&self) -> bool {
        self.flags & CURSOR_READ_ONLY != 0
    }

    /// Appends the payload of the same execution of the statement `id`. Where the client sent no types, `types` are
    /// put in: the ones it sent before, which the connection that executes now may never have seen.
    pub fn with_types(&self, id: u32, types: Option<&[u8]>, out: &mut Vec<u8>) {
        out.push(Command::StmtExecute as u8);
        out.put_u32(id);
        out.push(self.flags);
        out.put_u32(self.iterations);
        if !self.null_bitmap.is_empty() {
            out.extend_from_slice(self.null_bitmap);
            put_types(out, self.types.or(types));
        }
        out.extend_from_slice(self.values);
    }
}

fn put_types(out: &mut Vec<u8>, types: Option<&[u8]>) {
    out.push(u8::from(types.is_some()));
    out.extend_from_slice(types.unwrap_or_default());
}

/// `COM_STMT_BULK_EXECUTE`, its fixed parts decoded and its rows left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkExecute<'a> {
    pub id: u32,
    pub flags: u16,
    /// Two bytes for each parameter, where the client sent them.
    pub types: Option<&'a [u8]>,
    /// For each row and parameter an indicator and, where it says so, a value.
    pub rows: &'a [u8],
}

impl<'a> BulkExecute<'a> {
    /// Flag: types are in the packet.
    pub const SEND_TYPES: u16 = 128;
    /// Flag: the server is to answer with one result for each row.
    pub const SEND_UNIT_RESULTS: u16 = 64;

    /// Reads the packet, command byte included, for a statement with `params` parameters.
    pub fn parse(payload: &'a [u8], params: u16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_STMT_BULK_EXECUTE");
        if reader.u8()? != Command::StmtBulkExecute as u8 {
            return Err(reader.malformed("another command"));
        }
        let (id, flags) = (reader.u32()?, reader.u16()?);
        let has_types = flags & Self::SEND_TYPES != 0;
        let types = if has_types { Some(reader.bytes(2 * usize::from(params))?) } else { None };
        Ok(BulkExecute { id, flags, types, rows: reader.take_rest() })
    }

    /// Appends the payload of the same execution of the statement `id`, with `types` where the client sent none.
    pub fn with_types(&self, id: u32, types: Option<&[u8]>, out: &mut Vec<u8>) {
        let types = self.types.or(types);
        let flag = if types.is_some() { Self::SEND_TYPES } else { 0 };
        out.push(Command::StmtBulkExecute as u8);
        out.put_u32(id);
        out.put_u16(self.flags & !Self::SEND_TYPES | flag);
        out.extend_from_slice(types.unwrap_or_default());
        out.extend_from_slice(self.rows);
    }
}
