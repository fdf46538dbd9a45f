//! Which server may answer a statement, and why not any server.

/// Which server may answer. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// A replica may serve it, if the caller's catalogue has nothing against its functions and tables.
    Read,
    /// It does not write, but only the primary or the session's own connection answers it correctly.
    PrimaryRead,
    /// It writes, or nobody knows.
    Write,
}

/// Why a statement is not [`Access::Read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It is a read.
    PlainRead,
    /// There is no statement in the text.
    Empty,
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
    LockingRead,
    /// `SELECT … INTO`.
    IntoClause,
    /// It reads or sets an `@variable`.
    UserVariable,
    /// It calls a function that changes something outside of the statement.
    SideEffectFunction,
    /// It calls a stored function in a place where its effects count.
    StoredFunction,
    /// It reads an `@@variable` that servers may disagree on.
    SystemVariable,
    /// It reads `information_schema`, `performance_schema`, `mysql` or `sys`.
    SystemSchema,
    /// It asks for the state of one server.
    ServerState,
    /// It reads or sets the diagnostics of the session's last statement.
    Diagnostics,
    /// Its answer depends on the connection that asks.
    OwnConnection,
    /// It changes data, structure, accounts or the server.
    Writes,
    /// It changes the session.
    SessionChange,
    /// It starts, ends or marks a transaction.
    TransactionControl,
    /// It takes or releases locks that outlive it.
    Locks,
    /// The text has more than one statement.
    MultiStatement,
    /// It runs a procedure or a compound statement.
    Procedure,
    /// Its real text is in a prepared statement.
    PreparedText,
    /// It creates or drops a temporary table.
    TemporaryTable,
    /// It contains a version comment, which one server runs and another one skips.
    VersionComment,
    /// It is a command to hadal.
    Hadal,
    /// It could not be understood.
    NotUnderstood,
}

impl Reason {
    /// One clause that completes "it goes to the primary because …".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlainRead => "it is a plain read",
            Self::Empty => "the text contains no statement",
            Self::LockingRead => "it is a locking read",
            Self::IntoClause => "it has an INTO clause",
            Self::UserVariable => "it uses a user variable",
            Self::SideEffectFunction => "it calls a function with side effects",
            Self::StoredFunction => "it calls a stored function for its effects",
            Self::SystemVariable => "it reads a system variable that can differ between servers",
            Self::SystemSchema => "it reads a system schema",
            Self::ServerState => "it asks for the state of one server",
            Self::Diagnostics => "it uses the diagnostics of the session's last statement",
            Self::OwnConnection => "its answer depends on the session's own connection",
            Self::Writes => "it writes",
            Self::SessionChange => "it changes the session",
            Self::TransactionControl => "it controls a transaction",
            Self::Locks => "it takes or releases locks that outlive it",
            Self::MultiStatement => "the text contains several statements",
            Self::Procedure => "it runs a procedure or a compound statement",
            Self::PreparedText => "its text is in a prepared statement",
            Self::TemporaryTable => "it creates or drops a temporary table",
            Self::VersionComment => "it contains a version comment that changes its meaning",
            Self::Hadal => "it is a command to hadal itself",
            Self::NotUnderstood => "it could not be understood",
        }
    }
}
