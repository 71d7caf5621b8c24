//! The policy that all clients share: it names every method of the API, sends again only what may be sent again, and is the
//! same file in every package.
//!
//! Read as the JSON that it is, so that what counts is what each language's library reads. Absent: whether a client keeps
//! to it; the play in `clients/conformance` shows that.

use crate::house::{Breach, bytes, hold, tracked};
use pointbridge::authz::{self, Effect};
use prost::Message;
use prost_types::FileDescriptorSet;
use serde_json::Value;
use std::collections::BTreeSet;

const POLICY: &str = "clients/retry.json";
/// A call of the API's own package; health and reflection are streams, or asked by machines that have policies of theirs.
const PACKAGE: &str = "/pointbridge.v1.";

/// The methods that the policy sends again, as paths; one that is named twice stands here twice.
fn sent_again(policy: &Value) -> Vec<String> {
    let groups = policy["methodConfig"].as_array().into_iter().flatten();
    groups
        .filter(|group| group["retryPolicy"].is_object())
        .flat_map(|group| group["name"].as_array().into_iter().flatten())
        .map(|name| {
            let part = |key: &str| name[key].as_str().unwrap_or_default().to_owned();
            format!("/{}/{}", part("service"), part("method"))
        })
        .collect()
}

/// The paths of methods whose requests name their call.
fn with_request_id(set: &FileDescriptorSet) -> BTreeSet<String> {
    let named: BTreeSet<&str> = set
        .file
        .iter()
        .flat_map(|file| &file.message_type)
        .filter(|message| message.field.iter().any(|field| field.name() == "request_id"))
        .map(prost_types::DescriptorProto::name)
        .collect();
    let mut paths = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let request = method.input_type().rsplit('.').next().unwrap_or_default();
                if named.contains(request) {
                    paths.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
    }
    paths
}

/// What is wrong with a policy, for methods and whether each writes.
fn wrong_policy(policy: &Value, methods: &[(&str, bool)], with_id: &BTreeSet<String>) -> Vec<Breach> {
    let named = sent_again(policy);
    let known: BTreeSet<&str> = methods.iter().map(|(path, _)| *path).collect();
    let mut breaches = Vec::new();
    for (path, writes) in methods {
        let times = named.iter().filter(|name| name == path).count();
        if times != 1 {
            breaches.push(Breach::of(POLICY, format!("names {path} {times} times: name it once")));
        }
        if *writes && times > 0 && !with_id.contains(*path) {
            breaches
                .push(Breach::of(POLICY, format!("sends {path} again, which writes and has no request_id")));
        }
    }
    for name in named.iter().filter(|name| !known.contains(name.as_str())) {
        breaches.push(Breach::of(POLICY, format!("names {name}, which the hub does not have")));
    }
    breaches
}

fn methods() -> Vec<(&'static str, bool)> {
    let rows = authz::TABLE.iter().filter(|row| row.method.starts_with(PACKAGE));
    rows.map(|row| (row.method, row.effect == Effect::Write)).collect()
}

fn policy() -> Value {
    serde_json::from_slice(&bytes(POLICY)).expect("the policy is JSON")
}

fn descriptors() -> BTreeSet<String> {
    let set =
        FileDescriptorSet::decode(pointbridge_proto::FILE_DESCRIPTOR_SET).expect("the descriptors decode");
    with_request_id(&set)
}

#[test]
fn every_method_is_sent_again_and_each_that_writes_names_its_call() {
    hold("the clients' policy", &wrong_policy(&policy(), &methods(), &descriptors()));
}

#[test]
fn every_package_has_the_same_policy() {
    let copies: Vec<String> = tracked()
        .into_iter()
        .filter(|file| file.starts_with("clients/") && file.ends_with("/retry.json"))
        .collect();
    assert!(
        copies.iter().any(|file| file.starts_with("clients/rust/")),
        "the Rust client has none: {copies:?}"
    );
    let shared = bytes(POLICY);
    let differs = |file: &&String| bytes(file) != shared;
    let breaches: Vec<Breach> = copies
        .iter()
        .filter(differs)
        .map(|file| Breach::of(file, format!("differs from {POLICY}: copy that one here")))
        .collect();
    hold("one policy", &breaches);
}

#[test]
fn a_policy_that_leaves_out_or_makes_up_or_repeats_what_has_no_name_is_found() {
    let name = |method: &str| serde_json::json!({ "service": "s", "method": method });
    let policy = |methods: &[&str]| {
        let names: Vec<Value> = methods.iter().map(|method| name(method)).collect();
        serde_json::json!({ "methodConfig": [{ "name": names, "retryPolicy": {} }] })
    };
    let (methods, with_id) =
        ([("/s/Read", false), ("/s/Write", true)], BTreeSet::from(["/s/Write".to_owned()]));
    for (named, with_id, breaches) in [
        (vec!["Read", "Write"], &with_id, 0),
        (vec!["Read"], &with_id, 1),
        (vec!["Read", "Write", "Write"], &with_id, 1),
        (vec!["Read", "Write", "Other"], &with_id, 1),
        (vec!["Read", "Write"], &BTreeSet::new(), 1),
    ] {
        assert_eq!(wrong_policy(&policy(&named), &methods, with_id).len(), breaches, "{named:?}");
    }
}
