//! Accounts and the catalogue.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use cluster::EventKind;
use topology::{AuthMethod, ClientHost, LeavingTriggers, RoutineAccess, VariableKind};

use crate::observer::{Observer, PATIENCE};
use crate::servers::Servers;

const HERE: ClientHost<'_> = ClientHost { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), name: Some("localhost") };

#[tokio::test]
async fn accounts_are_followed_within_a_second() {
    let servers = Servers::start(2).await;
    let observer = Observer::ready(&servers).await;
    let primary = &servers.list[0];
    assert!(observer.view().accounts.find("hadal", &HERE).is_some());
    assert!(observer.view().accounts.find("app", &HERE).is_none());

    primary.run(&["CREATE USER app@'127.%' IDENTIFIED BY 'x'"]).await;
    let second = Duration::from_secs(1);
    let (view, _) = observer.until("the account", second, |v| v.accounts.find("app", &HERE).is_some()).await;
    let account = view.accounts.find("app", &HERE).unwrap();
    assert!(matches!(account.methods.as_slice(), [AuthMethod::Native(Some(_))]));

    primary.run(&["ALTER USER app@'127.%' ACCOUNT LOCK"]).await;
    let locked = |v: &topology::ClusterView| v.accounts.find("app", &HERE).is_some_and(|a| a.locked);
    observer.until("the lock", second, locked).await;

    // Asked for: known when the answer comes, not some time later.
    primary.run(&["DROP USER app@'127.%'"]).await;
    tokio::time::timeout(PATIENCE, observer.handle.refreshed()).await.unwrap();
    assert!(observer.view().accounts.find("app", &HERE).is_none());

    // Many at once are answered together.
    let handle = &observer.handle;
    let all = async { tokio::join!(handle.refreshed(), handle.refreshed(), handle.refreshed()) };
    (0..500).for_each(|_| handle.refresh());
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    observer.stop().await;
}

#[tokio::test]
async fn the_catalogue_knows_functions_views_and_variables() {
    let servers = Servers::start(2).await;
    let observer = Observer::ready(&servers).await;
    servers.list[0]
        .run(&[
            "CREATE TABLE shop.log (id INT AUTO_INCREMENT PRIMARY KEY)",
            "CREATE FUNCTION shop.price() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM shop.items)",
            "CREATE FUNCTION shop.Logged() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO shop.log VALUES (); \
             RETURN 1; END",
            "CREATE VIEW shop.plain AS SELECT id, 'a\\'b' AS t FROM shop.items",
            "CREATE VIEW shop.priced AS SELECT id, shop.price() AS p FROM shop.items",
            "CREATE VIEW shop.`Writing` AS SELECT id, shop.Logged() AS l FROM shop.items",
            "CREATE VIEW shop.above AS SELECT w.id FROM shop.`Writing` w",
        ])
        .await;
    tokio::time::timeout(PATIENCE, observer.handle.refreshed()).await.unwrap();
    let catalogue = observer.view().catalogue.clone();
    assert_eq!(catalogue.functions.get("shop.price"), Some(&RoutineAccess::DeclaredReadOnly));
    assert_eq!(catalogue.functions.get("shop.logged"), Some(&RoutineAccess::MayWrite));
    let flagged = |name: &str| catalogue.primary_only_views.contains(name);
    assert!(flagged("shop.writing") && flagged("shop.above"), "{:?}", catalogue.primary_only_views);
    assert!(!flagged("shop.plain") && !flagged("shop.priced"), "{:?}", catalogue.primary_only_views);
    assert!(flagged("mysql.user"));

    assert_eq!(catalogue.variables.get("wait_timeout"), Some(&VariableKind::Number));
    assert_eq!(catalogue.variables.get("sql_mode"), Some(&VariableKind::Text));
    let (name, charset) = &catalogue.collations[&45];
    assert_eq!((&**name, &**charset), ("utf8mb4_general_ci", "utf8mb4"));
    assert_eq!(catalogue.default_collations.get("latin1").map(|c| &**c), Some("latin1_swedish_ci"));
    assert_eq!(catalogue.globals.get("wait_timeout").map(String::as_str), Some("28800"));
    assert!(catalogue.globals.contains_key("session_track_schema"));

    // Nobody asks: changes are found by themselves.
    servers.list[0]
        .run(&["ALTER FUNCTION shop.price MODIFIES SQL DATA", "SET GLOBAL wait_timeout=1234"])
        .await;
    observer
        .until("what was altered", PATIENCE, |v| {
            v.catalogue.primary_only_views.contains("shop.priced")
                && v.catalogue.globals.get("wait_timeout").is_some_and(|value| value == "1234")
        })
        .await;
    servers.list[0].run(&["CREATE OR REPLACE VIEW shop.plain AS SELECT shop.Logged() AS l"]).await;
    observer
        .until("the replaced view", PATIENCE, |v| v.catalogue.primary_only_views.contains("shop.plain"))
        .await;
    observer.stop().await;
}

#[tokio::test]
async fn triggers_that_leave_something_are_known_by_their_tables() {
    let servers = Servers::start(1).await;
    servers.list[0]
        .run(&[
            "CREATE DATABASE trig",
            "CREATE TABLE trig.Sets (a INT)",
            "CREATE TABLE trig.reads (a INT)",
            "CREATE VIEW trig.over AS SELECT a FROM trig.Sets",
        ])
        .await;
    let observer = Observer::start(crate::observer::options(&servers));
    observer.until("a catalogue", PATIENCE, |v| v.catalogue.loaded && !v.catalogue.has_stored_code).await;
    servers.list[0]
        .run(&[
            "CREATE TRIGGER trig.one BEFORE INSERT ON trig.Sets FOR EACH ROW SET @@sql_mode = ''",
            "CREATE TRIGGER trig.two BEFORE INSERT ON trig.reads FOR EACH ROW SET NEW.a = @b",
        ])
        .await;
    let expected = LeavingTriggers::On(["sets", "over"].map(str::to_owned).into());
    observer
        .until("the tables", PATIENCE, |v| {
            v.catalogue.has_stored_code && v.catalogue.leaving_triggers == expected
        })
        .await;
    servers.list[0].run(&["REVOKE TRIGGER ON *.* FROM hadal@'%'", "DROP TRIGGER trig.two"]).await;
    observer
        .until("that they cannot be seen", PATIENCE, |v| {
            v.catalogue.leaving_triggers == LeavingTriggers::Unknown
        })
        .await;
    observer.stop().await;
}

#[tokio::test]
async fn an_account_that_would_miss_views_is_told_so() {
    let servers = Servers::start(1).await;
    servers.list[0]
        .run(&["REVOKE SELECT, SHOW VIEW ON *.* FROM hadal@'%'", "GRANT SELECT ON mysql.* TO hadal@'%'"])
        .await;
    let observer = Observer::start(crate::observer::options(&servers));
    let told = |e: &cluster::Event| e.kind == EventKind::Dictionary && e.why.contains("SHOW VIEW");
    let (view, _) = observer
        .until("the reason", PATIENCE, |v| v.accounts.loaded && observer.handle.events().iter().any(told))
        .await;
    assert!(!view.catalogue.loaded && !observer.handle.is_ready());
    observer.stop().await;
}
