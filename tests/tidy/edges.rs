//! Which crate may depend on which: the floors of the house, and the fences around what comes from outside.
//!
//! Read from `cargo metadata`, so that what counts is what cargo builds and not how a manifest is written.

use crate::house::{Breach, hold, root};
use serde_json::Value;
use std::process::Command;

/// A crate of ours and those that it may name, of every kind of dependency.
const EDGES: [(&str, &[&str]); 10] = [
    ("pointbridge-proto", &[]),
    ("pointbridge-core", &[]),
    ("pointbridge-store", &["pointbridge-core"]),
    ("pointbridge-store-sqlite", &["pointbridge-core", "pointbridge-store"]),
    ("pointbridge-store-postgres", &["pointbridge-core", "pointbridge-store"]),
    ("pointbridge-engine", &["pointbridge-core", "pointbridge-store"]),
    // The proof shares no code with the decisions that it proves.
    ("pointbridge-check", &["pointbridge-store"]),
    ("pointbridge-client", &["pointbridge-proto"]),
    ("pointbridge", EVERY),
    ("pointbridge-tests", EVERY),
];

const EVERY: &[&str] = &[
    "pointbridge",
    "pointbridge-proto",
    "pointbridge-core",
    "pointbridge-store",
    "pointbridge-store-sqlite",
    "pointbridge-store-postgres",
    "pointbridge-engine",
    "pointbridge-check",
    "pointbridge-client",
];

/// A family of outside crates and the crates of ours that may name it.
struct Fence {
    /// The crate of this name, and those whose name begins with it and a dash.
    family: &'static str,
    only_in: &'static [&'static str],
    /// Allowed here for tests only.
    dev_in: &'static [&'static str],
}

const GRPC: &[&str] = &["pointbridge-proto", "pointbridge", "pointbridge-client", "pointbridge-tests"];
const TLS: &[&str] = &["pointbridge", "pointbridge-client"];
const ALL_BUT_CORE: &[&str] = &[
    "pointbridge-proto",
    "pointbridge-store",
    "pointbridge-store-sqlite",
    "pointbridge-store-postgres",
    "pointbridge-engine",
    "pointbridge-check",
    "pointbridge",
    "pointbridge-client",
    "pointbridge-tests",
];
const DIALECTS: &[&str] = &["pointbridge-store-sqlite", "pointbridge-store-postgres"];
const TESTS: &[&str] = &["pointbridge-tests"];

const FENCES: [Fence; 16] = [
    Fence { family: "sqlx", only_in: DIALECTS, dev_in: TESTS },
    Fence { family: "libsqlite3", only_in: &["pointbridge-store-sqlite"], dev_in: TESTS },
    Fence { family: "tonic", only_in: GRPC, dev_in: &[] },
    Fence { family: "prost", only_in: GRPC, dev_in: &[] },
    Fence { family: "rustls", only_in: TLS, dev_in: TESTS },
    Fence { family: "tokio-rustls", only_in: TLS, dev_in: TESTS },
    Fence { family: "x509-parser", only_in: TLS, dev_in: TESTS },
    Fence { family: "rcgen", only_in: TLS, dev_in: TESTS },
    Fence { family: "tokio", only_in: ALL_BUT_CORE, dev_in: &[] },
    Fence { family: "rand", only_in: ALL_BUT_CORE, dev_in: &[] },
    Fence { family: "getrandom", only_in: ALL_BUT_CORE, dev_in: &[] },
    Fence { family: "tracing", only_in: ALL_BUT_CORE, dev_in: &[] },
    // A second crypto provider beside aws-lc-rs.
    Fence { family: "ring", only_in: &[], dev_in: &[] },
    Fence { family: "openssl", only_in: &[], dev_in: &[] },
    Fence { family: "native-tls", only_in: &[], dev_in: &[] },
    // Unmaintained, and with an open advisory.
    Fence { family: "rustls-pemfile", only_in: &[], dev_in: &[] },
];

impl Fence {
    fn encloses(&self, dependency: &str) -> bool {
        dependency == self.family
            || dependency.strip_prefix(self.family).is_some_and(|rest| rest.starts_with('-'))
    }

    fn admits(&self, owner: &str, dev: bool) -> bool {
        self.only_in.contains(&owner) || (dev && self.dev_in.contains(&owner))
    }
}

/// One dependency that a manifest of ours names.
#[derive(Debug)]
struct Edge {
    owner: String,
    dependency: String,
    dev: bool,
}

fn read_edges(metadata: &Value) -> Vec<Edge> {
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    packages
        .iter()
        .flat_map(|package| {
            let owner = package["name"].as_str().expect("a package has a name");
            let dependencies = package["dependencies"].as_array().expect("a package lists dependencies");
            dependencies.iter().map(move |dependency| Edge {
                owner: owner.to_owned(),
                dependency: dependency["name"].as_str().expect("a dependency has a name").to_owned(),
                dev: dependency["kind"] == "dev",
            })
        })
        .collect()
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn wrong_floors(edges: &[Edge]) -> Vec<Breach> {
    edges
        .iter()
        .filter(|edge| edge.dependency == "pointbridge" || edge.dependency.starts_with("pointbridge-"))
        .filter(|edge| {
            !EDGES
                .iter()
                .any(|(owner, allowed)| *owner == edge.owner && allowed.contains(&edge.dependency.as_str()))
        })
        .map(|edge| {
            let what = format!(
                "may not depend on {}: data flows one way, turn the edge or move the code",
                edge.dependency
            );
            Breach::of(&edge.owner, what)
        })
        .collect()
}

fn climbed_fences(edges: &[Edge]) -> Vec<Breach> {
    edges
        .iter()
        .filter(|edge| {
            FENCES
                .iter()
                .any(|fence| fence.encloses(&edge.dependency) && !fence.admits(&edge.owner, edge.dev))
        })
        .map(|edge| {
            let what =
                format!("may not depend on {}: keep it behind the crate that owns it", edge.dependency);
            Breach::of(&edge.owner, what)
        })
        .collect()
}

fn unlisted(members: &[&str]) -> Vec<Breach> {
    members
        .iter()
        .filter(|member| !EDGES.iter().any(|(owner, _)| owner == *member))
        .map(|member| Breach::of(member, "has no row in the table of edges: decide what it may depend on"))
        .collect()
}

#[test]
fn crates_depend_downwards_only() {
    hold("crate edges", &wrong_floors(&read_edges(&metadata())));
}

#[test]
fn what_comes_from_outside_stays_behind_its_fence() {
    hold("outside crates", &climbed_fences(&read_edges(&metadata())));
}

#[test]
fn every_crate_has_a_row_in_the_table_of_edges() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let members: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert!(members.contains(&"pointbridge-core"), "cargo metadata does not know the core: {members:?}");
    hold("the table of edges", &unlisted(&members));
}

fn edge(owner: &str, dependency: &str, dev: bool) -> Edge {
    Edge { owner: owner.to_owned(), dependency: dependency.to_owned(), dev }
}

#[test]
fn an_edge_that_climbs_is_found() {
    let cases = [
        (edge("pointbridge-core", "pointbridge-store", false), 1),
        (edge("pointbridge-check", "pointbridge-core", true), 1),
        (edge("pointbridge-client", "pointbridge-core", false), 1),
        (edge("pointbridge-new", "pointbridge-core", false), 1),
        (edge("pointbridge-engine", "pointbridge-store", false), 0),
        (edge("pointbridge", "pointbridge-check", false), 0),
    ];
    for (edge, breaches) in cases {
        assert_eq!(wrong_floors(std::slice::from_ref(&edge)).len(), breaches, "{edge:?}");
    }
}

#[test]
fn an_outside_crate_past_its_fence_is_found() {
    let cases = [
        (edge("pointbridge-engine", "sqlx", false), 1),
        (edge("pointbridge-tests", "sqlx", false), 1),
        (edge("pointbridge-tests", "sqlx", true), 0),
        (edge("pointbridge-store", "prost-types", false), 1),
        (edge("pointbridge-core", "tokio", true), 1),
        (edge("pointbridge-core", "tracing-subscriber", false), 1),
        (edge("pointbridge-engine", "rustls-pki-types", false), 1),
        (edge("pointbridge", "ring", false), 1),
        (edge("pointbridge-core", "randomly", false), 0),
        (edge("pointbridge", "tokio-rustls", false), 0),
    ];
    for (edge, breaches) in cases {
        assert_eq!(climbed_fences(std::slice::from_ref(&edge)).len(), breaches, "{edge:?}");
    }
}

#[test]
fn a_crate_without_a_row_is_found() {
    assert_eq!(unlisted(&["pointbridge-core", "pointbridge-report"]).len(), 1);
}
