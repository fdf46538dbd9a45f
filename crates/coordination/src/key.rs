//! Names in the store: segments joined by `/`, in the letters that every back end takes.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Longest key in bytes. Far below what etcd and ZooKeeper take, so that a root in front of it still fits.
pub const MAX_KEY_BYTES: usize = 512;

/// The name of one entry, and at the same time the prefix of all entries below it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// A name that cannot be a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A segment must have at least one letter.
    #[error("a name in the store must not be empty")]
    Empty,
    /// With everything in front of it, and escapes counted as they are written.
    #[error("the name is {0} bytes long, at most {MAX_KEY_BYTES} are possible")]
    TooLong(usize),
}

impl Key {
    /// A key of one segment.
    ///
    /// # Errors
    /// See [`Key::join`].
    pub fn new(segment: &str) -> Result<Self, KeyError> {
        Self::checked(escape(segment)?)
    }

    /// The key below this one. Any text may be a segment: bytes outside `A-Z a-z 0-9 . _ @ -` are written as `%XX`.
    ///
    /// # Errors
    /// An empty segment, or a key that becomes too long.
    pub fn join(&self, segment: &str) -> Result<Self, KeyError> {
        Self::checked(format!("{}/{}", self.0, escape(segment)?))
    }

    /// A key as a back end has it: escaped already. `None` for what this crate has not written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let known = |b: u8| is_plain(b) || b == b'%';
        let fine = !text.is_empty() && text.len() <= MAX_KEY_BYTES;
        (fine && text.split('/').all(|s| !s.is_empty() && s.bytes().all(known))).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this key lies below `prefix`, at any depth. A key does not lie below itself.
    pub fn is_below(&self, prefix: &Key) -> bool {
        self.0.strip_prefix(&*prefix.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The last segment as it was before escaping.
    pub fn name(&self) -> String {
        unescape(self.0.rsplit('/').next().unwrap_or_default())
    }

    fn checked(text: String) -> Result<Self, KeyError> {
        if text.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong(text.len()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-')
}

fn escape(segment: &str) -> Result<String, KeyError> {
    if segment.is_empty() {
        return Err(KeyError::Empty);
    }
    // ZooKeeper takes "." and ".." for folders.
    let only_dots = segment.bytes().all(|b| b == b'.');
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if is_plain(byte) && !only_dots {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(escaped)
}

fn unescape(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(b'%'));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_a_segment_and_is_had_back() {
        let root = Key::new("hadal").unwrap();
        for name in ["main", "a/b", "..", "50 %", "schlüssel", "%zz", "a:b"] {
            let key = root.join(name).unwrap();
            assert_eq!(key.name(), name);
            assert_eq!(Key::parse(key.as_str()), Some(key.clone()));
            assert_eq!(key.as_str().matches('/').count(), 1, "{key}");
            assert!(!key.as_str().contains(':'), "{key}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let a = Key::new("a").unwrap();
        let ab = Key::new("ab").unwrap().join("c").unwrap();
        assert!(!ab.is_below(&a));
        assert!(a.join("b").unwrap().join("c").unwrap().is_below(&a));
        assert!(!a.is_below(&a));
    }

    #[test]
    fn bounds_are_held() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert_eq!(Key::new(&"/".repeat(200)), Err(KeyError::TooLong(600)));
        assert_eq!(Key::parse("a//b"), None);
        assert_eq!(Key::parse("a b"), None);
    }
}
