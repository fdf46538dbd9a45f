//! What the configuration says for one user, resolved once at login.

use std::time::Duration;

use config::{Balance, Config, Consistency, PoolConfig, TransactionSplit};

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
}

impl UserSettings {
    /// Settings of `user` on `cluster`; `None` where the cluster is not configured.
    pub(crate) fn of(config: &Config, user: &str, cluster: &str) -> Option<Self> {
        let cluster = config.clusters.get(cluster)?;
        let own = config.users.get(user);
        Some(Self {
            consistency: own.and_then(|u| u.consistency).unwrap_or(cluster.consistency),
            transaction_split: own.and_then(|u| u.transaction_split).unwrap_or(cluster.transaction_split),
            balance: own.and_then(|u| u.balance).unwrap_or(cluster.balance),
            primary_read_weight: cluster.primary_read_weight,
            causal_wait: Duration::from_millis(cluster.causal_wait_ms),
            limits: limits(&cluster.pool, own.and_then(|u| u.max_connections)),
        })
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
