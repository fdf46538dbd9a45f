//! Whatever is in the file, the reader ends with a configuration or with problems that name a place; it never panics.

use config::{Config, ConfigError};
use proptest::prelude::*;

const WHOLE: &str = r#"
[node]
name = "gw-1"
[coordination]
backend = "etcd"
endpoints = ["http://127.0.0.1:2379"]
[clusters.main]
servers = ["127.0.0.1:16001", "[::1]:16002"]
admin_user = "hadal"
admin_password = { env = "PATH" }
consistency = "session"
max_lag_ms = 1_000
weights = { "127.0.0.1:16001" = 0x10 }
[clusters.main.pool]
max_connections = 50
[gateway]
listen = ["127.0.0.1:6033"]
version = "10.11.6-MariaDB"
[users."a b"]
password = "x"
transaction_split = "until-first-write"
[admin]
enabled = true
[log]
level = "info,cluster=debug"
"#;

/// What a slip or a broken editor puts in the place of something else.
const PIECES: &[&str] = &[
    "",
    "\"",
    "'''",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "-1",
    "1e9",
    "nan",
    "true",
    "99999999999999999999999",
    "1979-05-27",
    "\u{0}",
    "\u{1F600}",
    "\"\\u0000\"",
    "{ env = \"A=B\" }",
    "{ file = \"\" }",
    "clusters",
    "users.x.y = 1\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_refused_with_lines_that_exist(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, any::<prop::sample::Index>()), 1..6)
    ) {
        let mut text: Vec<char> = WHOLE.chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(text.len() + 1).min(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.get(PIECES).chars());
        }
        let text: String = text.into_iter().collect();
        match Config::parse(&text, "damaged.toml") {
            Ok(config) => prop_assert!(!config.clusters.is_empty()),
            Err(ConfigError::Invalid { problems, .. }) => {
                prop_assert!(!problems.is_empty());
                let lines = text.split('\n').count();
                for problem in problems {
                    prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
                    prop_assert!(!problem.message.is_empty());
                }
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

#[test]
fn the_file_that_is_damaged_is_right_before() {
    Config::parse(WHOLE, "whole.toml").unwrap();
}
