//! What a statement does to its session, and what of the session it needs.

use std::ops::{BitOr, BitOrAssign};

/// A set of effects. An over-approximation: a missing bit is a promise, a present one a possibility.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effects(u64);

macro_rules! effects {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal;)+) => {
        impl Effects {
            $($(#[doc = $doc])+ pub const $name: Self = Self(1 << $bit);)+

            const NAMES: &[(Self, &'static str)] = &[$((Self::$name, stringify!($name)),)+];
        }
    };
}

effects! {
    /// `@a := …`, `SET @a`, `INTO @a`, `GET DIAGNOSTICS @a`.
    SETS_USER_VARIABLE = 0;
    /// Any `@a`.
    READS_USER_VARIABLE = 1;
    /// `CREATE TEMPORARY …`.
    CREATES_TEMPORARY_TABLE = 2;
    /// `DROP TEMPORARY …`.
    DROPS_TEMPORARY_TABLE = 3;
    /// `GET_LOCK`, `RELEASE_LOCK`, `RELEASE_ALL_LOCKS`.
    NAMED_LOCK = 4;
    /// `LOCK TABLES`, `FLUSH TABLES … WITH READ LOCK`, `… FOR EXPORT`, `BACKUP STAGE`, `BACKUP LOCK`.
    LOCK_TABLES = 5;
    /// `UNLOCK TABLES`, `BACKUP UNLOCK`, `BACKUP STAGE END`.
    UNLOCK_TABLES = 6;
    /// `PREPARE`.
    TEXT_PREPARE = 7;
    /// `EXECUTE`.
    TEXT_EXECUTE = 8;
    /// `DEALLOCATE PREPARE`, `DROP PREPARE`.
    TEXT_DEALLOCATE = 9;
    /// `HANDLER … OPEN`.
    HANDLER_OPEN = 10;
    /// `HANDLER … READ`, `HANDLER … CLOSE`.
    HANDLER = 11;
    /// `SET TRANSACTION …` for the next transaction only.
    NEXT_TRANSACTION = 12;
    /// `SET ROLE`.
    SET_ROLE = 13;
    /// Sets a session variable that cannot or must not be carried to another connection.
    SETS_UNCARRIED = 14;
    /// `SET NAMES`, `SET CHARACTER SET`, or one of their variables.
    SET_NAMES = 15;
    /// Sets a session system variable.
    SETS_SYSTEM_VARIABLE = 16;
    /// `SET GLOBAL`, `SET PERSIST`, `SET @@global.x`.
    SETS_GLOBAL = 17;
    /// Sets `autocommit`.
    SETS_AUTOCOMMIT = 18;
    /// `SET PASSWORD`.
    SETS_PASSWORD = 19;
    /// `LAST_INSERT_ID()`, `@@identity`, `@@last_insert_id`.
    USES_LAST_INSERT_ID = 20;
    /// What `LAST_INSERT_ID()` gives afterwards may be new.
    MAY_SET_INSERT_ID = 21;
    /// `SELECT SQL_CALC_FOUND_ROWS`.
    CALC_FOUND_ROWS = 22;
    /// `FOUND_ROWS()`.
    USES_FOUND_ROWS = 23;
    /// `ROW_COUNT()`.
    USES_ROW_COUNT = 24;
    /// `SHOW WARNINGS`, `SHOW ERRORS`, `GET DIAGNOSTICS`, `@@warning_count`, `@@error_count`.
    USES_DIAGNOSTICS = 25;
    /// `CONNECTION_ID()`.
    USES_CONNECTION_ID = 26;
    /// `@@pseudo_thread_id`.
    USES_PSEUDO_THREAD_ID = 27;
    /// `SHOW PROCESSLIST`, `information_schema.processlist`, `SHOW EXPLAIN FOR`.
    USES_PROCESSLIST = 28;
    /// Names `wait_timeout` or `interactive_timeout`, or can list them.
    USES_TIMEOUT_VARIABLE = 29;
    /// Names a `session_track_…` variable, or can list them.
    USES_TRACKER_VARIABLE = 30;
    /// `BEGIN`, `START TRANSACTION`.
    BEGIN = 31;
    /// `START TRANSACTION READ ONLY`; always with [`Self::BEGIN`].
    BEGIN_READ_ONLY = 32;
    /// `COMMIT`.
    COMMIT = 33;
    /// `ROLLBACK` of the whole transaction.
    ROLLBACK = 34;
    /// `COMMIT AND CHAIN`, `ROLLBACK AND CHAIN`: the next transaction begins at once.
    COMMIT_CHAIN = 35;
    /// `SAVEPOINT`, `ROLLBACK TO`, `RELEASE SAVEPOINT`.
    SAVEPOINT = 36;
    /// `XA`.
    XA = 37;
    /// `CALL`.
    CALL = 38;
    /// `USE`.
    USE_SCHEMA = 39;
    /// Changes structure; ends a transaction.
    DDL = 40;
    /// Changes accounts, roles or grants.
    ACCOUNT_DDL = 41;
    /// Changes a function, procedure, package, view, trigger or event.
    ROUTINE_DDL = 42;
    /// `KILL`.
    KILL = 43;
    /// `LOAD … LOCAL INFILE`: the server will ask the client for a file.
    LOAD_LOCAL = 44;
    /// `SHOW HADAL …`.
    SHOW_HADAL = 45;
    /// `EXPLAIN ROUTE …`.
    EXPLAIN_ROUTE = 46;
    /// `COMMIT RELEASE`, `ROLLBACK RELEASE`, `SHUTDOWN`: the server closes the connection.
    CLOSES_CONNECTION = 47;
    /// A program block was run whose effects are all possible: `EXECUTE IMMEDIATE`, `BEGIN NOT ATOMIC`.
    UNKNOWN = 48;
    /// Reads any `@@variable`.
    READS_SYSTEM_VARIABLE = 49;
    /// Reads from a system schema.
    SYSTEM_SCHEMA = 50;
    /// Names `autocommit` other than by setting it.
    READS_AUTOCOMMIT = 51;
    /// `START TRANSACTION … WITH CONSISTENT SNAPSHOT`.
    CONSISTENT_SNAPSHOT = 52;
    /// `IS_USED_LOCK`.
    USES_LOCK_OWNER = 53;
    /// The text was not understood as a whole: it may name more than is reported.
    UNCLEAR = 54;
    /// `INSERT … RETURNING` and its like: a write that answers with rows.
    RETURNS_ROWS = 55;
    /// `NEXTVAL`, `NEXT VALUE FOR`, `SETVAL`: the connection remembers the sequence's value.
    DRAWS_FROM_SEQUENCE = 56;
}

impl Effects {
    /// No effect.
    pub const NONE: Self = Self(0);

    /// Everything that a text which cannot be seen may do to the session.
    pub const ANYTHING: Self = Self::UNKNOWN
        .union(Self::SETS_USER_VARIABLE)
        .union(Self::READS_USER_VARIABLE)
        .union(Self::CREATES_TEMPORARY_TABLE)
        .union(Self::DROPS_TEMPORARY_TABLE)
        .union(Self::NAMED_LOCK)
        .union(Self::SETS_UNCARRIED)
        .union(Self::SETS_SYSTEM_VARIABLE)
        .union(Self::SETS_AUTOCOMMIT)
        .union(Self::SET_NAMES)
        .union(Self::SET_ROLE)
        .union(Self::NEXT_TRANSACTION)
        .union(Self::MAY_SET_INSERT_ID)
        .union(Self::RETURNS_ROWS)
        .union(Self::DRAWS_FROM_SEQUENCE)
        .union(Self::TEXT_PREPARE);

    /// The set of the effects of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The effects that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no effect.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the effects, for people.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
    }
}

impl BitOr for Effects {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for Effects {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}
