//! The coordination store of this process, and its candidates: one per cluster that hadal may change.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cluster::Coordination;
use config::{Config, CoordinationBackend};
use coordination::{
    AcknowledgerSets, Attendance, Attendee, Election, ElectionOptions, EmbeddedStore, Epochs, EtcdStore,
    Journal, Keyspace, MaintenanceFlags, ReadOnlyModes, Rebuilds, Schedules, Store, ZooKeeperStore,
};
use lifecycle::{Shutdown, TaskKind, Tasks};

/// Every call to the store ends within this time.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Where the nodes of an installation agree.
pub(super) struct Agreement {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
    node: String,
    lease: Duration,
    /// No other node can use the store.
    alone: bool,
    /// Where the others reach this node's API.
    admin: Option<String>,
}

impl Agreement {
    /// # Errors
    /// The store cannot be opened, with what to do about it.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let settings = &config.coordination;
        let store: Arc<dyn Store> = match settings.backend {
            CoordinationBackend::Embedded => Arc::new(embedded(&config.node.data_dir)?),
            CoordinationBackend::Etcd => Arc::new(EtcdStore::new(&settings.endpoints, TIME_LIMIT)?),
            CoordinationBackend::Zookeeper => Arc::new(ZooKeeperStore::new(
                &settings.endpoints,
                &format!("/{}", settings.prefix),
                TIME_LIMIT,
            )?),
        };
        Ok(Self {
            store,
            keyspace: Keyspace::new(&settings.prefix)?,
            node: config.node.effective_name(),
            lease: Duration::from_millis(settings.lease_ms),
            alone: settings.backend == CoordinationBackend::Embedded,
            admin: config.admin.reached_at(),
        })
    }

    /// Starts this node's candidate for leading the cluster.
    ///
    /// # Errors
    /// A name that no key can hold.
    pub(super) fn stand_for(
        &self,
        cluster: &str,
        tasks: &mut Tasks,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Coordination> {
        let options = ElectionOptions::new(&format!("cluster-{cluster}"), &self.node, self.lease);
        let (candidate, election) = Election::new(self.store.clone(), &self.keyspace, options)?;
        let (shutdown, leaves) = (shutdown.clone(), shutdown.clone());
        tasks.spawn::<Infallible>(TaskKind::Background, "a candidate", async move {
            candidate.run(async move { shutdown.wait().await }).await;
            Ok(())
        });
        let (store, keyspace) = (&self.store, &self.keyspace);
        let (node, admin, alone) = (&self.node, self.admin.clone(), self.alone);
        let attendee = Attendee { cluster, node, admin, ttl: self.lease };
        let (attendance, attendant) = Attendance::new(store.clone(), keyspace, attendee)?;
        tasks.spawn::<Infallible>(TaskKind::Background, "an attendant", async move {
            attendant.alone(alone).run(async move { leaves.wait().await }).await;
            Ok(())
        });
        Ok(Coordination {
            election,
            epochs: Epochs::new(store.clone(), keyspace.clone()),
            journal: Journal::new(store.clone(), keyspace.clone()),
            acknowledgers: AcknowledgerSets::new(store.clone(), keyspace.clone()),
            maintenance: MaintenanceFlags::new(store.clone(), keyspace.clone()),
            schedules: Schedules::new(store.clone(), keyspace.clone()),
            attendance,
            read_only: ReadOnlyModes::new(store.clone(), keyspace.clone()),
            rebuilds: Rebuilds::new(store.clone(), keyspace.clone()),
        })
    }
}

fn embedded(folder: &Path) -> anyhow::Result<EmbeddedStore> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {} (node.data_dir)", folder.display()))?;
    let file = folder.join("coordination.redb");
    EmbeddedStore::open(&file, TIME_LIMIT).with_context(|| format!("cannot open {}", file.display()))
}
