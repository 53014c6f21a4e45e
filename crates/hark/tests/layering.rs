//! Who may import whom: the rules of ARCHITECTURE.md, read from what cargo resolves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

const OURS: [&str; 8] = [
    "bus",
    "detector",
    "domain",
    "forest",
    "google",
    "hark",
    "simulator",
    "warehouse",
];

/// The direct dependencies of each of our crates, without those that only tests use.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    let normal = |it: &&Value| it["kind"].is_null();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|it| {
            (
                name(it),
                it["dependencies"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(normal)
                    .map(name)
                    .collect(),
            )
        })
        .collect()
}

#[track_caller]
fn imports_of_ours(of: &str, allowed: &[&str]) {
    let dependencies = dependencies();
    let ours: Vec<&str> = OURS.into_iter().filter(|it| dependencies[of].contains(*it)).collect();
    assert_eq!(ours, allowed, "{of}");
}

#[test]
fn each_crate_imports_what_the_architecture_allows() {
    imports_of_ours("domain", &[]);
    imports_of_ours("forest", &[]);
    imports_of_ours("simulator", &["domain"]);
    imports_of_ours("detector", &["domain", "forest"]);
    imports_of_ours("google", &[]);
    imports_of_ours("bus", &["domain", "google"]);
    imports_of_ours("warehouse", &["domain", "google"]);
    imports_of_ours(
        "hark",
        &["bus", "detector", "domain", "forest", "simulator", "warehouse"],
    );
}

#[test]
fn every_crate_of_the_workspace_has_a_rule() {
    assert_eq!(dependencies().keys().map(String::as_str).collect::<Vec<_>>(), OURS);
}

#[test]
fn the_pure_crates_know_no_runtime_no_server_and_no_database() {
    let dependencies = dependencies();
    for pure in ["domain", "forest", "detector", "simulator"] {
        for heavy in ["tokio", "axum", "hyper", "rusqlite", "clap", "tracing", "metrics"] {
            assert!(!dependencies[pure].contains(heavy), "{pure} imports {heavy}");
        }
    }
}
