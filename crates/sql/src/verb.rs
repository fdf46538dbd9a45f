//! What kind of statement a text is.

/// The first statement's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// `SELECT`, `WITH … SELECT`, `VALUES`, `TABLE`, parenthesised or combined.
    Select,
    /// `SHOW`, `DESCRIBE` of a table, `HELP`.
    Show,
    /// `EXPLAIN` or `ANALYZE` of a statement.
    Explain,
    /// `INSERT`.
    Insert,
    /// `REPLACE`.
    Replace,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `LOAD DATA`, `LOAD XML`.
    Load,
    /// `CALL`.
    Call,
    /// `DO`.
    Do,
    /// `SET` in all its forms but `SET STATEMENT … FOR`, which is what it is for.
    Set,
    /// `USE`.
    Use,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK` of the whole transaction.
    Rollback,
    /// `SAVEPOINT`, `ROLLBACK TO SAVEPOINT`.
    Savepoint,
    /// `RELEASE SAVEPOINT`.
    ReleaseSavepoint,
    /// `LOCK TABLES`.
    LockTables,
    /// `UNLOCK TABLES`.
    UnlockTables,
    /// `PREPARE`.
    Prepare,
    /// `EXECUTE`, `EXECUTE IMMEDIATE`.
    Execute,
    /// `DEALLOCATE PREPARE`, `DROP PREPARE`.
    Deallocate,
    /// `HANDLER`.
    Handler,
    /// `KILL`.
    Kill,
    /// `XA`.
    Xa,
    /// `CREATE`, `ALTER`, `DROP`, `RENAME`, `TRUNCATE`, `GRANT`, `REVOKE`.
    Ddl,
    /// `FLUSH`, `ANALYZE TABLE`, `OPTIMIZE`, `CHANGE MASTER` and other commands to the server.
    Admin,
    /// `BEGIN NOT ATOMIC`, `IF`, `LOOP` and other program blocks.
    Compound,
    /// `GET DIAGNOSTICS`, `SIGNAL`, `RESIGNAL`.
    Diagnostics,
    /// There is no statement in the text.
    Empty,
    /// `SHOW HADAL …`, `EXPLAIN ROUTE …`: for hadal, not for a server.
    Hadal,
    /// Not known.
    Unknown,
}

impl Verb {
    /// The verb as a metric's label and in tables for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Show => "show",
            Self::Explain => "explain",
            Self::Insert => "insert",
            Self::Replace => "replace",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Load => "load",
            Self::Call => "call",
            Self::Do => "do",
            Self::Set => "set",
            Self::Use => "use",
            Self::Begin => "begin",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Savepoint => "savepoint",
            Self::ReleaseSavepoint => "release_savepoint",
            Self::LockTables => "lock_tables",
            Self::UnlockTables => "unlock_tables",
            Self::Prepare => "prepare",
            Self::Execute => "execute",
            Self::Deallocate => "deallocate",
            Self::Handler => "handler",
            Self::Kill => "kill",
            Self::Xa => "xa",
            Self::Ddl => "ddl",
            Self::Admin => "admin",
            Self::Compound => "compound",
            Self::Diagnostics => "diagnostics",
            Self::Empty => "empty",
            Self::Hadal => "hadal",
            Self::Unknown => "unknown",
        }
    }
}
