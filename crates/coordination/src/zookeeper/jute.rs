//! ZooKeeper's encoding: big-endian integers, lengths in front of bytes, texts and lists.

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn int(mut self, value: i32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn bool(mut self, value: bool) -> Self {
        self.0.push(value.into());
        self
    }

    /// Bytes or a text.
    pub(super) fn bytes(self, value: &[u8]) -> Self {
        let mut this = self.int(i32::try_from(value.len()).unwrap_or(i32::MAX));
        this.0.extend_from_slice(value);
        this
    }

    /// What was encoded already.
    pub(super) fn raw(mut self, encoded: &[u8]) -> Self {
        self.0.extend_from_slice(encoded);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What came in. Every reading gives `None` when there is not enough of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    pub(super) fn int(&mut self) -> Option<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        self.chunk::<1>().map(|[byte]| byte != 0)
    }

    /// A length of -1 stands for nothing.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.int()?.max(0)).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn texts(&mut self) -> Option<Vec<String>> {
        let count = self.int()?.max(0);
        (0..count).map(|_| Some(String::from_utf8_lossy(self.bytes()?).into_owned())).collect()
    }

    pub(super) fn stat(&mut self) -> Option<Stat> {
        let (_created, modified) = (self.long()?, self.long()?);
        let _times = (self.long()?, self.long()?);
        let (version, children_version, _acl_version) = (self.int()?, self.int()?, self.int()?);
        let owner = self.long()?;
        let _sizes = (self.int()?, self.int()?);
        let children_changed = self.long()?;
        Some(Stat { modified, version, children_version, owner, children_changed })
    }
}

/// What ZooKeeper knows of a node, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `mzxid`: the change that wrote its data last.
    pub(super) modified: i64,
    /// How often its data was written since the node was made. Starts again when it is made again.
    pub(super) version: i32,
    /// `cversion`: how many children were made and deleted, together.
    pub(super) children_version: i32,
    /// The session with which it vanishes, or zero.
    pub(super) owner: i64,
    /// `pzxid`: the change that made or deleted a child last.
    pub(super) children_changed: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_off_anywhere_is_no_answer() {
        let names = Encoder::default().int(2).bytes(b"one").bytes(b"two").into_bytes();
        assert_eq!(Decoder(&names).texts(), Some(vec!["one".to_owned(), "two".to_owned()]));
        for cut in 0..names.len() {
            assert_eq!(Decoder(&names[..cut]).texts(), None, "{cut}");
        }
        assert_eq!(Decoder(&[0; 67]).stat(), None);
        assert!(Decoder(&[0; 68]).stat().is_some());
        assert_eq!(Decoder(&(-1_i32).to_be_bytes()).bytes(), Some(&[][..]));
        assert_eq!(Decoder(&i32::MAX.to_be_bytes()).bytes(), None);
    }
}
