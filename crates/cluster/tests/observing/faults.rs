//! What breaks, and how soon it is known.

use std::time::Duration;

use topology::{Health, Role, ServerId};

use crate::observer::{Observer, PATIENCE, is_degraded, options};
use crate::servers::Servers;

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_stopped_or_broken_replica_leaves_at_once_and_returns_gradually() {
    let servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;

    servers.list[1].run(&["STOP SLAVE SQL_THREAD"]).await;
    let took = observer.until_health(1, "a stopped applier", |h| is_degraded(h, "applying thread")).await;
    assert!(took < SOON, "known after {took:?}");
    assert!(observer.view().servers[2].health.is_healthy());
    servers.list[1].run(&["START SLAVE SQL_THREAD"]).await;
    let (view, _) = observer.until("its return", PATIENCE, |v| v.servers[1].health.is_healthy()).await;
    assert!(view.servers[1].ramp_percent < 100, "it returned with all of its share at once");
    observer.until("all of its share", PATIENCE, |v| v.servers[1].ramp_percent == 100).await;

    servers.list[1].run(&["STOP SLAVE IO_THREAD"]).await;
    observer.until_health(1, "a stopped receiver", |h| is_degraded(h, "receiving thread")).await;
    servers.list[1].run(&["START SLAVE IO_THREAD"]).await;
    observer.until_health(1, "its return", Health::is_healthy).await;

    // A row that is there already stops the applier with the server's own error.
    servers.list[1].run(&["SET sql_log_bin=0", "INSERT INTO shop.items VALUES (1)"]).await;
    servers.list[0].run(&["INSERT INTO shop.items VALUES (1)"]).await;
    observer.until_health(1, "the duplicate", |h| is_degraded(h, "error 1062")).await;
    let status = observer.handle.status();
    assert!(status[1].sources[0].error.contains("1062"), "{status:?}");
    observer.stop().await;
}

#[tokio::test]
async fn a_dead_or_frozen_replica_is_down_and_comes_back() {
    let mut servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;

    servers.list[2].kill();
    let took = observer.until_health(2, "down", |h| matches!(h, Health::Down(_))).await;
    assert!(took < SOON, "known after {took:?}");
    servers.list[2].spawn();
    observer.until_health(2, "back", Health::is_healthy).await;

    // Frozen: it accepts connections and answers nothing. A look has its time limit.
    servers.list[1].signal("-STOP");
    let took = observer.until_health(1, "frozen", |h| matches!(h, Health::Down(_))).await;
    servers.list[1].signal("-CONT");
    assert!(took < Duration::from_secs(3), "known after {took:?}");
    observer.until_health(1, "thawed", Health::is_healthy).await;
    observer.stop().await;
}

#[tokio::test]
async fn a_dead_primary_stays_the_primary_until_somebody_takes_over() {
    let mut servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;
    servers.list[0].kill();
    // A session that saw the error asks for a look.
    observer.handle.suspect(ServerId(0));
    let down = |v: &topology::ClusterView| matches!(v.servers[0].health, Health::Down(_));
    let (view, took) = observer.until("the primary down", PATIENCE, down).await;
    assert!(took < SOON, "known after {took:?}");
    assert_eq!(view.primary, Some(ServerId(0)));
    // What the replicas have is all there is to read.
    let both = |v: &topology::ClusterView| v.servers[1..].iter().all(|s| s.takes_replica_reads());
    observer.until("replicas that go on serving", PATIENCE, both).await;

    servers.list[1].run(&["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=0"]).await;
    observer.until("the successor", PATIENCE, |v| v.primary == Some(ServerId(1))).await;

    // The old one comes back writable: it is not believed, and not read from.
    servers.replicate(&servers.list[2], &servers.list[1], "").await;
    servers.list[0].spawn();
    let (view, _) = observer
        .until("the old primary back", PATIENCE, |v| matches!(v.servers[0].health, Health::Degraded(_)))
        .await;
    assert_eq!(view.primary, Some(ServerId(1)));
    assert_eq!(view.servers[0].role, Role::Unknown);
    observer.stop().await;
}

/// Writes a row and waits until the replica with the delay is seen to be late by about as much.
async fn lag_is_seen(observer: &Observer, servers: &Servers) {
    servers.list[0].run(&["INSERT INTO shop.items VALUES (7)"]).await;
    let (view, _) = observer
        .until("a late replica", PATIENCE, |v| is_degraded(&v.servers[1].health, "late, more than"))
        .await;
    assert!(view.servers[1].lag_ms > Some(1000), "{:?}", view.servers[1]);
    assert!(view.servers[2].health.is_healthy(), "{:?}", view.servers[2]);
}

#[tokio::test]
async fn a_late_replica_leaves_by_its_heartbeat() {
    let servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;
    servers.replicate(&servers.list[1], &servers.list[0], ", MASTER_DELAY=2").await;
    lag_is_seen(&observer, &servers).await;
    // Steady: about as late as it was told to be, never much more.
    let (view, _) = observer.until("two seconds", PATIENCE, |v| v.servers[1].lag_ms > Some(1600)).await;
    assert!(view.servers[1].lag_ms < Some(4000), "{:?}", view.servers[1]);

    servers.replicate(&servers.list[1], &servers.list[0], ", MASTER_DELAY=0").await;
    observer.until_health(1, "in step again", Health::is_healthy).await;
    let beats = servers.list[2].value("SELECT COUNT(*) FROM hadal.heartbeat").await;
    assert_eq!(beats, "1");
    observer.stop().await;
}

#[tokio::test]
async fn a_server_on_which_nothing_happens_is_left_alone() {
    let servers = Servers::start(2).await;
    let observer = Observer::ready(&servers).await;
    let position = || servers.list[0].value("SELECT @@gtid_binlog_pos");
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let before = position().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        if position().await == before {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "hadal writes and writes");
    }
    // Somebody writes: the heart goes on.
    let beat = || servers.list[1].value("SELECT MAX(beat) FROM hadal.heartbeat");
    let before = beat().await;
    servers.list[0].run(&["INSERT INTO shop.items VALUES (8)"]).await;
    while beat().await == before {
        assert!(std::time::Instant::now() < deadline + PATIENCE, "no beat arrives any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    observer.stop().await;
}

#[tokio::test]
async fn lag_is_measured_without_a_heartbeat_too() {
    let servers = Servers::start(3).await;
    let mut options = options(&servers);
    options.heartbeat = false;
    let observer = Observer::ready_with(options, &servers).await;
    servers.replicate(&servers.list[1], &servers.list[0], ", MASTER_DELAY=3").await;
    lag_is_seen(&observer, &servers).await;
    // Nothing more is written: the replica catches up and is not late, however long ago the last write was.
    observer.until_health(1, "in step", Health::is_healthy).await;
    assert_eq!(servers.list[0].value("SHOW TABLES FROM hadal").await, "");
    observer.stop().await;
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_written_harms_nobody() {
    let servers = Servers::start(2).await;
    servers.list[0].run(&["REVOKE CREATE, INSERT, UPDATE ON hadal.* FROM hadal@'%'"]).await;
    let observer = Observer::ready(&servers).await;
    let failing = |e: &cluster::Event| e.kind == cluster::EventKind::Heartbeat && e.to == "failing";
    observer.until("an event about it", PATIENCE, |_| observer.handle.events().iter().any(failing)).await;
    assert!(observer.view().servers.iter().all(|s| s.health.is_healthy()));
    // A primary that blocks writes is still there.
    servers.list[0].run(&["GRANT CREATE, INSERT, UPDATE ON hadal.* TO hadal@'%'"]).await;
    let mut blocker = servers.list[0].connect(Duration::from_secs(5)).await.unwrap();
    let working = |e: &cluster::Event| e.kind == cluster::EventKind::Heartbeat && e.to == "working";
    observer.until("beats", PATIENCE, |_| observer.handle.events().iter().any(working)).await;
    blocker.exec("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let count = || observer.handle.events().iter().filter(|e| failing(e)).count();
    observer.until("blocked beats", PATIENCE, |_| count() >= 2).await;
    assert!(observer.view().servers.iter().all(|s| s.health.is_healthy()));
    blocker.exec("UNLOCK TABLES").await.unwrap();
    observer.stop().await;
}
