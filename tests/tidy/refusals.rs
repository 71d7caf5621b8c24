//! The order of refusals that the API prints, held against the order in which core checks; and the status code that each
//! reason's comment begins with, held against the reason's class.

use crate::house::{Breach, hold, text};
use pointbridge::status;
use pointbridge_core::command::PRECEDENCE;
use pointbridge_core::rejection::{Reason, Rejection};

const SERVICES: &[&str] = &["partner", "approval", "agreement", "member", "ledger", "exchange"];
const REASONS: &str = "proto/pointbridge/v1/error.proto";
const REASON_PREFIX: &str = "ERROR_REASON_";
/// Refused before any command is looked at; printed once, at the head of each service.
const PREAMBLE: &[Reason] = &[Reason::RequestIdReused, Reason::CertificateUnknown];

fn service_file(service: &str) -> String {
    format!("proto/pointbridge/v1/{service}_service.proto")
}

/// The reasons that the comment above an RPC prints, in its order; `None` where the file has no such RPC.
fn printed(proto: &str, rpc: &str) -> Option<Vec<String>> {
    let (above, _) = proto.split_once(&format!("  rpc {rpc}("))?;
    let (_, refusals) = above.rsplit_once("Refusals in order:")?;
    let is_reason = |word: &&str| Reason::ALL.iter().any(|reason| reason.as_str() == *word);
    let words = refusals.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    Some(words.filter(is_reason).map(str::to_owned).collect())
}

/// The reasons that a method checks, in its order, each once.
fn checked(groups: &[&[Reason]]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for reason in groups.iter().copied().flatten().filter(|reason| !PREAMBLE.contains(reason)) {
        let name = reason.as_str().to_owned();
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

fn amiss(file: &str, proto: &str, rpc: &str, groups: &[&[Reason]]) -> Option<Breach> {
    let (printed, checked) = (printed(proto, rpc)?, checked(groups));
    (printed != checked).then(|| {
        Breach::of(
            file,
            format!("{rpc} prints {} and core checks {}", printed.join(", "), checked.join(", ")),
        )
    })
}

/// Reasons whose comment does not begin with the status code that callers get.
fn miscoded(proto: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for reason in Reason::ALL {
        let marker = format!("{REASON_PREFIX}{} = ", reason.as_str());
        let Some((above, _)) = proto.split_once(&marker) else { continue };
        let comment: Vec<&str> =
            above.lines().rev().skip(1).take_while(|line| line.trim().starts_with("//")).collect();
        let first = comment.last().map(|line| line.trim().trim_start_matches("// ")).unwrap_or_default();
        let code = format!("{:?}", status::of_rejection(&Rejection::new(*reason, "why")).code());
        let said = first.split('.').next().unwrap_or_default().replace('_', "");
        if !said.eq_ignore_ascii_case(&code) {
            breaches.push(Breach::of(
                REASONS,
                format!("{} says {first:?} and is answered with {code}", reason.as_str()),
            ));
        }
    }
    breaches
}

#[test]
fn the_printed_order_of_refusals_is_the_checked_one() {
    let mut breaches = Vec::new();
    for (rpc, groups) in PRECEDENCE {
        let files: Vec<(String, String)> = SERVICES
            .iter()
            .map(|s| (service_file(s), text(&service_file(s)).expect("the service's file is there")))
            .collect();
        let found = files
            .iter()
            .find(|(_, proto)| printed(proto, rpc).is_some() && proto.contains(&format!("  rpc {rpc}(")));
        match found {
            Some((file, proto)) => breaches.extend(amiss(file, proto, rpc, groups)),
            None => breaches.push(Breach::of("proto/", format!("{rpc} prints no order of refusals"))),
        }
    }
    hold("orders of refusals", &breaches);
}

#[test]
fn every_reason_is_answered_with_the_code_that_its_comment_names() {
    hold("codes of reasons", &miscoded(&text(REASONS).expect("the reasons' file is there")));
}

#[test]
fn every_published_reason_is_one_that_core_knows() {
    let proto = text(REASONS).expect("the reasons' file is there");
    let names = proto
        .lines()
        .filter_map(|line| line.trim().strip_prefix(REASON_PREFIX)?.split(' ').next().map(str::to_owned));
    let known =
        |name: &String| name == "UNSPECIFIED" || Reason::ALL.iter().any(|reason| reason.as_str() == name);
    let stale: Vec<Breach> = names
        .filter(|name| !known(name))
        .map(|name| Breach::of(REASONS, format!("{name}: nothing refuses with it")))
        .collect();
    hold("published reasons", &stale);
}

#[test]
fn every_writing_method_has_an_order_of_refusals() {
    let named = |name: &str| PRECEDENCE.iter().any(|(rpc, _)| *rpc == name);
    let writing =
        pointbridge::authz::TABLE.iter().filter(|row| row.effect == pointbridge::authz::Effect::Write);
    let missing: Vec<Breach> = writing
        .filter_map(|row| row.method.rsplit('/').next())
        .filter(|name| !named(name))
        .map(|name| Breach::of("service/core/src/command/catalogue.rs", format!("{name} is missing")))
        .collect();
    hold("orders of refusals", &missing);
}

#[test]
fn another_order_or_code_is_found() {
    let proto = "  // Refusals in order: QUOTE_USED (once), QUOTE_EXPIRED.\n  rpc A(B) returns (C);";
    let order: &[&[Reason]] = &[&[Reason::QuoteUsed], &[Reason::QuoteExpired]];
    assert_eq!(amiss("f", proto, "A", order), None);
    assert!(amiss("f", proto, "A", &[&[Reason::QuoteExpired, Reason::QuoteUsed]]).is_some());
    assert!(amiss("f", proto, "A", &[&[Reason::QuoteUsed]]).is_some());
    assert_eq!(miscoded("  // FAILED_PRECONDITION. Used.\n  ERROR_REASON_QUOTE_USED = 1;"), []);
    assert_eq!(miscoded("  // NOT_FOUND. Used.\n  ERROR_REASON_QUOTE_USED = 1;").len(), 1);
}
