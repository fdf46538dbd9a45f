//! What is seen of a cluster that is well, and switchovers.

use cluster::{EventKind, Order};
use topology::{Role, ServerId};

use crate::controlled::Controlled;
use crate::server::is_missing;
use crate::servers::Servers;

#[tokio::test]
async fn a_switchover_takes_everything_along_and_the_old_primary_follows() {
    if is_missing() {
        return;
    }
    let servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    let view = controlled.until("lags", |v| v.servers.iter().all(|s| s.lag_ms.is_some())).await;
    assert_eq!(view.servers.iter().map(|s| s.server_id).collect::<Vec<_>>(), [1, 2, 3]);
    let status = controlled.handle.status();
    let uuid = servers.list[0].value("SELECT @@server_uuid").await;
    assert!(status.iter().all(|s| s.position.starts_with(&uuid)), "{status:#?}");
    controlled
        .until_event("the gateway's limits", |e| e.kind == EventKind::Dictionary && e.why.contains("MySQL"))
        .await;

    let (a, b) = (&servers.list[0], &servers.list[1]);
    a.run(&["INSERT INTO shop.items VALUES (1)"]).await;
    // A transaction that is open outlasts the grace and is ended; nothing of it is anywhere.
    let mut open = a.connect().await;
    open.exec("BEGIN").await.unwrap();
    open.exec("INSERT INTO shop.items VALUES (2)").await.unwrap();
    let to = b.address.to_string();
    let report = controlled.order(Order::Switchover { to: Some(to.clone()) }).await.unwrap();
    assert!(report.done, "{report:#?}");
    assert!(open.exec("COMMIT").await.is_err());
    assert_eq!(b.value("SELECT GROUP_CONCAT(id) FROM shop.items").await, "1");
    controlled.until_led_by(&servers, 1).await;
    assert_eq!(a.value("SELECT @@super_read_only").await, "1");
    assert_eq!(b.value("SELECT @@super_read_only + @@read_only").await, "0");
    assert_eq!(b.value("SELECT @@rpl_semi_sync_source_enabled").await, "1");
    assert_eq!(a.value("SELECT @@rpl_semi_sync_source_enabled").await, "0");
    controlled.until_acknowledged(2).await;
    // The new primary hands on what is written to it, and nobody else has written anything.
    b.run(&["INSERT INTO shop.items VALUES (3)"]).await;
    let everything = b.executed().await;
    for server in &servers.list {
        let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{everything}', 20)");
        assert_eq!(server.value(&sql).await, "0");
        assert!(b.executed().await.covers(&server.executed().await));
    }

    // And back, to whomever hadal likes best.
    let report = controlled.order(Order::Switchover { to: None }).await.unwrap();
    let leader = servers.at(&report.plan.unwrap().new);
    assert_ne!(leader, 1);
    controlled.until_led_by(&servers, leader).await;
    controlled.stop().await;
}

#[tokio::test]
async fn a_server_with_transactions_of_its_own_is_not_made_the_primary() {
    if is_missing() {
        return;
    }
    let servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    let b = &servers.list[1];
    b.run(&[
        "SET GLOBAL super_read_only=0",
        "INSERT INTO shop.items VALUES (77)",
        "SET GLOBAL super_read_only=1",
    ])
    .await;
    let own = format!("{}:1", b.value("SELECT @@server_uuid").await);
    controlled
        .until("the errant transaction", |_| {
            controlled.handle.status().iter().any(|s| s.position.contains(&own))
        })
        .await;
    let order = Order::Switchover { to: Some(b.address.to_string()) };
    let refused = controlled.order(order).await.unwrap_err().to_string();
    assert!(refused.contains("transactions of its own") && refused.contains(&own), "{refused}");

    // Nor does it become it by itself, and what it has spreads nowhere.
    let mut servers = servers;
    servers.list[0].kill();
    let led =
        |v: &topology::ClusterView| v.primary == Some(ServerId(2)) && v.servers[2].role == Role::Primary;
    controlled.until("the other replica as the primary", led).await;
    controlled.until_action("failover", "done").await;
    assert_eq!(servers.list[2].value("SELECT COUNT(*) FROM shop.items").await, "0");
    controlled.stop().await;
}
