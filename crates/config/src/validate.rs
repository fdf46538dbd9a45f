//! What the types alone cannot say: ranges, references between sections, and what is not available yet.

use std::net::IpAddr;

use crate::cluster::{Cluster, Consistency, Failover};
use crate::coordination::CoordinationBackend;
use crate::error::{Notice, Problem};
use crate::origins::Origins;
use crate::reader::{Reader, join};
use crate::{AccountsSource, Config, RebuildPolicy, TablePattern, User};

/// Adds every problem to the reader; returns what is right but does not do what one may expect.
pub(crate) fn validate(config: &Config, reader: &mut Reader<'_>) -> Vec<Notice> {
    let unread = reader.problems.len();
    let mut check =
        Check { origins: &reader.origins, problems: &mut reader.problems, unread, notices: Vec::new() };
    check.coordination(config);
    check.gateway(config);
    check.admin(config);
    check.log(config);
    check.clusters(config);
    for (name, user) in &config.users {
        check.user(config, name, user);
    }
    check.notices
}

/// Every machine has it for itself.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

struct Check<'a, 't> {
    origins: &'a Origins<'t>,
    problems: &'a mut Vec<Problem>,
    /// How many of the problems are from reading: their keys stand at defaults, which are nobody's mistake.
    unread: usize,
    notices: Vec<Notice>,
}

impl Check<'_, '_> {
    fn refuse(&mut self, key: &str, message: impl Into<String>) {
        if self.problems.iter().take(self.unread).any(|problem| problem.key == key) {
            return;
        }
        let problem = Problem { line: self.origins.line(key), key: key.to_owned(), message: message.into() };
        self.problems.push(problem);
    }

    /// Only where the file says something about the key: nobody needs to hear of what they did not ask for.
    fn notice(&mut self, key: &str, message: &str) {
        if self.origins.is_given(key) {
            let line = self.origins.line(key);
            self.notices.push(Notice { line, key: key.to_owned(), message: message.to_owned() });
        }
    }

    fn range(&mut self, key: &str, value: u64, min: u64, max: u64) {
        if !(min..=max).contains(&value) {
            self.refuse(key, format!("{value} is out of range: it must be from {min} to {max}"));
        }
    }

    fn coordination(&mut self, config: &Config) {
        let key = "coordination.endpoints";
        let backend = config.coordination.backend;
        let endpoints = &config.coordination.endpoints;
        if backend == CoordinationBackend::Embedded && !endpoints.is_empty() {
            self.refuse(key, "the embedded backend has no endpoints");
        }
        if backend != CoordinationBackend::Embedded && endpoints.is_empty() {
            self.refuse(key, format!("is missing: the addresses of {backend}"));
        }
        for endpoint in endpoints {
            let server = match backend {
                CoordinationBackend::Etcd => {
                    endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"))
                }
                _ => Some(endpoint.as_str()),
            };
            if server.is_none_or(|server| server.parse::<topology::Address>().is_err()) {
                self.refuse(key, format!("{endpoint:?} is not an address of {backend}"));
            }
        }
        self.range("coordination.lease_ms", config.coordination.lease_ms, 300, 600_000);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let prefix = &config.coordination.prefix;
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(plain) {
            self.refuse("coordination.prefix", "must be 1 to 64 letters, digits, or any of -_.");
        }
    }

    fn gateway(&mut self, config: &Config) {
        let gateway = &config.gateway;
        if gateway.listen.is_empty() {
            self.refuse("gateway.listen", "must have at least one address");
        }
        self.range("gateway.workers", gateway.workers as u64, 0, 1024);
        self.range("gateway.max_connections", gateway.max_connections.into(), 1, 4_000_000);
        self.range("gateway.login_timeout_ms", gateway.login_timeout_ms, 100, 3_600_000);
        self.range("gateway.max_packet_bytes", gateway.max_packet_bytes, 1024, 1024 * 1024 * 1024);
        self.range("gateway.hold_ms", gateway.hold_ms, 0, 3_600_000);
        self.range("gateway.digest_cache", gateway.digest_cache as u64, 16, 10_000_000);
        if let Some(cluster) = &gateway.default_cluster {
            self.known_cluster("gateway.default_cluster", config, cluster);
        }
        let printable = |version: &str| {
            (1..=100).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic())
        };
        if gateway.version.as_deref().is_some_and(|version| !printable(version)) {
            self.refuse(
                "gateway.version",
                "must be 1 to 100 visible ASCII characters, such as \"10.11.6-MariaDB\"",
            );
        }
    }

    fn admin(&mut self, config: &Config) {
        self.advertised(config);
        if config.admin.enabled && !config.admin.listen.ip().is_loopback() {
            let message = "is reachable from other machines, and the admin API has no authentication yet";
            self.notice("admin.listen", message);
        }
    }

    /// Where nodes share a store, they give each other orders.
    fn advertised(&mut self, config: &Config) {
        let shared = config.coordination.backend != CoordinationBackend::Embedded;
        let Some(at) = config.admin.reached_at().filter(|_| shared) else { return };
        let host = at.parse::<topology::Address>().map(|at| at.host).unwrap_or_default();
        if is_loopback(&host) {
            let keys = ["admin.advertise", "admin.listen", "coordination.backend"];
            let given = keys.into_iter().find(|key| self.origins.is_given(key)).unwrap_or_default();
            let message = format!(
                "nodes on other machines cannot pass orders on to this one: they would find it at {at}, which is an address of \
                 each machine itself (admin.listen, admin.advertise)"
            );
            self.notice(given, &message);
        }
    }

    fn log(&mut self, config: &Config) {
        const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        for directive in config.log.level.split(',') {
            let (target, level) = directive.split_once('=').unwrap_or(("hadal", directive));
            if !LEVELS.contains(&level) || target.is_empty() || !target.chars().all(part) {
                let levels = LEVELS.join(", ");
                self.refuse("log.level", format!("{directive:?} is not a level ({levels}) or PART=LEVEL"));
            }
        }
    }

    fn clusters(&mut self, config: &Config) {
        if config.clusters.is_empty() {
            self.refuse("clusters", "no cluster is configured: add a section such as [clusters.main]");
        }
        for (name, cluster) in &config.clusters {
            self.cluster(config, name, cluster);
        }
    }

    fn cluster(&mut self, config: &Config, name: &str, cluster: &Cluster) {
        let section = join("clusters", name);
        let key = |name: &str| format!("{section}.{name}");
        if self.origins.is_given(&key("servers")) && cluster.servers.is_empty() {
            self.refuse(&key("servers"), "must have at least one server");
        }
        if self.origins.is_given(&key("admin_user")) && cluster.admin_user.is_empty() {
            self.refuse(&key("admin_user"), "must not be empty");
        }
        for (i, server) in cluster.servers.iter().enumerate() {
            if cluster.servers.iter().take(i).any(|other| other == server) {
                self.refuse(&key("servers"), format!("{server} is there twice"));
            }
        }
        self.consistency(&key("consistency"), cluster.consistency);
        self.range(&key("poll_interval_ms"), cluster.poll_interval_ms, 50, 60_000);
        self.range(&key("max_lag_ms"), cluster.max_lag_ms, 1, u64::from(u32::MAX));
        self.range(&key("causal_wait_ms"), cluster.causal_wait_ms, 0, 60_000);
        self.pool(&section, cluster);
        self.rebuild(&section, cluster);
        self.weights(&section, cluster);
        self.tables(&section, config, name, cluster);
        self.range(&key("failover_silence_ms"), cluster.failover_silence_ms, 500, 3_600_000);
        if cluster.failover_stall_ms != 0 {
            self.range(&key("failover_stall_ms"), cluster.failover_stall_ms, 2000, 3_600_000);
        }
        self.range(&key("failover_pause_ms"), cluster.failover_pause_ms, 0, 86_400_000);
        self.range(&key("switchover_timeout_ms"), cluster.switchover_timeout_ms, 100, 3_600_000);
        self.range(&key("switchover_grace_ms"), cluster.switchover_grace_ms, 0, 3_600_000);
        let named = cluster.promotion.keys().map(|s| ("promotion", s));
        for (table, server) in named.chain(cluster.zones.keys().map(|s| ("zones", s))) {
            if server.parse::<topology::Address>().is_err() {
                self.refuse(&join(&key(table), server), "must be named \"HOST:PORT\", as in `servers`");
            }
        }
        if cluster.failover == Failover::Auto && cluster.replication_user.is_empty() {
            self.notice(
                &key("failover"),
                "a former primary cannot become a replica by itself without `replication_user`",
            );
        }
        if cluster.accounts == AccountsSource::Config
            && !config.users.values().any(|user| user.password.is_some())
        {
            self.refuse(
                &key("accounts"),
                "nobody could log in: give the users passwords in [users.*], or use \"servers\"",
            );
        }
    }

    fn rebuild(&mut self, section: &str, cluster: &Cluster) {
        let rebuild = &cluster.rebuild;
        let key = |name: &str| format!("{section}.rebuild.{name}");
        self.range(&key("rate_limit_mib"), rebuild.rate_limit_mib, 0, 1_000_000);
        self.range(&key("timeout_s"), rebuild.timeout_s, 10, 30 * 86_400);
        for (name, command) in [("stop", &rebuild.stop), ("start", &rebuild.start)] {
            if command.trim().is_empty() {
                self.refuse(&key(name), "must not be empty");
            }
        }
        self.shell_leads_there(section, cluster);
        if rebuild.backup_user.is_empty() && !rebuild.backup_password.expose().is_empty() {
            self.refuse(&key("backup_password"), "belongs to `backup_user`, which is missing");
        }
        if rebuild.backup_password.expose().contains(['\n', '\r', '\0']) {
            self.refuse(&key("backup_password"), "must be one line");
        }
        let relative = !rebuild.data_dir.is_empty() && !rebuild.data_dir.starts_with('/');
        if relative || rebuild.data_dir.trim_end_matches('/').is_empty() && !rebuild.data_dir.is_empty() {
            self.refuse(&key("data_dir"), "must be the path of a folder from the root on");
        }
        if rebuild.policy == RebuildPolicy::Automatic && cluster.replication_user.is_empty() {
            self.refuse(&key("policy"), "\"automatic\" needs the cluster's `replication_user`");
        }
    }

    /// Servers on different hosts are not all on this machine. Nobody needs to hear that who does not ask for rebuilds.
    fn shell_leads_there(&mut self, section: &str, cluster: &Cluster) {
        let section = join(section, "rebuild");
        if !cluster.rebuild.shell.trim().is_empty() || !self.origins.is_given(&section) {
            return;
        }
        let mut hosts: Vec<_> = cluster.servers.iter().map(|server| server.host.as_str()).collect();
        hosts.dedup_by(|a, b| a.eq_ignore_ascii_case(b) || is_loopback(a) && is_loopback(b));
        if let [one, other, ..] = hosts.as_slice() {
            let elsewhere = if is_loopback(other) { one } else { other };
            let message = format!(
                "must say how a script gets to the hosts of the servers, such as \"ssh -o BatchMode=yes mysql@{{host}}\": \
                 without it they are all taken to be on this machine, and {elsewhere} is another one"
            );
            self.refuse(&join(&section, "shell"), message);
        }
    }

    fn pool(&mut self, section: &str, cluster: &Cluster) {
        let pool = &cluster.pool;
        let key = |name: &str| format!("{section}.pool.{name}");
        self.range(&key("max_connections"), pool.max_connections.into(), 1, 100_000);
        self.range(&key("connect_timeout_ms"), pool.connect_timeout_ms, 10, 600_000);
        self.range(&key("wait_timeout_ms"), pool.wait_timeout_ms, 1, 3_600_000);
        self.range(&key("idle_timeout_ms"), pool.idle_timeout_ms, 1, u64::from(u32::MAX));
        self.range(&key("max_lifetime_ms"), pool.max_lifetime_ms, 1000, u64::from(u32::MAX));
        self.range(&key("prepared_statements"), pool.prepared_statements.into(), 1, 16_382);
        if pool.min_idle > pool.max_connections {
            self.refuse(
                &key("min_idle"),
                format!("{} is more than max_connections ({})", pool.min_idle, pool.max_connections),
            );
        }
    }

    fn weights(&mut self, section: &str, cluster: &Cluster) {
        let section = join(section, "weights");
        for (server, weight) in &cluster.weights {
            let key = join(&section, server);
            if server.parse::<topology::Address>().is_err() {
                self.refuse(&key, "must be named \"HOST:PORT\", as in `servers`");
            }
            self.range(&key, (*weight).into(), 0, 1_000_000);
        }
    }

    fn tables(&mut self, section: &str, config: &Config, name: &str, cluster: &Cluster) {
        let section = join(section, "tables");
        for (text, target) in &cluster.tables {
            let key = join(&section, text);
            match TablePattern::parse(text) {
                None => self.refuse(&key, "must be named TABLE, SCHEMA.TABLE or SCHEMA.*"),
                Some(pattern) if pattern.is_of_the_system() => {
                    self.refuse(&key, "is about a schema that every server has for itself");
                }
                Some(pattern) => self.only_rule(&key, config, (name, text), &pattern),
            }
            if target == name {
                self.refuse(&key, "names the cluster that the rule belongs to");
            }
            self.known_cluster(&key, config, target);
        }
    }

    /// One pattern, one rule: with two of them the order of the sections would decide. `own` is told apart from the
    /// others by its cluster and its text.
    fn only_rule(&mut self, key: &str, config: &Config, own: (&str, &str), pattern: &TablePattern) {
        let rules = config.clusters.iter().flat_map(|(name, cluster)| {
            cluster.tables.keys().map(move |text| (name.as_str(), text.as_str()))
        });
        let other = rules
            .filter(|rule| *rule != own)
            .find(|(_, text)| TablePattern::parse(text).as_ref() == Some(pattern));
        if let Some((cluster, text)) = other {
            let other = join(&join(&join("clusters", cluster), "tables"), text);
            self.refuse(key, format!("is a rule already: {other}; of what it covers there can be one"));
        }
    }

    fn known_cluster(&mut self, key: &str, config: &Config, name: &str) {
        if !config.clusters.contains_key(name) && !config.clusters.is_empty() {
            let known: Vec<&str> = config.clusters.keys().map(String::as_str).collect();
            self.refuse(key, format!("there is no cluster {name:?}, there is: {}", known.join(", ")));
        }
    }

    fn consistency(&mut self, key: &str, consistency: Consistency) {
        if matches!(consistency, Consistency::Bounded | Consistency::Global | Consistency::Strong) {
            self.refuse(
                key,
                format!("\"{consistency}\" is not available yet; available are \"session\" and \"eventual\""),
            );
        }
    }

    fn user(&mut self, config: &Config, name: &str, user: &User) {
        let section = join("users", name);
        let key = |name: &str| format!("{section}.{name}");
        if let Some(consistency) = user.consistency {
            self.consistency(&key("consistency"), consistency);
        }
        if let Some(max) = user.max_connections {
            self.range(&key("max_connections"), max.into(), 1, 100_000);
        }
        match &user.cluster {
            Some(cluster) => self.known_cluster(&key("cluster"), config, cluster),
            None if config.clusters.len() > 1 && config.default_cluster().is_none() => {
                self.refuse(&section, "`cluster` is missing: there are several, and the user belongs to one");
            }
            None => {}
        }
    }
}
