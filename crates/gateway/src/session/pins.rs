//! Why a session keeps its server connection.

/// A set of reasons. Empty: the connection goes back to the pool after each statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins(u32);

macro_rules! pins {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl Pins {
            $($(#[$doc])* pub(crate) const $name: Pins = Pins(1 << $bit);)*
            const NAMES: &'static [(Pins, &'static str)] = &[$((Pins::$name, $text)),*];
        }
    };
}

pins! {
    TRANSACTION = 0, "transaction";
    /// `SET TRANSACTION …` without SESSION: meant for the next transaction only.
    NEXT_TRANSACTION = 1, "settings for the next transaction";
    TEMPORARY_TABLE = 2, "temporary table";
    TABLE_LOCK = 3, "locked tables";
    NAMED_LOCK = 4, "GET_LOCK";
    USER_VARIABLE = 5, "user variable";
    TEXT_STATEMENT = 6, "PREPARE";
    HANDLER = 7, "HANDLER";
    CURSOR = 8, "open cursor";
    LONG_DATA = 9, "long data";
    ROLE = 10, "SET ROLE";
    /// A variable that cannot be put on another connection, such as `timestamp` or `insert_id`.
    VARIABLE = 11, "session-bound variable";
    /// A procedure may leave anything behind.
    PROCEDURE = 12, "stored routine";
    XA = 13, "XA transaction";
    /// Before the transaction that it belongs to has begun, with `autocommit=0`.
    SAVEPOINT = 15, "SAVEPOINT";
    /// The server reported a change of state that hadal cannot name.
    UNKNOWN_CHANGE = 14, "unnamed change of state";
    /// The client has proved itself on this connection, and hadal could not do so on another (see `forwarded`).
    FORWARDED_LOGIN = 17, "forwarded login";
    /// The server has the client in its list of replicas, or streams to it.
    BINARY_LOG = 16, "binary log client";
}

impl Pins {
    pub(crate) const NONE: Pins = Pins(0);

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, other: Pins) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn intersects(self, other: Pins) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn union(self, other: Pins) -> Pins {
        Pins(self.0 | other.0)
    }

    pub(crate) fn insert(&mut self, other: Pins) {
        self.0 |= other.0;
    }

    pub(crate) fn remove(&mut self, other: Pins) {
        self.0 &= !other.0;
    }

    /// Reasons that end with a transaction, or leave nothing behind on the connection.
    pub(crate) fn leave_nothing(self) -> bool {
        self.0 & !(Pins::TRANSACTION.0 | Pins::CURSOR.0 | Pins::NEXT_TRANSACTION.0 | Pins::SAVEPOINT.0) == 0
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(pin, _)| self.contains(*pin)).map(|(_, name)| *name).collect()
    }
}

impl std::fmt::Display for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}
