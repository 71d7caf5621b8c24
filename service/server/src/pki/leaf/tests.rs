//! What an authority makes, read back with an independent parser.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::peer::TrustDomain;
use crate::pki::ca::Authority;
use crate::pki::fixture::Home;

fn home() -> TrustDomain {
    TrustDomain::parse("hub.test").unwrap()
}

fn till() -> Principal {
    Principal::from_path("partner/airline/partner/till-7", &home()).unwrap()
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

#[test]
fn an_authority_lasts_ten_years_and_may_sign_leaves_only() {
    let folder = tempfile::tempdir().unwrap();
    Ca::init(folder.path(), &home()).unwrap();
    assert_eq!(mode_of(&folder.path().join("ca.key")), 0o600);
    let der = der(&folder.path().join("ca.pem"));
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let validity = certificate.validity();
    let days = (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400;
    assert_eq!(days, 3_653);
}

#[test]
fn an_authority_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    Ca::init(folder.path(), &home()).unwrap();
    let before = fs::read(folder.path().join("ca.key")).unwrap();
    let said = Ca::init(folder.path(), &home()).unwrap_err().to_string();
    assert!(said.contains("ca.pem") && said.contains("another folder"), "{said}");
    assert_eq!(fs::read(folder.path().join("ca.key")).unwrap(), before);
}

#[test]
fn an_authority_opens_again_with_its_trust_domain() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Ca::open(folder.path()), Err(PkiError::CaMissing { .. })));
    Ca::init(folder.path(), &home()).unwrap();
    let ca = Ca::open(folder.path()).unwrap();
    assert_eq!(ca.trust_domain(), &home());
    let issued = ca.issue(&LeafRequest::client(till(), 1)).unwrap();
    let (leaf, root) = (der(&issued.certificate_pem), der(&issued.ca_pem));
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    let (_, root) = X509Certificate::from_der(&root).unwrap();
    assert_eq!(leaf.issuer(), root.subject());
}

#[test]
fn a_key_of_another_authority_or_one_open_to_others_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Ca::init(one.path(), &home()).unwrap();
    Ca::init(two.path(), &home()).unwrap();
    let key = one.path().join("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Ca::open(one.path()), Err(PkiError::Key(_))));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, fs::read(two.path().join("ca.key")).unwrap()).unwrap();
    let said = Ca::open(one.path()).unwrap_err().to_string();
    assert!(said.contains("ca.key is not its key"), "{said}");
}

#[test]
fn a_client_certificate_names_one_principal_and_is_for_clients() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    let issued = ca.issue(&LeafRequest::client(till(), 30)).unwrap();
    assert_eq!(mode_of(&issued.key_pem), 0o600);
    let der = der(&issued.certificate_pem);
    assert_eq!(Principal::from_certificate(&der, &home()), Ok(till()));
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!leaf.is_ca());
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let backdated = now - leaf.validity().not_before.timestamp();
    assert!((300..360).contains(&backdated), "begins {backdated} s ago");
    let ends_in = leaf.validity().not_after.timestamp() - now;
    assert!((30 * 86_400 - 60..=30 * 86_400).contains(&ends_in), "ends in {ends_in} s");
}

#[test]
fn a_server_certificate_carries_its_hosts_and_is_for_servers() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    let issued = ca.issue(&LeafRequest::server(&["hub.test", "127.0.0.1", "::1"], 1)).unwrap();
    let der = der(&issued.certificate_pem);
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
    let names = leaf.subject_alternative_name().unwrap().unwrap().value;
    let expected = [
        GeneralName::DNSName("hub.test"),
        GeneralName::IPAddress(&[127, 0, 0, 1]),
        GeneralName::IPAddress(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    assert_eq!(names.general_names, expected);
}

#[test]
fn serial_numbers_are_positive_and_differ() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    let mut seen = HashSet::new();
    for number in 0..8 {
        let request = LeafRequest::client(till(), 1).named(&format!("till-{number}"));
        let der = der(&ca.issue(&request).unwrap().certificate_pem);
        let (_, leaf) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(leaf.raw_serial().len(), 16);
        assert!(leaf.raw_serial()[0] & 0x80 == 0, "a negative serial number");
        assert!(seen.insert(leaf.raw_serial().to_vec()), "a serial number twice");
    }
}

#[test]
fn a_certificate_is_replaced_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    let first = ca.issue(&LeafRequest::client(till(), 1)).unwrap();
    let before = fs::read(&first.key_pem).unwrap();
    let said = ca.issue(&LeafRequest::client(till(), 1)).unwrap_err().to_string();
    assert!(said.contains("till-7.key") && said.contains("replaced"), "{said}");
    assert_eq!(fs::read(&first.key_pem).unwrap(), before);
    let second = ca.issue(&LeafRequest::client(till(), 1).replacing()).unwrap();
    assert_eq!(second.certificate_pem, first.certificate_pem);
    assert_ne!(fs::read(&first.key_pem).unwrap(), before);
    assert_eq!(mode_of(&first.key_pem), 0o600);
}

#[test]
fn nothing_is_signed_that_would_outlive_the_authority() {
    let home = Home::ending(2022);
    let request = LeafRequest::client(till(), 1);
    let said = home.ca.issue(&request).unwrap_err().to_string();
    assert!(said.contains("ends on 2022-01-01") && said.contains("rotate-ca"), "{said}");
    assert!(!home.at("partner.airline.partner.till-7.key").exists());
    Home::ending(2090).ca.issue(&request).unwrap();
}

#[test]
fn a_request_that_breaks_a_rule_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    let before = names_in(folder.path());
    let stranger =
        Principal::from_path("operator/alice", &TrustDomain::parse("other.test").unwrap()).unwrap();
    let cases = [
        LeafRequest::client(till(), 0),
        LeafRequest::client(till(), 826),
        LeafRequest::client(till(), 1).named("ca"),
        LeafRequest::client(till(), 1).named("client-ca"),
        LeafRequest::client(till(), 1).named("crl"),
        LeafRequest::client(till(), 1).named("../till"),
        LeafRequest::client(till(), 1).named(""),
        LeafRequest::client(till(), 1).named(".hidden"),
        LeafRequest::client(stranger, 1),
        LeafRequest::server::<&str>(&[], 1),
        LeafRequest::server(&["hub test"], 1),
        LeafRequest::server(&[""], 1),
        LeafRequest::server(&["hub.test"; 33], 1),
    ];
    for request in cases {
        assert!(ca.issue(&request).is_err(), "{request:?}");
    }
    assert_eq!(names_in(folder.path()), before);
    assert_eq!(ca.journal().unwrap().issued().count(), 0);
}

#[test]
fn a_pair_that_was_cut_off_is_finished_and_what_is_anothers_left_alone() {
    let home = Home::new();
    let issued = home.ca.issue(&LeafRequest::server(&["hub.test"], 1)).unwrap();
    let next = home.at("server.pem.next");
    // The first pair: the key is in its place, the certificate not yet.
    fs::rename(&issued.certificate_pem, &next).unwrap();
    home.ca.settle("server").unwrap();
    assert!(!next.exists() && Authority::open(&issued.certificate_pem, &issued.key_pem).is_ok());
    // What lies there and is of another key is left alone.
    let other = home.issue("operator/wang", 1);
    fs::copy(&other.certificate_pem, &next).unwrap();
    let before = fs::read(&issued.certificate_pem).unwrap();
    home.ca.settle("server").unwrap();
    assert_eq!(fs::read(&issued.certificate_pem).unwrap(), before);
    fs::remove_file(&issued.certificate_pem).unwrap();
    home.ca.settle("server").unwrap();
    assert!(!issued.certificate_pem.exists());
}

/// Where the tests are the superuser, the folder is somebody else's; otherwise everything is of one user anyway.
#[test]
fn everything_in_somebody_elses_folder_is_the_folders_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let _ = chown(folder.path(), Some(4_321), Some(4_322));
    let expected = fs::metadata(folder.path()).unwrap();
    let ca = Ca::init(folder.path(), &home()).unwrap();
    ca.issue(&LeafRequest::client(till(), 30)).unwrap();
    let (ca, _) = ca.rotate().unwrap();
    ca.renew_crl(None).unwrap();
    for inside in [folder.path().to_owned(), folder.path().join("retired")] {
        for name in names_in(&inside) {
            let facts = fs::metadata(inside.join(&name)).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (expected.uid(), expected.gid()), "{name}");
        }
    }
}
