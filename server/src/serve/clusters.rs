//! The observers of the clusters, as the other services see them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
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
pub(super) struct Observed {
    handle: ClusterHandle,
    /// Nobody can log in before the accounts were read.
    reads_accounts: bool,
}

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
        Observed { handle, reads_accounts: reads_accounts(cluster) }
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
        read_accounts: reads_accounts(cluster),
        ..ObserveOptions::new(cluster.servers.clone(), &cluster.admin_user, secret)
    }
}

fn reads_accounts(cluster: &Cluster) -> bool {
    cluster.accounts == AccountsSource::Servers
}

impl Observed {
    pub(super) fn name(&self) -> &str {
        self.handle.name()
    }

    pub(super) fn view(&self) -> Arc<ClusterView> {
        self.handle.view().load()
    }

    /// Why no client of it can be served, in the words of `/readyz`.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let view = self.view();
        let mut lacks = Vec::new();
        if view.primary().is_none() {
            lacks.push("no primary is known");
        }
        if self.reads_accounts && !view.accounts.loaded {
            lacks.push("the accounts have not been read yet");
        }
        lacks
    }

    pub(super) async fn ready(&self) {
        self.handle.ready().await;
    }

    /// As the gateway is given it.
    pub(super) fn link(&self) -> ClusterLink {
        ClusterLink {
            name: self.name().to_owned(),
            view: self.handle.view(),
            control: Arc::new(self.clone()),
        }
    }
}

impl ControlPlane for Observed {
    fn refresh(&self) {
        self.handle.refresh();
    }

    fn refreshed(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let handle = self.handle.clone();
        Box::pin(async move { handle.refreshed().await })
    }

    fn suspect(&self, server: ServerId) {
        self.handle.suspect(server);
    }
}

impl ClusterApi for Observed {
    fn view(&self) -> Arc<ClusterView> {
        Observed::view(self)
    }

    fn servers(&self) -> Value {
        json!(*self.handle.status())
    }

    fn events(&self) -> Value {
        json!(self.handle.events())
    }
}
