//! A running controller of a cluster, with a coordination store of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{
    ClusterHandle, ClusterService, Coordination, Event, EventKind, FailoverMode, ObserveOptions, Order,
    OrderError, OrderReport, Secret,
};
use coordination::{
    AcknowledgerSets, Attendance, Attendee, Election, ElectionOptions, EmbeddedStore, Epochs, Journal,
    Keyspace, MaintenanceFlags, ReadOnlyModes, Rebuilds, Schedules, Store,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use topology::{ClusterView, Role, ServerId, Writes};

use crate::server::Server;
use crate::server::{ADMIN_PASSWORD, REPLICATION_PASSWORD};
use crate::servers::Servers;

/// Generous: a machine that builds at the same time is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Controlled {
    pub(crate) handle: ClusterHandle,
    recorded: AcknowledgerSets,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

pub(crate) fn options(servers: &Servers) -> ObserveOptions {
    let addresses = servers.list.iter().map(|s| s.address.clone()).collect();
    let mut options = ObserveOptions::new(addresses, "hadal", Secret::password(ADMIN_PASSWORD));
    options.poll_interval = Duration::from_millis(200);
    options.control.failover = FailoverMode::Auto;
    options.control.lossless = true;
    options.control.replication_user = "replication".to_owned();
    options.control.replication_password = REPLICATION_PASSWORD.to_owned();
    options.control.pause_between_failovers = Duration::ZERO;
    options
}

impl Controlled {
    /// Controls the servers and waits until they are what they were set up as.
    pub(crate) async fn ready(servers: &Servers) -> Self {
        Self::ready_with(servers, options(servers)).await
    }

    pub(crate) async fn ready_with(servers: &Servers, mut options: ObserveOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let stopping = || {
            let mut stopped = stopped.clone();
            async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            }
        };
        let file = folder.path().join("store");
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&file, Duration::from_secs(5)).unwrap());
        let keys = Keyspace::new("hadal").unwrap();
        let election = ElectionOptions::new("cluster-main", "node", Duration::from_secs(5));
        let (candidate, election) = Election::new(store.clone(), &keys, election).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(candidate.run(stopping()));
        let lease = Duration::from_secs(5);
        let attendee = Attendee { cluster: "main", node: "node", admin: None, ttl: lease };
        let (attendance, attendant) = Attendance::new(store.clone(), &keys, attendee).unwrap();
        tasks.spawn(attendant.run(stopping()));
        options.control.keep_in = Some(folder.path().join("extra"));
        let recorded = AcknowledgerSets::new(store.clone(), keys.clone());
        let (service, handle) = ClusterService::new("main", options);
        let service = service.controlled(Coordination {
            election,
            epochs: Epochs::new(store.clone(), keys.clone()),
            journal: Journal::new(store.clone(), keys.clone()),
            acknowledgers: AcknowledgerSets::new(store.clone(), keys.clone()),
            maintenance: MaintenanceFlags::new(store.clone(), keys.clone()),
            schedules: Schedules::new(store.clone(), keys.clone()),
            attendance,
            read_only: ReadOnlyModes::new(store.clone(), keys.clone()),
            rebuilds: Rebuilds::new(store, keys),
        });
        tasks.spawn(service.run(stopping()));
        let controlled = Self { handle, recorded, tasks, stop, _folder: folder };
        controlled.until_led_by(servers, 0).await;
        controlled.until_acknowledged(servers.list.len() - 1).await;
        controlled
    }

    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.handle.view().load()
    }

    /// Waits for a view.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&ClusterView) -> bool) -> Arc<ClusterView> {
        let began = Instant::now();
        loop {
            let view = self.view();
            if is(&view) {
                return view;
            }
            let (events, status) = (self.handle.events(), self.handle.status());
            assert!(
                began.elapsed() < PATIENCE,
                "no view in time with {what}: {view:#?}\n{events:#?}\n{status:#?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until this server leads, takes writes, and all others follow it in good health.
    pub(crate) async fn until_led_by(&self, servers: &Servers, leader: usize) {
        let leader = ServerId(u16::try_from(leader).unwrap());
        let count = servers.list.len();
        self.until(&format!("{leader:?} and all others behind it"), |view| {
            let well = |s: &topology::ServerView| {
                s.health.is_healthy() && (s.id == leader || s.role == Role::Replica)
            };
            view.servers.len() == count
                && view.primary == Some(leader)
                && matches!(view.writes, Writes::Open)
                && view.servers.iter().all(well)
        })
        .await;
    }

    /// Waits until so many replicas acknowledge the primary's commits.
    pub(crate) async fn until_acknowledged(&self, count: usize) {
        let began = Instant::now();
        while !self.handle.status().iter().any(|s| s.role == "primary" && s.acknowledgers as usize >= count) {
            assert!(began.elapsed() < PATIENCE, "{:#?}", self.handle.status());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until exactly so many do.
    pub(crate) async fn until_acknowledged_by(&self, count: u32) {
        let began = Instant::now();
        while !self.handle.status().iter().any(|s| s.role == "primary" && s.acknowledgers == count) {
            assert!(began.elapsed() < PATIENCE, "{:#?}", self.handle.status());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Has the primary stand still while the record names these: as long as it does, nobody leaves the record.
    pub(crate) async fn freeze_primary_with(&self, primary: &Server, acknowledgers: [&Server; 2]) {
        let began = Instant::now();
        loop {
            primary.signal("-STOP");
            let recorded = self.recorded.current("main").await.unwrap();
            let names = |server: &&Server| {
                recorded.as_ref().is_some_and(|set| set.value.servers.contains(&server.address.to_string()))
            };
            if acknowledgers.iter().all(names) {
                return;
            }
            primary.signal("-CONT");
            assert!(began.elapsed() < PATIENCE, "{recorded:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for an event.
    pub(crate) async fn until_event(&self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        let began = Instant::now();
        loop {
            let events = self.handle.events();
            if let Some(event) = events.iter().rev().find(|e| is(e)) {
                return event.clone();
            }
            assert!(began.elapsed() < PATIENCE, "no event in time: {what}\n{events:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn until_action(&self, from: &str, to: &str) -> Event {
        let action = |e: &Event| e.kind == EventKind::Action && e.from == from && e.to == to;
        self.until_event(&format!("{from} {to}"), action).await
    }

    pub(crate) async fn order(&self, order: Order) -> Result<OrderReport, OrderError> {
        self.handle.order(order, false).await
    }

    /// Ends everything and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, all).await.unwrap();
    }
}
