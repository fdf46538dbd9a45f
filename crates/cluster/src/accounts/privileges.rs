//! A row of `mysql.global_priv`: one JSON document per account.
//!
//! Source: MariaDB manual, "mysql.global_priv Table"; the rows in the tests were written by MariaDB 10.11 for the
//! `CREATE USER` statements named beside them.

use mysql_wire::auth::ed25519;
use serde::Deserialize;
use topology::{Account, AuthMethod};

/// The server's clock and setting by which passwords expire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Seconds since 1970.
    pub(super) now: i64,
    /// `default_password_lifetime`; 0 is for ever.
    pub(super) default_lifetime_days: i64,
}

#[derive(Deserialize)]
#[serde(default)]
struct Document {
    access: u64,
    /// The version that wrote the row, as `101119`; 0 for old ones.
    version_id: u64,
    #[serde(flatten)]
    method: Method,
    auth_or: Vec<Method>,
    account_locked: bool,
    is_role: bool,
    /// Seconds since 1970; 0: expired by hand. Rows made at installation have none.
    password_last_changed: Option<i64>,
    /// Days; -1: the default, 0: for ever.
    password_lifetime: i64,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            access: 0,
            version_id: 0,
            method: Method::default(),
            auth_or: Vec::new(),
            account_locked: false,
            is_role: false,
            password_last_changed: None,
            password_lifetime: -1,
        }
    }
}

/// One way to prove oneself. An empty one inside `auth_or` stands for the one outside.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Method {
    plugin: Option<String>,
    authentication_string: Option<String>,
}

const PROCESS: u64 = 1 << 8;
const SUPER: u64 = 1 << 15;
const CONNECTION_ADMIN: u64 = 1 << 32;
const READ_ONLY_ADMIN: u64 = 1 << 33;

/// Since this version SUPER does not include READ ONLY ADMIN any more; rows of older ones keep their old meaning.
const SUPER_SPLIT: u64 = 101_100;

/// Reads the account of a row.
pub(super) fn account(
    user: &str,
    host: &str,
    document: &str,
    clock: Clock,
) -> Result<Account, serde_json::Error> {
    let document: Document = serde_json::from_str(document)?;
    let has = |bit: u64| document.access & bit != 0;
    Ok(Account {
        user: user.to_owned(),
        host: host.to_owned(),
        methods: methods(&document),
        locked: document.account_locked,
        password_expired: document.is_expired(clock),
        is_role: document.is_role,
        may_kill_others: has(SUPER) || has(CONNECTION_ADMIN),
        ignores_read_only: has(READ_ONLY_ADMIN) || has(SUPER) && document.version_id < SUPER_SPLIT,
        sees_processes: has(PROCESS),
    })
}

impl Document {
    fn is_expired(&self, clock: Clock) -> bool {
        let Some(changed) = self.password_last_changed else { return false };
        let days =
            if self.password_lifetime < 0 { clock.default_lifetime_days } else { self.password_lifetime };
        changed == 0 || days > 0 && clock.now.saturating_sub(changed) > days.saturating_mul(86_400)
    }
}

fn methods(document: &Document) -> Vec<AuthMethod> {
    if document.auth_or.is_empty() {
        return vec![document.method.read()];
    }
    let alternative = |method: &Method| match method.plugin {
        None => document.method.read(),
        Some(_) => method.read(),
    };
    document.auth_or.iter().map(alternative).collect()
}

impl Method {
    fn read(&self) -> AuthMethod {
        let text = self.authentication_string.as_deref().unwrap_or_default();
        match self.plugin.as_deref() {
            None | Some("" | "mysql_native_password") => native(text),
            // Without a key nobody can log in.
            Some(plugin @ "ed25519") => ed25519::parse_stored(text)
                .map_or_else(|| AuthMethod::Other(plugin.to_owned()), AuthMethod::Ed25519),
            Some(plugin) => AuthMethod::Other(plugin.to_owned()),
        }
    }
}

/// A text that is no hash makes an account that nobody can log in to, as with `USING 'invalid'`: here one whose hash
/// no password is known to have.
fn native(text: &str) -> AuthMethod {
    AuthMethod::Native((!text.is_empty()).then(|| hash(text).unwrap_or([0; 20])))
}

/// `*` and 40 hexadecimal digits.
fn hash(text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40 && digits.is_ascii())?;
    let mut hash = [0; 20];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { now: 1_795_175_108 + 20 * 86_400, default_lifetime_days: 0 };

    fn read(document: &str) -> Account {
        account("u", "%", document, CLOCK).unwrap()
    }

    const X: &str = r#""plugin":"mysql_native_password","authentication_string":"*B69027D44F6E5EDC07F1AEAD1477967B16F28227""#;

    fn x() -> AuthMethod {
        AuthMethod::Native(hash("*B69027D44F6E5EDC07F1AEAD1477967B16F28227"))
    }

    #[test]
    fn every_way_to_prove_oneself_is_read() {
        // IDENTIFIED BY 'x'
        let document =
            format!(r#"{{"access":32768,"version_id":101119,{X},"password_last_changed":1795175108}}"#);
        assert_eq!(read(&document).methods, [x()]);
        // No password; and a row as made at installation.
        let empty = r#"{"access":0,"version_id":101119,"plugin":"mysql_native_password","authentication_string":"","password_last_changed":1795175108}"#;
        assert_eq!(read(empty).methods, [AuthMethod::Native(None)]);
        assert_eq!(read(r#"{"access":18446744073709551615}"#).methods, [AuthMethod::Native(None)]);
        // IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD(..)
        let socket_or_password = format!(
            r#"{{"access":12884902144,"version_id":101119,{X},"auth_or":[{{"plugin":"unix_socket"}},{{}}],"password_last_changed":1795175108}}"#
        );
        assert_eq!(read(&socket_or_password).methods, [AuthMethod::Other("unix_socket".into()), x()]);
        // Two passwords.
        let two = format!(
            r#"{{"access":0,{X},"auth_or":[{{}},{{"plugin":"mysql_native_password","authentication_string":"*EFA28F5E94885AA962E1AFC1912CE376EE374F65"}}]}}"#
        );
        let second = AuthMethod::Native(hash("*EFA28F5E94885AA962E1AFC1912CE376EE374F65"));
        assert_eq!(read(&two).methods, [x(), second]);
        // VIA ed25519 USING PASSWORD(..)
        let signed =
            r#"{"plugin":"ed25519","authentication_string":"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"}"#;
        assert_eq!(read(signed).methods, [AuthMethod::Ed25519(ed25519::public_key(b"secret"))]);
        let no_key = r#"{"plugin":"ed25519","authentication_string":"invalid"}"#;
        assert_eq!(read(no_key).methods, [AuthMethod::Other("ed25519".into())]);
        // VIA mysql_native_password USING 'invalid': not an empty password.
        let invalid = r#"{"plugin":"mysql_native_password","authentication_string":"invalid"}"#;
        assert_eq!(read(invalid).methods, [AuthMethod::Native(Some([0; 20]))]);
    }

    #[test]
    fn passwords_expire_by_hand_by_age_and_by_default() {
        let expired = |fields: &str, default_lifetime_days| {
            let clock = Clock { default_lifetime_days, ..CLOCK };
            account("u", "%", &format!("{{{X}{fields}}}"), clock).unwrap().password_expired
        };
        // Twenty days old.
        let old = r#","password_last_changed":1795175108"#;
        assert!(!expired(old, 0));
        assert!(expired(old, 10));
        assert!(!expired(old, 30));
        assert!(expired(r#","password_last_changed":0,"password_lifetime":-1"#, 0));
        assert!(expired(&format!("{old},\"password_lifetime\":10"), 0));
        assert!(!expired(&format!("{old},\"password_lifetime\":0"), 10));
        assert!(expired(&format!("{old},\"password_lifetime\":-1"), 10));
        assert!(!expired("", 10));
    }

    #[test]
    fn locks_roles_and_privileges_are_read() {
        let account = read(r#"{"access":0,"account_locked":true}"#);
        assert!(account.locked && !account.is_role && !account.may_kill_others);
        assert!(read(r#"{"access":0,"version_id":101119,"is_role":true}"#).is_role);
        // GRANT SUPER; CONNECTION ADMIN; READ_ONLY ADMIN; PROCESS; and SUPER as 10.6 wrote it.
        for (document, kills, ignores, sees) in [
            (r#"{"access":32768,"version_id":101119}"#, true, false, false),
            (r#"{"access":4294967296,"version_id":101119}"#, true, false, false),
            (r#"{"access":8589934592,"version_id":101119}"#, false, true, false),
            (r#"{"access":256,"version_id":101119}"#, false, false, true),
            (r#"{"access":32768,"version_id":100612}"#, true, true, false),
            (r#"{"access":18446744073709551615}"#, true, true, true),
        ] {
            let a = read(document);
            assert_eq!(
                (a.may_kill_others, a.ignores_read_only, a.sees_processes),
                (kills, ignores, sees),
                "{document}"
            );
        }
        assert!(super::account("u", "%", "[]", CLOCK).is_err());
        assert!(super::account("u", "%", "{\"access\":", CLOCK).is_err());
    }
}
