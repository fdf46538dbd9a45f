//! Keeping a server that was the primary in an earlier epoch from acknowledging anything.
//!
//! Its replicas follow another one, so that no commit of it is acknowledged while it waits for them. But a session that
//! waits so holds what `read_only` needs: such sessions are killed first, and all others of clients with them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::sql::Link;
use super::{StepError, mysql};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(10);
/// It is tried again later: on a disk that stands still, sessions do not end, and nobody else is looked after meanwhile.
const LIMIT: Duration = Duration::from_secs(2);

/// Clients' sessions, and those of replicas that still fetch from it.
const SESSIONS: &str = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND \
                        USER <> 'system user' AND COMMAND <> 'Daemon'";

/// Makes the server read-only and ends all sessions on it. It comes back with nobody on it.
pub(crate) async fn fence(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let began = Instant::now();
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        return mysql::fence::fence(link, options).await;
    }
    link.never_wait().await?;
    while !link.try_read_only().await? {
        if began.elapsed() > LIMIT {
            return Err(link.too_slow("its sessions do not end", LIMIT));
        }
        link.end_sessions(SESSIONS).await?;
        sleep(AGAIN).await;
    }
    link.end_sessions(SESSIONS).await?;
    link.exec("ending its wait for acknowledgements", "SET GLOBAL rpl_semi_sync_master_enabled=0").await?;
    link.close().await;
    Ok(())
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
