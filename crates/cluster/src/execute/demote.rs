//! Taking the writes from a primary that is well.
//!
//! `SET GLOBAL read_only=1` waits for the global read lock, which an open transaction that has written keeps it from; and
//! while it waits, that transaction's next statement waits for it. So it is tried without waiting, again and again: what is
//! under way can come to its end meanwhile (tried on MariaDB 10.11).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StepError;
use super::sql::{Link, is_busy};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(3);

/// Open transactions of clients. Those of replication and of hadal itself are none.
const TRANSACTIONS: &str = "SELECT p.ID AS id FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p \
                            ON p.ID = t.trx_mysql_thread_id WHERE p.ID <> CONNECTION_ID() AND p.USER <> 'system user' \
                            AND p.COMMAND NOT LIKE 'Binlog Dump%'";

/// Makes the server read-only. Transactions have `grace` to end, and are ended then.
pub(super) async fn demote(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let control = &options.control;
    let (began, limit) = (Instant::now(), control.switchover_timeout);
    let mut link = Link::open(options, server).await?;
    link.exec("preparing", "SET SESSION lock_wait_timeout=0").await?;
    loop {
        match link.exec("making it read-only", "SET GLOBAL read_only=1").await {
            Ok(()) => break,
            Err(error) if !is_busy(&error) => return Err(error),
            Err(_busy) if began.elapsed() > limit => {
                return Err(link.too_slow("writing did not come to an end", limit));
            }
            Err(_busy) if began.elapsed() > control.grace => end_transactions(&mut link).await?,
            Err(_busy) => {}
        }
        sleep(AGAIN).await;
    }
    link.close().await;
    Ok(())
}

async fn end_transactions(link: &mut Link) -> Result<(), StepError> {
    let rows = link.query("listing transactions", TRANSACTIONS).await?;
    for row in 0..rows.len() {
        let Some(id) = rows.parse::<u64>(row, "id") else { continue };
        tracing::warn!(
            server = link.server,
            id,
            "a transaction outlasted the grace of a switchover and is ended"
        );
        // It may have ended by itself.
        let _ = link.exec("ending a transaction", &format!("KILL CONNECTION {id}")).await;
    }
    Ok(())
}

/// Gives the writes back, when a switchover is undone.
pub(super) async fn restore(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    link.exec("making it writable again", "SET GLOBAL read_only=0").await?;
    link.close().await;
    Ok(())
}
