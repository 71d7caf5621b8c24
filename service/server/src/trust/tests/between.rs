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
