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

    /// The cluster of users for whom `[users.*]` names none, or `None` where nothing says which of several it is.
    pub fn default_cluster(&self) -> Option<&str> {
        if let Some(name) = &self.gateway.default_cluster {
            return Some(name);
        }
        let names = || self.clusters.keys().map(String::as_str);
        if self.clusters.len() == 1 {
            return names().next();
        }
        let is_target = |name: &str| self.clusters.values().any(|c| c.tables.values().any(|to| to == name));
        let mut candidates = names().filter(|name| !is_target(name));
        candidates.next().filter(|_| candidates.next().is_none())
    }
}
