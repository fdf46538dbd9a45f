//! The file that users and tools rely on keeps its meaning: no key of it may ever be renamed.

use config::{AccountsSource, Consistency, CoordinationBackend, Failover};

const CONTRACT: &str = r#"
[node]
name = "gw-1"
data_dir = "/var/lib/hadal"

[coordination]
backend = "embedded"
endpoints = []

[clusters.main]
servers = ["127.0.0.1:16001", "127.0.0.1:16002", "127.0.0.1:16003"]
admin_user = "hadal"
admin_password = "secret"
consistency = "session"
max_lag_ms = 1000
failover = "auto"
lossless = true
accounts = "servers"

[gateway]
listen = ["127.0.0.1:6033"]
workers = 0

[users.app]
password = "app"
cluster = "main"

[admin]
listen = "127.0.0.1:6080"
"#;

#[test]
fn the_contract_is_read_as_it_is_written() {
    let loaded = config::parse(CONTRACT, "hadal.toml").unwrap();
    let config = loaded.config;
    assert_eq!(config.node.effective_name(), "gw-1");
    assert_eq!(config.coordination.backend, CoordinationBackend::Embedded);
    let cluster = &config.clusters["main"];
    assert_eq!(cluster.servers[2].to_string(), "127.0.0.1:16003");
    assert_eq!((cluster.admin_user.as_str(), cluster.admin_password.expose()), ("hadal", "secret"));
    assert_eq!((cluster.consistency, cluster.failover), (Consistency::Session, Failover::Auto));
    assert_eq!(
        (cluster.accounts, cluster.lossless, cluster.max_lag_ms),
        (AccountsSource::Servers, true, 1000)
    );
    assert_eq!(config.users["app"].password.as_ref().map(|password| password.expose()), Some("app"));
    assert_eq!(config.gateway.listen[0].port(), 6033);
    assert_eq!(config.admin.listen.port(), 6080);
    let unavailable: Vec<_> = loaded.notices.iter().map(|notice| notice.key.as_str()).collect();
    assert_eq!(unavailable, ["clusters.main.failover"]);
}

#[test]
fn what_is_left_out_has_the_default_of_the_contract() {
    let least = "[clusters.main]\nservers = [\"db1:3306\"]\nadmin_user = \"hadal\"\nadmin_password = \"x\"\n";
    let left_out = config::Config::parse(least, "least.toml").unwrap();
    let spelt_out = config::Config::parse(CONTRACT, "contract.toml").unwrap();
    assert_eq!(left_out.gateway, spelt_out.gateway);
    assert_eq!(left_out.admin, spelt_out.admin);
    let mut cluster = left_out.clusters["main"].clone();
    let same = &spelt_out.clusters["main"];
    cluster.servers.clone_from(&same.servers);
    cluster.admin_password = same.admin_password.clone();
    assert_eq!(&cluster, same);
}
