//! Revoking: what the transport's verifier then says, and what survives the loss of a file.

use std::fs;

use super::super::fixture::{Foreign, Home, TILL, certificate};
use super::*;
use crate::pki::{KeyChoice, LeafRequest};

fn by_file(path: &Path) -> Target {
    Target::File(path.to_owned())
}

#[test]
fn a_new_authority_has_an_empty_list_in_force_and_lets_its_clients_in() {
    let home = Home::new();
    assert_eq!(home.list(), (vec![], 1));
    let lists = trusted::lists(home.path()).unwrap();
    let end = lists[0].next_update.unwrap();
    assert_eq!(end.days_after(Moment::now().unwrap().minus_seconds(60)), 30);
    assert!(home.is_let_in(&home.issue(TILL, 1).certificate_pem));
}

#[test]
fn a_revoked_certificate_is_refused_by_file_by_serial_number_and_by_principal_and_the_others_are_not() {
    let home = Home::new();
    let files = ["till-1", "till-2", "till-3", "till-4"]
        .map(|till| home.issue(&format!("partner/airline/partner/{till}"), 1).certificate_pem);
    let [first, second, third, fourth] = &files;
    let colons = certificate(second).serial.to_uppercase();
    let pairs: Vec<String> =
        colons.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).into()).collect();
    let targets = [
        by_file(first),
        Target::Serial(pairs.join(":")),
        Target::Principal("partner/airline/partner/till-3".into()),
    ];
    for (index, target) in targets.iter().enumerate() {
        let done = home.ca.revoke(target, Reason::KeyCompromise).unwrap();
        assert_eq!((done.revoked.len(), done.before.len()), (1, 0), "{target:?}");
        assert_eq!(home.list().0.len(), index + 1);
    }
    for refused in [first, second, third] {
        assert_eq!(home.verdict(refused).says, "it is revoked");
    }
    assert!(home.is_let_in(fourth));
    let by_uri = Target::Principal("spiffe://hub.test/partner/airline/partner/till-4".into());
    home.ca.revoke(&by_uri, Reason::Superseded).unwrap();
    assert!(!home.is_let_in(fourth));
}

#[test]
fn revoking_again_changes_nothing_but_the_number_of_the_list() {
    let home = Home::new();
    let file = home.issue(TILL, 1).certificate_pem;
    home.ca.revoke(&by_file(&file), Reason::Superseded).unwrap();
    let (serials, number) = home.list();
    let done = home.ca.revoke(&by_file(&file), Reason::KeyCompromise).unwrap();
    assert_eq!((done.revoked.len(), done.before.len()), (0, 1));
    let after = home.list();
    assert_eq!(after.0, serials);
    assert!(after.1 > number);
    let lists = trusted::lists(home.path()).unwrap();
    assert_eq!(lists[0].revoked[0].reason, Reason::Superseded);
}

#[test]
fn every_certificate_of_a_principal_is_revoked_also_the_renewed_one() {
    let home = Home::new();
    let file = home.issue(TILL, 1).certificate_pem;
    // Not in the folder: only the journal knows of it.
    let elsewhere = tempfile::tempdir().unwrap();
    let old = elsewhere.path().join("copy.pem");
    fs::copy(&file, &old).unwrap();
    home.ca.renew(&file, None, KeyChoice::Fresh).unwrap();
    let done = home.ca.revoke(&Target::Principal(TILL.into()), Reason::CessationOfOperation).unwrap();
    assert_eq!(done.revoked.len(), 2);
    assert!(!home.is_let_in(&old) && !home.is_let_in(&file));
}

#[test]
fn a_lost_journal_or_a_lost_list_takes_no_revocation_back() {
    let home = Home::new();
    let (first, second) =
        (home.issue("operator/wang", 1).certificate_pem, home.issue("operator/zhao", 1).certificate_pem);
    home.ca.revoke(&by_file(&first), Reason::KeyCompromise).unwrap();
    let (_, number) = home.list();
    fs::remove_file(home.at(folder::JOURNAL)).unwrap();
    home.ca.revoke(&by_file(&second), Reason::KeyCompromise).unwrap();
    assert_eq!(home.list().0.len(), 2, "what the list said was forgotten with the journal");
    assert!(home.list().1 > number, "a number was used twice");

    home.ca.revoke(&by_file(&home.issue("operator/li", 1).certificate_pem), Reason::Superseded).unwrap();
    let (_, number) = home.list();
    fs::remove_file(home.at(CRL_PEM)).unwrap();
    assert!(home.ca.complete(30).unwrap());
    assert_eq!(home.list().0.len(), 3, "what the journal says was forgotten with the list");
    assert!(home.list().1 > number, "a number was used twice");
}

#[test]
fn a_revocation_that_a_crash_kept_from_the_list_is_on_the_next_one() {
    let home = Home::new();
    let file = home.issue(TILL, 1).certificate_pem;
    let before = fs::read(home.at(CRL_PEM)).unwrap();
    home.ca.revoke(&by_file(&file), Reason::KeyCompromise).unwrap();
    // As if the power had failed between the journal and the list.
    fs::write(home.at(CRL_PEM), before).unwrap();
    assert!(home.is_let_in(&file));
    home.ca.renew_crl(None).unwrap();
    assert!(!home.is_let_in(&file));
}

#[test]
fn a_list_is_renewed_for_as_long_as_before_or_as_told() {
    let home = Home::new();
    let days = |home: &Home| {
        let end = trusted::lists(home.path()).unwrap()[0].next_update.unwrap();
        end.days_after(Moment::now().unwrap().minus_seconds(60))
    };
    home.ca.renew_crl(Some(7)).unwrap();
    assert_eq!(days(&home), 7);
    home.ca.renew_crl(None).unwrap();
    assert_eq!(days(&home), 7);
    assert_eq!(home.list().1, 3);
    for wrong in [0, 826] {
        assert!(home.ca.renew_crl(Some(wrong)).unwrap_err().to_string().contains("1 to 825"));
    }
}

#[test]
fn what_is_not_of_this_authority_is_refused_with_a_remedy() {
    let home = Home::new();
    let foreign = Foreign::new("others");
    let leaf = foreign.client(&["spiffe://hub.test/operator/wang"]);
    let damaged = home.at("damaged.pem");
    fs::write(&damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let cases = [
        (by_file(&leaf), "revoke it where it was issued"),
        (by_file(&home.at("ca.pem")), "pointbridge pki remove"),
        (by_file(&home.at("gone.pem")), "cannot read"),
        (by_file(&damaged), "no X.509 certificate"),
        (Target::Serial("4f00".into()), "give that"),
        (Target::Serial("xyz".into()), "not hexadecimal"),
        (Target::Principal(TILL.into()), "give that"),
        (Target::Principal(String::new()), "give that"),
    ];
    for (target, expected) in cases {
        let said = home.ca.revoke(&target, Reason::Unspecified).unwrap_err().to_string();
        assert!(said.contains(expected), "{target:?}: {said}");
    }
    assert_eq!(home.list(), (vec![], 1));
}

#[test]
fn a_folder_from_before_there_were_lists_gets_one_and_its_certificates_can_be_revoked() {
    let home = Home::new();
    let till = home.issue(TILL, 1).certificate_pem;
    home.ca.issue(&LeafRequest::server(&["hub.test"], 1)).unwrap();
    for name in [folder::JOURNAL, CRL_PEM, folder::CLIENT_CA_PEM] {
        fs::remove_file(home.at(name)).unwrap();
    }
    assert!(home.verdict(&till).says.contains("no revocation list"), "{:?}", home.verdict(&till));
    let done = home.ca.revoke(&Target::Principal(TILL.into()), Reason::Superseded).unwrap();
    assert!(done.is_new && done.revoked.len() == 1);
    assert_eq!(home.verdict(&till).says, "it is revoked");
}
