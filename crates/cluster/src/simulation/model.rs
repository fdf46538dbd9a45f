//! A node's way to the modelled servers: looks, and connections for statements.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use mysql_client::{ClientError, Rows};
use tokio::time::{Instant, sleep};
use topology::{Address, Position};

use super::statements;
use super::world::{SERVERS, Servers, Shared, lock};
use crate::observe::durability::Durability;
use crate::observe::probe::Observation;
use crate::observe::replication::channels;

const PROBE_LIMIT: Duration = Duration::from_secs(1);
const STATEMENT_LIMIT: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Clone)]
pub(crate) struct Model {
    servers: Shared,
    node: usize,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({})", self.node)
    }
}

/// A connection; it does not outlive the server's process.
pub(crate) struct Session {
    model: Model,
    server: usize,
    starts: u32,
}

fn number(address: &Address) -> usize {
    address.host.trim_start_matches("db").parse::<usize>().unwrap() - 1
}

fn gone(kind: ErrorKind) -> ClientError {
    ClientError::Io(Error::from(kind))
}

impl Model {
    pub(super) fn new(servers: &Shared, node: usize) -> Self {
        Self { servers: servers.clone(), node }
    }

    /// Asks once the server can be reached, as long as `limit`. `None`: ask again.
    async fn ask<T>(
        &self,
        server: usize,
        limit: Duration,
        mut question: impl FnMut(&mut Servers, Duration) -> Option<Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let travel = { lock(&self.servers).dice.millis(1, 4) };
        sleep(travel).await;
        let asked = { lock(&self.servers).now() };
        loop {
            {
                let mut servers = lock(&self.servers);
                let now = servers.now();
                if servers.connects(SERVERS + self.node, server) {
                    if !servers.machines[server].up {
                        return Err(gone(ErrorKind::ConnectionRefused));
                    }
                    if !servers.machines[server].stands_still(now)
                        && let Some(answer) = question(&mut servers, asked)
                    {
                        return answer;
                    }
                }
                if now.saturating_sub(asked) > limit {
                    return Err(ClientError::Timeout(limit));
                }
            }
            sleep(AGAIN).await;
        }
    }

    pub(crate) async fn look(&self, address: &Address) -> Result<Observation, ClientError> {
        let (server, began) = (number(address), Instant::now());
        let seen = self.ask(server, PROBE_LIMIT, |servers, _| Some(Ok(observe(servers, server)))).await?;
        Ok(Observation { began: began.into_std(), ended: Instant::now().into_std(), ..seen })
    }

    pub(crate) async fn connect(&self, address: &Address) -> Result<Session, ClientError> {
        let server = number(address);
        let starts =
            self.ask(server, PROBE_LIMIT, |servers, _| Some(Ok(servers.machines[server].starts))).await?;
        Ok(Session { model: self.clone(), server, starts })
    }
}

impl Session {
    pub(crate) async fn query(&self, sql: &str) -> Result<Rows, ClientError> {
        let (server, starts) = (self.server, self.starts);
        let question = |servers: &mut Servers, asked: Duration| {
            if servers.machines[server].starts != starts {
                return Some(Err(gone(ErrorKind::ConnectionReset)));
            }
            let now = servers.now();
            statements::answer(servers, server, sql, asked, now)
        };
        self.model.ask(server, STATEMENT_LIMIT, question).await
    }
}

fn observe(servers: &Servers, server: usize) -> Observation {
    let machine = &servers.machines[server];
    let uptime = machine.started.map_or(Duration::from_secs(9000), |at| servers.now().saturating_sub(at));
    let channels = channels(&statements::replication(servers, server));
    let receives = machine.source.as_ref().is_some_and(|source| source.connected);
    let durability = Durability {
        history: machine.history.clone(),
        base: machine.slave_pos.clone(),
        logs: true,
        keeps_received: false,
        can_wait: true,
        wait_for: 1,
        waits: machine.waits,
        timeout_ms: 4_294_967_295,
        waiting_works: machine.waits,
        acknowledgers: u32::try_from(servers.acknowledgers(server)).unwrap(),
        waiting: u32::try_from(machine.waiting.len()).unwrap(),
        acknowledges: machine.acknowledges && receives,
        uptime: Duration::from_secs(uptime.as_secs()),
        started: 1000 * i64::from(machine.starts),
    };
    Observation {
        began: Instant::now().into_std(),
        ended: Instant::now().into_std(),
        version: "10.11.6-MariaDB".into(),
        server_id: machine.id(),
        uuid: None,
        identity: (format!("db{}", server + 1), "3306".into()),
        read_only: machine.read_only,
        position: machine.slave_pos.clone(),
        written: machine.written(),
        reached: machine.reached(),
        purged: Position::default(),
        unprepared: None,
        channels,
        durability,
        beat: None,
        pending_write: None,
        replicas: Vec::new(),
    }
}
