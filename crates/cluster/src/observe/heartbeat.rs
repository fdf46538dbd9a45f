//! The heartbeat: a row on the primary that this node rewrites, and its arrival on the replicas.
//!
//! The row `hadal.heartbeat(node, beat, written_at)` carries a number that grows. Lag is measured by when *this
//! process* wrote the beat that a replica has not got yet ([`crate::detect::lag`]), so neither the primary's clock nor
//! the replica's matters; `written_at` is for people only.
//!
//! What it costs: one small transaction per poll and hadal node (two a second by default) while others write, which
//! takes a GTID in the primary's domain and some 200 bytes of binary log; one in half a minute while nobody does
//! ([`super::rhythm`]). `heartbeat = false` turns it off; lag then comes from the positions alone, which is as exact while
//! the primary writes at least as often as it is looked at.
//!
//! The heart has its own connection: where the primary blocks writes (a full disk, a global read lock, a
//! semi-synchronous commit that nobody acknowledges), it must still be seen as reachable.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mysql_client::{Client, ClientError};
use tokio::sync::{mpsc, watch};

use super::pending::Pending;
use super::rhythm::Rhythm;
use super::{flavour, session};
use crate::options::ObserveOptions;
use crate::report::{Leader, Report};

/// The newest beat of `node` that has arrived on a server; `None` where there is none yet.
pub(crate) async fn read(client: &mut Client, node: Option<&str>) -> Result<Option<u64>, ClientError> {
    let Some(node) = node else { return Ok(None) };
    let sql = format!("SELECT beat FROM hadal.heartbeat WHERE node='{}'", key(node));
    match client.query(&sql).await {
        Ok(rows) => Ok(rows.parse(0, "beat")),
        // Not created yet, or not for our eyes.
        Err(ClientError::Server(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The node's name as it may stand between quotes.
fn key(node: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    node.chars().take(64).map(plain).collect()
}

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS hadal";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS hadal.heartbeat (node VARCHAR(64) CHARACTER SET ascii NOT NULL \
                     PRIMARY KEY, beat BIGINT UNSIGNED NOT NULL, written_at DATETIME(6) NOT NULL) ENGINE=InnoDB \
                     COMMENT='Written by hadal to measure how late replicas are'";

/// After this the heart gives the connection up, and tries another one.
const LONGEST_BEAT: Duration = Duration::from_secs(10);

const WRITTEN: &str = "SELECT @@global.gtid_binlog_pos AS written";
const BEATEN: &str = "SELECT @@last_gtid AS written";
/// MySQL has no variable for what this session wrote last: what is there after the beat may have somebody else's, too.
const WRITTEN_MYSQL: &str = "SELECT @@global.gtid_executed AS written";

/// The task that writes the heartbeat to whoever is the primary.
pub(crate) struct Heart {
    pub(crate) options: Arc<ObserveOptions>,
    pub(crate) leader: watch::Receiver<Option<Leader>>,
    pub(crate) reports: mpsc::Sender<Report>,
    /// The beat that is under way.
    writing: watch::Sender<Option<Pending>>,
    beat: u64,
}

impl Heart {
    pub(crate) fn new(
        options: Arc<ObserveOptions>,
        leader: watch::Receiver<Option<Leader>>,
        reports: mpsc::Sender<Report>,
        writing: watch::Sender<Option<Pending>>,
    ) -> Self {
        // Begins above the beats of a former process of this node.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { options, leader, reports, writing, beat: u64::try_from(now.as_millis()).unwrap_or(0) }
    }

    /// Beats until nobody listens any more.
    pub(crate) async fn run(mut self) {
        let mut fault = None;
        loop {
            let Some(leader) = self.leader.borrow_and_update().clone() else {
                if self.leader.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let mut changes = self.leader.clone();
            if self.writing.borrow().as_ref().is_some_and(|pending| pending.server != leader.server) {
                self.writing.send_replace(None);
            }
            let error = tokio::select! {
                error = self.beat_on(&leader, &mut fault) => error.to_string(),
                gone = changes.changed() => if gone.is_ok() { continue } else { return },
            };
            if self.tell(&mut fault, Some(error)).await.is_err() {
                return;
            }
            let pause = self.options.poll_interval * 4;
            // Another primary is worth another attempt at once.
            let _ = tokio::time::timeout(pause, self.leader.changed()).await;
        }
    }

    /// Writes beats until something fails.
    async fn beat_on(&mut self, leader: &Leader, fault: &mut Option<String>) -> ClientError {
        match self.try_beat_on(leader, fault).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn try_beat_on(
        &mut self,
        leader: &Leader,
        fault: &mut Option<String>,
    ) -> Result<std::convert::Infallible, ClientError> {
        let mut client = session::open(&self.options, &leader.address, "heartbeat").await?;
        create(&mut client).await?;
        let mysql = flavour::is_mysql(&client);
        let (written, beaten) = if mysql { (WRITTEN_MYSQL, WRITTEN_MYSQL) } else { (WRITTEN, BEATEN) };
        // MySQL has other words for what a commit does.
        let connection = match mysql {
            true => None,
            false => client.query("SELECT CONNECTION_ID() AS id").await?.parse(0, "id"),
        };
        let mut ticks = tokio::time::interval(self.options.poll_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut rhythm = Rhythm::new(self.options.poll_interval);
        loop {
            ticks.tick().await;
            let now_written = client.query(written).await?.parse(0, "written").unwrap_or_default();
            if !rhythm.is_due(now_written, Instant::now()) {
                continue;
            }
            self.beat += 1;
            let sql = self.statement(mysql);
            if self.write(&mut client, leader, connection, &sql, fault).await? > 0 {
                let at = Instant::now();
                let report = Report::Beat { server: leader.server, beat: self.beat, at };
                // An error means that the service ends, and this task with it.
                let _ = self.reports.send(report).await;
                if let Some(after) = client.query(beaten).await?.parse(0, "written") {
                    rhythm.beaten(&after, at);
                }
            }
            let _ = self.tell(fault, None).await;
        }
    }

    /// Writes one beat. While that takes long, the watcher of the primary finds out why: a timeout of the usual length would
    /// end the wait before anybody could. What has timed out goes on being watched, as the server goes on with it.
    async fn write(
        &self,
        client: &mut Client,
        leader: &Leader,
        connection: Option<u64>,
        sql: &str,
        fault: &mut Option<String>,
    ) -> Result<u64, ClientError> {
        if let Some(connection) = connection {
            let pending = Pending { server: leader.server, connection, since: Instant::now() };
            self.writing.send_if_modified(|now| now.get_or_insert(pending.clone()) == &pending);
        }
        client.set_timeout(LONGEST_BEAT);
        let written = {
            let mut beat = std::pin::pin!(client.exec(sql));
            match tokio::time::timeout(self.options.probe_timeout, &mut beat).await {
                Ok(written) => written,
                Err(_slow) => {
                    let _ = self.tell(fault, Some("a beat takes long to be written".to_owned())).await;
                    beat.await
                }
            }
        };
        client.set_timeout(self.options.probe_timeout);
        if !still_waits(&written) {
            self.writing.send_replace(None);
        }
        written
    }

    /// Checks and writes in one go: an administrator may be exempt from `read_only`, and a server that was made
    /// read-only a moment ago must not get a transaction of its own. On MySQL, where nobody is exempt from
    /// `super_read_only`, an `INSERT` of no rows leaves no transaction.
    fn statement(&self, mysql: bool) -> String {
        let (node, beat) = (key(&self.options.node), self.beat);
        if mysql {
            return format!(
                "INSERT INTO hadal.heartbeat SELECT '{node}', {beat}, UTC_TIMESTAMP(6) FROM DUAL WHERE \
                 @@global.read_only = 0 ON DUPLICATE KEY UPDATE beat = {beat}, written_at = UTC_TIMESTAMP(6)"
            );
        }
        format!(
            "BEGIN NOT ATOMIC IF @@global.read_only = 0 THEN INSERT INTO hadal.heartbeat VALUES \
             ('{node}', {beat}, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE beat = {beat}, written_at = \
             UTC_TIMESTAMP(6); END IF; END"
        )
    }

    /// Reports a fault, or its end, once.
    async fn tell(&self, fault: &mut Option<String>, now: Option<String>) -> Result<(), ()> {
        if *fault == now {
            return Ok(());
        }
        fault.clone_from(&now);
        self.reports.send(Report::HeartbeatFault(now)).await.map_err(drop)
    }
}

/// The server may still be at it: the answer did not come in time, or the next beat waits for this one's lock.
fn still_waits(written: &Result<u64, ClientError>) -> bool {
    match written {
        Err(ClientError::Timeout(_)) => true,
        Err(error) => error.code() == Some(1205),
        Ok(_) => false,
    }
}

/// Creates the table where it is missing; where it is there, no right to create anything is needed.
async fn create(client: &mut Client) -> Result<(), ClientError> {
    if client.query("SELECT 1 FROM hadal.heartbeat LIMIT 1").await.is_ok() {
        return Ok(());
    }
    if client.query("SHOW CREATE DATABASE hadal").await.is_err() {
        client.exec(SCHEMA).await?;
    }
    client.exec(TABLE).await.map(drop)
}
