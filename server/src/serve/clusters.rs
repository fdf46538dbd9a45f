//! The observers of the clusters, as the other services see them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::gateway::{ClusterLink, ControlPlane};
use admin::{ClusterApi, OrderRefused};
use cluster::{
    ClusterHandle, ClusterService, ControlOptions, FailoverMode, ObserveOptions, Order, OrderError,
    Promotion, RebuildOptions, Secret,
};
use config::{AccountsSource, Cluster, Config, Failover, RebuildPolicy};
use lifecycle::{Shutdown, TaskKind, Tasks};
use serde_json::{Value, json};
use topology::{ClusterView, ServerId};

use super::agreement::Agreement;
use super::forwarding;

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
    let agreement = agreement(config);
    let start = |(name, cluster): (&String, &Cluster)| {
        let mut options = options(cluster, &node);
        options.control.session_end = Duration::from_millis(config.coordination.lease_ms) * 5 / 4;
        options.control.keep_in = Some(config.node.data_dir.join("extra"));
        let (mut service, handle) = ClusterService::new(name, options);
        if cluster.failover != Failover::Off
            && let Some(agreement) = &agreement
        {
            match agreement.stand_for(name, tasks, shutdown) {
                Ok(coordination) => service = service.controlled(coordination),
                Err(error) => tracing::error!(cluster = name, %error, "this cluster is only observed"),
            }
        }
        let shutdown = shutdown.clone();
        tasks.spawn::<Infallible>(TaskKind::Essential, "the observer of a cluster", async move {
            service.run(async move { shutdown.wait().await }).await;
            Ok(())
        });
        Observed { handle, reads_accounts: reads_accounts(cluster) }
    };
    config.clusters.iter().map(start).collect()
}

/// Without a store nothing is changed, and everything is served: hadal starts, and says so.
fn agreement(config: &Config) -> Option<Agreement> {
    if config.clusters.values().all(|cluster| cluster.failover == Failover::Off) {
        return None;
    }
    match Agreement::open(config) {
        Ok(agreement) => Some(agreement),
        Err(error) => {
            tracing::error!(
                "no failover, no switchover: {error:#}; clusters are only observed until the next start \
                 (failover = \"off\" says that this is right)"
            );
            None
        }
    }
}

fn control(cluster: &Cluster) -> ControlOptions {
    let ms = Duration::from_millis;
    let promotion = |rule: &config::Promotion| match rule {
        config::Promotion::Neutral => Promotion::Neutral,
        config::Promotion::Prefer => Promotion::Prefer,
        config::Promotion::PreferNot => Promotion::PreferNot,
        config::Promotion::MustNot => Promotion::MustNot,
    };
    ControlOptions {
        failover: match cluster.failover {
            Failover::Auto => FailoverMode::Auto,
            Failover::Manual => FailoverMode::Manual,
            Failover::Off => FailoverMode::Off,
        },
        lossless: cluster.lossless,
        replication_user: cluster.replication_user.clone(),
        replication_password: cluster.replication_password.expose().to_owned(),
        promotion: cluster.promotion.iter().map(|(server, rule)| (server.clone(), promotion(rule))).collect(),
        zones: cluster.zones.clone(),
        silence: ms(cluster.failover_silence_ms),
        stall: ms(cluster.failover_stall_ms),
        pause_between_failovers: ms(cluster.failover_pause_ms),
        switchover_timeout: ms(cluster.switchover_timeout_ms),
        grace: ms(cluster.switchover_grace_ms),
        session_end: Duration::ZERO,
        rebuild: rebuild(cluster),
        keep_in: None,
    }
}

fn rebuild(cluster: &Cluster) -> RebuildOptions {
    let settings = &cluster.rebuild;
    let (user, password) = match settings.backup_user.as_str() {
        "" => (&cluster.admin_user, &cluster.admin_password),
        _ => (&settings.backup_user, &settings.backup_password),
    };
    RebuildOptions {
        automatic: settings.policy == RebuildPolicy::Automatic,
        shell: settings.shell.clone(),
        data_dir: settings.data_dir.trim_end_matches('/').to_owned(),
        stop: settings.stop.clone(),
        start: settings.start.clone(),
        user: user.clone(),
        password: password.expose().to_owned(),
        bytes_per_s: settings.rate_limit_mib.saturating_mul(1024 * 1024),
        keep_old: settings.keep_old,
        timeout: Duration::from_secs(settings.timeout_s),
    }
}

fn options(cluster: &Cluster, node: &str) -> ObserveOptions {
    let secret = Secret::password(cluster.admin_password.expose());
    ObserveOptions {
        max_lag_ms: cluster.max_lag_ms,
        poll_interval: Duration::from_millis(cluster.poll_interval_ms),
        heartbeat: cluster.heartbeat,
        commit_journal: cluster.commit_journal,
        node: node.to_owned(),
        weights: cluster.weights.clone(),
        read_accounts: reads_accounts(cluster),
        control: control(cluster),
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
            // Known from the version alone: nothing hangs on it but this text.
            let mysql =
                view.primary().is_some_and(|p| !p.version.is_empty() && !p.version.contains("MariaDB"));
            lacks.push(match mysql {
                true => "its servers are MySQL's, whose accounts are not read: the gateway is not made for them yet",
                false => "the accounts have not been read yet",
            });
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

    fn newer_than(&self, revision: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let handle = self.handle.clone();
        Box::pin(async move { handle.newer_than(revision).await })
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

    fn order(
        &self,
        order: Value,
        dry_run: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Value, OrderRefused>> + Send>> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let given = order.clone();
            let order: Order =
                serde_json::from_value(order).map_err(|error| OrderRefused::Invalid(error.to_string()))?;
            match handle.order(order, dry_run).await {
                Ok(report) => Ok(json!(report)),
                Err(OrderError::Refused(why)) => Err(OrderRefused::Refused(why)),
                Err(OrderError::Failed(why)) => Err(OrderRefused::Failed(why)),
                Err(OrderError::Unavailable(why)) => Err(OrderRefused::Unavailable(why)),
                Err(elsewhere @ OrderError::Elsewhere { .. }) => {
                    forwarding::forward(handle.name(), given, dry_run, elsewhere).await
                }
            }
        })
    }
}
