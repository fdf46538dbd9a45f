//! Connection attributes: the pairs of names and values that a client describes itself with.

use crate::lenenc::Put;
use crate::malformed::Malformed;
use crate::reader::Reader;

/// Iterates over the pairs in the raw attribute block of a login. Ends at the first malformed pair, which it reports.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    reader: Reader<'a>,
}

impl<'a> Attributes<'a> {
    /// The pairs in `raw`, the block without its length in front.
    pub fn new(raw: &'a [u8]) -> Self {
        Attributes { reader: Reader::new(raw, "connection attributes") }
    }

    fn pair(&mut self) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        Ok((self.reader.lenenc_bytes()?, self.reader.lenenc_bytes()?))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let pair = self.pair();
        if pair.is_err() {
            self.reader.take_rest();
        }
        Some(pair)
    }
}

/// Appends one pair to a raw attribute block.
pub fn put_attribute(raw: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    raw.put_lenenc_bytes(name);
    raw.put_lenenc_bytes(value);
}
