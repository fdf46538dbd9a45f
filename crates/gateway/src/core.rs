//! What all workers share.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use config::Config;
use tokio::sync::Semaphore;
use topology::{ClusterView, GtidPosition, MariaGtid, ServerId, ViewCell};

use crate::globals::GlobalChanges;
use crate::hold::Held;
use crate::io_choice::IoChoice;
use crate::metrics::Metrics;
use crate::names::{HostNames, System};
use crate::outstanding::Outstanding;
use crate::place::{ClusterIndex, Place};
use crate::pool::UserPoolsMap;
use crate::registry::Registry;
use crate::rules::Rules;
use crate::session::Tokens;
use crate::settings::ClusterSettings;
use crate::state::{Interner, StateSet};

/// What the gateway asks of the control plane. Calls return at once.
pub trait ControlPlane: Send + Sync + 'static {
    /// Accounts, routines or views may have changed: read them again now.
    fn refresh(&self);
    /// The same; resolves once the view shows them as they were at this call, or later. Without a primary that takes as
    /// long as there is none. Cancel-safe.
    fn refreshed(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// A session could not reach this server: look at it now.
    fn suspect(&self, server: ServerId);
    /// Resolves once a view newer than this revision is there. Cancel-safe.
    fn newer_than(&self, revision: u64) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A cluster as the gateway is given it.
pub struct ClusterLink {
    pub name: String,
    pub view: ViewCell,
    pub control: Arc<dyn ControlPlane>,
}

/// What sessions have learnt of one server.
#[derive(Debug, Default)]
pub(crate) struct ServerLoad {
    /// Newest position that a session has seen there itself; views come only twice a second.
    position: Mutex<GtidPosition>,
}

impl ServerLoad {
    pub(crate) fn learn(&self, position: &GtidPosition) {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).advance_all(position);
    }

    pub(crate) fn learn_one(&self, gtid: MariaGtid) {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).advance(gtid);
    }

    pub(crate) fn covers(&self, wanted: &GtidPosition) -> bool {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).covers(wanted)
    }

    /// Positions of a former history must not be compared with those of the new one.
    pub(crate) fn forget(&self) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = GtidPosition::default();
    }
}

/// A cluster and the gateway's own knowledge of it.
pub(crate) struct ClusterEntry {
    pub(crate) name: Arc<str>,
    view: Arc<ArcSwap<ClusterView>>,
    pub(crate) control: Arc<dyn ControlPlane>,
    loads: Box<[ServerLoad]>,
    pub(crate) outstanding: Outstanding,
    epoch: AtomicU64,
    pub(crate) round_robin: AtomicU64,
    databases: AtomicU64,
    pub(crate) held: Held,
    /// Places for clients that prove themselves to the primary.
    pub(crate) forwarding: Arc<Semaphore>,
}

/// More servers than this in one cluster share their counters.
const MAX_SERVERS: usize = 256;

impl ClusterEntry {
    pub(crate) fn new(link: ClusterLink, workers: usize) -> Self {
        Self {
            name: link.name.into(),
            view: link.view.shared(),
            control: link.control,
            loads: (0..MAX_SERVERS).map(|_| ServerLoad::default()).collect(),
            outstanding: Outstanding::new(workers, MAX_SERVERS),
            epoch: AtomicU64::new(0),
            round_robin: AtomicU64::new(0),
            databases: AtomicU64::new(0),
            held: Held::default(),
            forwarding: Arc::new(Semaphore::new(crate::session::FORWARDED_AT_ONCE)),
        }
    }

    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<ClusterView>> {
        let view = self.view.load();
        if self.epoch.load(Ordering::Relaxed) != view.epoch {
            self.epoch.store(view.epoch, Ordering::Relaxed);
            self.loads.iter().for_each(ServerLoad::forget);
        }
        view
    }

    /// Counts the statements that changed a database: who entered one before such a change has an old view of it.
    pub(crate) fn databases(&self) -> u64 {
        self.databases.load(Ordering::SeqCst)
    }

    pub(crate) fn count_database_change(&self) {
        self.databases.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn load(&self, server: ServerId) -> &ServerLoad {
        &self.loads[usize::from(server.0) % MAX_SERVERS]
    }
}

fn index_of(clusters: &[ClusterEntry], name: &str) -> Option<ClusterIndex> {
    clusters.iter().position(|c| &*c.name == name).map(|i| ClusterIndex(i as u16))
}

/// See the module.
pub(crate) struct Core {
    pub(crate) clusters: Vec<ClusterEntry>,
    pub(crate) config: ArcSwap<Config>,
    pub(crate) pools: UserPoolsMap,
    /// A change of them needs a restart.
    pub(crate) rules: Rules,
    pub(crate) sessions: Registry,
    pub(crate) interner: Interner,
    pub(crate) metrics: Metrics,
    pub(crate) workers: usize,
    pub(crate) io: IoChoice,
    pub(crate) started: Instant,
    pub(crate) new_connection_state: Arc<StateSet>,
    pub(crate) global_changes: GlobalChanges,
    pub(crate) names: HostNames,
    pub(crate) tokens: Tokens,
}

impl Core {
    pub(crate) fn new(config: Arc<Config>, links: Vec<ClusterLink>, workers: usize, io: IoChoice) -> Self {
        let interner = Interner::default();
        let new_connection_state = interner.intern(StateSet::of_new_connection());
        let clusters: Vec<_> = links.into_iter().map(|link| ClusterEntry::new(link, workers)).collect();
        Self {
            rules: Rules::of(&config, |name| index_of(&clusters, name)),
            clusters,
            sessions: Registry::of_node(&config.node.effective_name()),
            config: ArcSwap::new(config),
            pools: UserPoolsMap::default(),
            interner,
            metrics: Metrics::new(workers),
            workers,
            io,
            started: Instant::now(),
            new_connection_state,
            global_changes: GlobalChanges::default(),
            names: HostNames::new(Arc::new(System)),
            tokens: Tokens::default(),
        }
    }

    pub(crate) fn cluster(&self, index: ClusterIndex) -> &ClusterEntry {
        &self.clusters[usize::from(index.0) % self.clusters.len().max(1)]
    }

    pub(crate) fn cluster_names(&self) -> impl Iterator<Item = &str> {
        self.clusters.iter().map(|entry| &*entry.name)
    }

    /// Gives every pool the limits that the configuration has now.
    pub(crate) fn spread_limits(&self) {
        let config = self.config.load();
        self.pools.set_limits(|user| ClusterSettings::of(&config, user, self.cluster_names()).limits());
    }

    pub(crate) fn cluster_named(&self, name: &str) -> Option<ClusterIndex> {
        index_of(&self.clusters, name)
    }

    /// The cluster of a user; `None` where there are several and nothing says which.
    pub(crate) fn home_of(&self, user: &str) -> Option<ClusterIndex> {
        let config = self.config.load();
        let own = config.users.get(user).and_then(|user| user.cluster.as_deref());
        self.cluster_named(own.or_else(|| config.default_cluster())?)
    }

    /// The cluster that clients are greeted for, before they say who they are.
    pub(crate) fn front(&self) -> ClusterIndex {
        let config = self.config.load();
        config.default_cluster().and_then(|name| self.cluster_named(name)).unwrap_or(ClusterIndex(0))
    }

    /// The cluster of a server that is named `HOST:PORT`.
    pub(crate) fn cluster_of_server(&self, name: &str) -> Option<ClusterIndex> {
        let has = |entry: &ClusterEntry| entry.view().servers.iter().any(|s| s.address.to_string() == name);
        self.clusters.iter().position(has).map(|i| ClusterIndex(i as u16))
    }

    /// `HOST:PORT` of a server, for messages.
    pub(crate) fn address_of(&self, place: Place) -> String {
        let view = self.cluster(place.cluster).view();
        view.server(place.server).map_or_else(|| "a removed server".to_owned(), |s| s.address.to_string())
    }
}
