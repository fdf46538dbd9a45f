//! Status flags: what every OK and EOF packet says about the session and about the response it stands in.

use crate::flags::flag_set;

/// The 16 status bits of OK, EOF and greeting packets.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct StatusFlags(pub u16);

flag_set!(StatusFlags);

impl StatusFlags {
    /// A transaction is open.
    pub const IN_TRANS: Self = Self(1);
    pub const AUTOCOMMIT: Self = Self(1 << 1);
    /// Another result follows in the same response.
    pub const MORE_RESULTS: Self = Self(1 << 3);
    pub const NO_GOOD_INDEX: Self = Self(1 << 4);
    pub const NO_INDEX: Self = Self(1 << 5);
    /// A cursor was opened: rows have to be fetched.
    pub const CURSOR_EXISTS: Self = Self(1 << 6);
    /// The cursor has given its last row.
    pub const LAST_ROW_SENT: Self = Self(1 << 7);
    pub const DB_DROPPED: Self = Self(1 << 8);
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    /// The definitions of a prepared statement's columns have changed since it was prepared.
    pub const METADATA_CHANGED: Self = Self(1 << 10);
    /// The statement went to the slow log.
    pub const SLOW: Self = Self(1 << 11);
    /// The result set carries the OUT parameters of a procedure.
    pub const PS_OUT_PARAMS: Self = Self(1 << 12);
    pub const IN_TRANS_READONLY: Self = Self(1 << 13);
    /// The OK packet carries changes of the session's state.
    pub const SESSION_STATE_CHANGED: Self = Self(1 << 14);
    /// MariaDB: `sql_mode` has `ANSI_QUOTES`.
    pub const ANSI_QUOTES: Self = Self(1 << 15);
}
