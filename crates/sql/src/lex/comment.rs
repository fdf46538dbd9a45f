//! Comments, and version comments, whose contents may be code.

use memchr::{memchr2, memmem};

use super::{Kind, Lexer};

/// How a lexer reads `/*!50000 … */` and `/*M!100100 … */`.
///
/// Whether a server runs the contents depends on its version, so a text with `n` of them has up to 2ⁿ readings. A
/// reading is a mask: its bit `i` says whether the `i`-th version comment that is met is code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionComments {
    code: u8,
    stop: bool,
    /// How many were met.
    pub(crate) met: u8,
    /// One is open whose contents are code.
    open: bool,
    /// Something was met that different servers read differently: nesting.
    pub(crate) ambiguous: bool,
}

impl VersionComments {
    pub(super) const fn stop() -> Self {
        Self { code: 0, stop: true, met: 0, open: false, ambiguous: false }
    }

    /// The reading in which the comments of `code` are code.
    pub(crate) const fn reading(code: u8) -> Self {
        Self { code, stop: false, met: 0, open: false, ambiguous: false }
    }

    /// A version comment was opened as code and not closed.
    pub(crate) const fn unclosed(self) -> bool {
        self.open
    }
}

impl Lexer<'_> {
    /// Whether `--` begins a comment here; `None` where that depends on the character set (0xa0 is a space in
    /// latin1).
    pub(super) fn dash_comment(&self) -> Option<bool> {
        match self.peek(2) {
            None | Some(0..=b' ' | 0x7f) => Some(true),
            Some(0x80..) => None,
            Some(_) => Some(false),
        }
    }

    /// Skips to the end of the line. A NUL would end the comment for the server.
    pub(super) fn line_comment(&mut self) -> Option<Kind> {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        match memchr2(b'\n', 0, rest) {
            None => self.pos = self.sql.len(),
            Some(at) if rest.get(at) == Some(&0) => return Some(self.unclosed()),
            Some(at) => self.pos += at + 1,
        }
        None
    }

    pub(super) fn slash(&mut self) -> Option<Kind> {
        if self.peek(1) != Some(b'*') {
            return Some(self.punct(b'/'));
        }
        match (self.peek(2), self.peek(3)) {
            (Some(b'!'), _) => self.version_comment(3),
            (Some(b'M'), Some(b'!')) => self.version_comment(4),
            _ => self.block_comment(),
        }
    }

    /// A `*`, or the end of a version comment that is code.
    pub(super) fn star(&mut self) -> Option<Kind> {
        if self.version_comments.open && self.peek(1) == Some(b'/') {
            self.version_comments.open = false;
            self.pos += 2;
            return None;
        }
        Some(self.punct(b'*'))
    }

    fn block_comment(&mut self) -> Option<Kind> {
        let rest = self.sql.get(self.pos + 2..).unwrap_or_default();
        match memmem::find(rest, b"*/") {
            Some(at) => {
                self.pos += 2 + at + 2;
                None
            }
            None => Some(self.unclosed()),
        }
    }

    fn version_comment(&mut self, marker: usize) -> Option<Kind> {
        if self.version_comments.stop {
            self.pos = self.sql.len();
            return Some(Kind::VersionComment);
        }
        let index = self.version_comments.met;
        self.version_comments.met = index.saturating_add(1);
        self.version_comments.ambiguous |= self.version_comments.open;
        if self.version_comments.code.checked_shr(u32::from(index)).unwrap_or(0) & 1 == 1 {
            self.pos += marker;
            self.skip_version();
            self.version_comments.open = true;
            return None;
        }
        let body = self.pos + marker;
        let skipped = self.block_comment();
        let inside = self.sql.get(body..self.pos).unwrap_or_default();
        // MariaDB lets one comment nest in a skipped one, MySQL does not.
        self.version_comments.ambiguous |= memmem::find(inside, b"/*").is_some();
        skipped
    }

    /// Five or six digits are a version; fewer are code.
    fn skip_version(&mut self) {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        let digits = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        if digits >= 5 {
            self.pos += digits;
        }
    }
}
