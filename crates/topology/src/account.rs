//! Accounts as the servers keep them, and which of them a client is.

use std::sync::Arc;

pub use host_pattern::ClientHost;

mod host_pattern;

/// How an account proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// `mysql_native_password`: SHA1(SHA1(password)); `None` is the empty password.
    Native(Option<[u8; 20]>),
    /// `ed25519`: the public key. A proof can be checked by it, and holds for one server connection alone.
    Ed25519([u8; 32]),
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

impl Accounts {
    /// The accounts of a server, brought into the order in which it tries them.
    pub fn new(accounts: Vec<Account>) -> Self {
        let mut list: Vec<_> = accounts.into_iter().map(Arc::new).collect();
        list.sort_by(|a, b| {
            host_pattern::order(&a.host, &b.host).then_with(|| a.user.is_empty().cmp(&b.user.is_empty()))
        });
        Self { loaded: true, list }
    }

    /// Whether the name of a client's host can decide which account of this name it is.
    pub fn depend_on_host_names(&self, user: &str) -> bool {
        let own = self.list.iter().filter(|a| !a.is_role && (a.user == user || a.user.is_empty()));
        own.into_iter().any(|account| host_pattern::is_about_names(&account.host))
    }

    /// The account that a client of this name and host logs in to, or `None` (error 1045): the most specific host
    /// that covers the client, and within one host the name before the anonymous account. Names of users are
    /// case-sensitive, hosts are not. A role is nobody's account.
    pub fn find(&self, user: &str, client: &ClientHost<'_>) -> Option<&Arc<Account>> {
        self.list.iter().find(|account| {
            !account.is_role
                && (account.user == user || account.user.is_empty())
                && client.matches(&account.host)
        })
    }
}

/// Why nobody of that name may come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// 1045: no such user from that host.
    NoSuchAccount,
    /// 4151 in MariaDB: the account is locked.
    Locked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str, host: &str) -> Account {
        Account {
            user: user.to_owned(),
            host: host.to_owned(),
            methods: vec![AuthMethod::Native(None)],
            locked: false,
            password_expired: false,
            is_role: false,
            may_kill_others: false,
            ignores_read_only: false,
            sees_processes: false,
        }
    }

    fn found(accounts: &Accounts, user: &str, ip: &str, name: Option<&str>) -> Option<String> {
        let client = ClientHost { ip: ip.parse().unwrap(), name };
        accounts.find(user, &client).map(|a| format!("{}@{}", a.user, a.host))
    }

    #[test]
    fn a_nearer_anonymous_account_wins_over_the_name_from_anywhere() {
        // Seen on MariaDB 10.11: `t` from 127.0.0.1 becomes ''@'127.0.0.1' although t@'%' exists.
        let accounts = Accounts::new(vec![account("t", "%"), account("", "127.0.0.1"), account("", "%")]);
        assert_eq!(found(&accounts, "t", "127.0.0.1", None).as_deref(), Some("@127.0.0.1"));
        assert_eq!(found(&accounts, "t", "10.0.0.1", None).as_deref(), Some("t@%"));
        assert_eq!(found(&accounts, "T", "10.0.0.1", None).as_deref(), Some("@%"));
    }

    #[test]
    fn names_are_asked_for_only_where_they_matter() {
        for (host, matter) in [
            ("web1.example", true),
            ("%.example", true),
            ("local%", true),
            ("localhost", false),
            ("LOCALHOST", false),
            ("%", false),
            ("", false),
            ("10.0.0.%", false),
            ("10.0.0.0/255.0.0.0", false),
            ("fe80::%", false),
            ("12_.%", false),
        ] {
            let accounts = Accounts::new(vec![account("t", host), account("other", "web.example")]);
            assert_eq!(accounts.depend_on_host_names("t"), matter, "{host}");
        }
        assert!(Accounts::new(vec![account("", "web.example")]).depend_on_host_names("t"));
    }

    #[test]
    fn a_role_or_a_foreign_host_is_nobody() {
        let role = Account { is_role: true, ..account("r", "") };
        let accounts = Accounts::new(vec![role, account("t", "10.0.0.%")]);
        assert_eq!(found(&accounts, "r", "10.0.0.1", None), None);
        assert_eq!(found(&accounts, "t", "10.0.1.1", None), None);
        assert_eq!(found(&accounts, "t", "10.0.0.1", None).as_deref(), Some("t@10.0.0.%"));
    }
}
