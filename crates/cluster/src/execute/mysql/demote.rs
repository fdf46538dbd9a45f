//! Taking the writes from a primary that is well.
//!
//! `SET GLOBAL super_read_only=1` waits for statements and commits that are under way, not for transactions between two
//! statements: those cannot commit any more (error 1290). So they are given time before, and are ended after.

use std::time::Duration;

use tokio::time::Instant;

use super::super::StepError;
use super::super::sql::Link;
use super::super::underway;

/// Open transactions of clients that have locked or written something. Those of replication are none.
const TRANSACTIONS: &str = "SELECT p.ID AS id FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON \
                            p.ID = t.trx_mysql_thread_id WHERE p.ID <> CONNECTION_ID() AND p.USER <> 'system user' AND \
                            (t.trx_rows_locked > 0 OR t.trx_rows_modified > 0)";

/// Makes the server read-only. Transactions have `grace` to end, and are ended then.
pub(in crate::execute) async fn demote(
    link: &mut Link,
    grace: Duration,
    limit: Duration,
) -> Result<(), StepError> {
    let began = Instant::now();
    underway::let_end(link, grace.saturating_mul(10), grace).await?;
    link.never_wait().await?;
    while !link.try_read_only().await? {
        if began.elapsed() > limit {
            return Err(link.too_slow("writing did not come to an end", limit));
        }
        let ended = link.end_sessions(TRANSACTIONS).await?;
        tracing::warn!(
            server = link.server,
            ended,
            "transactions outlasted the grace of a switchover and were ended"
        );
    }
    let ended = link.end_sessions(TRANSACTIONS).await?;
    if ended > 0 {
        tracing::warn!(
            server = link.server,
            ended,
            "transactions outlasted the grace of a switchover and were ended"
        );
    }
    Ok(())
}
