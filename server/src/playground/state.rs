//! What the running servers say about themselves: role, replication, position.

use std::time::Duration;

use anyhow::{Context as _, bail};
use mysql_client::{Client, ConnectOptions, LoginRequest, Secret};
use tokio::time::{Instant, sleep};
use topology::Address;

use super::accounts::ADMIN_USER;
use super::record::Secrets;

const POLL: Duration = Duration::from_millis(20);
const UTF8MB4_GENERAL_CI: u8 = 45;

/// One server at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct ServerState {
    pub(super) writable: bool,
    /// Whether both of a replica's threads run; a server that follows nobody has none.
    pub(super) replicating: Option<bool>,
    pub(super) gtid_position: String,
    /// How many replicas acknowledge this server's commits.
    pub(super) acknowledging: u32,
}

impl ServerState {
    /// What a person wants to know about replication in two words.
    pub(super) fn replication(&self) -> String {
        match self.replicating {
            Some(true) => "running".to_owned(),
            Some(false) => "stopped".to_owned(),
            None if self.acknowledging > 0 => format!("{} acknowledge", self.acknowledging),
            None => "none".to_owned(),
        }
    }
}

/// Asks the server on this port.
pub(super) async fn observe(port: u16, secrets: &Secrets) -> anyhow::Result<ServerState> {
    let mut client = Client::connect(&how_to_connect(port, secrets))
        .await
        .with_context(|| format!("cannot log in to the server on port {port}"))?;
    let state = ask(&mut client).await.with_context(|| format!("cannot ask the server on port {port}"));
    client.close().await;
    state
}

/// Waits until every server but the primary receives and applies what the primary writes, and acknowledges it.
pub(super) async fn until_replicating(
    primary: u16,
    ports: &[u16],
    secrets: &Secrets,
    deadline: Instant,
) -> anyhow::Result<()> {
    let replicas = u32::try_from(ports.len().saturating_sub(1)).unwrap_or(u32::MAX);
    while observe(primary, secrets).await?.acknowledging < replicas {
        wait_or_give_up(primary, deadline).await?;
    }
    for port in ports.iter().filter(|port| **port != primary) {
        while observe(*port, secrets).await?.replicating != Some(true) {
            wait_or_give_up(*port, deadline).await?;
        }
    }
    Ok(())
}

async fn wait_or_give_up(port: u16, deadline: Instant) -> anyhow::Result<()> {
    if Instant::now() > deadline {
        bail!("replication of the server on port {port} does not start: see its error log");
    }
    sleep(POLL).await;
    Ok(())
}

fn how_to_connect(port: u16, secrets: &Secrets) -> ConnectOptions {
    ConnectOptions {
        address: Address::new("127.0.0.1", port),
        login: LoginRequest {
            user: ADMIN_USER.into(),
            secret: Secret::password(secrets.admin_password.as_str()),
            database: None,
            capabilities: Default::default(),
            collation: UTF8MB4_GENERAL_CI,
            max_packet: 1 << 24,
            attributes: Vec::new(),
        },
        timeout: Duration::from_secs(5),
    }
}

async fn ask(client: &mut Client) -> anyhow::Result<ServerState> {
    let facts =
        client.query("SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.gtid_current_pos AS position").await?;
    let replication = client.query("SHOW ALL SLAVES STATUS").await?;
    let semi_sync = client.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'").await?;
    let runs = |thread| replication.get(0, thread) == Some("Yes");
    Ok(ServerState {
        writable: facts.get(0, "read_only") == Some("0"),
        replicating: (!replication.is_empty()).then(|| runs("Slave_IO_Running") && runs("Slave_SQL_Running")),
        gtid_position: facts.get(0, "position").unwrap_or_default().to_owned(),
        acknowledging: semi_sync.parse(0, "Value").unwrap_or(0),
    })
}
