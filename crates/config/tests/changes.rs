//! What a changed file means to a running process.

use config::{Applies, Config, changes};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn config(text: &str) -> Config {
    let cluster = "[clusters.main]\nservers = [\"db1:3306\"]\nadmin_user = \"hadal\"\n";
    Config::parse(&format!("{cluster}{text}"), "test").unwrap()
}

fn told(old: &str, new: &str) -> Vec<(String, Option<String>, Option<String>, Applies)> {
    changes(&config(old), &config(new)).into_iter().map(|c| (c.key, c.old, c.new, c.applies)).collect()
}

const BASE: &str = "admin_password = \"one\"\n";

#[test]
fn the_same_settings_in_other_words_are_no_change() {
    let spelt_out = format!("consistency = \"session\"\n{BASE}poll_interval_ms = 0x1F4\n[gateway]\n");
    assert_eq!(told(BASE, &spelt_out), []);
}

#[test]
fn changes_name_key_values_and_when_they_apply() {
    let new = format!(
        "balance = \"hash-user\"\n{BASE}[gateway]\nworkers = 2\n[users.app]\nconsistency = \"eventual\"\n"
    );
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        told(BASE, &new),
        [
            (
                "clusters.main.balance".to_owned(),
                some("\"least-outstanding\""),
                some("\"hash-user\""),
                Applies::Live
            ),
            ("gateway.workers".to_owned(), some("0"), some("2"), Applies::Restart),
            ("users.app".to_owned(), None, some("…"), Applies::Live),
            ("users.app.consistency".to_owned(), None, some("\"eventual\""), Applies::Live),
        ]
    );
}

#[test]
fn a_changed_secret_is_seen_but_not_shown() {
    let some = || Some("(secret)".to_owned());
    assert_eq!(
        told(BASE, "admin_password = \"two\"\n"),
        [("clusters.main.admin_password".to_owned(), some(), some(), Applies::Restart)]
    );
}

#[test]
fn a_cluster_that_comes_or_goes_needs_a_restart() {
    let second =
        format!("{BASE}[clusters.b]\nservers = [\"db2:3306\"]\nadmin_user = \"h\"\nadmin_password = \"x\"\n");
    for (old, new) in [(BASE, second.as_str()), (second.as_str(), BASE)] {
        let told = told(old, new);
        assert_eq!((told[0].0.as_str(), told[0].3), ("clusters.b", Applies::Restart), "{told:?}");
    }
}
