//! Command codes: the first byte of what a client sends once it is logged in.

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// What a client asks for.
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Command { $($(#[$doc])* $variant = $code,)* }

        impl Command {
            /// Every command, in the order of its code.
            pub const ALL: &'static [Command] = &[$(Command::$variant,)*];

            /// The command with this code, if there is one.
            #[inline]
            pub const fn from_byte(byte: u8) -> Option<Command> {
                match byte { $($code => Some(Command::$variant),)* _ => None }
            }

            /// The name in the manual, without the `COM_` in front, in lower case: a metric's label.
            pub const fn name(self) -> &'static str {
                match self { $(Command::$variant => $name,)* }
            }
        }
    };
}

commands! {
    Sleep = 0x00, "sleep";
    Quit = 0x01, "quit";
    InitDb = 0x02, "init_db";
    Query = 0x03, "query";
    FieldList = 0x04, "field_list";
    CreateDb = 0x05, "create_db";
    DropDb = 0x06, "drop_db";
    Refresh = 0x07, "refresh";
    Shutdown = 0x08, "shutdown";
    Statistics = 0x09, "statistics";
    ProcessInfo = 0x0a, "process_info";
    Connect = 0x0b, "connect";
    ProcessKill = 0x0c, "process_kill";
    Debug = 0x0d, "debug";
    Ping = 0x0e, "ping";
    Time = 0x0f, "time";
    DelayedInsert = 0x10, "delayed_insert";
    ChangeUser = 0x11, "change_user";
    BinlogDump = 0x12, "binlog_dump";
    TableDump = 0x13, "table_dump";
    ConnectOut = 0x14, "connect_out";
    RegisterReplica = 0x15, "register_replica";
    StmtPrepare = 0x16, "stmt_prepare";
    StmtExecute = 0x17, "stmt_execute";
    StmtSendLongData = 0x18, "stmt_send_long_data";
    StmtClose = 0x19, "stmt_close";
    StmtReset = 0x1a, "stmt_reset";
    SetOption = 0x1b, "set_option";
    StmtFetch = 0x1c, "stmt_fetch";
    Daemon = 0x1d, "daemon";
    /// MySQL's binary log stream by GTID set; MariaDB refuses it.
    BinlogDumpGtid = 0x1e, "binlog_dump_gtid";
    ResetConnection = 0x1f, "reset_connection";
    /// MySQL only.
    Clone = 0x20, "clone";
    /// MySQL only.
    SubscribeGroupReplicationStream = 0x21, "subscribe_group_replication_stream";
    /// MariaDB: execute a prepared statement for many sets of parameters.
    StmtBulkExecute = 0xfa, "stmt_bulk_execute";
    /// MariaDB: several commands in one packet (removed again in 10.3).
    Multi = 0xfe, "multi";
}

impl Command {
    /// Whether the server sends nothing at all in answer.
    pub const fn is_silent(self) -> bool {
        matches!(self, Command::Quit | Command::StmtSendLongData | Command::StmtClose)
    }
}
