//! Authorities, lists and certificates made on the spot: who is vouched for, and what a reload takes and keeps.

mod bench;
mod between;
mod reloading;

use rcgen::CertificateParams;

use self::bench::{Bench, Ca, DAY, faults_of, leaf, now, time};
use super::*;
use crate::tls::CrlFile;

fn ask(standing: &Standing) -> Result<(), Distrust> {
    standing.ask_at(time(now()))
}

#[test]
fn a_certificate_is_trusted_until_its_own_end_its_lists_end_or_its_authoritys_end() {
    let bench = Bench::new();
    let ca = &bench.ca;
    let long = bench.standing(&[leaf(ca, 1, 0..40)]);
    let short = bench.standing(&[leaf(ca, 2, 0..2)]);
    // The list is good for thirty days, the authority for thirty-five.
    for (day, of_long, of_short) in [
        (1, Ok(()), Ok(())),
        (3, Ok(()), Err(Distrust::Expired)),
        (29, Ok(()), Err(Distrust::Expired)),
        (31, Err(Distrust::CrlExpired), Err(Distrust::Expired)),
        // The clock is set back: nothing of what was found later counts.
        (1, Ok(()), Ok(())),
    ] {
        let at = time(now() + day * DAY);
        assert_eq!((long.ask_at(at), short.ask_at(at)), (of_long, of_short), "on day {day}");
    }
    bench.write_lists(&[&ca.list(2, &[], 0..60)]);
    bench.assert_reloads();
    for (day, expected) in [(31, Ok(())), (34, Ok(())), (36, Err(Distrust::Expired))] {
        assert_eq!(long.ask_at(time(now() + day * DAY)), expected, "on day {day}");
    }
}

#[test]
fn an_answer_is_kept_to_the_second_at_which_something_ends() {
    let bench = Bench::new();
    let der = leaf(&bench.ca, 1, 0..2);
    let end = Validity::of(&der).unwrap().until;
    let standing = bench.standing(&[der]);
    for (at, expected) in
        [(end - 1, Ok(())), (end, Ok(())), (end + 1, Err(Distrust::Expired)), (end - 1, Ok(()))]
    {
        assert_eq!(standing.ask_at(time(at)), expected, "{} s behind its end", at - end);
    }
}

#[test]
fn a_list_revokes_by_number_and_nobody_else() {
    let bench = Bench::new();
    let (victim, bystander) = (bench.leaf(7), bench.leaf(8));
    assert_eq!((ask(&victim), ask(&bystander)), (Ok(()), Ok(())));
    bench.write_lists(&[&bench.ca.list(2, &[7], 0..30)]);
    bench.assert_reloads();
    assert_eq!((ask(&victim), ask(&bystander)), (Err(Distrust::Revoked), Ok(())));
}

#[test]
fn two_authorities_of_one_name_are_two_each_with_its_own_list() {
    let bench = Bench::new();
    let twin = Ca::new("first", 0..35);
    bench.write_authorities(&[&bench.ca, &twin]);
    bench.write_lists(&[&bench.ca.list(2, &[1], 0..30), &twin.list(2, &[2], 0..30)]);
    bench.assert_reloads();
    let of = |ca: &Ca, serial| ask(&bench.standing(&[leaf(ca, serial, 0..9)]));
    assert_eq!(of(&bench.ca, 1), Err(Distrust::Revoked));
    assert_eq!(of(&bench.ca, 2), Ok(()));
    assert_eq!(of(&twin, 1), Ok(()));
    assert_eq!(of(&twin, 2), Err(Distrust::Revoked));
}

#[test]
fn an_authority_that_was_issued_again_has_one_list_for_both_editions() {
    let bench = Bench::new();
    let again = bench.ca.again("first", 0..99);
    for (bundle, number) in [([&bench.ca, &again], 2), ([&again, &bench.ca], 3)] {
        bench.write_authorities(&bundle);
        bench.write_lists(&[&bench.ca.list(number, &[1], 0..30)]);
        bench.assert_reloads();
        for (serial, expected) in [(1, Err(Distrust::Revoked)), (2, Ok(()))] {
            assert_eq!(ask(&bench.standing(&[leaf(&bench.ca, serial, 0..9)])), expected);
        }
    }
    // A start asks the same, and two lists in one place are two still.
    assert!(Trust::load(bench.files.clone()).is_ok());
    bench.write_lists(&[&bench.ca.list(4, &[], 0..30), &again.list(5, &[], 0..30)]);
    assert!(bench.faults().iter().any(|fault| fault.contains("there are two")));
    // The new edition outlives the old one, whose clients it keeps.
    bench.write_lists(&[&bench.ca.list(4, &[1], 0..60)]);
    bench.assert_reloads();
    let client = bench.standing(&[leaf(&bench.ca, 2, 0..50)]);
    assert_eq!(client.ask_at(time(now() + 40 * DAY)), Ok(()));
}

#[test]
fn a_change_of_authority_takes_both_and_then_only_the_new_one() {
    let bench = Bench::new();
    let new = Ca::new("second", 0..35);
    let (old_client, new_client) = (bench.leaf(1), bench.standing(&[leaf(&new, 1, 0..9)]));
    assert_eq!((ask(&old_client), ask(&new_client)), (Ok(()), Err(Distrust::Unknown)));
    bench.write_authorities(&[&bench.ca, &new]);
    bench.write_lists(&[&bench.ca.list(1, &[], 0..30), &new.list(1, &[], 0..30)]);
    bench.assert_reloads();
    assert_eq!((ask(&old_client), ask(&new_client)), (Ok(()), Ok(())));
    // Its list may stay behind: it vouches for nobody.
    bench.write_authorities(&[&new]);
    bench.assert_reloads();
    assert_eq!((ask(&old_client), ask(&new_client)), (Err(Distrust::Unknown), Ok(())));
    // And it may go later, without holding up what the other one revokes.
    bench.write_lists(&[&new.list(2, &[1], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&new_client), Err(Distrust::Revoked));
}

#[test]
fn an_authority_without_a_list_is_refused_unless_it_is_named() {
    let bench = Bench::new();
    std::fs::remove_file(bench.files.client_crl.path()).unwrap();
    let said = Trust::load(bench.files.clone()).unwrap_err().to_string();
    assert!(said.contains("cannot read") && said.contains("crl.pem"), "{said}");

    let mut files = bench.files.clone();
    files.client_crl = CrlFile::IfThere(bench.files.client_crl.path().to_owned());
    let said = Trust::load(files.clone()).unwrap_err().to_string();
    let fingerprint = data_encoding::HEXLOWER.encode(&bench.ca.fingerprint());
    for part in ["CN=first", "pointbridge pki crl", &fingerprint] {
        assert!(said.contains(part), "{said} lacks {part}");
    }
    files.authorities_without_crl.insert(bench.ca.fingerprint());
    let trust = Trust::load(files).unwrap();
    assert_eq!(ask(&Standing::new(Arc::clone(&trust), &[leaf(&bench.ca, 1, 0..9)])), Ok(()));

    // An exempt authority that has a list is held to it, and does not lose it.
    bench.write_lists(&[&bench.ca.list(1, &[1], 0..30)]);
    assert_eq!(faults_of(&trust), Vec::<String>::new());
    let standing = Standing::new(Arc::clone(&trust), &[leaf(&bench.ca, 1, 0..9)]);
    assert_eq!(ask(&standing), Err(Distrust::Revoked));
    std::fs::remove_file(bench.files.client_crl.path()).unwrap();
    assert!(faults_of(&trust)[0].contains("is gone"));
    assert_eq!(ask(&standing), Err(Distrust::Revoked));
}

#[test]
fn what_is_no_authority_or_no_list_of_one_is_refused_by_name() {
    let bench = Bench::new();
    let stranger = Ca::new("first", 0..35);
    let (ca, list) = (&bench.ca, |one: &Ca| one.list(1, &[], 0..30));
    let of_authorities = |text: &str| {
        bench.write("ca.pem", text);
        let said = Trust::load(bench.files.clone()).unwrap_err().to_string();
        bench.write_authorities(&[ca]);
        said
    };
    let of_lists = |text: &str| {
        bench.write("crl.pem", text);
        let said = Trust::load(bench.files.clone()).unwrap_err().to_string();
        bench.write_lists(&[&list(ca)]);
        said
    };
    let leaf_pem = bench::pem("CERTIFICATE", &leaf(ca, 1, 0..9));
    let cases = [
        (of_authorities(""), "right file"),
        (of_authorities("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be read"),
        (of_authorities(&ca.pem[..ca.pem.len() / 2]), "write it anew"),
        (of_authorities(&format!("{}{leaf_pem}", ca.pem)), "is no authority"),
        (of_lists(""), "no block `X509 CRL`"),
        (of_lists(&list(ca)[..200]), "write it anew"),
        (of_lists("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), "cannot be read"),
        (of_lists(&list(&stranger)), "is not signed by it"),
        (of_lists(&(list(ca) + &ca.list(2, &[], 0..30))), "there are two"),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said:?} lacks {expected:?}");
    }
    assert!(Trust::load(bench.files.clone()).is_ok());
}

#[test]
fn without_a_client_purpose_nobody_is_a_client() {
    let bench = Bench::new();
    let server = bench::sign(&bench.ca, 1, CertificateParams::default(), 0..9).0;
    assert_eq!(ask(&bench.standing(&[server])), Ok(()), "no purpose is every purpose");
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let server = bench::sign(&bench.ca, 1, params, 0..9).0;
    assert_eq!(ask(&bench.standing(&[server])), Err(Distrust::Unknown));
}
