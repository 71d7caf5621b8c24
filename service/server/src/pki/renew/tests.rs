//! Renewing: the same names in the same files, and never a half of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::ca::Authority;
use super::super::fixture::{Foreign, Home, TILL, certificate};
use super::*;
use crate::pki::{LeafRequest, Reason, Target};

fn names_beside(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".next"))
        .collect()
}

#[test]
fn a_renewed_certificate_has_the_same_names_and_life_a_new_serial_number_and_a_fresh_key() {
    let home = Home::new();
    for issued in
        [home.issue(TILL, 30), home.ca.issue(&LeafRequest::server(&["hub.test", "127.0.0.1"], 30)).unwrap()]
    {
        let (before, key) = (certificate(&issued.certificate_pem), fs::read(&issued.key_pem).unwrap());
        home.ca.renew(&issued.certificate_pem, None, KeyChoice::Fresh).unwrap();
        let after = certificate(&issued.certificate_pem);
        assert_eq!((&after.uris, &after.hosts, after.usage), (&before.uris, &before.hosts, before.usage));
        assert_ne!(after.serial, before.serial);
        assert_ne!(fs::read(&issued.key_pem).unwrap(), key);
        assert_eq!(fs::metadata(&issued.key_pem).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(days_of(&after), 30);
        let pair = Authority::open(&issued.certificate_pem, &issued.key_pem);
        assert!(pair.is_ok(), "certificate and key are not of one pair");
        assert!(home.is_let_in(&issued.certificate_pem));
    }
    assert!(names_beside(&home).is_empty());
    assert_eq!(home.ca.journal().unwrap().issued().count(), 4);
}

#[test]
fn a_kept_key_stays_and_one_of_another_pair_is_refused() {
    let home = Home::new();
    let issued = home.issue(TILL, 30);
    let key = fs::read(&issued.key_pem).unwrap();
    home.ca.renew(&issued.certificate_pem, Some(60), KeyChoice::Keep).unwrap();
    assert_eq!(fs::read(&issued.key_pem).unwrap(), key);
    assert_eq!(days_of(&certificate(&issued.certificate_pem)), 60);
    Authority::open(&issued.certificate_pem, &issued.key_pem).map(drop).unwrap();

    let other = home.issue("operator/wang", 30);
    fs::copy(&other.key_pem, &issued.key_pem).unwrap();
    let before = certificate(&issued.certificate_pem);
    let said = home.ca.renew(&issued.certificate_pem, None, KeyChoice::Keep).unwrap_err().to_string();
    assert!(said.contains("not the key") && said.contains("fresh"), "{said}");
    assert_eq!(certificate(&issued.certificate_pem), before);
    // A fresh key mends such a pair, as after a power cut between the two files.
    home.ca.renew(&issued.certificate_pem, None, KeyChoice::Fresh).unwrap();
    Authority::open(&issued.certificate_pem, &issued.key_pem).map(drop).unwrap();
}

#[test]
fn what_may_not_be_renewed_is_refused_and_stays_as_it_is() {
    let home = Home::new();
    let revoked = home.issue("operator/wang", 1).certificate_pem;
    home.ca.revoke(&Target::File(revoked.clone()), Reason::KeyCompromise).unwrap();
    let lasting = home.issue("operator/li", 1).certificate_pem;
    let cases = [
        (revoked, None, "was revoked on"),
        (home.at("ca.pem"), None, "rotate-ca"),
        (home.at("gone.pem"), None, "cannot read"),
        (home.at("crl.pem"), None, "no CERTIFICATE block"),
    ];
    for (path, days, expected) in cases {
        let before = fs::read(&path).ok();
        let said = home.ca.renew(&path, days, KeyChoice::Fresh).unwrap_err().to_string();
        assert!(said.contains(expected), "{}: {said}", path.display());
        assert_eq!(fs::read(&path).ok(), before);
    }
    let others = Foreign::new("others");
    let stranger = others.client(&["spiffe://hub.test/operator/wang"]);
    let said = home.ca.renew(&stranger, None, KeyChoice::Fresh).unwrap_err().to_string();
    assert!(said.contains("renew it where it was issued"), "{said}");
    assert!(
        home.ca.renew(&lasting, Some(9_999), KeyChoice::Fresh).is_ok(),
        "days are cut to what is allowed"
    );
    assert_eq!(days_of(&certificate(&lasting)), LEAF_DAYS_MAX);
}

#[test]
fn all_that_end_soon_are_found_and_neither_authorities_nor_what_is_revoked() {
    let home = Home::new();
    let soon = home.issue("operator/wang", 5).certificate_pem;
    let late = home.issue("operator/zhao", 30).certificate_pem;
    let revoked = home.issue("operator/li", 5).certificate_pem;
    let server = home.ca.issue(&LeafRequest::server(&["hub.test"], 5)).unwrap().certificate_pem;
    home.ca.revoke(&Target::File(revoked), Reason::KeyCompromise).unwrap();
    assert_eq!(home.ca.renewable(Some(10), None).unwrap(), [soon.clone(), server.clone()]);
    assert!(home.ca.renewable(Some(1), None).unwrap().is_empty());
    assert_eq!(home.ca.renewable(None, None).unwrap(), [soon, late, server.clone()]);
    assert_eq!(home.ca.renewable(Some(10), Some(Usage::Server)).unwrap(), [server]);
}

#[test]
fn a_renewal_that_was_cut_off_between_key_and_certificate_is_settled_by_the_next() {
    let home = Home::new();
    let issued = home.issue(TILL, 30);
    let old = fs::read(&issued.certificate_pem).unwrap();
    home.ca.renew(&issued.certificate_pem, None, KeyChoice::Fresh).unwrap();
    let key = fs::read(&issued.key_pem).unwrap();
    fs::rename(&issued.certificate_pem, home.at("partner.airline.partner.till-7.pem.next")).unwrap();
    fs::write(&issued.certificate_pem, old).unwrap();
    // Keeping the key needs the certificate that goes with it.
    home.ca.renew(&issued.certificate_pem, None, KeyChoice::Keep).unwrap();
    assert_eq!(fs::read(&issued.key_pem).unwrap(), key);
    assert!(names_beside(&home).is_empty());
    Authority::open(&issued.certificate_pem, &issued.key_pem).map(drop).unwrap();
}
