//! Taking the writes from a primary that is well.
//!
//! `SET GLOBAL read_only=1` waits for the global read lock, which an open transaction that has written keeps it from; and
//! while it waits, that transaction's next statement waits for it. So it is tried without waiting, again and again: what is
//! under way can come to its end meanwhile (tried on MariaDB 10.11).
//!
//! A transaction that has only read does not keep it from that, and would fail with its first write. Those that began a short while
//! ago are waited for as well; one that has been open for longer than the grace will hardly end within it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::sql::Link;
use super::{StepError, mysql, underway};
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
    if link.is_mysql {
        mysql::demote::demote(&mut link, control.grace, limit).await?;
        link.close().await;
        return Ok(());
    }
    // An event of an account that is exempt from `read_only` would write after it.
    if link.is_on("event_scheduler").await? {
        let off = link.exec("stopping its event scheduler", "SET GLOBAL event_scheduler=OFF").await;
        if let Err(error) = off {
            tracing::warn!(server, %error, "its event scheduler goes on");
        }
    }
    underway::let_end(&mut link, control.grace, control.grace).await?;
    link.never_wait().await?;
    while !link.try_read_only().await? {
        if began.elapsed() > limit {
            return Err(link.too_slow("writing did not come to an end", limit));
        }
        if began.elapsed() > control.grace {
            let ended = link.end_sessions(TRANSACTIONS).await?;
            tracing::warn!(server, ended, "transactions outlasted the grace of a switchover and were ended");
        }
        sleep(AGAIN).await;
    }
    link.close().await;
    Ok(())
}

/// Gives the writes back, when a switchover is undone.
pub(super) async fn restore(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    super::promote::open(options, server).await
}
