//! One token.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An unquoted keyword or identifier.
    Word,
    /// An identifier in backticks, or in double quotes under `ANSI_QUOTES`; the span includes the quotes.
    Quoted,
    /// A string, a number, NULL as `\N`, or a placeholder.
    Literal,
    /// `@name` in any quoting.
    UserVariable,
    /// The `@@` before the name of a system variable.
    SystemVariable,
    /// One byte of punctuation.
    Punct(u8),
    /// A version comment, only from a lexer that was told to stop there.
    VersionComment,
    /// What the server would not accept: an unclosed quote or comment, a control character.
    Bad,
}

/// A token and its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}
