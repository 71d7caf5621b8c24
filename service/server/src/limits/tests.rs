//! The limits under a clock that the test turns.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pointbridge_core::text::PartnerCode;
use proptest::prelude::*;
use tonic::Code;
use tonic_types::StatusExt;

use super::*;

/// Limits, and the milliseconds that their clock shows.
fn limits(allowance: Allowance) -> (CallLimits, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(0));
    (CallLimits::on(allowance, Ticks::shown_by(Arc::clone(&millis))), millis)
}

fn caller(code: &str) -> Caller {
    let party = Party::Partner(PartnerCode::new(code).unwrap());
    Caller { party, principal: format!("partner/{code}/partner/till-7") }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn wait_of(status: &Status) -> Duration {
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

#[test]
fn who_waits_as_long_as_it_is_told_is_let_in_and_not_earlier() {
    let (limits, millis) = limits(Allowance::of(3, 2, 100));
    let airline = caller("airline");
    for _ in 0..2 {
        limits.enter(&airline).unwrap();
    }
    let refused = limits.enter(&airline).unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    let violation = &refused.get_details_quota_failure().unwrap().violations[0];
    assert_eq!(
        (violation.subject.as_str(), violation.description.as_str()),
        ("airline", "3 calls per second, 2 at once")
    );
    assert_eq!(wait_of(&refused), Duration::from_millis(334), "a third of a second, rounded up");
    millis.store(333, Ordering::SeqCst);
    assert_eq!(wait_of(&limits.enter(&airline).unwrap_err()), Duration::from_millis(1));
    millis.store(334, Ordering::SeqCst);
    limits.enter(&airline).unwrap();
    assert!(limits.enter(&airline).is_err(), "one token is one call");
    assert!(limits.enter(&caller("market")).is_ok(), "another party's bucket is its own");
}

#[test]
fn a_place_is_free_when_the_call_and_its_write_are_done_and_not_before() {
    let (limits, _) = limits(Allowance::of(100, 100, 2));
    let airline = caller("airline");
    let (first, _second) = (limits.enter(&airline).unwrap(), limits.enter(&airline).unwrap());
    let refused = limits.enter(&airline).unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "CONCURRENCY_LIMITED"));
    assert!(!wait_of(&refused).is_zero());
    let write = first.kept();
    drop(first);
    assert!(limits.enter(&airline).is_err(), "the write is still under way");
    drop(write);
    let third = limits.enter(&airline).unwrap();
    assert_eq!(third.standing().calls_in_flight, 2);
    let told: Vec<_> =
        third.quotas().0.iter().map(|quota| (quota.name, quota.limit, quota.remaining)).collect();
    let expected = [("calls_per_second", 100, 95), ("calls_at_once", 100, 95), ("calls_under_way", 2, 0)];
    assert_eq!(told, expected);
    assert_eq!(limits.standing(&airline.party).tokens_left, 100 - 5, "refused calls are calls too");
}

#[test]
fn what_is_announced_takes_room_until_it_is_read_and_one_party_does_not_get_all() {
    let (limits, _) = limits(Allowance::default());
    let held: Vec<Admission> =
        ["aa", "bb", "cc", "dd", "ee"].map(caller).iter().map(|who| limits.enter(who).unwrap()).collect();
    let mut rooms = Vec::new();
    for admission in &held[..4] {
        for _ in 0..64 {
            rooms.push(admission.reserve(MESSAGE_BYTES_MAX).unwrap());
        }
        let refused = admission.reserve(1).unwrap_err();
        assert_eq!(reason(&refused), "CONCURRENCY_LIMITED");
    }
    let refused = held[4].reserve(1).unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "OVERLOADED"));
    assert!(!wait_of(&refused).is_zero());
    rooms.pop();
    let room = held[4].reserve(MESSAGE_BYTES_MAX).unwrap();
    drop((room, rooms));
    assert_eq!(limits.undecoded.load(Ordering::SeqCst), 0, "what was refused or read takes no room");
    assert!(held.iter().all(|admission| admission.0.share.bytes().load(Ordering::SeqCst) == 0));
}

#[test]
fn strangers_are_counted_by_address_and_take_no_more_memory_than_there_is() {
    let (limits, millis) = limits(Allowance::default());
    let address = |number: u32| IpAddr::V4(number.into());
    for _ in 0..STRANGERS.rate_burst.get() {
        limits.charge(address(1)).unwrap();
    }
    let refused = limits.charge(address(1)).unwrap_err();
    assert_eq!(reason(&refused), "RATE_LIMITED");
    for number in 0..10_000 {
        let _ = limits.charge(address(number));
    }
    assert_eq!(limits.strangers.len(), ADDRESSES_MAX);
    assert!(limits.charge(address(1)).is_err(), "its bucket is not full again because others came");
    assert!(limits.charge(address(1_000_000)).is_err(), "those without a place share one bucket");
    millis.store(60_000, Ordering::SeqCst);
    limits.charge(address(1_000_000)).unwrap();
    assert!(limits.strangers.len() < 10, "who was idle for long is forgotten");
    assert_eq!(limits.parties.len(), 0);
    assert!(!limits.knows(&caller("airline").party));
    drop(limits.enter(&caller("airline")).unwrap());
    assert!(limits.knows(&caller("airline").party));
}

#[test]
fn a_customers_addresses_are_one_network() {
    let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
    assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
    assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
    assert!(!same("10.0.0.1", "10.0.0.2"));
}

proptest! {
    /// However calls come: in no stretch of time are more let in than the burst and what the rate makes of the stretch; and who
    /// is refused is let in when it was told, at the latest.
    #[test]
    fn no_stretch_of_time_has_more_calls_than_burst_and_rate(
        rate in 1_u32..2_000,
        burst in 1_u32..50,
        pauses in prop::collection::vec(0_u64..40, 1..300),
    ) {
        let (limits, millis) = limits(Allowance::of(rate, burst, ALLOWANCE_MAX));
        let airline = caller("airline");
        let (mut now, mut let_in) = (0_u64, Vec::new());
        for pause in pauses {
            now += pause;
            millis.store(now, Ordering::SeqCst);
            match limits.enter(&airline) {
                Ok(_) => let_in.push(now),
                Err(refused) => {
                    now += u64::try_from(wait_of(&refused).as_millis()).unwrap();
                    millis.store(now, Ordering::SeqCst);
                    prop_assert!(limits.enter(&airline).is_ok(), "refused after waiting as long as told");
                    let_in.push(now);
                }
            }
        }
        for (first, from) in let_in.iter().enumerate() {
            for (last, to) in let_in.iter().enumerate().skip(first) {
                let calls = u64::try_from(last - first + 1).unwrap();
                // A token's time is whole nanoseconds: a thousandth more for what is lost by that.
                let allowed = u64::from(burst) + (to - from) * u64::from(rate) * 1_001 / 1_000_000 + 1;
                prop_assert!(calls <= allowed, "{calls} calls in {} ms, {allowed} allowed", to - from);
            }
        }
    }
}
