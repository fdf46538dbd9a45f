//! Whatever is wrong with a file is named with its line and key, all of it at once.

use config::{Config, ConfigError};

const CLUSTER: &str =
    "[clusters.main]\nservers = [\"db1:3306\"]\nadmin_user = \"hadal\"\nadmin_password = \"secret\"\n";

/// What is wrong with the text, as `hadal check` prints it.
fn problems(text: &str) -> String {
    match Config::parse(text, "hadal.toml") {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// What is wrong with the text after a good cluster, whose last line is the fourth.
fn with_cluster(text: &str) -> String {
    problems(&format!("{CLUSTER}{text}"))
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert_eq!(
        with_cluster("max_lag = 5\n"),
        "hadal.toml:5: clusters.main.max_lag: unknown key, did you mean `max_lag_ms`?"
    );
    assert_eq!(
        with_cluster("[clusters.main.pool]\nmax_conections = 5\n"),
        "hadal.toml:6: clusters.main.pool.max_conections: unknown key, did you mean `max_connections`?"
    );
    assert_eq!(
        with_cluster("[admin]\nx = 5\n"),
        "hadal.toml:6: admin.x: unknown key, the keys here are listen, advertise, enabled"
    );
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_lines() {
    let text = "[clusters.main]\nservers = [\"db1\", 3]\nconsistency = \"sesion\"\nadmin_user = \"u\"\n[gateway]\nworkers = -1\nlisten = \"x\"\n";
    assert_eq!(
        problems(text).lines().collect::<Vec<_>>(),
        [
            "hadal.toml:1: clusters.main.admin_password: is missing: \"TEXT\" | { env = \"NAME\" } | { file = \"PATH\" }",
            "hadal.toml:2: clusters.main.servers: \"db1\" is not HOST:PORT, such as \"db1.example.com:3306\"",
            "hadal.toml:2: clusters.main.servers: is a whole number, but must be: \"HOST:PORT\"",
            "hadal.toml:3: clusters.main.consistency: \"sesion\" is not one of session, eventual, bounded, global, strong, did you mean \"session\"?",
            "hadal.toml:6: gateway.workers: -1 is out of range: it must be from 0 to 18446744073709551615",
            "hadal.toml:7: gateway.listen: is text, but must be: [\"IP:PORT\", …]",
        ]
    );
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    assert!(
        problems("[node]\nname = \"a\nx = 1\n").starts_with("hadal.toml:2: "),
        "{}",
        problems("[node]\nname = \"a\nx = 1\n")
    );
    assert!(with_cluster("admin_user = \"again\"\n").contains("hadal.toml:5: duplicate key"));
}

#[test]
fn what_is_not_available_yet_says_what_is() {
    let told = with_cluster("consistency = \"strong\"\n");
    assert_eq!(
        told,
        "hadal.toml:5: clusters.main.consistency: \"strong\" is not available yet; available are \"session\" and \"eventual\""
    );
    let loaded = config::parse(&format!("{CLUSTER}failover = \"auto\"\n[coordination]\n"), "f").unwrap();
    let keys: Vec<_> = loaded.notices.iter().map(|notice| (notice.key.as_str(), notice.line)).collect();
    assert_eq!(keys, [("clusters.main.failover", Some(5))]);
    let exposed = config::parse(&format!("{CLUSTER}[admin]\nlisten = \"0.0.0.0:6080\"\n"), "f").unwrap();
    assert_eq!(exposed.notices.len(), 1);
    assert!(config::parse(CLUSTER, "f").unwrap().notices.is_empty(), "nobody asked for anything unavailable");
}

#[test]
fn values_out_of_range_and_dangling_names_are_refused() {
    for (text, expected) in [
        ("poll_interval_ms = 1\n", "hadal.toml:5: clusters.main.poll_interval_ms: 1 is out of range"),
        (
            "max_lag_ms = 99999999999999999999\n",
            "hadal.toml:5: clusters.main.max_lag_ms: 99999999999999999999 is out of range",
        ),
        (
            "[clusters.main.tables]\n\"logs.*\" = \"other\"\n",
            "hadal.toml:6: clusters.main.tables.\"logs.*\": there is no cluster \"other\", there is: main",
        ),
        (
            "[clusters.main.tables]\n\"a*\" = \"main\"\n",
            "hadal.toml:6: clusters.main.tables.\"a*\": must be named",
        ),
        (
            "[clusters.main.tables]\n\"mysql.*\" = \"main\"\n",
            "hadal.toml:6: clusters.main.tables.\"mysql.*\": is about a schema that every server has",
        ),
        (
            "[gateway]\ndefault_cluster = \"mian\"\n",
            "hadal.toml:6: gateway.default_cluster: there is no cluster \"mian\", there is: main",
        ),
        (
            "[clusters.main.weights]\ndb1 = 2\n",
            "hadal.toml:6: clusters.main.weights.db1: must be named \"HOST:PORT\"",
        ),
        (
            "[clusters.main.pool]\nmax_connections = 1\nmin_idle = 2\n",
            "hadal.toml:7: clusters.main.pool.min_idle: 2 is more",
        ),
        (
            "[users.app]\ncluster = \"mian\"\n",
            "hadal.toml:6: users.app.cluster: there is no cluster \"mian\"",
        ),
        ("accounts = \"config\"\n", "hadal.toml:5: clusters.main.accounts: nobody could log in"),
        (
            "[coordination]\nbackend = \"etcd\"\nendpoints = [\"db1\"]\n",
            "hadal.toml:7: coordination.endpoints: \"db1\" is not an address of etcd",
        ),
        (
            "[log]\nlevel = \"info,cluster=loud\"\n",
            "hadal.toml:6: log.level: \"cluster=loud\" is not a level",
        ),
        ("[log]\nlevel = \"\"\n", "hadal.toml:6: log.level: \"\" is not a level"),
        ("[gateway]\nlisten = []\n", "hadal.toml:6: gateway.listen: must have at least one"),
    ] {
        let told = with_cluster(text);
        assert!(told.starts_with(expected), "{text:?}\n   told {told:?}\nwanted {expected:?}");
    }
    assert_eq!(
        problems(""),
        "hadal.toml: clusters: no cluster is configured: add a section such as [clusters.main]"
    );
    let second = CLUSTER.replace("main", "other");
    let told = with_cluster(&format!("{second}[users.app]\n"));
    assert!(told.starts_with("hadal.toml:9: users.app: `cluster` is missing"), "{told}");
}

#[test]
fn servers_of_several_hosts_are_rebuilt_through_a_shell_only() {
    let told = |servers: &str, rebuild: &str| {
        let text = CLUSTER.replace("\"db1:3306\"", servers);
        problems(&format!("{text}{rebuild}"))
    };
    let (two, asked) = ("\"db1:3306\", \"db2:3306\"", "[clusters.main.rebuild]\nkeep_old = true\n");
    assert!(told(two, asked).starts_with("hadal.toml:5: clusters.main.rebuild.shell: must say how"));
    assert!(told(two, asked).ends_with("and db2 is another one"), "{}", told(two, asked));
    assert!(told("\"127.0.0.1:1\", \"db2:1\", \"localhost:2\"", asked).ends_with("and db2 is another one"));
    assert!(told("\"db2:1\", \"127.0.0.1:1\"", asked).ends_with("and db2 is another one"));
    assert_eq!(told(two, ""), "", "nobody asked for rebuilds");
    assert_eq!(told(two, &format!("{asked}shell = \"ssh {{host}}\"\n")), "");
    for here in ["\"db1:1\", \"DB1:2\"", "\"127.0.0.1:1\", \"localhost:2\", \"[::1]:3\""] {
        assert_eq!(told(here, asked), "", "{here}");
    }
}

#[test]
fn nodes_that_share_a_store_are_told_where_others_do_not_reach_them() {
    let told = |text: &str| {
        let text = format!("{CLUSTER}{text}");
        let notices = config::parse(&text, "f").unwrap().notices;
        notices.into_iter().map(|notice| notice.key).collect::<Vec<_>>()
    };
    let etcd = "[coordination]\nbackend = \"etcd\"\nendpoints = [\"http://10.0.0.9:2379\"]\n";
    assert_eq!(told(etcd), ["coordination.backend"]);
    assert_eq!(told(&format!("{etcd}[admin]\nadvertise = \"localhost:6080\"\n")), ["admin.advertise"]);
    assert_eq!(told(&format!("{etcd}[admin]\nlisten = \"[::1]:6080\"\n")), ["admin.listen"]);
    assert!(told(&format!("{etcd}[admin]\nadvertise = \"10.0.0.1:6080\"\n")).is_empty());
    assert!(told(&format!("{etcd}[admin]\nenabled = false\n")).is_empty());
    assert!(told("[admin]\nadvertise = \"localhost:6080\"\n").is_empty(), "there is nobody else");
}

#[test]
fn a_pattern_belongs_to_one_rule() {
    let second = CLUSTER.replace("main", "other");
    let third = CLUSTER.replace("main", "third");
    let told = with_cluster(&format!(
        "[clusters.main.tables]\n\"Logs.*\" = \"third\"\n{second}[clusters.other.tables]\n\"logs.*\" = \"third\"\n{third}"
    ));
    assert!(
        told.contains("clusters.main.tables.\"Logs.*\": is a rule already: clusters.other.tables.\"logs.*\""),
        "{told}"
    );
    assert!(
        told.contains("clusters.other.tables.\"logs.*\": is a rule already: clusters.main.tables.\"Logs.*\""),
        "{told}"
    );
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn users_without_a_cluster_belong_to_the_one_that_no_rule_points_to() {
    let second = CLUSTER.replace("main", "archive");
    let parsed = |text: &str| config::parse(text, "f").map(|loaded| loaded.config);
    assert_eq!(parsed(CLUSTER).unwrap().default_cluster(), Some("main"));
    assert_eq!(parsed(&format!("{CLUSTER}{second}")).unwrap().default_cluster(), None);
    let ruled = format!("{CLUSTER}[clusters.main.tables]\nold = \"archive\"\n{second}[users.app]\n");
    assert_eq!(parsed(&ruled).unwrap().default_cluster(), Some("main"));
    let said = format!("{ruled}[gateway]\ndefault_cluster = \"archive\"\n");
    assert_eq!(parsed(&said).unwrap().default_cluster(), Some("archive"));
}

#[test]
fn secrets_come_from_text_environment_and_files_and_never_show() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "p\u{e4}ss \r\n").unwrap();
    let text = CLUSTER.replace("\"secret\"", "{ file = \"password\" }");
    let path = folder.path().join("hadal.toml");
    std::fs::write(&path, &text).unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.clusters["main"].admin_password.expose(), "p\u{e4}ss ");
    assert!(!format!("{config:?}").contains("p\u{e4}ss"));

    let of = |value: &str| problems(&CLUSTER.replace("\"secret\"", value));
    assert_eq!(of("{ env = \"PATH\" }"), "");
    for (value, expected) in [
        (
            "{ env = \"HADAL_NO_SUCH_VARIABLE\" }",
            "the environment variable HADAL_NO_SUCH_VARIABLE is not set",
        ),
        ("{ env = \"\" }", "is not set"),
        ("{ file = \"/no/such/file\" }", "cannot read /no/such/file"),
        ("{ file = \"a\", env = \"b\" }", "exactly one of"),
        ("{ enve = \"b\" }", "did you mean `env`?"),
        ("7", "is a whole number, but must be"),
    ] {
        let told = of(value);
        assert!(told.starts_with("hadal.toml:4: ") && told.contains(expected), "{value}: {told}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load("/no/such/hadal.toml".as_ref()).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
    assert!(error.to_string().starts_with("cannot read /no/such/hadal.toml: "), "{error}");
}
