//! What is known about a text without running it.

use crate::{Access, Effects, Reason, Verb};

/// What a text says, independent of the values of its literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The first statement's kind.
    pub verb: Verb,
    /// Which server may answer: the strictest of all statements and of all readings of version comments.
    pub access: Access,
    /// Why it is not [`Access::Read`].
    pub reason: Reason,
    /// What it may do to the session, of all statements.
    pub effects: Effects,
    /// Statements in the text that are not empty.
    pub statements: u16,
    /// Every name in the place of a table. Names of common table expressions, and aliases in the targets of a multi-table
    /// DELETE, are left out; what looks like a table and is none, such as a variable of a block, may be in it.
    pub tables: Box<[TableName]>,
    /// Every called function that is not the server's own.
    pub functions: Box<[FunctionName]>,
    /// Every schema that it is about without naming a table of it, such as that of `SHOW TABLES FROM shop` or of a
    /// routine that it creates or calls. `None` is the session's own.
    pub schemas: Box<[Option<Box<str>>]>,
    /// A hash of the whole normalised text, the same in every process.
    pub digest: u64,
    /// The normalised text, at most [`Facts::DIGEST_TEXT_LIMIT`] bytes of it.
    pub digest_text: Box<str>,
}

impl Facts {
    /// Bytes of normalised text that are kept.
    pub const DIGEST_TEXT_LIMIT: usize = 1024;

    /// Approximate heap size in bytes, by which a cache decides whether to keep it.
    pub(crate) fn weight(&self) -> usize {
        let tables = self.tables.iter().map(|t| 48 + t.name.len() + t.schema.as_ref().map_or(0, |s| s.len()));
        let functions = self.functions.iter().map(|f| 48 + f.name.len());
        let schemas = self.schemas.iter().map(|s| 16 + s.as_ref().map_or(0, |s| s.len()));
        let names = tables.sum::<usize>() + functions.sum::<usize>() + schemas.sum::<usize>();
        size_of::<Self>() + self.digest_text.len() + names
    }
}

/// A name in the place of a table, unquoted, in the text's own case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema, where the text names one.
    pub schema: Option<Box<str>>,
    /// The table.
    pub name: Box<str>,
}

/// A called function, unquoted, lower-cased.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName {
    /// The schema, where the text names one.
    pub schema: Option<Box<str>>,
    /// The function.
    pub name: Box<str>,
}
