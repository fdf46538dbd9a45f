//! A process of hadal: all its tasks run inside of one, which can stand still or be killed.

use std::sync::Arc;
use std::time::Duration;

use coordination::simulated::{Dice, Network, NodeClock, Process, Stopped, World};
use coordination::{
    AcknowledgerSets, Attendance, Attendee, Election, ElectionOptions, Epochs, Journal, Keyspace,
    MaintenanceFlags, ReadOnlyModes, Rebuilds, Schedules,
};
use mysql_client::Secret;
use tokio::task::{JoinHandle, LocalSet};
use topology::{Address, ClusterView};

use super::model::Model;
use super::world::{SERVERS, Shared};
use crate::{
    ClusterHandle, ClusterService, ControlOptions, Coordination, EventKind, FailoverMode, ObserveOptions,
};

const TTL: Duration = Duration::from_secs(1);

pub(super) struct Node {
    pub(super) number: usize,
    pub(super) network: Network,
    pub(super) handle: ClusterHandle,
    pub(super) coordination: Coordination,
    pub(super) stopped: Stopped,
    process: JoinHandle<()>,
}

impl Node {
    pub(super) fn start(number: usize, store: &Arc<World>, servers: &Shared, dice: &mut Dice) -> Self {
        let network = Network::new(store);
        let keyspace = Keyspace::new("hadal").unwrap();
        let name = format!("gw-{}", number + 1);
        let clock = Arc::new(NodeClock::new(dice));
        let way = Arc::new(network.clone());
        let options = ElectionOptions::new("cluster-main", &name, TTL);
        let (election, elected) =
            Election::with_clock(way.clone(), &keyspace, options, clock.clone()).unwrap();
        let attendee = Attendee { cluster: "main", node: &name, admin: None, ttl: TTL };
        let (attendance, attendant) =
            Attendance::with_clock(way.clone(), &keyspace, attendee, clock).unwrap();
        let coordination = Coordination {
            election: elected,
            epochs: Epochs::new(way.clone(), keyspace.clone()),
            journal: Journal::new(way.clone(), keyspace.clone()),
            acknowledgers: AcknowledgerSets::new(way.clone(), keyspace.clone()),
            maintenance: MaintenanceFlags::new(way.clone(), keyspace.clone()),
            schedules: Schedules::new(way.clone(), keyspace.clone()),
            read_only: ReadOnlyModes::new(way.clone(), keyspace.clone()),
            rebuilds: Rebuilds::new(way, keyspace),
            attendance,
        };
        let (service, handle) = ClusterService::new("main", observing(&name, Model::new(servers, number)));
        let service = service.controlled(coordination.clone());
        let everything = async move {
            let local = LocalSet::new();
            local.spawn_local(election.run(std::future::pending()));
            local.spawn_local(attendant.run(std::future::pending()));
            local.run_until(service.run(std::future::pending())).await;
        };
        let stopped = Stopped::default();
        let process = tokio::task::spawn_local(Process::new(everything, &stopped));
        Self { number, network, handle, coordination, stopped, process }
    }

    pub(super) fn stands_still(&self) -> bool {
        self.stopped.borrow().is_some()
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.process.is_finished()
    }

    /// What it knows, for the report of a failure.
    pub(super) fn describe(&self) -> String {
        let events = self.handle.events();
        let events = events.iter().filter(|e| e.kind != EventKind::Health).collect::<Vec<_>>();
        let events = events.iter().rev().take(12).rev();
        let events: String = events
            .map(|e| format!("\n    {:?} {:?}: {} -> {} {}", e.kind, e.server, e.from, e.to, e.why))
            .collect();
        let (view, attendance) = (self.view(), &self.coordination.attendance);
        format!(
            "\n  node {}, {:?}, in touch {}: {:?}, primary {:?}, {:?}{events}",
            self.number,
            self.coordination.election.standing(),
            attendance.is_in_touch(),
            view.writes,
            view.primary,
            attendance.assembly(),
        )
    }

    /// kill -9.
    pub(super) fn kill(&self) {
        self.process.abort();
    }

    pub(super) fn view(&self) -> Arc<ClusterView> {
        self.handle.view().load()
    }
}

fn observing(name: &str, model: Model) -> ObserveOptions {
    let servers = (1..=SERVERS).map(|number| Address::new(format!("db{number}"), 3306)).collect();
    let control = ControlOptions {
        failover: FailoverMode::Auto,
        // Several failovers in a world shall be possible.
        pause_between_failovers: Duration::from_secs(1),
        session_end: TTL * 5 / 4,
        ..ControlOptions::default()
    };
    ObserveOptions {
        heartbeat: false,
        node: name.to_owned(),
        read_accounts: false,
        discover: false,
        control,
        model: Some(model),
        ..ObserveOptions::new(servers, "hadal", Secret::password("x"))
    }
}
