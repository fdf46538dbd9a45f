//! Capability flags: what the two ends of a connection agree on in the handshake.
//!
//! The low 32 bits are the classic flags that MySQL and MariaDB share; the bits from 32 on are MariaDB's extended
//! ones, which travel in the last four of the reserved bytes of greeting and response. They are there only where
//! [`Capabilities::LONG_PASSWORD`] is *unset*: MySQL always sets that bit, and MariaDB (since 10.2) leaves it unset to
//! say "the extended field is valid".

use crate::flags::flag_set;

/// A set of capability flags.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Capabilities(pub u64);

flag_set!(Capabilities);

impl Capabilities {
    /// Bit 0, which MariaDB calls `CLIENT_MYSQL`: set by MySQL, unset where the extended flags are valid.
    pub const LONG_PASSWORD: Self = Self(1);
    /// Affected rows of an UPDATE count the rows found, not the rows changed.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    pub const LONG_FLAG: Self = Self(1 << 2);
    /// The handshake response names a database.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    pub const NO_SCHEMA: Self = Self(1 << 4);
    /// Compression with zlib.
    pub const COMPRESS: Self = Self(1 << 5);
    pub const ODBC: Self = Self(1 << 6);
    /// The client may be asked for a file by `LOAD DATA LOCAL`.
    pub const LOCAL_FILES: Self = Self(1 << 7);
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The protocol of 4.1 and later, the only one spoken here.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// `interactive_timeout` applies in place of `wait_timeout`.
    pub const INTERACTIVE: Self = Self(1 << 10);
    pub const SSL: Self = Self(1 << 11);
    pub const IGNORE_SIGPIPE: Self = Self(1 << 12);
    pub const TRANSACTIONS: Self = Self(1 << 13);
    pub const RESERVED: Self = Self(1 << 14);
    /// The authentication answer has a length byte (or see [`Self::PLUGIN_AUTH_LENENC_DATA`]).
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    pub const PLUGIN_AUTH_LENENC_DATA: Self = Self(1 << 21);
    pub const CAN_HANDLE_EXPIRED_PASSWORDS: Self = Self(1 << 22);
    /// OK packets carry the changes of the session's state.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// Rows end with an OK packet, and nothing stands between definitions and rows.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// MySQL 8: the client may ask for result sets without definitions.
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    pub const ZSTD_COMPRESSION: Self = Self(1 << 26);
    /// MySQL 8: commands carry attributes in front of their text.
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    pub const MULTI_FACTOR_AUTHENTICATION: Self = Self(1 << 28);
    /// MySQL calls this `CLIENT_CAPABILITY_EXTENSION`; old MariaDB clients meant progress reports by it.
    pub const PROGRESS_OBSOLETE: Self = Self(1 << 29);
    pub const SSL_VERIFY_SERVER_CERT: Self = Self(1 << 30);
    pub const REMEMBER_OPTIONS: Self = Self(1 << 31);

    /// Progress reports (error packets with code 0xFFFF) during long statements.
    pub const MARIADB_PROGRESS: Self = Self(1 << 32);
    pub const MARIADB_COM_MULTI: Self = Self(1 << 33);
    /// `COM_STMT_BULK_EXECUTE` is understood.
    pub const MARIADB_STMT_BULK: Self = Self(1 << 34);
    /// Column definitions carry one more field, with the data type's and format's names.
    pub const MARIADB_EXTENDED_METADATA: Self = Self(1 << 35);
    /// A flag behind the column count says whether definitions follow.
    pub const MARIADB_CACHE_METADATA: Self = Self(1 << 36);
    /// Bulk execution answers with one result per unit.
    pub const MARIADB_BULK_UNIT_RESULTS: Self = Self(1 << 37);

    /// The classic 32 bits.
    #[inline]
    pub const fn low(self) -> u32 {
        self.0 as u32
    }

    /// MariaDB's extended 32 bits.
    #[inline]
    pub const fn extended(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Joins the classic bits with the extended ones, which count only where `CLIENT_MYSQL` is unset.
    pub const fn join(low: u32, extended: u32) -> Self {
        if low & 1 == 0 { Self(low as u64 | (extended as u64) << 32) } else { Self(low as u64) }
    }
}
