//! What the configuration says for one user, resolved once at login.

use std::time::Duration;

use config::{Balance, Cluster, Config, Consistency, PoolConfig, TransactionSplit, User};

use crate::place::ClusterIndex;
use crate::pool::PoolLimits;

/// Settings of a session: the user's own where given, the cluster's otherwise.
#[derive(Clone, Debug)]
pub(crate) struct UserSettings {
    pub(crate) consistency: Consistency,
    pub(crate) transaction_split: TransactionSplit,
    pub(crate) balance: Balance,
    pub(crate) primary_read_weight: u32,
    pub(crate) causal_wait: Duration,
    pub(crate) limits: PoolLimits,
    pub(crate) transaction_replay: bool,
    pub(crate) commit_journal: bool,
}

impl UserSettings {
    fn of(cluster: &Cluster, own: Option<&User>) -> Self {
        Self {
            consistency: own.and_then(|u| u.consistency).unwrap_or(cluster.consistency),
            transaction_split: own.and_then(|u| u.transaction_split).unwrap_or(cluster.transaction_split),
            balance: own.and_then(|u| u.balance).unwrap_or(cluster.balance),
            primary_read_weight: cluster.primary_read_weight,
            causal_wait: Duration::from_millis(cluster.causal_wait_ms),
            transaction_replay: own.and_then(|u| u.transaction_replay).unwrap_or(cluster.transaction_replay),
            commit_journal: cluster.commit_journal,
            limits: limits(&cluster.pool, own.and_then(|u| u.max_connections)),
        }
    }
}

/// The settings of one user in every cluster.
#[derive(Debug)]
pub(crate) struct ClusterSettings(Box<[UserSettings]>);

impl ClusterSettings {
    /// `clusters` are the names of the clusters in the gateway's order.
    pub(crate) fn of<'a>(config: &Config, user: &str, clusters: impl Iterator<Item = &'a str>) -> Self {
        let unnamed = Cluster::default();
        let of = |name: &str| {
            // Clusters come and go only with a restart, so that one without a section is not asked for anything.
            let cluster = config.clusters.get(name).unwrap_or(&unnamed);
            UserSettings::of(cluster, config.users.get(user))
        };
        Self(clusters.map(of).collect())
    }

    /// There is at least one cluster, and indices are those of the gateway's list.
    pub(crate) fn at(&self, cluster: ClusterIndex) -> &UserSettings {
        &self.0[usize::from(cluster.0) % self.0.len().max(1)]
    }

    /// The limits of the user's pools in every cluster.
    pub(crate) fn limits(&self) -> Box<[PoolLimits]> {
        self.0.iter().map(|settings| settings.limits).collect()
    }
}

fn limits(pool: &PoolConfig, max_connections: Option<u32>) -> PoolLimits {
    let ms = Duration::from_millis;
    PoolLimits {
        max_connections: max_connections.unwrap_or(pool.max_connections),
        min_idle: pool.min_idle,
        idle_timeout: ms(pool.idle_timeout_ms),
        max_lifetime: ms(pool.max_lifetime_ms),
        wait_timeout: ms(pool.wait_timeout_ms),
        connect_timeout: ms(pool.connect_timeout_ms),
        prepared_statements: pool.prepared_statements as usize,
    }
}
