//! The user's reference is what the doc comments say, and its example is right.

use std::path::Path;

#[test]
fn the_reference_is_what_the_doc_comments_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let generated = config::reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/configuration.md is out of date: run `UPDATE=1 cargo test -p config`"
    );
}

#[test]
fn the_example_in_the_reference_passes_the_check() {
    let text = config::reference();
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    // The variable of the example is not set here; everything else must be right.
    let example = example.replace("{ env = \"HADAL_ADMIN_PASSWORD\" }", "\"secret\"");
    let config = config::Config::parse(&example, "example").unwrap();
    assert_eq!(config.clusters["main"].pool.max_connections, 50);
}

#[test]
fn every_key_is_documented() {
    for entry in config::reference().split("\n### ").skip(1) {
        let mut paragraphs = entry.split("\n\n").skip(2);
        assert!(paragraphs.next().is_some_and(|text| text.trim().len() > 5), "{entry}");
    }
}
