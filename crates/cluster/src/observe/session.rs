//! A connection of the control plane, made independent of the server's global settings.

use std::time::Duration;

use mysql_client::{Client, ClientError, Pulse};
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
    open_with(options, address, purpose, &options.pulses.of(address), options.probe_timeout).await
}

/// The same with a pulse and a time limit of its own.
pub(super) async fn open_with(
    options: &ObserveOptions,
    address: &Address,
    purpose: &str,
    pulse: &Pulse,
    limit: Duration,
) -> Result<Client, ClientError> {
    let mut connect = options.connect_to(address, purpose);
    connect.timeout = limit;
    let mut client = Client::connect_with(&connect, pulse).await?;
    let prepare = if flavour::is_mysql(&client) { PREPARE_MYSQL } else { PREPARE };
    client.exec(prepare).await?;
    Ok(client)
}
