//! Text result sets: made for answers that no server gives, and read where a result is for ourselves.

use crate::capability::Capabilities;
use crate::column::ColumnDef;
use crate::eof::Eof;
use crate::frame::{write_packet, write_packet_with};
use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::ok::Ok as OkPacket;
use crate::reader::Reader;
use crate::status::StatusFlags;

/// A value of a text row; `None` is NULL.
pub type TextValue = Option<Vec<u8>>;

/// A result set to be sent to a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextResult<'a> {
    pub columns: Vec<ColumnDef<'a>>,
    /// Each row has as many values as there are columns.
    pub rows: Vec<Vec<TextValue>>,
}

impl<'a> TextResult<'a> {
    /// A result without rows yet.
    pub fn new(columns: Vec<ColumnDef<'a>>) -> Self {
        TextResult { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push<I, V>(&mut self, values: I)
    where
        I: IntoIterator<Item = Option<V>>,
        V: Into<Vec<u8>>,
    {
        self.rows.push(values.into_iter().map(|value| value.map(Into::into)).collect());
    }

    /// Appends the packets of the whole result, the first one under sequence number `seq`, which counts on.
    pub fn encode(
        &self,
        caps: Capabilities,
        status: StatusFlags,
        warnings: u16,
        seq: &mut u8,
        out: &mut Vec<u8>,
    ) {
        let deprecate_eof = caps.contains(Capabilities::DEPRECATE_EOF);
        write_packet_with(out, seq, |out| out.put_lenenc_int(self.columns.len() as u64));
        for column in &self.columns {
            write_packet_with(out, seq, |out| column.encode(caps, out));
        }
        if !deprecate_eof {
            write_packet_with(out, seq, |out| Eof { warnings, status }.encode(out));
        }
        for row in &self.rows {
            write_packet(out, seq, &encode_row(row));
        }
        write_packet_with(out, seq, |out| {
            if deprecate_eof {
                let header = OkPacket::END_OF_ROWS;
                OkPacket { header, warnings, ..OkPacket::new(status) }.encode(caps, out);
            } else {
                Eof { warnings, status }.encode(out);
            }
        });
    }
}

fn encode_row(values: &[TextValue]) -> Vec<u8> {
    let mut row = Vec::new();
    for value in values {
        match value {
            Some(text) => row.put_lenenc_bytes(text),
            None => row.push(0xFB),
        }
    }
    row
}

/// Iterates over the values of one text row. It reports the first malformed value and ends there.
#[derive(Clone, Debug)]
pub struct TextRow<'a> {
    reader: Reader<'a>,
}

impl<'a> TextRow<'a> {
    /// The values in the payload of a row.
    pub fn new(payload: &'a [u8]) -> Self {
        TextRow { reader: Reader::new(payload, "row") }
    }
}

impl<'a> Iterator for TextRow<'a> {
    type Item = Result<Option<&'a [u8]>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let value = self.reader.lenenc_value();
        if value.is_err() {
            self.reader.take_rest();
        }
        Some(value)
    }
}
