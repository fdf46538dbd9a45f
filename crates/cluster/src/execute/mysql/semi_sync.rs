//! Names of the settings of semi-synchronous replication on a server, as its plugins have them.

use super::super::StepError;
use super::super::sql::Link;

/// One side of semi-synchronous replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Side {
    /// Waits for acknowledgements.
    Source,
    /// Gives them.
    Replica,
}

/// What the variables of a side begin with, since 8.0.26 and before; `None` where its plugin is not installed.
pub(in crate::execute) async fn prefix(
    link: &mut Link,
    side: Side,
) -> Result<Option<&'static str>, StepError> {
    let names = match side {
        Side::Source => ["rpl_semi_sync_source", "rpl_semi_sync_master"],
        Side::Replica => ["rpl_semi_sync_replica", "rpl_semi_sync_slave"],
    };
    let sql = format!(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('{}_enabled', '{}_enabled')",
        names[0], names[1]
    );
    let rows = link.query("reading a variable", &sql).await?;
    let found = rows.at(0, 0).unwrap_or_default();
    Ok(names.into_iter().find(|name| found.starts_with(name)))
}

/// Turns one side on or off. Off is what it is without its plugin.
pub(in crate::execute) async fn turn(link: &mut Link, side: Side, on: bool) -> Result<(), StepError> {
    match prefix(link, side).await? {
        Some(prefix) => {
            let sql = format!("SET GLOBAL {prefix}_enabled={}", u8::from(on));
            link.exec("setting up acknowledgements", &sql).await
        }
        None if on => {
            let plugin = if side == Side::Source { "semisync_source" } else { "semisync_replica" };
            Err(link.unexpected(format!("its plugin {plugin} is not installed")))
        }
        None => Ok(()),
    }
}
