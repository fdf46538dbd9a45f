//! The `wrappers` of deny.toml: a heavy dependency is imported by exactly one of our crates.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use serde_json::Value;

/// Who imports what, tests left out.
fn imports() -> Vec<(String, String)> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path", manifest])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |package: &Value| -> Vec<_> {
        let all = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev");
        all.map(|dependency| (text(&package["name"]), text(&dependency["name"]))).collect()
    };
    metadata["packages"].as_array().unwrap().iter().flat_map(of).collect()
}

#[test]
fn what_deny_toml_keeps_in_one_crate_is_imported_by_no_other() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
    let deny: toml::Table = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let imports = imports();
    let rules = deny["bans"]["deny"].as_array().unwrap();
    assert!(rules.len() > 3);
    for rule in rules {
        let (name, reason) = (rule["crate"].as_str().unwrap(), rule["reason"].as_str().unwrap());
        let empty = Vec::new();
        let wrappers = rule.get("wrappers").map_or(&empty, |list| list.as_array().unwrap());
        for (importer, _) in imports.iter().filter(|(_, imported)| imported == name) {
            let allowed = wrappers.iter().any(|wrapper| wrapper.as_str() == Some(importer));
            assert!(allowed, "{importer} must not import {name}: {reason}");
        }
        let own = wrappers.iter().filter_map(|wrapper| wrapper.as_str());
        for wrapper in own.filter(|wrapper| imports.iter().any(|(importer, _)| importer == wrapper)) {
            let used = imports.iter().any(|(importer, imported)| importer == wrapper && imported == name);
            assert!(used, "{wrapper} no longer imports {name}: take it out of deny.toml");
        }
    }
}
