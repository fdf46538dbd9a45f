//! The commit journal's table: made on whoever is the primary, and kept small.
//!
//! The gateway writes a row to `hadal.commits` with the commits of clients (`commit_journal`), and looks for it seconds
//! later at most. A row is deleted after half an hour, by two clocks: that of the token, which the node has set, and
//! that of the server. So neither of them can be wrong alone and delete a row that is still looked for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mysql_client::{Client, ClientError};
use tokio::sync::watch;

use super::session;
use crate::options::ObserveOptions;
use crate::report::Leader;

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS hadal";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS hadal.commits (token BINARY(16) NOT NULL PRIMARY KEY, written_at \
                     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB COMMENT='Written by hadal with \
                     commits of clients'";

const KEPT: Duration = Duration::from_secs(30 * 60);
const EVERY: Duration = Duration::from_secs(60);
/// Rows deleted in one statement: each is a transaction that replicas have to run, too.
const AT_ONCE: u64 = 5000;

/// Looks after the table until nobody names a primary any more.
pub(crate) async fn keep(options: Arc<ObserveOptions>, mut leader: watch::Receiver<Option<Leader>>) {
    loop {
        let Some(now) = leader.borrow_and_update().clone() else {
            if leader.changed().await.is_err() {
                return;
            }
            continue;
        };
        let failed = tokio::select! {
            failed = keep_on(&options, &now) => failed,
            gone = leader.changed() => if gone.is_ok() { continue } else { return },
        };
        if let Err(error) = failed {
            tracing::warn!(server = %now.address, %error, "cannot look after the table of the commit journal");
        }
        let _ = tokio::time::timeout(EVERY, leader.changed()).await;
    }
}

async fn keep_on(options: &ObserveOptions, leader: &Leader) -> Result<(), ClientError> {
    let mut client = session::open(options, &leader.address, "commit journal").await?;
    create(&mut client).await?;
    loop {
        while client.exec(&tidying()).await? >= AT_ONCE {}
        tokio::time::sleep(EVERY).await;
    }
}

/// Where it is there, no right to create anything is needed.
async fn create(client: &mut Client) -> Result<(), ClientError> {
    if client.query("SELECT 1 FROM hadal.commits LIMIT 1").await.is_ok() {
        return Ok(());
    }
    if client.query("SHOW CREATE DATABASE hadal").await.is_err() {
        client.exec(SCHEMA).await?;
    }
    client.exec(TABLE).await.map(drop)
}

/// Not on a server that was made read-only a moment ago, from which an administrator may be exempt.
fn tidying() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let oldest = now.saturating_sub(KEPT).as_secs() as u32;
    let seconds = KEPT.as_secs();
    format!(
        "BEGIN NOT ATOMIC IF @@global.read_only = 0 THEN DELETE FROM hadal.commits WHERE token < X'{oldest:08X}' AND \
         written_at < NOW() - INTERVAL {seconds} SECOND ORDER BY token LIMIT {AT_ONCE}; END IF; END"
    )
}
