//! Who is the primary.

use std::time::Duration;

use cluster::{EventKind, ObserveOptions, Secret};
use topology::{Role, ServerId};

use crate::observer::{Observer, PATIENCE, POLL, options};
use crate::servers::{ADMIN_PASSWORD, Servers};

fn roles(view: &topology::ClusterView) -> Vec<Role> {
    view.servers.iter().map(|s| s.role).collect()
}

#[tokio::test]
async fn roles_are_found_and_a_primary_moved_by_hand_is_followed() {
    let servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;
    let view = observer.view();
    assert_eq!(roles(&view), [Role::Primary, Role::Replica, Role::Replica]);
    assert_eq!(view.servers.iter().map(|s| s.server_id).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(view.servers[1].version.contains("MariaDB"));
    let epoch = view.epoch;

    // No other is writable: there is no primary, and replicas go on.
    servers.list[0].run(&["SET GLOBAL read_only=1"]).await;
    let (view, took) = observer.until("no primary", PATIENCE, |v| v.primary.is_none()).await;
    assert!(took < Duration::from_secs(1), "followed after {took:?}");
    assert!(view.primary().is_none());
    assert_eq!(view.servers[1].role, Role::Replica);

    // By hand, as an administrator would: promote one, repoint the others.
    servers.list[1].run(&["STOP SLAVE", "SET GLOBAL read_only=0"]).await;
    let (view, took) = observer.until("the new primary", PATIENCE, |v| v.primary == Some(ServerId(1))).await;
    assert!(took < Duration::from_secs(1), "followed after {took:?}");
    assert_eq!(view.epoch, epoch + 1);
    servers.list[1].run(&["RESET SLAVE ALL"]).await;
    servers.replicate(&servers.list[2], &servers.list[1], "").await;
    servers.replicate(&servers.list[0], &servers.list[1], "").await;
    let all = [Role::Replica, Role::Primary, Role::Replica];
    let healthy = |v: &topology::ClusterView| v.servers.iter().all(|s| s.health.is_healthy());
    observer.until("the others behind it", PATIENCE, |v| roles(v) == all && healthy(v)).await;

    let moved = observer.handle.events().into_iter().filter(|e| e.kind == EventKind::Primary);
    let names: Vec<_> = moved.map(|e| (e.from, e.to)).collect();
    let (a, b) = (servers.list[0].address.to_string(), servers.list[1].address.to_string());
    let none = || "none".to_owned();
    assert_eq!(names, [(none(), a.clone()), (a, none()), (none(), b)]);
    observer.stop().await;
}

#[tokio::test]
async fn a_second_writable_server_does_not_unseat_the_first() {
    let servers = Servers::start(3).await;
    let observer = Observer::ready(&servers).await;
    servers.list[2].run(&["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=0"]).await;
    let (view, _) = observer.until("an unknown role", PATIENCE, |v| v.servers[2].role == Role::Unknown).await;
    assert_eq!(view.primary, Some(ServerId(0)));
    assert!(!view.servers[2].takes_replica_reads());

    // Once the first is read-only it is a switch like any other: the second was in step a moment ago.
    servers.list[0].run(&["SET GLOBAL read_only=1"]).await;
    observer.until("the other", PATIENCE, |v| v.primary == Some(ServerId(2))).await;
    observer.stop().await;
}

#[tokio::test]
async fn one_member_is_enough_to_find_the_others() {
    let servers = Servers::start(3).await;
    for named in [1, 0] {
        let one = vec![servers.list[named].address.clone()];
        let mut options = ObserveOptions::new(one, "hadal", Secret::password(ADMIN_PASSWORD));
        options.poll_interval = POLL;
        let observer = Observer::start(options);
        let (view, _) = observer
            .until("three servers", PATIENCE, |v| {
                v.servers.len() == 3
                    && v.servers.iter().filter(|s| s.role == Role::Replica).count() == 2
                    && v.primary().is_some()
            })
            .await;
        assert_eq!(*view.primary().unwrap().address, servers.list[0].address);
        observer.stop().await;
    }
}

#[tokio::test]
async fn a_server_named_twice_counts_once() {
    let servers = Servers::start(2).await;
    let mut options = options(&servers);
    let port = servers.list[0].address.port;
    options.servers.push(topology::Address::new("localhost", port));
    options.servers.push(Servers::unused_address().unwrap());
    let observer = Observer::start(options);
    let (view, _) = observer
        .until("the primary, under its first name", PATIENCE, |v| {
            v.primary == Some(ServerId(0)) && v.servers[1].role == Role::Replica
        })
        .await;
    assert_eq!(view.servers.len(), 4);
    assert_eq!(view.servers[2].role, Role::Unknown);
    assert!(!view.servers[3].health.is_healthy());
    observer.stop().await;
}
