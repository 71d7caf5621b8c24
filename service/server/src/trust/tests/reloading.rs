//! What a reload takes, what it keeps, and when the files are read at all.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::reload::{Ask, Watch};
use super::bench::{Bench, Ca, DAY, leaf, now, pem, sign};
use super::*;

/// The serial number of the server's certificate in force.
fn served(bench: &Bench) -> String {
    let chain = bench.trust.state().parts.identity.cert.clone();
    crate::peer::PeerCertificate::of(&chain[0]).serial
}

#[test]
fn a_new_certificate_is_served_and_a_half_written_pair_is_not() {
    let bench = Bench::new();
    bench.write_pair(2, 0..9);
    bench.assert_reloads();
    assert_eq!(served(&bench), "2");

    // The certificate is there, its key is not yet.
    let key = std::fs::read_to_string(&bench.files.key_pem).unwrap();
    bench.write_pair(3, 0..9);
    let new_key = std::fs::read_to_string(&bench.files.key_pem).unwrap();
    bench.write("server.key", &key);
    let certificate = std::fs::read_to_string(&bench.files.certificate_pem).unwrap();
    let cases: [(&str, &dyn Fn()); 5] = [
        ("issue both together", &|| {}),
        ("write it anew", &|| bench.write("server.pem", &certificate[..certificate.len() / 2])),
        ("right file", &|| bench.write("server.pem", "")),
        ("cannot read", &|| std::fs::remove_file(&bench.files.certificate_pem).unwrap()),
        ("is over", &|| {
            let (over, key) = sign(&bench.ca, 4, CertificateParams::default(), -9..-1);
            bench.write("server.pem", &pem("CERTIFICATE", &over));
            bench.write("server.key", &key.serialize_pem());
        }),
    ];
    for (expected, change) in cases {
        change();
        let faults = bench.faults();
        assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?} lacks {expected:?}");
        assert!(faults[0].contains("server."), "{faults:?} names no file");
        assert_eq!(served(&bench), "2", "{expected}");
    }
    bench.write("server.pem", &certificate);
    bench.write("server.key", &new_key);
    bench.assert_reloads();
    assert_eq!(served(&bench), "3");
}

#[test]
fn a_fault_in_one_file_does_not_hold_up_what_another_revokes() {
    let bench = Bench::new();
    let (victim, bystander) = (bench.leaf(7), bench.leaf(8));
    bench.write("server.pem", "");
    bench.write("ca.pem", &bench.ca.pem[..100]);
    bench.write_lists(&[&bench.ca.list(2, &[7], 0..30)]);
    assert_eq!(bench.faults().len(), 2);
    assert_eq!((ask(&victim), ask(&bystander)), (Err(Distrust::Revoked), Ok(())));

    // An authority's end does not wait for a list, nor for another authority that lacks one.
    let other = Ca::new("second", 0..35);
    let bench = Bench::new();
    bench.write_authorities(&[&bench.ca, &other]);
    bench.write_lists(&[&bench.ca.list(2, &[], 0..30), &other.list(1, &[], 0..30)]);
    bench.assert_reloads();
    let (old, new) = (bench.leaf(1), bench.standing(&[leaf(&other, 1, 0..9)]));
    bench.write_authorities(&[&other]);
    bench.write("crl.pem", "-----BEGIN X509 CRL-----\nMIIB");
    assert_eq!(bench.faults().len(), 1);
    assert_eq!((ask(&old), ask(&new)), (Err(Distrust::Unknown), Ok(())));
}

#[test]
fn an_authority_that_comes_before_its_list_waits_for_it_and_hinders_no_revocation() {
    let bench = Bench::new();
    let other = Ca::new("second", 0..35);
    let (own, others) = (bench.leaf(1), bench.standing(&[leaf(&other, 1, 0..9)]));
    bench.write_authorities(&[&bench.ca, &other]);
    let faults = bench.faults();
    assert!(faults[0].contains("no revocation list of the authority CN=second"), "{faults:?}");
    assert_eq!((ask(&own), ask(&others)), (Ok(()), Err(Distrust::Unknown)));
    bench.write_lists(&[&bench.ca.list(2, &[1], 0..30)]);
    assert!(!bench.faults().is_empty());
    assert_eq!((ask(&own), ask(&others)), (Err(Distrust::Revoked), Err(Distrust::Unknown)));
    bench.write_lists(&[&bench.ca.list(2, &[1], 0..30), &other.list(1, &[], 0..30)]);
    bench.assert_reloads();
    assert_eq!((ask(&own), ask(&others)), (Err(Distrust::Revoked), Ok(())));
}

#[test]
fn an_older_list_or_none_brings_nobody_back() {
    let bench = Bench::new();
    let victim = bench.leaf(7);
    bench.write_lists(&[&bench.ca.list(300, &[7], 0..30)]);
    bench.assert_reloads();
    let other = Ca::new("second", 0..35);
    for (text, expected) in [
        (bench.ca.list(299, &[], 0..30), "older than the one in force"),
        (bench.ca.list(9, &[], 0..30), "older than the one in force"),
        (other.list(400, &[], 0..30), "is gone, and its authority is not"),
        (Ca::new("first", 0..35).list(400, &[], 0..30), "not signed by it"),
        (String::new(), "no block"),
    ] {
        bench.write("crl.pem", &text);
        let faults = bench.faults();
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{faults:?} lacks {expected:?}");
        assert_eq!(ask(&victim), Err(Distrust::Revoked), "{expected}");
    }
    std::fs::remove_file(bench.files.client_crl.path()).unwrap();
    assert!(!bench.faults().is_empty());
    assert_eq!(ask(&victim), Err(Distrust::Revoked));
}

#[test]
fn a_list_that_is_over_vouches_for_nobody_until_a_new_one_comes() {
    let bench = Bench::new();
    let client = bench.leaf(1);
    bench.write_lists(&[&bench.ca.list(2, &[], -9..-1)]);
    bench.assert_reloads();
    assert_eq!(ask(&client), Err(Distrust::CrlExpired));
    bench.write_lists(&[&bench.ca.list(3, &[], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&client), Ok(()));
    assert_eq!(client.ask_at(time(now() + 31 * DAY)), Err(Distrust::Expired));
}

#[test]
fn a_file_that_is_being_written_is_not_read_half_way() {
    let bench = Bench::new();
    let other = Ca::new("second", 0..35);
    bench.write_authorities(&[&other, &bench.ca]);
    bench.write_lists(&[&bench.ca.list(2, &[], 0..30), &other.list(1, &[], 0..30)]);
    bench.assert_reloads();
    let client = bench.leaf(1);
    let mut watch = Watch::new(Arc::clone(&bench.trust));
    watch.look(Ask::IfSettled);
    // One of two authorities is written so far: well-formed, and not what is meant.
    bench.write_authorities(&[&other]);
    watch.look(Ask::IfSettled);
    assert_eq!(ask(&client), Ok(()), "taken at first sight");
    bench.write_authorities(&[&other, &bench.ca]);
    watch.look(Ask::IfSettled);
    watch.look(Ask::IfSettled);
    assert_eq!(ask(&client), Ok(()));
    // What stays so is taken at the second look, and what somebody vouches for at once.
    bench.write_authorities(&[&other]);
    watch.look(Ask::IfSettled);
    watch.look(Ask::IfSettled);
    assert_eq!(ask(&client), Err(Distrust::Unknown));
    bench.write_authorities(&[&bench.ca]);
    watch.look(Ask::Now);
    assert_eq!(ask(&client), Ok(()));
}

#[test]
fn a_swapped_link_and_a_mended_mode_are_seen() {
    let bench = Bench::new();
    let client = bench.leaf(7);
    let at = |name: &str| bench.folder.path().join(name);
    // As a cluster mounts secrets: the file is a link, by way of another one that is swapped.
    for (folder, revoked) in [("one", &[][..]), ("two", &[7])] {
        std::fs::create_dir(at(folder)).unwrap();
        std::fs::write(at(folder).join("crl.pem"), bench.ca.list(2, revoked, 0..30)).unwrap();
    }
    std::fs::remove_file(at("crl.pem")).unwrap();
    symlink(at("one"), at("data")).unwrap();
    symlink(at("data").join("crl.pem"), at("crl.pem")).unwrap();
    let mut watch = Watch::new(Arc::clone(&bench.trust));
    let mut look_twice = || {
        watch.look(Ask::IfSettled);
        watch.look(Ask::IfSettled);
        watch.told.clone()
    };
    assert!(look_twice().is_empty());
    assert_eq!(ask(&client), Ok(()));
    symlink(at("two"), at("data.new")).unwrap();
    std::fs::rename(at("data.new"), at("data")).unwrap();
    assert!(look_twice().is_empty());
    assert_eq!(ask(&client), Err(Distrust::Revoked));

    bench.write_pair(2, 0..9);
    let mode = |mode| std::fs::set_permissions(at("server.key"), std::fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    let told = look_twice();
    assert!(told.len() == 1 && told.first().unwrap().contains("chmod 600"), "{told:?}");
    assert_eq!(served(&bench), "1");
    mode(0o600).unwrap();
    assert!(look_twice().is_empty(), "the same bytes in a new mode");
    assert_eq!(served(&bench), "2");
}
