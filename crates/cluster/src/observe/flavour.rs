//! MariaDB or MySQL.

use mysql_client::{Client, Session};
use mysql_wire::Capabilities;

/// What tells for certain: MariaDB does not set the flag that MySQL calls "long password", to say that it has flags of its own.
/// A version can be made up in either server's settings.
fn is_mysql_session(session: &Session) -> bool {
    session.server_capabilities.contains(Capabilities::LONG_PASSWORD) && !session.version.contains("MariaDB")
}

/// Whether the connection leads to a MySQL server.
pub(crate) fn is_mysql(client: &Client) -> bool {
    is_mysql_session(client.session())
}
