//! A primary that dies, and one that is only frozen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluster::Promotion;
use tokio::task::JoinSet;
use topology::{Address, ClusterView, ServerId};

use crate::controlled::{Controlled, options};
use crate::server::{connect, is_missing};
use crate::servers::Servers;

/// Writes numbers of its own until told to stop, or until the server fails. Gives those that were acknowledged.
async fn write(address: Address, first: u64, stop: Arc<AtomicBool>) -> Vec<u64> {
    let mut client = connect(&address, Duration::from_secs(60)).await;
    let mut acknowledged = Vec::new();
    for n in first.. {
        if stop.load(Ordering::Relaxed)
            || client.exec(&format!("INSERT INTO shop.items VALUES ({n})")).await.is_err()
        {
            break;
        }
        acknowledged.push(n);
    }
    acknowledged
}

fn writers(address: &Address, stop: &Arc<AtomicBool>) -> JoinSet<Vec<u64>> {
    (0..4).map(|n| write(address.clone(), n * 1_000_000 + 1, stop.clone())).collect()
}

fn is_led_by(server: u16) -> impl Fn(&ClusterView) -> bool {
    move |view| view.primary == Some(ServerId(server)) && matches!(view.writes, topology::Writes::Open)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_with_a_killed_primary_which_joins_when_it_returns() {
    if is_missing() {
        return;
    }
    let mut servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = writers(&servers.list[0].address, &stop);
    // The one that lags is not the one to promote; what it lacks is fetched by nobody but itself.
    servers.list[1].run(&["STOP REPLICA SQL_THREAD"]).await;
    let wait = "SELECT COUNT(*) > 200 FROM shop.items";
    while servers.list[2].value(wait).await != "1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    servers.list[0].kill();
    let mut acknowledged = BTreeSet::new();
    while let Some(written) = writers.join_next().await {
        acknowledged.extend(written.unwrap());
    }
    assert!(acknowledged.len() > 150);
    let event = controlled.until_action("failover", "done").await;
    let leader = servers.at(event.server.as_deref().unwrap());
    assert_ne!(leader, 0);
    controlled.until("a new primary", is_led_by(u16::try_from(leader).unwrap())).await;
    let rows = servers.list[leader].ask("SELECT id FROM shop.items").await;
    let there: BTreeSet<u64> = (0..rows.len()).filter_map(|row| rows.parse(row, "id")).collect();
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());

    // What it wrote last and nobody received is its own: then it stays outside, read-only, and the event lists it.
    servers.list[0].options.push("--super-read-only=1".to_owned());
    servers.list[0].spawn();
    servers.list[0].let_hadal_in();
    let outcome = controlled.until_event("a rejoin", |e| e.from == "rejoin").await;
    let ahead = servers.list[0].executed().await.minus(&servers.list[leader].executed().await);
    match outcome.to.as_str() {
        "quarantined" => {
            assert!(!ahead.is_empty() && outcome.why.contains(&ahead.to_string()), "{outcome:?}");
        }
        _ => controlled.until_led_by(&servers, leader).await,
    }
    assert_eq!(servers.list[0].value("SELECT @@super_read_only").await, "1");
    controlled.stop().await;
}

#[tokio::test]
async fn a_primary_that_returns_before_anybody_took_its_place_is_opened_again() {
    if is_missing() {
        return;
    }
    let mut servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    // One of those who acknowledged is away: whether the other has everything is not known.
    controlled.freeze_primary_with(&servers.list[0], [&servers.list[1], &servers.list[2]]).await;
    servers.list[2].kill();
    servers.list[0].kill();
    let refused = controlled.until_action("failover", "refused").await;
    assert!(refused.why.contains("1 of 2 acknowledgers"), "{refused:?}");
    servers.list[0].options.push("--super-read-only=1".to_owned());
    servers.list[0].spawn();
    servers.list[0].let_hadal_in();
    // With the other one back first, that one and its fellow would be enough for a failover.
    controlled.until_event("the primary is seen", |e| e.why.contains("came back")).await;
    servers.list[2].spawn();
    servers.list[2].let_hadal_in();
    controlled.until_action("came back", "opened").await;
    controlled.until_led_by(&servers, 0).await;
    controlled.until_acknowledged(2).await;
    assert_eq!(servers.list[0].value("SELECT @@rpl_semi_sync_source_enabled").await, "1");
    servers.list[0].run(&["INSERT INTO shop.items VALUES (1)"]).await;
    controlled.stop().await;
}

#[tokio::test]
async fn what_only_another_replica_has_is_fetched_before_the_promotion() {
    if is_missing() {
        return;
    }
    let mut servers = Servers::start(3).await;
    let mut options = options(&servers);
    options.control.promotion.insert(servers.list[2].address.to_string(), Promotion::MustNot);
    let controlled = Controlled::ready_with(&servers, options).await;
    servers.list[1].run(&["STOP REPLICA IO_THREAD"]).await;
    controlled.until_acknowledged_by(1).await;
    servers.list[0].run(&["INSERT INTO shop.items VALUES (1)", "INSERT INTO shop.items VALUES (2)"]).await;
    assert_eq!(servers.list[1].value("SELECT COUNT(*) FROM shop.items").await, "0");
    servers.list[0].kill();
    controlled.until_action("failover", "done").await;
    controlled.until("the one that had less", is_led_by(1)).await;
    assert_eq!(servers.list[1].value("SELECT COUNT(*) FROM shop.items").await, "2");
    controlled.stop().await;
}

#[tokio::test]
async fn a_frozen_primary_that_wakes_acknowledges_nothing() {
    if is_missing() {
        return;
    }
    let servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = writers(&servers.list[0].address, &stop);
    while servers.list[2].value("SELECT COUNT(*) > 100 FROM shop.items").await != "1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    servers.list[0].signal("-STOP");
    let event = controlled.until_action("failover", "done").await;
    let leader = servers.at(event.server.as_deref().unwrap());
    servers.list[0].signal("-CONT");
    controlled.until_action("rejoin", "fenced").await;
    let mut acknowledged = BTreeSet::new();
    while let Some(written) = writers.join_next().await {
        acknowledged.extend(written.unwrap());
    }
    let old = &servers.list[0];
    assert_eq!(old.value("SELECT @@super_read_only").await, "1");
    assert_eq!(
        old.value(
            "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = \
                          'Rpl_semi_sync_source_wait_sessions'"
        )
        .await,
        "0"
    );
    let rows = servers.list[leader].ask("SELECT id FROM shop.items").await;
    let there: BTreeSet<u64> = (0..rows.len()).filter_map(|row| rows.parse(row, "id")).collect();
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    controlled.stop().await;
}
