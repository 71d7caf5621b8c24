//! What is shown, and that the verdict is the one of the handshake and of the parser of principals.

use std::os::unix::fs::PermissionsExt;

use super::super::fixture::{Foreign, Home, TILL};
use super::*;
use crate::pki::{LeafRequest, Reason, Target, import};

fn only(path: &Path, home: &Home) -> Finding {
    let mut findings = Inspection::of(path, home.path()).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

#[test]
fn a_folder_shows_each_certificate_and_list_with_its_verdict() {
    let home = Home::new();
    home.issue(TILL, 30);
    home.ca.issue(&LeafRequest::server(&["hub.test"], 30)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let found = Inspection::of(home.path(), elsewhere.path()).unwrap().findings;
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.file.file_name().unwrap().to_str().unwrap(), one.kind, one.verdict.is_taken))
        .collect();
    assert_eq!(
        shown,
        [
            ("ca.pem", Kind::Ca, true),
            ("client-ca.pem", Kind::Ca, true),
            ("crl.pem", Kind::Crl, true),
            ("partner.airline.partner.till-7.pem", Kind::Client, true),
            ("server.pem", Kind::Server, true),
        ]
    );
    let till = &found[3];
    assert_eq!((till.name.as_str(), till.is_ending), (TILL, false));
    assert!((29..=30).contains(&till.days_left.unwrap()));
    assert_eq!(till.key.as_deref(), Some("ECDSA P-256"));
    let key = till.key_file.as_ref().unwrap();
    assert_eq!((key.mode.as_str(), key.is_its_key), ("600", Some(true)));
    assert!(till.verdict.says.contains(TILL));
    assert_eq!(till.fingerprint.as_ref().unwrap().len(), 64);
}

#[test]
fn what_a_hub_would_refuse_says_why() {
    let home = Home::new();
    let (foreign, strangers) = (Foreign::new("others"), Foreign::new("strangers"));
    import(home.path(), &foreign.ca(), Some(&foreign.crl(1, 2080))).unwrap();
    let revoked = home.issue("operator/wang", 1).certificate_pem;
    home.ca.revoke(&Target::File(revoked.clone()), Reason::KeyCompromise).unwrap();
    let server = home.ca.issue(&LeafRequest::server(&["hub.test"], 1)).unwrap();
    let cases = [
        (revoked.clone(), "it is revoked"),
        (foreign.client(&[]), "no URI"),
        (
            foreign.client(&["spiffe://hub.test/operator/a", "spiffe://hub.test/operator/b"]),
            "more than one URI",
        ),
        (foreign.client(&["spiffe://elsewhere.test/operator/a"]), "another trust domain"),
        (strangers.ca(), "pointbridge pki import"),
    ];
    for (path, expected) in cases {
        let verdict = only(&path, &home).verdict;
        assert!(!verdict.is_taken && verdict.says.contains(expected), "{expected}: {verdict:?}");
    }
    let shown = only(&revoked, &home).revoked.unwrap();
    assert!(shown.ends_with("(key-compromise)"), "{shown}");

    fs::set_permissions(&server.key_pem, fs::Permissions::from_mode(0o644)).unwrap();
    let verdict = only(&server.certificate_pem, &home).verdict;
    assert!(!verdict.is_taken && verdict.says.contains("mode 644"), "{verdict:?}");
    fs::copy(home.at("ca.key"), &server.key_pem).unwrap();
    fs::set_permissions(&server.key_pem, fs::Permissions::from_mode(0o600)).unwrap();
    let verdict = only(&server.certificate_pem, &home).verdict;
    assert!(!verdict.is_taken && verdict.says.contains("another's"), "{verdict:?}");
}

#[test]
fn a_key_shows_its_mode_and_nothing_of_itself() {
    let home = Home::new();
    let key = home.issue(TILL, 1).key_pem;
    assert!(only(&key, &home).verdict.is_taken);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let finding = only(&key, &home);
    assert!(finding.verdict.says.contains("640") && !finding.verdict.is_taken);
    let text = fs::read_to_string(&key).unwrap();
    let shown = serde_json::to_string(&finding).unwrap();
    for line in text.lines() {
        assert!(!shown.contains(line), "a line of the key is shown");
    }
}

#[test]
fn a_life_is_ending_when_less_than_a_third_is_left() {
    let at = Moment::from_seconds;
    assert!(!is_ending(at(0), at(300), at(200)));
    assert!(is_ending(at(0), at(300), at(201)));
    assert!(is_ending(at(0), at(300), at(400)));
}

#[test]
fn what_holds_nothing_is_told() {
    let home = Home::new();
    let empty = home.at("empty.pem");
    fs::write(&empty, "").unwrap();
    let said = Inspection::of(&empty, home.path()).unwrap_err().to_string();
    assert!(said.contains("empty.pem") && said.contains("right one"), "{said}");
}
