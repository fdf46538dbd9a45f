//! Keeping a server that was the primary in an earlier epoch from acknowledging anything.
//!
//! A session whose commit waits for an acknowledgement loses its client at once when it is ended, but goes on waiting, and
//! `super_read_only` waits for it (tried with 9.7). Only turning semi-synchronous replication off lets it end, and with it off
//! any other session could commit something and be told that it is safe. So first `super_read_only` is asked for: while it
//! waits, no statement that writes begins. Then all sessions are ended, and only then the waiting.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::StepError;
use super::super::sql::Link;
use super::semi_sync::{Side, turn};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(10);

/// How long the server waits for what is under way, in seconds. It has to outlast the ending of all sessions.
const PATIENCE: u32 = 8;

/// Clients' sessions, and those of replicas that still fetch from it; not hadal's that waits to make it read-only.
const SESSIONS: &str = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER <> \
                        'system user' AND COMMAND NOT IN ('Daemon', 'Killed') AND (INFO IS NULL OR INFO NOT LIKE \
                        'SET GLOBAL super_read_only%')";

const PENDING: &str = "SELECT COUNT(*) AS pending FROM information_schema.PROCESSLIST WHERE INFO LIKE \
                       'SET GLOBAL super_read_only%' AND ID <> CONNECTION_ID()";

/// Makes the server read-only and ends all sessions on it. It comes back with nobody on it.
pub(in crate::execute) async fn fence(mut link: Link, options: &ObserveOptions) -> Result<(), StepError> {
    let mut closing = Link::open(options, &link.server).await?;
    closing.exec("preparing", &format!("SET SESSION lock_wait_timeout={PATIENCE}")).await?;
    let mut closed = tokio::spawn(async move {
        let done = closing.read_only().await;
        closing.close().await;
        done
    });
    let began = Instant::now();
    loop {
        let rows = link.query("making it read-only", PENDING).await?;
        let pending = rows.parse::<u32>(0, "pending").is_some_and(|count| count > 0);
        if pending || closed.is_finished() {
            break;
        }
        if began.elapsed() > LIMIT {
            return Err(link.too_slow("it does not become read-only", LIMIT));
        }
        sleep(AGAIN).await;
    }
    link.end_sessions(SESSIONS).await?;
    turn(&mut link, Side::Source, false).await?;
    let ended = (&mut closed).await;
    ended.map_err(|error| link.unexpected(format!("making it read-only: {error}")))??;
    link.end_sessions(SESSIONS).await?;
    link.close().await;
    Ok(())
}
