//! `caching_sha2_password` on a real MySQL: what a cache gives, and that no password goes over a bare connection.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use mysql_client::{Client, ConnectError, Secret, connect};
use mysql_wire::{Assembler, ClientLogin, LoginError, LoginStep, write_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use server::Server;

const ACCOUNTS: &str = "
    CREATE USER cached IDENTIFIED WITH caching_sha2_password BY 'pässword';
    CREATE USER none IDENTIFIED WITH caching_sha2_password;
    CREATE USER locked IDENTIFIED WITH caching_sha2_password BY 'pässword' ACCOUNT LOCK;";

fn password() -> Secret {
    Secret::password("pässword")
}

#[tokio::test]
async fn a_server_that_caches_proofs() {
    let Some(server) = Server::start() else { return };
    server.root(ACCOUNTS);
    nothing_is_cached_at_first(&server).await;
    somebody_else_fills_the_cache(&server).await;
    what_empties_the_cache(&server).await;
    without_a_password(&server).await;
    the_socket_carries_the_password(&server).await;
}

/// The refusal is ours, comes at once, and says what to do.
async fn is_refused_for_the_cache(server: &Server, user: &str, secret: Secret) {
    match connect(&server.options(user, secret)).await {
        Err(ConnectError::UnsupportedPlugin(why)) => assert_eq!(why, LoginError::NotCached.to_string()),
        other => unreachable!("{user}: {other:?}"),
    }
}

async fn logs_in(server: &Server, user: &str, secret: Secret) {
    let mut client = Client::connect(&server.options(user, secret)).await.unwrap();
    let rows = client.query("SELECT CURRENT_USER(), NULL, 'ü' UNION SELECT 1, 2, 3").await.unwrap();
    assert_eq!(rows.at(0, 0), Some(format!("{user}@%").as_str()));
    assert_eq!((rows.at(0, 1), rows.at(0, 2), rows.at(1, 1)), (None, Some("ü"), Some("2")));
    client.close().await;
}

async fn nothing_is_cached_at_first(server: &Server) {
    is_refused_for_the_cache(server, "cached", password()).await;
    // A MySQL server asks an account that does not exist for any of its plugins, chosen when it starts.
    assert!(connect(&server.options("nobody", password())).await.is_err());
    // What was learnt from a client's native proof is of another kind.
    match connect(&server.options("cached", Secret::NativeStage1([7; 20]))).await {
        Err(ConnectError::UnsupportedPlugin(why)) => assert!(why.contains("caching_sha2_password"), "{why}"),
        other => unreachable!("{other:?}"),
    }
}

async fn somebody_else_fills_the_cache(server: &Server) {
    server.log_in_on_the_socket("cached", "pässword", "SELECT 1");
    for _ in 0..3 {
        logs_in(server, "cached", password()).await;
    }
    // With a wrong password the server wants the whole one, as with an empty cache.
    is_refused_for_the_cache(server, "cached", Secret::password("wrong")).await;
    logs_in(server, "cached", password()).await;
}

async fn what_empties_the_cache(server: &Server) {
    server.root("FLUSH PRIVILEGES");
    is_refused_for_the_cache(server, "cached", password()).await;
    server.log_in_on_the_socket("cached", "pässword", "SELECT 1");
    logs_in(server, "cached", password()).await;
    server.root("ALTER USER cached IDENTIFIED WITH caching_sha2_password BY 'pässword'");
    is_refused_for_the_cache(server, "cached", password()).await;
}

async fn without_a_password(server: &Server) {
    logs_in(server, "none", Secret::None).await;
    match connect(&server.options("cached", Secret::None)).await {
        Err(ConnectError::Refused(error)) => assert_eq!(error.code, 1045, "{error}"),
        other => unreachable!("{other:?}"),
    }
}

/// Full authentication, where nobody can listen.
async fn the_socket_carries_the_password(server: &Server) {
    assert!(
        on_the_socket(server, "cached", Secret::password("wrong")).await.is_err_and(|e| refused(&e) == 1045)
    );
    assert!(on_the_socket(server, "locked", password()).await.is_err_and(|e| refused(&e) == 3118));
    on_the_socket(server, "cached", password()).await.unwrap();
    // Which has filled the cache.
    logs_in(server, "cached", password()).await;
}

fn refused(error: &LoginError) -> u16 {
    match error {
        LoginError::Refused(error) => error.code,
        _ => 0,
    }
}

async fn on_the_socket(server: &Server, user: &str, secret: Secret) -> Result<(), LoginError> {
    let mut stream = UnixStream::connect(server.socket()).await.unwrap();
    let mut login = ClientLogin::new(server.options(user, secret).login).over_secure_transport();
    let (assembler, mut input) = (Assembler::new(1 << 16), Vec::new());
    loop {
        let Some(frame) = assembler.next_packet(&input).unwrap() else {
            assert!(stream.read_buf(&mut input).await.unwrap() > 0, "the server hung up");
            continue;
        };
        let step = login.handle(frame.bytes(&input))?;
        let mut sequence = frame.last_seq.wrapping_add(1);
        input.drain(..frame.consumed);
        match step {
            LoginStep::Send(payload) => {
                let mut output = Vec::new();
                write_packet(&mut output, &mut sequence, &payload);
                stream.write_all(&output).await.unwrap();
            }
            LoginStep::Wait => {}
            LoginStep::Done(_) => return Ok(()),
        }
    }
}
