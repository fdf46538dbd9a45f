//! Keeping a server that was the primary in an earlier epoch from acknowledging anything.
//!
//! Its replicas follow another one, so that no commit of it is acknowledged while it waits for them. But a session that
//! waits so holds what `read_only` needs: such sessions are killed, and all others of clients with them.
//!
//! Commits form groups, and the one that leads a group waits for all of it: where that one is killed, **the others of its group are
//! told OK**, though nobody has acknowledged anything (seen on MariaDB 10.11). So those that wait are killed last, after everybody
//! who could be in their groups; and nobody new gets into one, because the request for `read_only` is waiting all the time, and
//! every statement that would write waits behind it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::sql::Link;
use super::{StepError, mysql};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(10);
/// It is tried again later: on a disk that stands still, sessions do not end, and nobody else is looked after meanwhile.
const LIMIT: Duration = Duration::from_secs(2);

/// Clients' sessions, and those of replicas that still fetch from it.
const SESSIONS: &str = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND \
                        USER <> 'system user' AND COMMAND <> 'Daemon'";

/// The statement that has writes wait behind it; this is how the process list has it.
const CLOSING: &str = "SET GLOBAL read_only=1";

/// Makes the server read-only and ends all sessions on it. It comes back with nobody on it.
pub(crate) async fn fence(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let began = Instant::now();
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        return mysql::fence::fence(link, options).await;
    }
    let mut closer = Link::open(options, server).await?;
    closer.wait_for_locks(LIMIT).await?;
    while !close(&mut closer, &mut link).await? {
        if began.elapsed() > LIMIT {
            return Err(link.too_slow("its sessions do not end", LIMIT));
        }
        end_in_order(&mut link).await?;
        sleep(AGAIN).await;
    }
    closer.close().await;
    link.end_sessions(SESSIONS).await?;
    link.exec("ending its wait for acknowledgements", "SET GLOBAL rpl_semi_sync_master_enabled=0").await?;
    link.close().await;
    Ok(())
}

/// Asks for `read_only`, and ends all sessions while that waits for them. False: they have not ended in time.
async fn close(closer: &mut Link, link: &mut Link) -> Result<bool, StepError> {
    let mut closing = std::pin::pin!(closer.try_read_only());
    loop {
        match timeout(AGAIN, &mut closing).await {
            Ok(Ok(closed)) => return Ok(closed),
            // It may have been taken for somebody else's session in the moment in which it was done.
            Ok(Err(error)) => return if link.is_on("read_only").await? { Ok(true) } else { Err(error) },
            Err(_waits) => end_in_order(link).await?,
        }
    }
}

/// Ends all sessions, those last whose commits wait for an acknowledgement. Does nothing while writes can still begin.
async fn end_in_order(link: &mut Link) -> Result<(), StepError> {
    let waits = format!(
        "SELECT COUNT(*) AS closing FROM information_schema.PROCESSLIST WHERE INFO='{CLOSING}' AND STATE LIKE 'Waiting for%'"
    );
    let closing = link.query("looking whether writes wait", &waits).await?;
    if closing.parse::<u32>(0, "closing") == Some(0) {
        return Ok(());
    }
    let ordered = format!(
        "{SESSIONS} AND COALESCE(INFO, '') <> '{CLOSING}' ORDER BY COALESCE(STATE, '') LIKE 'Waiting for semi-sync ACK%'"
    );
    link.end_sessions(&ordered).await.map(drop)
}

/// Ends the sessions whose commits wait for an acknowledgement. Gives their number.
pub(crate) async fn end_waiting(options: &ObserveOptions, server: &str) -> Result<usize, StepError> {
    const WAITING: &str = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE STATE LIKE \
                           'Waiting for semi-sync ACK%' AND ID <> CONNECTION_ID()";
    let mut link = Link::open(options, server).await?;
    let ended = link.end_sessions(WAITING).await?;
    link.close().await;
    Ok(ended)
}
