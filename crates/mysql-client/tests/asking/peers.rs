//! Peers that do not answer, or not as a server does.

use std::io::ErrorKind;
use std::time::Duration;

use mysql_client::{ConnectError, Connected, Secret, connect};
use mysql_wire::{Capabilities, Greeting, OkPacket, StatusFlags, write_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use topology::Address;

use crate::server::options;

/// Connects to a peer that does what `play` says.
async fn against<F: Future<Output = ()>>(
    timeout: Duration,
    play: impl FnOnce(TcpStream) -> F,
) -> Result<Connected, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut options = options(Address::new("localhost", port), "u", Secret::password("p"));
    options.timeout = timeout;
    let peer = async { play(listener.accept().await.unwrap().0).await };
    let (outcome, ()) = tokio::join!(connect(&options), peer);
    outcome
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_peer_that_says_nothing_costs_no_more_than_the_limit() {
    let limit = Duration::from_millis(50);
    let outcome = against(limit, |mut stream| async move {
        let _ = stream.read(&mut [0; 1]).await;
    });
    assert!(matches!(outcome.await, Err(ConnectError::Timeout(t)) if t == limit));
}

#[tokio::test]
async fn nobody_listening_or_hanging_up_is_an_io_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = connect(&options(Address::new("127.0.0.1", port), "u", Secret::None)).await;
    assert!(matches!(outcome, Err(ConnectError::Io(e)) if e.kind() == ErrorKind::ConnectionRefused));
    let outcome = connect(&options(Address::new("no-such-host.invalid", 1), "u", Secret::None)).await;
    assert!(matches!(outcome, Err(ConnectError::Io(_))));
    let outcome = against(LONG, |stream| async move { drop(stream) }).await;
    assert!(matches!(outcome, Err(ConnectError::Io(_))), "{outcome:?}");
}

#[tokio::test]
async fn another_protocol_is_told_apart() {
    for words in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x05\0\0\x00\x09abcd", b"\0\0\0\0", b"\x01\0\0\x07\x0a"]
    {
        let outcome = against(LONG, |mut stream| async move {
            stream.write_all(words).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let outcome = outcome.await;
        assert!(matches!(outcome, Err(ConnectError::Protocol(_))), "{words:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_in_place_of_a_greeting_is_the_servers_own() {
    let outcome = against(LONG, |mut stream| async move {
        let mut out = Vec::new();
        write_packet(&mut out, &mut 0, b"\xff\x10\x04Too many connections");
        stream.write_all(&out).await.unwrap();
    });
    match outcome.await {
        Err(ConnectError::Refused(error)) => {
            assert_eq!((error.code, error.message.as_str()), (1040, "Too many connections"));
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_behind_the_login_are_not_handed_on() {
    let outcome = against(LONG, |mut stream| async move {
        let needed = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION | Capabilities::PLUGIN_AUTH;
        let greeting = Greeting {
            protocol: 10,
            version: "10.11.0-MariaDB".to_owned(),
            thread_id: 1,
            scramble: *b"abcdefghijklmnopqrst",
            capabilities: needed,
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            auth_plugin: "mysql_native_password".to_owned(),
        };
        let mut out = Vec::new();
        write_packet(&mut out, &mut 0, &greeting.encode());
        stream.write_all(&out).await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let mut ok = Vec::new();
        OkPacket::new(StatusFlags::AUTOCOMMIT).encode(needed, &mut ok);
        out.clear();
        write_packet(&mut out, &mut 2, &ok);
        // The answer to a question that was not asked.
        write_packet(&mut out, &mut 1, &ok);
        stream.write_all(&out).await.unwrap();
    });
    assert!(matches!(outcome.await, Err(ConnectError::Protocol(_))));
}
