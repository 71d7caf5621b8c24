//! A change of authority: nobody notices until the old one is removed, and a power cut in the middle is finished.

use super::super::fixture::{Home, TILL, certificate};
use super::*;
use crate::pki::{KeyChoice, LeafRequest, Reason, Target, Usage, lists};

#[test]
fn both_authorities_are_taken_and_revoke_until_the_old_one_is_removed() {
    let mut home = Home::new();
    let [till, wang] = [TILL, "operator/wang"].map(|path| home.issue(path, 30).certificate_pem);
    home.ca.issue(&LeafRequest::server(&["hub.test"], 30)).unwrap();
    let old = home.ca.certificate().clone();
    let (changed, rotated) = home.ca.rotate().unwrap();
    home.ca = changed;
    assert_eq!(rotated.old, old);
    assert_ne!(rotated.new, old);
    assert!(home.is_let_in(&till) && home.is_let_in(&wang), "an old certificate is refused too early");
    assert_eq!(read(&rotated.hub_ca_pem), [rotated.new.clone(), old.clone()]);

    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("kept.pem");
    fs::copy(&wang, &kept).unwrap();
    for file in home.ca.renewable(None, Some(Usage::Client)).unwrap() {
        let renewed = home.ca.renew(&file, None, KeyChoice::Fresh).unwrap();
        assert_eq!(renewed.issued.ca_pem, rotated.hub_ca_pem);
    }
    assert!(certificate(&wang).is_signed_by(&rotated.new));
    assert!(home.is_let_in(&wang) && home.is_let_in(&kept));
    // Each list is signed by its own authority.
    home.ca.revoke(&Target::File(kept.clone()), Reason::Superseded).unwrap();
    assert!(home.is_let_in(&wang) && !home.is_let_in(&kept));
    home.ca.revoke(&Target::File(till.clone()), Reason::KeyCompromise).unwrap();
    assert!(!home.is_let_in(&till));
    let both = lists(home.path()).unwrap();
    assert_eq!(both.iter().map(|list| list.revoked.len()).collect::<Vec<_>>(), [1, 1]);

    let removed = remove(home.path(), &old.fingerprint).unwrap();
    let key = removed.deleted_key.unwrap();
    assert!(!key.exists() && key.starts_with(home.at(RETIRED)));
    assert!(home.verdict(&kept).says.contains("no authority"));
    assert!(home.is_let_in(&wang));
    assert_eq!(lists(home.path()).unwrap().len(), 1);
    assert_eq!(read(&rotated.hub_ca_pem), [rotated.new]);
}

fn read(path: &Path) -> Vec<Certificate> {
    read_certificates(path).unwrap()
}

#[test]
fn a_change_that_was_cut_off_between_key_and_certificate_is_finished() {
    let home = Home::new();
    let staged = New::stage(home.path(), home.ca.trust_domain()).unwrap();
    let next = certificate(&home.at("ca.pem.next"));
    drop(staged);
    fs::rename(home.at("ca.key.next"), home.at(CA_KEY)).unwrap();
    let ca = Ca::open(home.path()).unwrap();
    assert_eq!(*ca.certificate(), next);
    assert_eq!(certificate(&home.at(CA_PEM)), next);
}

/// A folder in which the making of its first authority was cut off between key and certificate.
fn half_made() -> (Home, Certificate) {
    let home = Home::new();
    let made = home.ca.certificate().clone();
    fs::rename(home.at(CA_PEM), home.at("ca.pem.next")).unwrap();
    for name in ["client-ca.pem", "crl.pem", "journal.jsonl"] {
        fs::remove_file(home.at(name)).unwrap();
    }
    (home, made)
}

#[test]
fn the_making_of_an_authority_that_was_cut_off_is_finished_by_opening_and_by_making() {
    let (home, made) = half_made();
    assert_eq!(*Ca::open(home.path()).unwrap().certificate(), made);
    let (home, made) = half_made();
    let again = Ca::init(home.path(), home.ca.trust_domain()).unwrap();
    assert_eq!(*again.certificate(), made);
    assert!(home.at("client-ca.pem").exists() && lists(home.path()).unwrap().len() == 1);
    assert!(matches!(Ca::init(home.path(), home.ca.trust_domain()), Err(PkiError::CaExists { .. })));
    // For another trust domain it is an authority like any other that is there.
    let (home, made) = half_made();
    let other = crate::peer::TrustDomain::parse("other.test").unwrap();
    assert!(matches!(Ca::init(home.path(), &other), Err(PkiError::CaExists { .. })));
    assert_eq!(*Ca::open(home.path()).unwrap().certificate(), made);
}

#[test]
fn a_key_without_its_certificate_is_told_and_nothing_is_made_over_it() {
    let home = Home::new();
    fs::remove_file(home.at(CA_PEM)).unwrap();
    let said = Ca::open(home.path()).unwrap_err().to_string();
    assert!(said.contains("put back a copy"), "{said}");
    assert!(matches!(Ca::init(home.path(), home.ca.trust_domain()), Err(PkiError::CaExists { .. })));
}

#[test]
fn what_lies_beside_the_authority_and_is_not_its_own_is_left_alone() {
    let (home, other) = (Home::new(), Home::new());
    fs::copy(other.at(CA_PEM), home.at("ca.pem.next")).unwrap();
    let before = home.ca.certificate().clone();
    assert_eq!(*Ca::open(home.path()).unwrap().certificate(), before);
    fs::copy(other.at(CA_KEY), home.at(CA_KEY)).unwrap();
    fs::remove_file(home.at("ca.pem.next")).unwrap();
    assert!(matches!(Ca::open(home.path()), Err(PkiError::CaMalformed { .. })));
}

#[test]
fn changes_without_an_end_are_refused() {
    let mut home = Home::new();
    for _ in 0..RETIRED_MAX {
        home.ca = home.ca.rotate().unwrap().0;
    }
    let before = home.ca.certificate().clone();
    let said = home.ca.rotate().unwrap_err().to_string();
    assert!(said.contains("pointbridge pki remove"), "{said}");
    assert_eq!(*Ca::open(home.folder.path()).unwrap().certificate(), before);
}

#[test]
fn the_authority_that_signs_can_be_taken_away_beside_another_and_keeps_its_key() {
    let home = Home::new();
    let foreign = super::super::fixture::Foreign::new("others");
    crate::pki::import(home.path(), &foreign.ca(), Some(&foreign.crl(1, 2080))).unwrap();
    let till = home.issue(TILL, 1).certificate_pem;
    let removed = remove(home.path(), &home.ca.certificate().fingerprint).unwrap();
    assert_eq!(removed.deleted_key, None);
    assert!(!home.is_let_in(&till) && home.at(CA_KEY).exists());
    // Nor does signing the lists anew bring it back.
    assert!(home.ca.renew_crl(None).unwrap().is_empty());
    assert_eq!(lists(home.path()).unwrap().len(), 1);
}

#[test]
fn of_two_changes_from_the_same_authority_the_second_is_refused_and_no_key_is_lost() {
    let home = Home::new();
    let (second, old) = (Ca::open(home.path()).unwrap(), home.ca.certificate().clone());
    let key = fs::read(home.at(CA_KEY)).unwrap();
    let (first, _) = Ca::open(home.path()).unwrap().rotate().unwrap();
    let said = second.rotate().unwrap_err().to_string();
    assert!(said.contains("was changed meanwhile") && said.contains("ask again"), "{said}");
    let kept = retired_pem(&home.at(RETIRED), &old).with_extension("key");
    assert_eq!(fs::read(kept).unwrap(), key, "the old authority's key is lost");
    assert_eq!(Ca::open(home.path()).unwrap().certificate(), first.certificate());
    // Nor is the folder blocked: both authorities go on signing their lists.
    assert_eq!(first.renew_crl(None).unwrap().len(), 2);
}

#[test]
fn whoever_opens_an_authority_in_the_middle_of_a_change_waits_for_its_end() {
    let home = Home::new();
    let locked = folder::lock(home.path()).unwrap();
    let staged = New::stage(home.path(), home.ca.trust_domain()).unwrap();
    let next = certificate(&home.at("ca.pem.next"));
    fs::rename(home.at("ca.key.next"), home.at(CA_KEY)).unwrap();
    drop(staged);
    let folder = home.path().to_owned();
    let other = std::thread::spawn(move || Ca::open(&folder).map(|ca| ca.certificate().clone()));
    // However long it is left to itself, it may not touch what lies beside the place.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(home.at("ca.pem.next").exists(), "it finished a change that somebody else makes");
    fs::rename(home.at("ca.pem.next"), home.at(CA_PEM)).unwrap();
    drop(locked);
    assert_eq!(other.join().unwrap().unwrap(), next);
}

#[test]
fn a_new_authority_signs_only_when_the_hub_takes_it_with_its_list() {
    let mut home = Home::new();
    let old = home.ca.certificate().clone();
    let till = home.issue(TILL, 30).certificate_pem;
    // A power cut right before the new authority comes into its place.
    let (new, _) = home.ca.prepare(&folder::lock(home.path()).unwrap()).unwrap();
    let taken = crate::pki::authorities(home.path()).unwrap();
    assert_eq!(taken, [new.certificate().clone(), old.clone()]);
    let both = lists(home.path()).unwrap();
    assert!(
        taken.iter().all(|one| both.iter().any(|list| list.is_signed_by(one))),
        "an authority has no list"
    );
    assert_eq!(*Ca::open(home.path()).unwrap().certificate(), old);
    assert!(home.is_let_in(&till));
    // Another one between its two files: it is finished, and whom it signs for is let in.
    fs::rename(home.at("ca.key.next"), home.at(CA_KEY)).unwrap();
    home.ca = Ca::open(home.path()).unwrap();
    assert_eq!(home.ca.certificate(), new.certificate());
    let wang = home.issue("operator/wang", 30).certificate_pem;
    assert!(home.is_let_in(&wang) && home.is_let_in(&till));
    // What was left of a change that never came into its place goes with the next one.
    let (left, _) = home.ca.prepare(&folder::lock(home.path()).unwrap()).unwrap();
    home.ca = home.ca.rotate().unwrap().0;
    let taken = crate::pki::authorities(home.path()).unwrap();
    assert!(taken.len() == 3 && !taken.contains(left.certificate()));
    assert!(lists(home.path()).unwrap().len() == 3);
}
