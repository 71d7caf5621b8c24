//! The hub's certificate and key, whose clients it takes, and the revocation lists: whether the hub would serve with them, and
//! for how long.

use std::path::Path;

use super::{Finding, Verdict};
use crate::pki::{Finding as Found, Inspection, Kind};
use crate::tls::ServerFiles;
use crate::trust::Trust;

const PAIR: &str = "hub certificate";
const AUTHORITIES: &str = "client authorities";
const LISTS: &str = "revocation lists";
const START: &str = "certificates";

/// Fewer whole days than these are told of, however short a life the certificate was made for: nobody mends it at a weekend.
const DAYS_LEFT_MIN: i64 = 2;

pub(super) fn look(files: &ServerFiles, findings: &mut Vec<Finding>) {
    // The hub's own way of reading them: what it would say at its start.
    findings.push(match Trust::load(files.clone()) {
        Ok(_) => Finding::ok(START, "the hub can start with them"),
        Err(error) => Finding::fail(START, error.to_string()),
    });
    let hub = files.client_ca_pem.parent().unwrap_or(Path::new("."));
    inspect(PAIR, &files.certificate_pem, hub, Kind::Server, files, findings);
    inspect(AUTHORITIES, &files.client_ca_pem, hub, Kind::Ca, files, findings);
    if files.client_crl.path().exists() {
        inspect(LISTS, files.client_crl.path(), hub, Kind::Crl, files, findings);
    }
}

fn inspect(
    check: &'static str,
    path: &Path,
    hub: &Path,
    kind: Kind,
    files: &ServerFiles,
    findings: &mut Vec<Finding>,
) {
    let inspection = match Inspection::of(path, hub) {
        Ok(inspection) => inspection,
        Err(error) => return findings.push(Finding::fail(check, error.to_string())),
    };
    // A chain's other certificates are looked at where they are an authority's.
    let found = inspection.findings.iter().filter(|found| found.kind == kind || kind == Kind::Server);
    let found: Vec<&Found> = if kind == Kind::Server { found.take(1).collect() } else { found.collect() };
    if found.is_empty() {
        return findings.push(Finding::fail(check, format!("{} holds none", path.display())));
    }
    findings.extend(found.into_iter().map(|found| verdict_on(check, found, files)));
}

fn verdict_on(check: &'static str, found: &Found, files: &ServerFiles) -> Finding {
    let days = found.days_left.unwrap_or_default();
    let verdict = if !found.verdict.is_taken && !is_exempt(found, files) {
        Verdict::Fail
    } else if found.is_ending || days < DAYS_LEFT_MIN {
        Verdict::Warn
    } else {
        Verdict::Ok
    };
    let advice = match (verdict, found.kind) {
        (Verdict::Warn, Kind::Crl) => ": renew it with `pointbridge pki crl`, or import a newer one",
        (Verdict::Warn, Kind::Ca) => ": see `pointbridge pki rotate-ca`",
        (Verdict::Warn, _) => ": renew it with `pointbridge pki renew`",
        _ => "",
    };
    let what = format!("{}: {days} days left{advice}; {}", found.name, found.verdict.says);
    Finding::new(check, verdict, what)
}

/// Whether an authority is refused for nothing but a list that it need not have.
fn is_exempt(found: &Found, files: &ServerFiles) -> bool {
    let is_named = |fingerprint: &str| {
        files.authorities_without_crl.iter().any(|known| data_encoding::HEXLOWER.encode(known) == fingerprint)
    };
    found.kind == Kind::Ca
        && found.days_left.is_some_and(|days| days >= 0)
        && found.fingerprint.as_deref().is_some_and(is_named)
}
