//! Accounts as the servers keep them, and which of them a client is.

use std::sync::Arc;

/// How an account proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// `mysql_native_password`: SHA1(SHA1(password)); `None` is the empty password.
    Native(Option<[u8; 20]>),
    /// Another plugin, by its name. hadal needs the password in `[users.*]` for it.
    Other(String),
}

/// A row of `mysql.global_priv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    /// Pattern: `%`, `localhost`, `10.0.0.%`, `10.0.0.0/255.255.255.0`, a host name.
    pub host: String,
    /// Alternatives in the order of the server (`VIA a OR b`); never empty.
    pub methods: Vec<AuthMethod>,
    pub locked: bool,
    pub password_expired: bool,
    pub is_role: bool,
    /// SUPER or CONNECTION ADMIN: may kill other users' sessions.
    pub may_kill_others: bool,
    /// SUPER or READ ONLY ADMIN: is not held back by `read_only`, so a replica does not protect itself from it.
    pub ignores_read_only: bool,
    /// PROCESS: sees other users' threads.
    pub sees_processes: bool,
}

/// All accounts of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// False before the primary was read.
    pub loaded: bool,
    /// In the order in which the server tries them: the most specific host first.
    pub list: Vec<Arc<Account>>,
}

/// Why nobody of that name may come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// 1045: no such user from that host.
    NoSuchAccount,
    /// 4151 in MariaDB: the account is locked.
    Locked,
}
