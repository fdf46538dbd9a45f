//! A server behind a line on which every answer takes longer than a look may wait.

use std::time::Duration;

use mysql_client::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use topology::{Address, ClusterView, Health};

use crate::observer::{Observer, PATIENCE};
use crate::servers::{ADMIN_PASSWORD, Servers};

const DELAY: Duration = Duration::from_millis(300);

/// Carries everything to and from the server, late. Dropped, the line is cut.
async fn line_to(server: Address) -> (Address, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let mut line = JoinSet::new();
    line.spawn(async move {
        let mut carried = JoinSet::new();
        loop {
            let (here, _) = listener.accept().await.unwrap();
            let there = TcpStream::connect((server.host.as_str(), server.port)).await.unwrap();
            let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
            carried.spawn(carry(from_here, to_there, Duration::ZERO));
            carried.spawn(carry(from_there, to_here, DELAY));
        }
    });
    (address, line)
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, delay: Duration) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        tokio::time::sleep(delay).await;
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_look_that_is_late_ends_well_all_the_same() {
    let servers = Servers::start(1).await;
    let (address, _line) = line_to(servers.list[0].address.clone()).await;
    let mut options = cluster::ObserveOptions::new(vec![address], "hadal", Secret::password(ADMIN_PASSWORD));
    options.probe_timeout = DELAY * 2 / 3;
    options.discover = false;
    let observer = Observer::start(options);
    let is_late = |health: &Health| matches!(health, Health::Down(why) if why.contains("no answer"));
    let first = |is: fn(&Health) -> bool| {
        move |view: &ClusterView| view.servers.first().is_some_and(|s| is(&s.health))
    };
    observer.until("a late look", PATIENCE, first(is_late)).await;
    observer.until("an answer", PATIENCE, first(Health::is_healthy)).await;
    observer.stop().await;
}
