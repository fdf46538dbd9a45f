//! The file as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{
    AdminConfig, Cluster, ConfigError, Coordination, GatewayConfig, LogConfig, Node, User, load, parse,
};

section! {
    /// The whole configuration of one hadal process.
    pub struct Config {
        /// This process.
        [restart] node: Node = Node::default();
        /// Where processes agree with each other.
        [restart] coordination: Coordination = Coordination::default();
        /// The database clusters, by name.
        [restart] clusters: BTreeMap<String, Cluster> = BTreeMap::new();
        /// The SQL gateway.
        [restart] gateway: GatewayConfig = GatewayConfig::default();
        /// Settings per user, by name.
        [] users: BTreeMap<String, User> = BTreeMap::new();
        /// The admin API.
        [restart] admin: AdminConfig = AdminConfig::default();
        /// The log.
        [] log: LogConfig = LogConfig::default();
    }
}

impl Config {
    /// Reads and checks a file; see [`load()`], which also tells the notices.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Ok(load(path)?.config)
    }

    /// Checks a text; `name` stands for it in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Ok(parse(text, name)?.config)
    }

    /// The cluster of a user: the one of `[users.NAME]`, or the only one there is.
    pub fn cluster_of(&self, user: &str) -> Option<&str> {
        let own = self.users.get(user).and_then(|user| user.cluster.as_deref());
        own.or_else(|| self.only_cluster())
    }

    /// The name of the cluster, where there is exactly one.
    pub fn only_cluster(&self) -> Option<&str> {
        let mut names = self.clusters.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
    }
}
