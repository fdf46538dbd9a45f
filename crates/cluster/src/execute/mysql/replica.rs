//! What is done to replicas: stop receiving, drain, level, follow another source.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use topology::{Address, Position};

use super::super::StepError;
use super::super::sql::{Link, quoted};
use super::semi_sync::{Side, turn};
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(10);

/// In seconds; see the same on MariaDB.
const NET_TIMEOUT: u32 = 3;

/// Stops the receiving thread; the applying one goes on, or is started.
pub(in crate::execute) async fn stop_receiving(link: &mut Link) -> Result<(), StepError> {
    let Some(channel) = link.channel().await? else { return Ok(()) };
    if !channel.applier.is_running() && channel.applier.error.is_empty() {
        link.exec("starting its applying thread", "START REPLICA SQL_THREAD").await?;
    }
    if channel.receiver.state != "No" {
        link.exec("stopping its receiving thread", "STOP REPLICA IO_THREAD").await?;
    }
    Ok(())
}

/// Lets a replica receive again, after something that was not to be.
pub(in crate::execute) async fn resume_receiving(link: &mut Link) -> Result<(), StepError> {
    match link.channel().await? {
        Some(_) => link.exec("starting its receiving thread", "START REPLICA IO_THREAD").await,
        None => Ok(()),
    }
}

/// Starts what was stopped.
pub(in crate::execute) async fn start(link: &mut Link) -> Result<(), StepError> {
    match link.channel().await? {
        Some(_) => link.exec("starting replication", "START REPLICA").await,
        None => Ok(()),
    }
}

/// Waits until everything that was received is applied. What is named as retrieved holds whole transactions only.
pub(in crate::execute) async fn drain(link: &mut Link, limit: Duration) -> Result<(), StepError> {
    let began = Instant::now();
    loop {
        let Some(channel) = link.channel().await? else { return Ok(()) };
        if executed(link).await?.covers(&channel.received) {
            return Ok(());
        }
        if !channel.applier.is_running() {
            return Err(link.unexpected(format!("its applying thread stopped: {}", channel.applier.error)));
        }
        if began.elapsed() > limit {
            return Err(link.too_slow(format!("{} is not applied", channel.received), limit));
        }
        sleep(AGAIN).await;
    }
}

/// Waits until the server has applied everything of `position`.
pub(in crate::execute) async fn catch_up(
    link: &mut Link,
    position: &Position,
    limit: Duration,
) -> Result<(), StepError> {
    link.set_timeout(limit + Duration::from_secs(2));
    let sql =
        format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {:.3}) AS outcome", limit.as_secs_f64());
    let rows = link.query("catching up", &sql).await?;
    if rows.get(0, "outcome") != Some("0") {
        return Err(link.too_slow(format!("{position} has not arrived"), limit));
    }
    Ok(())
}

/// Fetches from another replica what this one lacks. That one has stopped receiving.
pub(in crate::execute) async fn level(
    link: &mut Link,
    options: &ObserveOptions,
    donor: &mut Link,
    limit: Duration,
) -> Result<(), StepError> {
    let until = executed(donor).await?;
    if executed(link).await?.covers(&until) {
        return Ok(());
    }
    drain(link, limit).await?;
    link.exec("stopping replication", "STOP REPLICA").await?;
    let change = change_source(options, &donor.server)?;
    link.exec("changing its source", &change).await?;
    link.exec("starting replication", "START REPLICA").await?;
    catch_up(link, &until, limit).await?;
    // Nothing may come on top while it is promoted.
    link.exec("stopping its receiving thread", "STOP REPLICA IO_THREAD").await
}

/// Has the server replicate from `to`. One that does so already is only started.
pub(in crate::execute) async fn follow(
    link: &mut Link,
    options: &ObserveOptions,
    to: &str,
    limit: Duration,
) -> Result<(), StepError> {
    if let Some(channel) = link.channel().await? {
        let follows = channel.source.to_string() == to;
        if follows && channel.receiver.state != "No" && channel.applier.is_running() {
            return Ok(());
        }
        if follows {
            return start(link).await;
        }
        // The relay log is thrown away with the source.
        drain(link, limit).await?;
        link.exec("stopping replication", "STOP REPLICA").await?;
    }
    link.read_only().await?;
    turn(link, Side::Source, false).await?;
    if options.control.lossless {
        turn(link, Side::Replica, true).await?;
    }
    let patience = format!("SET GLOBAL replica_net_timeout={NET_TIMEOUT}");
    link.exec("becoming a replica", &patience).await?;
    let change = change_source(options, to)?;
    link.exec("changing its source", &change).await?;
    link.exec("starting replication", "START REPLICA").await
}

/// All that is on the server, applied or written.
pub(in crate::execute) async fn executed(link: &mut Link) -> Result<Position, StepError> {
    link.position("gtid_executed").await
}

/// Since 8.4 a replica gives up after ten attempts, if it is not told otherwise. An account with `caching_sha2_password`
/// that no connection has used since the source was started needs the source's key, where the connection has no TLS.
fn change_source(options: &ObserveOptions, to: &str) -> Result<String, StepError> {
    let source: Address = to
        .parse()
        .map_err(|error| StepError::Unexpected { server: to.to_owned(), why: format!("{error}") })?;
    let control = &options.control;
    let mut sql = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST={}, SOURCE_PORT={}",
        quoted(&source.host),
        source.port
    );
    if !control.replication_user.is_empty() {
        sql += &format!(
            ", SOURCE_USER={}, SOURCE_PASSWORD={}",
            quoted(&control.replication_user),
            quoted(&control.replication_password)
        );
    }
    sql += ", SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=0, SOURCE_HEARTBEAT_PERIOD=0.5, \
            GET_SOURCE_PUBLIC_KEY=1";
    Ok(sql)
}
