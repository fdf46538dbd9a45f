//! A replica becomes the primary.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::sql::Link;
use super::{StepError, mysql};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(4);
const LIMIT: Duration = Duration::from_secs(10);

/// Takes the server out of replication. It stays read-only, and `waits` for acknowledgements from before the first write
/// on: a primary that wrote first and waited later would have acknowledged what nobody else has.
pub(super) async fn promote(options: &ObserveOptions, server: &str, waits: bool) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::promote::promote(&mut link, waits).await?;
        link.close().await;
        return Ok(());
    }
    if let Some(channel) = link.channel().await? {
        let applied = link.position("gtid_slave_pos").await?;
        let all = applied.covers(&channel.received) || channel.read_all && !link.applies_something().await?;
        if !all {
            let why = format!("it has received {} and applied {applied} only", channel.received);
            return Err(link.unexpected(why));
        }
        link.exec("stopping replication", "STOP SLAVE").await?;
        link.exec("leaving replication", "RESET SLAVE ALL").await?;
    }
    link.exec("becoming a source", "SET GLOBAL rpl_semi_sync_slave_enabled=0").await?;
    if waits {
        // One that gives up waiting acknowledges what nobody else has.
        link.exec("becoming a source", "SET GLOBAL rpl_semi_sync_master_timeout=4294967295").await?;
    }
    let wait = format!("SET GLOBAL rpl_semi_sync_master_enabled={}", u8::from(waits));
    link.exec("becoming a source", &wait).await?;
    link.close().await;
    Ok(())
}

/// Waits for a replica that acknowledges. Without one, the first commit would wait for it.
pub(super) async fn await_acknowledger(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let began = Instant::now();
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::promote::await_acknowledger(&mut link, LIMIT).await?;
        link.close().await;
        return Ok(());
    }
    if !link.is_on("rpl_semi_sync_master_enabled").await? {
        return Ok(());
    }
    loop {
        let rows = link
            .query("counting acknowledgers", "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'")
            .await?;
        if rows.parse::<u32>(0, "Value").is_some_and(|clients| clients > 0) {
            link.close().await;
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            return Err(link.too_slow("no replica acknowledges its commits", LIMIT));
        }
        sleep(AGAIN).await;
    }
}

/// A primary that was started again takes writes again. It `waits` for acknowledgements from before the first one on.
pub(crate) async fn reopen(options: &ObserveOptions, server: &str, waits: bool) -> Result<(), StepError> {
    promote(options, server, waits).await?;
    open(options, server).await
}

/// The server takes writes from now on.
pub(super) async fn open(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    match link.is_mysql {
        true => mysql::promote::open(&mut link).await?,
        false => link.exec("making it writable", "SET GLOBAL read_only=0").await?,
    }
    link.close().await;
    Ok(())
}
