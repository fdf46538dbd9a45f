//! Where in the file each key was written.

use std::collections::BTreeMap;

/// See the module.
pub(crate) struct Origins<'a> {
    text: &'a str,
    /// Dotted key to the offset of its name.
    offsets: BTreeMap<String, usize>,
}

impl<'a> Origins<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offsets: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, key: &str, offset: usize) {
        self.offsets.insert(key.to_owned(), offset);
    }

    /// Whether the file says anything about this key.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.offsets.contains_key(key)
    }

    /// The line of the key, or of the nearest section around it that is written down.
    pub(crate) fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(offset) = self.offsets.get(key) {
                return Some(self.line_at(*offset));
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    /// Lines count from 1.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}
