//! The service of one cluster: starts the tasks, takes their reports, publishes what follows from them.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use topology::{ClusterView, ViewCell};

use crate::board::{Board, Picture};
use crate::control::{Controller, Coordination, Ordered, Orders, Steering, Voice};
use crate::dictionary::{Dictionary, Request};
use crate::events::{Event, EventKind};
use crate::handle::{ClusterHandle, Shared};
use crate::observe::commits;
use crate::observe::heartbeat::Heart;
use crate::observe::pending::Pending;
use crate::observe::watcher::Watcher;
use crate::options::{FailoverMode, ObserveOptions};
use crate::report::{Directive, Leader, Report};

/// Reports that may wait for the service; a task that finds no room waits with its next look.
const REPORTS: usize = 64;

/// Requests to read the dictionary again that may wait; more are pointless, since one reading answers all.
const REQUESTS: usize = 64;

/// Observes one cluster. Run it on any tokio runtime with time and I/O.
pub struct ClusterService {
    options: Arc<ObserveOptions>,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
    coordination: Option<Coordination>,
    orders: mpsc::Receiver<Ordered>,
}

impl ClusterService {
    /// A service that does nothing before it is run, and the handle to what it will know.
    pub fn new(name: &str, options: ObserveOptions) -> (Self, ClusterHandle) {
        let (asked, requests) = mpsc::channel(REQUESTS);
        let (give, orders) = Orders::new();
        let shared = Arc::new(Shared::new(name, ViewCell::new(ClusterView::new(name)), asked, give));
        let handle = ClusterHandle::new(shared.clone());
        (Self { options: Arc::new(options), shared, requests, coordination: None, orders }, handle)
    }

    /// Lets hadal change the cluster, as far as the options say, while it leads.
    #[must_use]
    pub fn controlled(mut self, coordination: Coordination) -> Self {
        self.coordination = Some(coordination);
        self
    }

    /// Observes until `shutdown` resolves. All tasks of the service have ended when this returns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (reports, inbox) = mpsc::channel(REPORTS);
        let (leader, leaders) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let (write, writing) = watch::channel(None);
        if self.options.heartbeat {
            tasks.spawn(Heart::new(self.options.clone(), leaders.clone(), reports.clone(), write).run());
        }
        if self.options.commit_journal {
            tasks.spawn(commits::keep(self.options.clone(), leaders.clone()));
        }
        let dictionary = Dictionary::new(self.options.clone(), leaders, self.requests, reports.clone());
        if !is_modelled(&self.options) {
            tasks.spawn(dictionary.run());
        }
        let board = Board::new(&self.shared.name, self.options.clone(), now());
        let (pictures, watched) = watch::channel(Arc::new(board.picture(now())));
        if let Some(coordination) = self.coordination
            && self.options.control.failover != FailoverMode::Off
        {
            let steering = Steering::new(reports.clone(), Voice::new(coordination.attendance.clone()));
            let controller = Controller::new(
                self.options.clone(),
                coordination,
                steering,
                watched,
                self.shared.orders.clone(),
                self.orders,
            );
            spawn(&mut tasks, &self.options, controller.run());
        }
        let mut observer = Observer {
            options: self.options,
            shared: self.shared,
            board,
            tasks,
            reports,
            leader,
            pictures,
            writing,
        };
        observer.watch_new_servers();
        observer.publish();
        tokio::select! {
            biased;
            () = shutdown => {}
            () = observer.follow(inbox) => {}
        }
        observer.tasks.shutdown().await;
    }
}

/// The runtime's time, which tests can set.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether a model stands for the servers.
fn is_modelled(options: &ObserveOptions) -> bool {
    #[cfg(test)]
    let modelled = options.model.is_some();
    #[cfg(not(test))]
    let modelled = {
        let _ = options;
        false
    };
    modelled
}

/// In a simulation, a task belongs to its node's process: it stands still and dies with that.
fn spawn(tasks: &mut JoinSet<()>, options: &ObserveOptions, task: impl Future<Output = ()> + Send + 'static) {
    if is_modelled(options) {
        tasks.spawn_local(task);
    } else {
        tasks.spawn(task);
    }
}

/// The running service.
struct Observer {
    options: Arc<ObserveOptions>,
    shared: Arc<Shared>,
    board: Board,
    tasks: JoinSet<()>,
    reports: mpsc::Sender<Report>,
    leader: watch::Sender<Option<Leader>>,
    pictures: watch::Sender<Arc<Picture>>,
    writing: watch::Receiver<Option<Pending>>,
}

impl Observer {
    async fn follow(&mut self, mut inbox: mpsc::Receiver<Report>) {
        while let Some(report) = inbox.recv().await {
            let asked_by = self.take(report);
            self.publish();
            for asker in asked_by {
                // Who asked may have gone away.
                let _ = asker.send(());
            }
        }
    }

    /// Takes in one report; gives those who wait for it to be published.
    fn take(&mut self, report: Report) -> Vec<tokio::sync::oneshot::Sender<()>> {
        match report {
            Report::Looked { server, seen } => self.board.looked(server, seen.map(|seen| *seen)),
            Report::Slow { server } => self.board.slow(server),
            Report::Beat { server, beat, at } => self.board.beat(server, beat, at),
            Report::Directive { directive, done } => {
                self.obey(directive);
                return vec![done];
            }
            Report::HeartbeatFault(fault) => self.note_fault(EventKind::Heartbeat, fault.as_deref()),
            Report::DictionaryFault(fault) => self.note_fault(EventKind::Dictionary, fault.as_deref()),
            Report::Dictionary { accounts, catalogue, asked_by } => {
                if let Some(accounts) = accounts {
                    self.board.set_accounts(accounts);
                }
                if let Some(catalogue) = catalogue {
                    self.board.set_catalogue(catalogue);
                }
                return asked_by;
            }
        }
        Vec::new()
    }

    fn obey(&mut self, directive: Directive) {
        match directive {
            Directive::Writes(writes) => self.board.set_writes(writes),
            Directive::NextEpoch(number) => self.board.begin_epoch(number),
            Directive::Epoch(number) => self.board.at_least_epoch(number),
            Directive::Heals(heals) => self.board.set_heals(heals),
            Directive::Promoted(server) => self.board.set_promoted(&server),
            Directive::Look => self.shared.wake_all(),
            Directive::ReadOnly(why) => self.board.set_read_only(why),
            Directive::Maintenance(reasons) => self.board.set_maintenance(&reasons),
            Directive::Rebuild(server, status) => self.board.set_rebuild(&server, status),
            Directive::Note(event) => self.board.note(event),
            Directive::Seen(server, seen) => {
                if let Some(server) = self.board.at(&server) {
                    self.board.looked(server, Ok(*seen));
                }
            }
        }
    }

    fn note_fault(&mut self, kind: EventKind, fault: Option<&str>) {
        let (from, to) = if fault.is_some() { ("working", "failing") } else { ("failing", "working") };
        self.board.note(Event::new(kind, None, from, to, fault.unwrap_or_default()));
    }

    fn publish(&mut self) {
        self.watch_new_servers();
        self.shared.publish(self.board.view());
        self.shared.set_status(self.board.status());
        for event in self.board.take_events() {
            self.shared.events.publish(&self.shared.name, event);
        }
        let leader = self.board.leader();
        let changed = self.leader.send_if_modified(|now| {
            let changed = *now != leader;
            now.clone_from(&leader);
            changed
        });
        if changed {
            // What the others make of it is worth knowing at once.
            self.shared.wake_all();
        }
        self.shared.set_alarm(self.board.is_alarming());
        if !self.pictures.is_closed() {
            self.pictures.send_replace(Arc::new(self.board.picture(now())));
        }
        if self.board.is_ready() {
            self.shared.set_ready();
        }
    }

    /// Starts a task for every server that has none yet.
    fn watch_new_servers(&mut self) {
        let watched = self.shared.watched();
        let new: Vec<_> = self.board.addresses().skip(watched).map(|(id, a)| (id, a.clone())).collect();
        for (id, address) in new {
            let wake = Arc::new(Notify::new());
            self.shared.add_waker(wake.clone());
            let watcher = Watcher {
                id,
                address,
                options: self.options.clone(),
                wake,
                reports: self.reports.clone(),
                alarm: self.shared.alarm.clone(),
                writing: self.writing.clone(),
            };
            spawn(&mut self.tasks, &self.options, watcher.run());
        }
    }
}
