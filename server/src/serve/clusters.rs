//! The observers of the clusters, as the other services see them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::gateway::{ClusterLink, ControlPlane};
use admin::ClusterApi;
use cluster::{ClusterHandle, ClusterService, ObserveOptions, Secret};
use config::{AccountsSource, Cluster, Config};
use lifecycle::{Shutdown, TaskKind, Tasks};
use serde_json::{Value, json};
use topology::{ClusterView, ServerId};

/// A running observer.
#[derive(Clone)]
pub(super) struct Observed(ClusterHandle);

/// Starts an observer for every cluster, in the order of their names.
pub(super) fn observe(config: &Config, tasks: &mut Tasks, shutdown: &Shutdown) -> Vec<Observed> {
    let node = config.node.effective_name();
    let start = |(name, cluster): (&String, &Cluster)| {
        let (service, handle) = ClusterService::new(name, options(cluster, &node));
        let shutdown = shutdown.clone();
        tasks.spawn::<Infallible>(TaskKind::Essential, "the observer of a cluster", async move {
            service.run(async move { shutdown.wait().await }).await;
            Ok(())
        });
        Observed(handle)
    };
    config.clusters.iter().map(start).collect()
}

fn options(cluster: &Cluster, node: &str) -> ObserveOptions {
    let secret = Secret::password(cluster.admin_password.expose());
    ObserveOptions {
        max_lag_ms: cluster.max_lag_ms,
        poll_interval: Duration::from_millis(cluster.poll_interval_ms),
        heartbeat: cluster.heartbeat,
        node: node.to_owned(),
        weights: cluster.weights.clone(),
        read_accounts: cluster.accounts == AccountsSource::Servers,
        ..ObserveOptions::new(cluster.servers.clone(), &cluster.admin_user, secret)
    }
}

impl Observed {
    pub(super) fn name(&self) -> &str {
        self.0.name()
    }

    pub(super) fn view(&self) -> Arc<ClusterView> {
        self.0.view().load()
    }

    pub(super) async fn ready(&self) {
        self.0.ready().await;
    }

    /// As the gateway is given it.
    pub(super) fn link(&self) -> ClusterLink {
        ClusterLink { name: self.name().to_owned(), view: self.0.view(), control: Arc::new(self.clone()) }
    }
}

impl ControlPlane for Observed {
    fn refresh(&self) {
        self.0.refresh();
    }

    fn suspect(&self, server: ServerId) {
        self.0.suspect(server);
    }
}

impl ClusterApi for Observed {
    fn view(&self) -> Arc<ClusterView> {
        Observed::view(self)
    }

    fn servers(&self) -> Value {
        json!(*self.0.status())
    }

    fn events(&self) -> Value {
        json!(self.0.events())
    }
}
