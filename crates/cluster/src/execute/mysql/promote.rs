//! A replica becomes the primary.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::StepError;
use super::super::sql::Link;
use super::replica::executed;
use super::semi_sync::{Side, prefix, turn};

const AGAIN: Duration = Duration::from_millis(4);

/// As on MariaDB; it stays read-only. How many acknowledgements a commit waits for is the server's own setting.
pub(in crate::execute) async fn promote(link: &mut Link, waits: bool) -> Result<(), StepError> {
    if let Some(channel) = link.channel().await? {
        let applied = executed(link).await?;
        if !applied.covers(&channel.received) {
            let why = format!("it has received {} and applied {applied} only", channel.received);
            return Err(link.unexpected(why));
        }
        link.exec("stopping replication", "STOP REPLICA").await?;
        link.exec("leaving replication", "RESET REPLICA ALL").await?;
    }
    turn(link, Side::Replica, false).await?;
    if waits && let Some(prefix) = prefix(link, Side::Source).await? {
        // One that gives up waiting, be it because nobody is connected, acknowledges what nobody else has.
        let nobody = if prefix.ends_with("source") { "replica" } else { "slave" };
        for setting in [
            "timeout=4294967295".to_owned(),
            format!("wait_no_{nobody}=1"),
            "wait_point=AFTER_SYNC".to_owned(),
        ] {
            link.exec("becoming a source", &format!("SET GLOBAL {prefix}_{setting}")).await?;
        }
    }
    turn(link, Side::Source, waits).await
}

/// Waits for a replica that acknowledges. Where commits wait for more, they do until those are there.
pub(in crate::execute) async fn await_acknowledger(
    link: &mut Link,
    limit: Duration,
) -> Result<(), StepError> {
    let began = Instant::now();
    let Some(prefix) = prefix(link, Side::Source).await? else { return Ok(()) };
    let sql = format!("SELECT @@global.{prefix}_enabled AS enabled");
    let rows = link.query("reading a variable", &sql).await?;
    if rows.get(0, "enabled") != Some("1") {
        return Ok(());
    }
    let clients = format!("SHOW GLOBAL STATUS LIKE '{prefix}\\_clients'");
    loop {
        let rows = link.query("counting acknowledgers", &clients).await?;
        if rows.parse::<u32>(0, "Value").is_some_and(|clients| clients > 0) {
            return Ok(());
        }
        if began.elapsed() > limit {
            return Err(link.too_slow("no replica acknowledges its commits", limit));
        }
        sleep(AGAIN).await;
    }
}

/// The server takes writes from now on.
pub(in crate::execute) async fn open(link: &mut Link) -> Result<(), StepError> {
    link.exec("making it writable", "SET GLOBAL super_read_only=0").await?;
    link.exec("making it writable", "SET GLOBAL read_only=0").await
}
