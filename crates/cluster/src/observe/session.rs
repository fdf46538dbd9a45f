//! A connection of the control plane, made independent of the server's global settings.

use mysql_client::{Client, ClientError};
use topology::Address;

use super::flavour;
use crate::options::ObserveOptions;

/// Whatever the global defaults are: statements commit, may write, mean what they say, and do not wait for locks for
/// longer than a poll or two.
const PREPARE: &str = "SET SESSION autocommit=1, tx_read_only=0, sql_mode='', lock_wait_timeout=2, \
                       innodb_lock_wait_timeout=2";

const PREPARE_MYSQL: &str = "SET SESSION autocommit=1, transaction_read_only=0, sql_mode='', lock_wait_timeout=2, \
                             innodb_lock_wait_timeout=2";

/// Connects and prepares the session.
pub(crate) async fn open(
    options: &ObserveOptions,
    address: &Address,
    purpose: &str,
) -> Result<Client, ClientError> {
    let mut client = Client::connect(&options.connect_to(address, purpose)).await?;
    let prepare = if flavour::is_mysql(&client) { PREPARE_MYSQL } else { PREPARE };
    client.exec(prepare).await?;
    Ok(client)
}
