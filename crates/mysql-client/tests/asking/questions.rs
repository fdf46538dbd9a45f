//! One server, many questions.

use std::time::Duration;

use mysql_client::{Client, ClientError, ConnectError, Secret, connect};

use crate::server::Server;

#[tokio::test]
async fn a_real_server_is_asked() {
    let server = Server::start().await;
    logins(&server).await;
    values(&server).await;
    errors_leave_the_connection_usable(&server).await;
    long_results(&server).await;
    a_late_answer_poisons(&server).await;
    a_cancelled_question_poisons(&server).await;
    a_killed_connection_is_an_error(&server).await;
}

async fn logins(server: &Server) {
    let mut root = server.root().await;
    for statement in [
        "CREATE USER plain IDENTIFIED BY 'pässword'",
        "CREATE USER none",
        "INSTALL SONAME 'auth_ed25519'",
        "CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('secret')",
        "CREATE USER socket IDENTIFIED VIA unix_socket",
        "CREATE USER locked IDENTIFIED BY 'x' ACCOUNT LOCK",
    ] {
        root.exec(statement).await.unwrap();
    }
    for (user, secret) in
        [("plain", Secret::password("pässword")), ("none", Secret::None), ("ed", Secret::password("secret"))]
    {
        let mut client = Client::connect(&server.options(user, secret)).await.unwrap();
        let who = client.query("SELECT CURRENT_USER()").await.unwrap();
        assert_eq!(who.at(0, 0), Some(format!("{user}@%").as_str()));
        assert_eq!(client.session().version, root.session().version);
        client.close().await;
    }
    for (user, secret, code) in [
        ("plain", Secret::password("wrong"), 1045),
        ("plain", Secret::None, 1045),
        ("nobody", Secret::password("x"), 1045),
        ("ed", Secret::password("wrong"), 1045),
        ("socket", Secret::password("x"), 1698),
        ("locked", Secret::password("x"), 4151),
    ] {
        match connect(&server.options(user, secret)).await {
            Err(ConnectError::Refused(error)) => assert_eq!(error.code, code, "{user}: {error}"),
            other => unreachable!("{user}: {other:?}"),
        }
    }
    // A hash of another kind proves nothing to this plugin.
    let outcome = connect(&server.options("ed", Secret::NativeStage1([7; 20]))).await;
    assert!(matches!(outcome, Err(ConnectError::UnsupportedPlugin(_))), "{outcome:?}");
    // Nothing is under way on a bare connection.
    let connected = connect(&server.options("none", Secret::None)).await.unwrap();
    assert!(connected.stream.nodelay().unwrap());
    assert!(
        connected.stream.try_read(&mut [0; 1]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
    );
}

async fn values(server: &Server) {
    let mut client = server.root().await;
    let rows = client
        .query("SELECT NULL AS Nothing, '' AS empty, 'ü€😀' AS text, 1.50 AS n UNION SELECT 1, 2, 3, 4")
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows.columns(), ["Nothing", "empty", "text", "n"]);
    assert_eq!(rows.get(0, "nothing"), None);
    assert_eq!(rows.get(0, "EMPTY"), Some(""));
    assert_eq!(rows.get(0, "text"), Some("ü€😀"));
    assert_eq!(rows.parse::<f64>(0, "n"), Some(1.5));
    assert_eq!(rows.get(1, "nothing"), Some("1"));
    assert!(client.query("SELECT 1 WHERE FALSE").await.unwrap().is_empty());

    client.exec("CREATE TEMPORARY TABLE mysql.numbers (n INT)").await.unwrap();
    assert_eq!(client.exec("INSERT INTO mysql.numbers VALUES (1), (2), (3)").await.unwrap(), 3);
    client.ping().await.unwrap();
}

async fn errors_leave_the_connection_usable(server: &Server) {
    let mut client = server.root().await;
    let error = client.query("SELECT no_such_column").await.unwrap_err();
    assert_eq!(error.code(), Some(1054), "{error}");
    // An error in the middle of the rows.
    let error =
        client.query("SELECT IF(seq < 3, seq, (SELECT 1 UNION SELECT 2)) FROM mysql.seq_1_to_5").await;
    assert_eq!(error.unwrap_err().code(), Some(1242));
    assert_eq!(client.query("SELECT 1").await.unwrap().at(0, 0), Some("1"));
}

async fn long_results(server: &Server) {
    let mut client = server.root().await;
    // Longer than one packet can be, and exactly as long as one can be.
    for length in [20_000_000, 0xFF_FFFF - 4, 0xFF_FFFF - 3, 0xFF_FFFF] {
        let rows = client.query(&format!("SELECT REPEAT('a', {length}), 1")).await.unwrap();
        assert_eq!(rows.at(0, 0).map(str::len), Some(length));
        assert_eq!(rows.at(0, 1), Some("1"));
    }
    for query in ["SELECT REPEAT('a', 70000000)", "SELECT REPEAT('a', 1000000) FROM mysql.seq_1_to_100"] {
        let mut client = server.root().await;
        assert!(matches!(client.query(query).await, Err(ClientError::TooLong)));
        assert!(matches!(client.ping().await, Err(ClientError::Poisoned)));
    }
}

async fn a_late_answer_poisons(server: &Server) {
    let mut client = server.root().await;
    client.set_timeout(Duration::from_millis(50));
    assert!(matches!(client.query("SELECT SLEEP(30)").await, Err(ClientError::Timeout(_))));
    client.set_timeout(Duration::from_secs(20));
    assert!(matches!(client.query("SELECT 1").await, Err(ClientError::Poisoned)));
}

async fn a_cancelled_question_poisons(server: &Server) {
    let mut client = server.root().await;
    let cancelled = tokio::time::timeout(Duration::from_millis(50), client.query("SELECT SLEEP(30)")).await;
    assert!(cancelled.is_err());
    assert!(matches!(client.query("SELECT 1").await, Err(ClientError::Poisoned)));
}

async fn a_killed_connection_is_an_error(server: &Server) {
    let mut client = server.root().await;
    let id = client.session().thread_id;
    server.root().await.exec(&format!("KILL {id}")).await.unwrap();
    assert!(client.query("SELECT 1").await.is_err());
    assert!(matches!(client.query("SELECT 1").await, Err(ClientError::Poisoned)));
}
