//! Importing: who is let in afterwards, and what is not taken for an authority.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{IsCa, KeyUsagePurpose};

use super::super::fixture::{Foreign, Home, TILL};
use super::*;
use crate::pki::{Reason, Target, remove};

const WANG: &[&str] = &["spiffe://hub.test/operator/wang"];

#[test]
fn an_imported_authoritys_clients_are_let_in_beside_our_own_until_it_is_removed() {
    let home = Home::new();
    let (foreign, till) = (Foreign::new("others"), home.issue(TILL, 1).certificate_pem);
    let theirs = foreign.client(WANG);
    assert!(home.verdict(&theirs).says.contains("no authority"));
    let done = import(home.path(), &foreign.ca(), Some(&foreign.crl(1, 2080))).unwrap();
    assert_eq!((done.authorities.len(), done.lists.len(), done.without_list.len()), (1, 1, 0));
    assert!(!done.is_new);
    assert!(home.is_let_in(&theirs) && home.is_let_in(&till));
    // What is revoked here later leaves their list where it is.
    home.ca.revoke(&Target::File(till.clone()), Reason::Superseded).unwrap();
    assert!(home.is_let_in(&theirs) && !home.is_let_in(&till));
    for name in [CLIENT_CA_PEM, CRL_PEM] {
        assert_eq!(fs::metadata(home.at(name)).unwrap().permissions().mode() & 0o777, 0o644, "{name}");
    }

    let fingerprint = done.authorities[0].fingerprint.to_uppercase();
    let removed = remove(home.path(), &fingerprint[..16]).unwrap();
    assert_eq!((removed.authority, removed.deleted_key), (done.authorities[0].clone(), None));
    assert!(!home.is_let_in(&theirs));
    assert_eq!(lists(home.path()).unwrap().len(), 1);
}

#[test]
fn a_newer_list_takes_the_place_of_an_older_one_and_never_the_other_way() {
    let home = Home::new();
    let foreign = Foreign::new("others");
    import(home.path(), &foreign.ca(), Some(&foreign.crl(9, 2080))).unwrap();
    for number in [8, 9] {
        // The same number with another end is another list, and not a newer one.
        let said =
            import(home.path(), &foreign.ca(), Some(&foreign.crl(number, 2081))).unwrap_err().to_string();
        assert!(said.contains("not newer"), "{said}");
    }
    let tenth = foreign.crl(10, 2080);
    let done = import(home.path(), &foreign.ca(), Some(&tenth)).unwrap();
    assert_eq!((done.authorities.len(), done.lists.len()), (0, 1));
    let numbers: Vec<_> = lists(home.path()).unwrap().into_iter().map(|list| list.number.unwrap()).collect();
    assert_eq!(numbers, ["1", "10"]);
    // A timer that brings the same list again is no mistake.
    import(home.path(), &foreign.ca(), Some(&tenth)).unwrap();
    assert_eq!(authorities(home.path()).unwrap().len(), 2);
}

#[test]
fn of_two_lists_of_one_authority_in_a_file_the_newest_is_taken_in_either_order() {
    for is_newest_first in [true, false] {
        let (home, foreign) = (Home::new(), Foreign::new("others"));
        let [ninth, tenth] =
            [foreign.crl(9, 2080), foreign.crl(10, 2081)].map(|path| fs::read(path).unwrap());
        let both = if is_newest_first { [tenth, ninth] } else { [ninth, tenth] };
        let path = home.at("theirs.crl");
        fs::write(&path, both.concat()).unwrap();
        let done = import(home.path(), &foreign.ca(), Some(&path)).unwrap();
        assert_eq!(done.lists.len(), 1);
        let numbers: Vec<_> =
            lists(home.path()).unwrap().into_iter().map(|list| list.number.unwrap()).collect();
        assert_eq!(numbers, ["1", "10"], "newest first: {is_newest_first}");
        // The same file again is no mistake.
        import(home.path(), &foreign.ca(), Some(&path)).unwrap();
    }
}

#[test]
fn two_lists_of_one_number_that_differ_are_refused() {
    let (home, foreign) = (Home::new(), Foreign::new("others"));
    let both = [2080, 2081].map(|ends| fs::read(foreign.crl(9, ends)).unwrap());
    let path = home.at("theirs.crl");
    fs::write(&path, both.concat()).unwrap();
    let said = import(home.path(), &foreign.ca(), Some(&path)).unwrap_err().to_string();
    assert!(said.contains("neither is newer"), "{said}");
    assert_eq!(authorities(home.path()).unwrap().len(), 1);
}

#[test]
fn an_authority_without_a_list_is_told_with_its_fingerprint() {
    let home = Home::new();
    let foreign = Foreign::new("others");
    let done = import(home.path(), &foreign.ca(), None).unwrap();
    assert_eq!(done.without_list, done.authorities);
    assert!(home.verdict(&foreign.client(WANG)).says.contains("allow_ca_without_crl"));
    let said = import(home.path(), &foreign.ca(), None).unwrap_err().to_string();
    assert!(said.contains("imported already") && said.contains("--crl"), "{said}");
}

#[test]
fn a_hub_without_an_authority_of_its_own_imports_into_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("pki");
    let foreign = Foreign::new("others");
    let done = import(&inner, &foreign.ca(), Some(&foreign.crl(1, 2080))).unwrap();
    assert!(done.is_new);
    assert_eq!((authorities(&inner).unwrap().len(), lists(&inner).unwrap().len()), (1, 1));
    let said = remove(&inner, &done.authorities[0].fingerprint).unwrap_err().to_string();
    assert!(said.contains("the only authority"), "{said}");
}

#[test]
fn what_is_no_authority_is_refused_and_changes_nothing() {
    let home = Home::new();
    let before = [CLIENT_CA_PEM, CRL_PEM].map(|name| fs::read(home.at(name)).unwrap());
    let shaped = |change: &dyn Fn(&mut rcgen::CertificateParams)| Foreign::shaped("others", change);
    let leaf = shaped(&|params| params.is_ca = IsCa::ExplicitNoCa);
    let no_signer = shaped(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let over = shaped(&|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let early = shaped(&|params| params.not_before = rcgen::date_time_ymd(2089, 1, 1));
    let no_lists = shaped(&|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let (good, other) = (Foreign::new("others"), Foreign::new("others"));
    let till = home.issue(TILL, 1).certificate_pem;
    let crl = |foreign: &Foreign, ends| Some(foreign.crl(1, ends));
    let cases = [
        (leaf.ca(), None, "basic constraints"),
        (till.clone(), None, "basic constraints"),
        (no_signer.ca(), None, "keyCertSign"),
        (over.ca(), None, "valid from"),
        (early.ca(), None, "valid from"),
        (home.at("ca.pem"), None, "imported already"),
        (home.at("gone.pem"), None, "cannot read"),
        (home.at(CRL_PEM), None, "no CERTIFICATE block"),
        (good.ca(), Some(till), "no X509 CRL block"),
        (good.ca(), crl(&good, 2021), "ended on"),
        (good.ca(), crl(&other, 2080), "not signed by"),
        (no_lists.ca(), Some(home.at(CRL_PEM)), "not signed by"),
    ];
    for (ca, crl, expected) in cases {
        let said = import(home.path(), &ca, crl.as_deref()).unwrap_err().to_string();
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(before == [CLIENT_CA_PEM, CRL_PEM].map(|name| fs::read(home.at(name)).unwrap()));
}

#[test]
fn a_certificate_that_only_claims_to_have_signed_itself_is_refused() {
    let home = Home::new();
    let (one, two) = (Foreign::new("others"), Foreign::new("others"));
    let [mut forged, other] =
        [one.ca(), two.ca()].map(|path| read_certificates(&path).unwrap().remove(0).der);
    // The signature stands at the end: that of the other authority of the same name does not fit.
    let (at, length) = (forged.len() - 8, other.len());
    forged[at..].copy_from_slice(&other[length - 8..]);
    let path = home.at("forged.pem");
    fs::write(&path, super::super::certificate::pem("CERTIFICATE", &forged)).unwrap();
    let said = import(home.path(), &path, None).unwrap_err().to_string();
    assert!(said.contains("its signature is not its own"), "{said}");
}

#[test]
fn a_fingerprint_that_names_none_or_too_many_is_refused() {
    let home = Home::new();
    import(home.path(), &Foreign::new("others").ca(), None).unwrap();
    for (digits, expected) in [
        ("0000000000", "no authority has"),
        ("00", "at least 8"),
        ("xx", "not hexadecimal"),
        ("", "not hexadecimal"),
    ] {
        let said = remove(home.path(), digits).unwrap_err().to_string();
        assert!(said.contains(expected), "{digits}: {said}");
    }
}
