//! How the session that sends a text makes the server read it.

/// The settings that change where a token of SQL ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mode {
    /// `sql_mode` has `ANSI_QUOTES`: `"x"` is an identifier.
    pub ansi_quotes: bool,
    /// `sql_mode` has `NO_BACKSLASH_ESCAPES`: a backslash in a string is an ordinary character.
    pub no_backslash_escapes: bool,
    /// `character_set_client` is one in which a quote, a backslash or a letter can be part of a longer character
    /// (`gbk`, `big5`, `sjis`, `cp932`, `gb18030`, and `swe7`, whose letters replace punctuation). A text with bytes
    /// above 0x7f is then never called a read.
    pub multibyte_unsafe: bool,
}

impl Mode {
    /// A number for each mode, which starts every cache key.
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.ansi_quotes)
            | u64::from(self.no_backslash_escapes) << 1
            | u64::from(self.multibyte_unsafe) << 2
    }
}
