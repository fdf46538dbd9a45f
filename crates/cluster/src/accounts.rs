//! The accounts of a cluster, from the primary's `mysql.global_priv`.

mod privileges;

use mysql_client::{Client, ClientError, Rows};
use topology::{Account, Accounts};

/// Changes with every change of an account, and once a minute, since passwords expire without a change. Two sums over
/// different orders, so that swapped rows are noticed too.
macro_rules! fingerprint {
    () => {
        "SELECT CONCAT_WS('-', COUNT(*), SUM(CRC32(CONCAT_WS(CHAR(0), Host, User, Priv))), \
         BIT_XOR(CRC32(CONCAT_WS(CHAR(1), Priv, User, Host))), @@global.default_password_lifetime, \
         UNIX_TIMESTAMP() DIV 60) AS f FROM mysql.global_priv"
    };
}

/// With the fingerprint of just these rows: one that was asked for before them may be of other rows, and if those come
/// back, as where an account is dropped and made again, nobody would notice.
const ROWS: &str = concat!(
    "SELECT Host, User, Priv, UNIX_TIMESTAMP() AS now, @@global.default_password_lifetime AS lifetime, f \
     FROM mysql.global_priv, (",
    fingerprint!(),
    ") AS fingerprint"
);

/// Something that is equal as long as the accounts are.
pub(crate) async fn fingerprint(client: &mut Client) -> Result<String, ClientError> {
    let rows = client.query(fingerprint!()).await?;
    Ok(rows.get(0, "f").unwrap_or_default().to_owned())
}

/// All accounts, and their fingerprint. One whose row is not understood is left out: nobody can log in to it through
/// hadal.
pub(crate) async fn read(client: &mut Client) -> Result<(Accounts, String), ClientError> {
    let rows = client.query(ROWS).await?;
    let accounts = Accounts::new((0..rows.len()).filter_map(|row| account(&rows, row)).collect());
    Ok((accounts, rows.get(0, "f").unwrap_or_default().to_owned()))
}

fn account(rows: &Rows, row: usize) -> Option<Account> {
    let clock = privileges::Clock {
        now: rows.parse(row, "now").unwrap_or(0),
        default_lifetime_days: rows.parse(row, "lifetime").unwrap_or(0),
    };
    let (user, host) = (rows.get(row, "User")?, rows.get(row, "Host")?);
    let account = privileges::account(user, host, rows.get(row, "Priv")?, clock);
    if let Err(error) = &account {
        tracing::warn!(user, host, %error, "a row of mysql.global_priv is not understood; the account is left out");
    }
    account.ok()
}
