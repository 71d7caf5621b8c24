//! Authorities between a leaf and the bundle: their lists, by whichever way a chain goes.

use super::bench::{Bench, Ca, DAY, leaf, now, time};
use super::{Distrust, ask};

#[test]
fn an_authority_between_needs_a_list_too_unless_the_first_needs_none() {
    let bench = Bench::new();
    let between = bench.ca.between("between", 50, 0..20);
    let chain = [leaf(&between, 1, 0..9), between.der.clone()];
    let standing = bench.standing(&chain);
    assert_eq!(ask(&standing), Err(Distrust::Unknown), "nobody tells whether it was revoked");
    assert_eq!(ask(&bench.standing(&chain[..1])), Err(Distrust::Unknown), "the chain is not whole");
    for (own, its, expected) in [
        (&[][..], &[][..], Ok(())),
        (&[], &[1], Err(Distrust::Revoked)),
        (&[50], &[], Err(Distrust::Revoked)),
    ] {
        bench.write_lists(&[&bench.ca.list(2, own, 0..30), &between.list(2, its, 0..30)]);
        bench.assert_reloads();
        assert_eq!(ask(&standing), expected);
    }
    // Somebody else's list under its name is no list.
    let impostor = Ca::new("between", 0..20);
    bench.write_lists(&[&bench.ca.list(3, &[], 0..30), &impostor.list(3, &[], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&standing), Err(Distrust::Unknown));

    let exempt = Bench::exempt();
    let between = exempt.ca.between("between", 50, 0..20);
    assert_eq!(ask(&exempt.standing(&[leaf(&between, 1, 0..9), between.der.clone()])), Ok(()));
}

/// A bundle of an exempt authority and of one below it: a chain by way of both is under the lower one's list all the same.
#[test]
fn what_an_authority_of_the_bundle_revoked_is_revoked_below_an_exempt_one_too() {
    let bench = Bench::exempt();
    let lower = bench.ca.between("lower", 50, 0..35);
    for bundle in [[&bench.ca, &lower], [&lower, &bench.ca]] {
        bench.write_authorities(&bundle);
        bench.write_lists(&[&lower.list(2, &[1], 0..30)]);
        bench.assert_reloads();
        let of = |serial| bench.standing(&[leaf(&lower, serial, 0..40), lower.der.clone()]);
        assert_eq!((ask(&of(1)), ask(&of(2))), (Err(Distrust::Revoked), Ok(())));
        // Nor does its list's end open that way.
        let later = time(now() + 31 * DAY);
        assert_eq!(of(2).ask_at(later), Err(Distrust::CrlExpired));
    }
}

#[test]
fn a_list_of_an_authority_between_never_steps_back_either() {
    let bench = Bench::exempt();
    let (between, other) = (bench.ca.between("between", 50, 0..35), Ca::new("other", 0..35));
    let victim = bench.standing(&[leaf(&between, 1, 0..9), between.der.clone()]);
    bench.write_lists(&[&between.list(300, &[1], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&victim), Err(Distrust::Revoked));
    for (text, expected) in [
        (between.list(299, &[], 0..30), "older than the one in force"),
        (other.list(400, &[], 0..30), "is gone, an authority between"),
        (between.list(301, &[], 0..30) + &between.list(302, &[1], 0..30), "there are two"),
    ] {
        bench.write("crl.pem", &text);
        let faults = bench.faults();
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{faults:?} lacks {expected:?}");
        assert_eq!(ask(&victim), Err(Distrust::Revoked), "{expected}");
    }
    std::fs::remove_file(bench.files.client_crl.path()).unwrap();
    assert!(!bench.faults().is_empty());
    assert_eq!(ask(&victim), Err(Distrust::Revoked));
    bench.write_lists(&[&between.list(301, &[], 0..30), &other.list(1, &[], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&victim), Ok(()), "its own authority took it back");
}

/// Taken out of the bundle, an authority below another one stands between: its list may not go with it, as a first one's may.
#[test]
fn an_authority_that_leaves_the_bundle_and_stands_between_keeps_its_list() {
    let bench = Bench::exempt();
    let (lower, other) = (bench.ca.between("lower", 50, 0..35), Ca::new("other", 0..35));
    let victim = bench.standing(&[leaf(&lower, 1, 0..9), lower.der.clone()]);
    bench.write_authorities(&[&bench.ca, &lower, &other]);
    bench.write_lists(&[&lower.list(2, &[1], 0..30), &other.list(1, &[], 0..30)]);
    bench.assert_reloads();
    bench.write_authorities(&[&bench.ca]);
    bench.write_lists(&[&other.list(1, &[], 0..30)]);
    let faults = bench.faults();
    assert!(faults.iter().any(|fault| fault.contains("CN=lower is gone")), "{faults:?}");
    assert_eq!(ask(&victim), Err(Distrust::Revoked));
    bench.write_lists(&[&lower.list(2, &[1], 0..30)]);
    bench.assert_reloads();
    assert_eq!(ask(&victim), Err(Distrust::Revoked));
}
