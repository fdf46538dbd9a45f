//! What is done to replicas: stop receiving, drain, level, follow another source.
//!
//! A MariaDB replica purges all its relay logs when it starts with both threads stopped (MDEV-4698), and they may be the
//! only copy of what was acknowledged. So the applying thread is never stopped before it has applied everything, and no
//! source is changed before that.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use topology::{Address, Position};

use super::sql::{Link, quoted};
use super::{StepError, mysql};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(10);
/// In seconds. A receiving thread whose source is silent gives up after this. It then tries to connect, and while it waits for
/// an answer to that, it cannot be stopped for twice this time (tried on MariaDB 10.11): so it should not be shorter than
/// hadal needs to become suspicious and have it stopped before.
const NET_TIMEOUT: u32 = 3;

/// Nothing is applied, and all was read, for this long: nothing will be.
const IDLE: Duration = Duration::from_millis(400);
/// How long a replica that is to follow another source may take to apply what it has.
const DRAIN_TO_FOLLOW: Duration = Duration::from_secs(5);
/// How long a replica may take to apply what it has received.
const DRAIN: Duration = Duration::from_secs(60);

/// Stops the receiving thread; the applying one goes on, or is started.
pub(crate) async fn stop_receiving(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::stop_receiving(&mut link).await?;
        link.close().await;
        return Ok(());
    }
    let Some(channel) = link.channel().await? else { return Ok(()) };
    // With the receiving thread stopped already, starting the other one could throw the relay log away.
    if channel.receiver.state != "No" {
        if !channel.applier.is_running() && channel.applier.error.is_empty() {
            link.exec("starting its applying thread", "START SLAVE SQL_THREAD").await?;
        }
        link.exec("stopping its receiving thread", "STOP SLAVE IO_THREAD").await?;
    }
    link.close().await;
    Ok(())
}

/// Lets a replica receive again, after something that was not to be.
pub(crate) async fn resume_receiving(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::resume_receiving(&mut link).await?;
        link.close().await;
        return Ok(());
    }
    if let Some(channel) = link.channel().await? {
        let applied = link.position("gtid_slave_pos").await?;
        if !channel.applier.is_running() && !applied.covers(&channel.received) {
            return Err(
                link.unexpected("both its threads are stopped; its relay log, which is not applied, is kept")
            );
        }
        link.exec("starting its receiving thread", "START SLAVE IO_THREAD").await?;
    }
    link.close().await;
    Ok(())
}

/// Waits until everything that was received is applied.
///
/// "Slave has read all relay log" says only that everything was handed to the parallel workers (tried on MariaDB 10.11). What
/// counts is the position; and where the end of a transaction is missing, so that it is never reached, that nobody works.
pub(super) async fn drain(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::drain(&mut link, DRAIN).await?;
        link.close().await;
        return Ok(());
    }
    drain_on(&mut link, DRAIN).await?;
    link.close().await;
    Ok(())
}

async fn drain_on(link: &mut Link, limit: Duration) -> Result<(), StepError> {
    let began = Instant::now();
    let mut idle_since: Option<(Position, Instant)> = None;
    loop {
        let Some(channel) = link.channel().await? else { return Ok(()) };
        let applied = link.position("gtid_slave_pos").await?;
        if applied.covers(&channel.received) {
            return Ok(());
        }
        if !channel.applier.is_running() {
            return Err(link.unexpected(format!("its applying thread stopped: {}", channel.applier.error)));
        }
        match &idle_since {
            _ if !channel.read_all || link.applies_something().await? => idle_since = None,
            // Only the beginning of a transaction was received, so it was never acknowledged.
            Some((at, since)) if *at == applied && since.elapsed() >= IDLE => return Ok(()),
            Some((at, _)) if *at == applied => {}
            _ => idle_since = Some((applied, Instant::now())),
        }
        if began.elapsed() > limit {
            return Err(link.too_slow(format!("{} is not applied", channel.received), limit));
        }
        sleep(AGAIN).await;
    }
}

/// Waits until the server has applied everything up to `position`.
pub(super) async fn catch_up(
    options: &ObserveOptions,
    server: &str,
    position: &Position,
    limit: Duration,
) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::catch_up(&mut link, position, limit).await?;
        link.close().await;
        return Ok(());
    }
    if let Some(channel) = link.channel().await?
        && !(channel.applier.is_running() && channel.receiver.state != "No")
        && !link.position("gtid_slave_pos").await?.covers(position)
    {
        return Err(link.unexpected(format!("{position} will not arrive: its replication is stopped")));
    }
    link.set_timeout(limit + Duration::from_secs(2));
    let sql = format!("SELECT MASTER_GTID_WAIT('{position}', {:.3}) AS outcome", limit.as_secs_f64());
    let rows = link.query("catching up", &sql).await?;
    if rows.get(0, "outcome") != Some("0") {
        return Err(link.too_slow(format!("{position} has not arrived"), limit));
    }
    link.close().await;
    Ok(())
}

/// Fetches from another replica what this one lacks, and stops there.
pub(super) async fn level(options: &ObserveOptions, server: &str, from: &str) -> Result<(), StepError> {
    let mut donor = Link::open(options, from).await?;
    if donor.is_mysql {
        let mut link = Link::open(options, server).await?;
        mysql::replica::level(&mut link, options, &mut donor, DRAIN).await?;
        link.close().await;
        donor.close().await;
        return Ok(());
    }
    let until = donor.position("gtid_binlog_pos").await?;
    donor.close().await;
    let mut link = Link::open(options, server).await?;
    if link.position("gtid_slave_pos").await?.covers(&until) {
        return Ok(());
    }
    link.exec("stopping replication", "STOP SLAVE").await?;
    let change = change_master(options, from, false)?;
    link.exec("changing its source", &change).await?;
    let start = format!("START SLAVE UNTIL master_gtid_pos='{until}'");
    link.exec("starting replication", &start).await?;
    link.close().await;
    catch_up(options, server, &until, DRAIN).await
}

/// Has the server replicate from `to`. One that does so already is only started.
pub(crate) async fn follow(options: &ObserveOptions, server: &str, to: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::follow(&mut link, options, to, DRAIN_TO_FOLLOW).await?;
        link.close().await;
        return Ok(());
    }
    let channel = link.channel().await?;
    if let Some(channel) = &channel {
        let follows = channel.source.to_string() == to;
        if follows && channel.receiver.state != "No" && channel.applier.is_running() {
            return Ok(());
        }
        // The relay log is thrown away with the source.
        drain_on(&mut link, DRAIN_TO_FOLLOW).await?;
        link.exec("stopping replication", "STOP SLAVE").await?;
    }
    link.exec("making it read-only", "SET GLOBAL read_only=1").await?;
    link.exec("becoming a replica", "SET GLOBAL rpl_semi_sync_master_enabled=0").await?;
    if options.control.lossless {
        link.exec("becoming a replica", "SET GLOBAL rpl_semi_sync_slave_enabled=1").await?;
    }
    let patience = format!("SET GLOBAL slave_net_timeout={NET_TIMEOUT}");
    link.exec("becoming a replica", &patience).await?;
    // One that wrote itself continues after what it has written.
    let change = change_master(options, to, channel.is_none())?;
    link.exec("changing its source", &change).await?;
    link.exec("starting replication", "START SLAVE").await?;
    link.close().await;
    Ok(())
}

/// The name of the oldest binary log that the server has.
pub(crate) async fn first_binary_log(options: &ObserveOptions, server: &str) -> Result<String, StepError> {
    let mut link = Link::open(options, server).await?;
    let logs = link.query("listing its binary logs", "SHOW BINARY LOGS").await?;
    let first =
        logs.get(0, "Log_name").map(str::to_owned).ok_or_else(|| link.unexpected("it has no binary log"))?;
    link.close().await;
    Ok(first)
}

/// Starts what was stopped. With both threads stopped the relay log is thrown away, so it must have been applied.
pub(crate) async fn start(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.is_mysql {
        mysql::replica::start(&mut link).await?;
        link.close().await;
        return Ok(());
    }
    if let Some(channel) = link.channel().await? {
        if !channel.applier.is_running() {
            link.exec("starting its applying thread", "START SLAVE SQL_THREAD").await?;
        }
        link.exec("starting its receiving thread", "START SLAVE IO_THREAD").await?;
    }
    link.close().await;
    Ok(())
}

pub(super) fn change_master(
    options: &ObserveOptions,
    to: &str,
    wrote_itself: bool,
) -> Result<String, StepError> {
    let source: Address = to
        .parse()
        .map_err(|error| StepError::Unexpected { server: to.to_owned(), why: format!("{error}") })?;
    let control = &options.control;
    let mut sql =
        format!("CHANGE MASTER TO MASTER_HOST={}, MASTER_PORT={}", quoted(&source.host), source.port);
    if !control.replication_user.is_empty() {
        sql += &format!(
            ", MASTER_USER={}, MASTER_PASSWORD={}",
            quoted(&control.replication_user),
            quoted(&control.replication_password)
        );
    }
    sql += ", MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5";
    if wrote_itself {
        sql += ", MASTER_DEMOTE_TO_SLAVE=1";
    }
    Ok(sql)
}
