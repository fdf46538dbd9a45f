//! Writing the protocol's basic types to the end of a buffer; [`Reader`](crate::Reader) reads them.

/// The writing side of the protocol's basic types.
pub trait Put {
    fn put_u16(&mut self, value: u16);
    /// The low three bytes of `value`.
    fn put_u24(&mut self, value: u32);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    /// A length-encoded integer in its shortest form.
    fn put_lenenc_int(&mut self, value: u64);
    /// A string with its length-encoded length in front.
    fn put_lenenc_bytes(&mut self, bytes: &[u8]);
    /// A string with a zero byte behind. A zero byte inside would end it early, so the string stops there.
    fn put_nul_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u24(&mut self, value: u32) {
        let [a, b, c, _] = value.to_le_bytes();
        self.extend_from_slice(&[a, b, c]);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_lenenc_int(&mut self, value: u64) {
        match value {
            0..=0xFA => self.push(value as u8),
            0xFB..=0xFFFF => {
                self.push(0xFC);
                self.put_u16(value as u16);
            }
            0x1_0000..=0xFF_FFFF => {
                self.push(0xFD);
                self.put_u24(value as u32);
            }
            _ => {
                self.push(0xFE);
                self.put_u64(value);
            }
        }
    }

    fn put_lenenc_bytes(&mut self, bytes: &[u8]) {
        self.put_lenenc_int(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }

    fn put_nul_bytes(&mut self, bytes: &[u8]) {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        self.extend_from_slice(bytes.get(..end).unwrap_or_default());
        self.push(0);
    }
}

/// How many bytes [`Put::put_lenenc_int`] writes for `value`.
pub const fn lenenc_len(value: u64) -> usize {
    match value {
        0..=0xFA => 1,
        0xFB..=0xFFFF => 3,
        0x1_0000..=0xFF_FFFF => 4,
        _ => 9,
    }
}
