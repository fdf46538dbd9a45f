//! The layer table of ARCHITECTURE.md: a crate imports only from lower layers, and services never import each other.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What a crate may import is decided by its layer: everything below, nothing beside.
const LAYERS: &[(&str, &[&str])] = &[
    ("0 vocabulary", &["topology", "mysql-wire", "sql"]),
    ("1 platform", &["config", "lifecycle", "telemetry", "mysql-client"]),
    ("2 agreement", &["coordination"]),
    ("3 services", &["gateway", "cluster"]),
    ("4 face", &["admin"]),
    ("5 wiring", &["hadal"]),
];

/// Programs that only drive the crates from outside.
const OUTSIDE: &[&str] = &["fuzz"];

/// Crates that layer 0 must do without: the vocabulary has no I/O, no clock and no tasks.
const NOT_IN_THE_VOCABULARY: &[&str] = &["tokio", "socket2", "axum", "mio", "tracing-subscriber"];

/// The face knows the services only as traits.
const THE_FACE_DOES_WITHOUT: &[&str] = &["gateway", "cluster", "mysql-client", "mysql-wire", "sql"];

/// Name of every crate of the workspace with the names of what it depends on, tests left out.
fn crates() -> BTreeMap<String, Vec<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path", manifest])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|p| (name(p), dependencies(p))).collect()
}

fn layer_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, crates)| crates.contains(&name))
}

/// Every import that the table forbids.
fn violations(crates: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in crates.iter().filter(|(name, _)| !OUTSIDE.contains(&name.as_str())) {
        let Some(layer) = layer_of(name) else {
            found.push(format!("{name} has no layer: add it to server/tests/layers.rs and ARCHITECTURE.md"));
            continue;
        };
        for dependency in dependencies {
            let too_high = layer_of(dependency).is_some_and(|other| other >= layer);
            let impure = layer == 0 && NOT_IN_THE_VOCABULARY.contains(&dependency.as_str());
            let face = name == "admin" && THE_FACE_DOES_WITHOUT.contains(&dependency.as_str());
            if too_high || impure || face {
                found.push(format!("{name} must not import {dependency}"));
            }
        }
    }
    found
}

#[test]
fn every_crate_imports_only_from_lower_layers() {
    let found = violations(&crates());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_rules_catch_what_they_are_for() {
    for (name, dependency) in [
        ("gateway", "cluster"),
        ("cluster", "gateway"),
        ("config", "telemetry"),
        ("topology", "config"),
        ("sql", "tokio"),
        ("admin", "gateway"),
        ("newcomer", "serde"),
    ] {
        let crates = BTreeMap::from([(name.to_owned(), vec![dependency.to_owned()])]);
        assert_eq!(violations(&crates).len(), 1, "{name} importing {dependency} went unnoticed");
    }
}
