//! Servers that come back.

use cluster::Order;

use crate::controlled::Controlled;
use crate::server::is_missing;
use crate::servers::Servers;

#[tokio::test]
async fn a_killed_replica_and_a_clean_primary_join_by_themselves() {
    if is_missing() {
        return;
    }
    let mut servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    servers.list[2].kill();
    servers.list[0].run(&["INSERT INTO shop.items VALUES (1)"]).await;
    servers.list[2].spawn();
    servers.list[2].let_hadal_in();
    controlled.until_led_by(&servers, 0).await;

    // Everything is everywhere, so the primary has nothing of its own when it is killed.
    let everything = servers.list[0].executed().await;
    for replica in &servers.list[1..] {
        let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{everything}', 20)");
        assert_eq!(replica.value(&sql).await, "0");
    }
    controlled.until_acknowledged(2).await;
    servers.list[0].kill();
    let event = controlled.until_action("failover", "done").await;
    let leader = servers.at(event.server.as_deref().unwrap());
    // It starts writable, as servers do that nobody has set up otherwise.
    servers.list[0].spawn();
    servers.list[0].let_hadal_in();
    controlled.until_led_by(&servers, leader).await;
    assert_eq!(servers.list[0].value("SELECT @@super_read_only").await, "1");
    controlled.stop().await;
}

const REVOKE: &str = "REVOKE BACKUP_ADMIN ON *.* FROM replication@'%'";
const GRANT: &str = "GRANT BACKUP_ADMIN ON *.* TO replication@'%'";

#[tokio::test]
async fn what_cannot_join_is_told_and_cloned_on_somebodys_word() {
    if is_missing() {
        return;
    }
    let mut servers = Servers::start(3).await;
    let controlled = Controlled::ready(&servers).await;
    // While a replica is away, the primary drops binary logs with what it lacks.
    servers.list[2].kill();
    servers.list[0]
        .run(&["INSERT INTO shop.items VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO shop.items VALUES (2)"])
        .await;
    servers.list[0].run(&["FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"]).await;
    servers.list[2].spawn();
    servers.list[2].let_hadal_in();
    let event = controlled.until_action("rejoin", "quarantined").await;
    assert!(event.why.contains("has no binary logs any more"), "{event:?}");
    let server = servers.list[2].address.to_string();
    let plain = Order::Rejoin { server: server.clone(), rebuild: false };
    let refused = controlled.order(plain).await.unwrap_err().to_string();
    assert!(refused.contains("rebuilt"), "{refused}");

    // A donor that refuses leaves the server as it was, and people are told so once more.
    let donor = &servers.list[1];
    donor
        .run(&["SET GLOBAL super_read_only=0", "SET sql_log_bin=0", REVOKE, "SET GLOBAL super_read_only=1"])
        .await;
    controlled.order(Order::Rejoin { server: server.clone(), rebuild: true }).await.unwrap();
    controlled.until_action("rebuild", "failed").await;
    let count = |to: &str| controlled.handle.events().iter().filter(|e| e.to == to).count();
    controlled.until_event("another word", |_| count("quarantined") == 2).await;
    assert_eq!(servers.list[2].value("SELECT COUNT(*) FROM shop.items").await, "0");
    assert_eq!(servers.list[2].value("SELECT @@super_read_only").await, "1");
    donor
        .run(&["SET GLOBAL super_read_only=0", "SET sql_log_bin=0", GRANT, "SET GLOBAL super_read_only=1"])
        .await;

    let uuid = servers.list[2].value("SELECT @@server_uuid").await;
    let report = controlled.order(Order::Rejoin { server: server.clone(), rebuild: true }).await.unwrap();
    let donor = servers.list[1].address.to_string();
    assert!(report.done && report.text.contains(&donor), "{report:#?}");
    // Nothing supervises it, so it ends when all data are there.
    while !servers.list[2].has_ended() {
        assert_eq!(count("failed"), 1, "{:#?}", controlled.handle.events());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    servers.list[2].spawn();
    servers.list[2].let_hadal_in();
    controlled.until_action("rebuild", "done").await;
    controlled.until_led_by(&servers, 0).await;
    assert_eq!(servers.list[2].value("SELECT COUNT(*) FROM shop.items").await, "2");
    assert_eq!(servers.list[2].value("SELECT @@server_uuid").await, uuid);
    controlled.until_acknowledged(2).await;
    controlled.stop().await;
}
