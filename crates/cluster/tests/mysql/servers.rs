//! A primary (0) and its replicas.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::server::{REPLICATION_PASSWORD, Server};

/// One cluster at a time: the machine may be small.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Servers {
    pub(crate) list: Vec<Server>,
    _turn: MutexGuard<'static, ()>,
}

impl Servers {
    pub(crate) async fn start(count: usize) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Server::installed();
        let others: Vec<_> = (1..count).map(|number| first.copied(number)).collect();
        let mut list: Vec<_> = std::iter::once(first).chain(others).collect();
        list.iter_mut().for_each(Server::spawn);
        let servers = Self { list, _turn: turn };
        servers.list.iter().for_each(Server::let_hadal_in);
        let primary = &servers.list[0];
        for replica in &servers.list[1..] {
            replicate(replica, primary).await;
        }
        primary
            .run(&[
                "SET GLOBAL rpl_semi_sync_replica_enabled=0",
                "SET GLOBAL rpl_semi_sync_source_timeout=4294967295",
                "SET GLOBAL rpl_semi_sync_source_enabled=1",
                "CREATE DATABASE shop",
                "CREATE TABLE shop.items (id INT PRIMARY KEY)",
            ])
            .await;
        servers
    }

    /// Which one listens at this address.
    pub(crate) fn at(&self, address: &str) -> usize {
        self.list.iter().position(|s| s.address.to_string() == address).unwrap()
    }
}

/// Makes one server replicate from another.
pub(crate) async fn replicate(replica: &Server, source: &Server) {
    let password = REPLICATION_PASSWORD.replace('\\', "\\\\").replace('\'', "''");
    let change = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='replication', \
         SOURCE_PASSWORD='{password}', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=0.5, \
         GET_SOURCE_PUBLIC_KEY=1",
        source.address.port
    );
    replica.run(&["STOP REPLICA", &change, "START REPLICA"]).await;
}
