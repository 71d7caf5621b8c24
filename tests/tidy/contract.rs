//! What the API promises and the house must keep: a row of rights and an end-to-end test for each RPC, a published
//! and explained value for each reason of refusal.
//!
//! Read from the compiled descriptor set and from the product's own tables, never from a list kept here.

use crate::house::{Breach, hold, rust_texts, text};
use crate::words::{Scope, words};
use pointbridge::authz;
use pointbridge_core::rejection::Reason;
use prost::Message;
use prost_types::FileDescriptorSet;
use std::collections::BTreeSet;

const PACKAGE: &str = "pointbridge.v1";
const REASONS: &str = "proto/pointbridge/v1/error.proto";
const REASON_PREFIX: &str = "ERROR_REASON_";
const END_TO_END: &str = "tests/e2e/";
const AUTHZ: &str = "service/server/src/authz.rs";

fn descriptors() -> FileDescriptorSet {
    FileDescriptorSet::decode(pointbridge_proto::FILE_DESCRIPTOR_SET).expect("the descriptor set decodes")
}

/// Full paths of every RPC of the package, such as `/pointbridge.v1.PartnerService/CreatePartner`.
fn rpcs(descriptors: &FileDescriptorSet) -> BTreeSet<String> {
    descriptors
        .file
        .iter()
        .filter(|file| file.package() == PACKAGE)
        .flat_map(|file| &file.service)
        .flat_map(|service| {
            service.method.iter().map(|method| format!("/{PACKAGE}.{}/{}", service.name(), method.name()))
        })
        .collect()
}

/// The generated client's name for an RPC: `/…/CreatePartner` is `create_partner`.
fn client_method(rpc: &str) -> String {
    let mut name = String::new();
    for letter in rpc.rsplit('/').next().unwrap_or_default().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Differences between the RPCs and the methods that have a row.
fn rows_amiss(rpcs: &BTreeSet<String>, rows: &[&str]) -> Vec<Breach> {
    let missing = rpcs
        .iter()
        .filter(|rpc| !rows.contains(&rpc.as_str()))
        .map(|rpc| Breach::of(AUTHZ, format!("{rpc} has no row: say who may call it")));
    let stale = rows
        .iter()
        .filter(|row| row.starts_with(&format!("/{PACKAGE}.")) && !rpcs.contains(**row))
        .map(|row| Breach::of(AUTHZ, format!("{row} is no RPC: delete its row")));
    let twice = rows
        .iter()
        .enumerate()
        .filter(|(index, row)| rows.iter().take(*index).any(|earlier| earlier == *row))
        .map(|(_, row)| Breach::of(AUTHZ, format!("{row} has two rows: keep one")));
    missing.chain(stale).chain(twice).collect()
}

/// RPCs whose client method no text calls.
fn uncalled(rpcs: &BTreeSet<String>, sources: &[(String, String)]) -> Vec<Breach> {
    let calls: BTreeSet<String> = sources
        .iter()
        .flat_map(|(file, text)| words(file, text, Scope::Everything))
        .filter(|word| word.after_dot && word.before_call)
        .flat_map(|word| word.path)
        .collect();
    rpcs.iter()
        .filter(|rpc| !calls.contains(&client_method(rpc)))
        .map(|rpc| {
            Breach::of(
                END_TO_END,
                format!("{rpc} has no test: call `.{}(…)` over mutual TLS", client_method(rpc)),
            )
        })
        .collect()
}

/// Values of `enum ErrorReason`, without their prefix and without the unspecified one.
fn published(descriptors: &FileDescriptorSet) -> BTreeSet<String> {
    descriptors
        .file
        .iter()
        .filter(|file| file.package() == PACKAGE)
        .flat_map(|file| &file.enum_type)
        .filter(|found| found.name() == "ErrorReason")
        .flat_map(|found| &found.value)
        .filter(|value| value.number() != 0)
        .filter_map(|value| value.name().strip_prefix(REASON_PREFIX).map(str::to_owned))
        .collect()
}

fn unpublished(reasons: &[&str], published: &BTreeSet<String>) -> Vec<Breach> {
    reasons
        .iter()
        .filter(|reason| !published.contains(**reason))
        .map(|reason| {
            Breach::of(REASONS, format!("{REASON_PREFIX}{reason} is missing: core refuses with it"))
        })
        .collect()
}

/// Values of the reasons' file that no comment stands right above.
fn unexplained(text: &str) -> Vec<Breach> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with(REASON_PREFIX))
        .filter(|(index, _)| {
            let above = index.checked_sub(1).and_then(|above| lines.get(above)).unwrap_or(&"");
            above.trim_start_matches('/').trim().is_empty() || !above.starts_with("//")
        })
        .map(|(index, _)| {
            Breach::at(REASONS, index + 1, "has no comment: say the status code, the meaning and what to do")
        })
        .collect()
}

fn house_rpcs() -> BTreeSet<String> {
    let rpcs = rpcs(&descriptors());
    assert!(!rpcs.is_empty(), "the descriptor set has no RPC of {PACKAGE}: the rule would prove nothing");
    rpcs
}

#[test]
fn every_rpc_has_its_row_of_rights() {
    let rows: Vec<&str> = authz::TABLE.iter().map(|row| row.method).collect();
    hold("the table of rights", &rows_amiss(&house_rpcs(), &rows));
}

#[test]
fn every_rpc_has_an_end_to_end_test() {
    let sources: Vec<_> = rust_texts().into_iter().filter(|(file, _)| file.starts_with(END_TO_END)).collect();
    hold("end-to-end tests", &uncalled(&house_rpcs(), &sources));
}

#[test]
fn every_reason_of_core_is_published() {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert!(!reasons.is_empty(), "core has no reasons: the rule would prove nothing");
    hold("reasons of refusals", &unpublished(&reasons, &published(&descriptors())));
}

#[test]
fn every_published_reason_is_explained() {
    hold("comments of reasons", &unexplained(&text(REASONS).expect("the reasons' file is there")));
}

#[test]
fn a_missing_stale_or_double_row_is_found() {
    let rpcs = BTreeSet::from(["/pointbridge.v1.A/B".to_owned(), "/pointbridge.v1.A/C".to_owned()]);
    let health = "/grpc.health.v1.Health/Check";
    assert_eq!(rows_amiss(&rpcs, &["/pointbridge.v1.A/B", "/pointbridge.v1.A/C", health]), []);
    assert_eq!(rows_amiss(&rpcs, &["/pointbridge.v1.A/B"]).len(), 1);
    assert_eq!(
        rows_amiss(&rpcs, &["/pointbridge.v1.A/B", "/pointbridge.v1.A/C", "/pointbridge.v1.A/D"]).len(),
        1
    );
    assert_eq!(
        rows_amiss(&rpcs, &["/pointbridge.v1.A/B", "/pointbridge.v1.A/C", "/pointbridge.v1.A/C"]).len(),
        1
    );
}

#[test]
fn an_rpc_that_no_test_calls_is_found() {
    let rpcs = BTreeSet::from(["/pointbridge.v1.PartnerService/CreatePartner".to_owned()]);
    let source = |text: &str| [("tests/e2e/a.rs".to_owned(), text.to_owned())];
    assert_eq!(uncalled(&rpcs, &source("fn a() { partners.create_partner(b).await; }")), []);
    assert_eq!(uncalled(&rpcs, &source("// partners.create_partner(b)")).len(), 1);
    assert_eq!(uncalled(&rpcs, &source("fn create_partner(a: B) {}")).len(), 1);
}

#[test]
fn an_unpublished_or_unexplained_reason_is_found() {
    let published = BTreeSet::from(["A".to_owned()]);
    assert_eq!(unpublished(&["A"], &published), []);
    assert_eq!(unpublished(&["A", "B"], &published).len(), 1);
    assert_eq!(unexplained("  // Why.\n  ERROR_REASON_A = 1;\n"), []);
    assert_eq!(unexplained("  // Why.\n  ERROR_REASON_A = 1;\n  ERROR_REASON_B = 2;\n").len(), 1);
    assert_eq!(unexplained("  //\n  ERROR_REASON_A = 1;\n").len(), 1);
}
