//! The far ends of what can be written: amounts with too many digits, and moments at the end of time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use fixture::attempt;
use fixture::{Scene, at};
use pointbridge_core::command::Answer;
use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::LotMovement;
use pointbridge_core::money::Money;
use pointbridge_core::points::{Amount, AmountError, Entered, Scale};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::Reason;
use pointbridge_core::time::{Expiry, Timestamp};
use proptest::prelude::*;

/// The last moment that there is.
const LATEST: &str = "9999-12-30T22:00:00.000000Z";

#[test]
fn more_digits_than_eighteen_are_refused_on_either_side_of_the_point() {
    let zeros = |count: usize| "0".repeat(count);
    let lines = [
        (format!("0.{}1", zeros(17)), Ok(())),
        (format!("0.{}1", zeros(18)), Err(AmountError::Large)),
        (format!("0.{}1", zeros(27)), Err(AmountError::Large)),
        (format!("0.{}1", zeros(28)), Err(AmountError::Large)),
        (format!("0.{}1", zeros(300)), Err(AmountError::Large)),
        (format!("0.{}", "1".repeat(18)), Ok(())),
        (format!("0.{}", "1".repeat(19)), Err(AmountError::Large)),
        (format!("1.{}", "1".repeat(17)), Ok(())),
        (format!("1.{}", "1".repeat(18)), Err(AmountError::Large)),
        (format!("0.1{}", zeros(300)), Ok(())),
        (format!("{}1", zeros(300)), Ok(())),
        (format!("1{}", zeros(17)), Ok(())),
        (format!("1{}", zeros(18)), Err(AmountError::Large)),
    ];
    for (text, expected) in lines {
        for text in [text.clone(), format!("-{text}")] {
            let read = Entered::parse_signed(&text);
            assert_eq!(read.map(|_| ()), expected, "{text}");
            if let Ok(entered) = read {
                assert_eq!(Entered::parse_signed(&entered.to_string()), Ok(entered), "{text} as {entered}");
            }
        }
    }
}

/// An amount with eighteen decimals is an amount, and no program's: the refusal prints it.
#[test]
fn the_finest_amount_that_can_be_written_is_refused_by_its_scale() {
    let mut attempt = attempt::accrue_points();
    attempt.command.amount = fixture::entered("0.000000000000000001");
    let (_, answer) = attempt.decide(false);
    let Answer::Refused(rejection) = answer else { panic!("{answer:?}") };
    assert_eq!(rejection.reason, Reason::AmountScale);
    assert!(rejection.message.starts_with("0.000000000000000001 has more decimals"), "{rejection}");
}

fn written() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => any::<String>(),
        2 => "[0-9.+eE -]{0,60}",
        4 => "-?[0-9]{1,30}",
        8 => "-?0{0,30}[0-9]{0,20}\\.[0-9]{1,40}",
        4 => "-?[0-9]{1,3}\\.0{0,40}[0-9]{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_read_is_printed_and_reads_back(text in written()) {
        if let Ok(entered) = Entered::parse_signed(&text) {
            let printed = entered.to_string();
            prop_assert!(printed.len() <= 21, "{} prints as {}", text, printed);
            prop_assert_eq!(Entered::parse_signed(&printed), Ok(entered));
            for decimals in 0..=u8::MAX {
                if let Ok(minor) = entered.to_minor(decimals) {
                    prop_assert_eq!(minor == 0, printed.chars().all(|c| "-0.".contains(c)));
                }
            }
            if let Ok(money) = Money::enter(entered) {
                prop_assert_eq!(Entered::parse_signed(&money.to_string()), Ok(entered));
            }
            for scale in (0..=Scale::MAX).filter_map(Scale::new) {
                if let Ok(amount) = Amount::enter(entered, scale) {
                    prop_assert_eq!(Entered::parse_signed(&amount.to_string()), Ok(entered));
                }
            }
        }
    }

    #[test]
    fn every_moment_prints_as_what_it_is(micros in 0..=at(LATEST).micros()) {
        let moment = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(at(&moment.to_string()), moment);
        prop_assert_eq!(Expiry::from_micros(Expiry::At(moment).micros()), Some(Expiry::At(moment)));
        let month = moment.to_string().get(..7).unwrap().to_owned();
        prop_assert_eq!(moment.month().to_string(), month);
    }

    #[test]
    fn time_stops_at_its_end_and_does_not_turn_back(before_the_end in 0i64..400_000_000, seconds: u32) {
        let latest = at(LATEST);
        let moment = fixture::shifted(latest, -before_the_end);
        let later = moment.plus_seconds(seconds);
        prop_assert_eq!(later, fixture::shifted(moment, before_the_end.min(i64::from(seconds))));
        if let Some(end) = moment.month().end_after(120) {
            prop_assert!(moment < end && end <= latest);
        }
    }
}

#[test]
fn no_moment_lies_beyond_the_end() {
    let latest = at(LATEST);
    assert_eq!(latest.to_string(), LATEST);
    assert_eq!(Timestamp::from_micros(latest.micros() + 1), None);
    assert_eq!(Timestamp::from_micros(Expiry::NEVER_MICROS), None);
    for text in ["9999-12-30T22:00:00.000001Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"]
    {
        assert!(serde_json::from_value::<Timestamp>(text.into()).is_err(), "{text}");
    }
}

/// The lots that an accrual makes on an account, as its record tells them.
fn arrived(record: &Record, membership: MembershipId) -> &LotMovement {
    record.lots.iter().find(|lot| lot.membership_id == membership).unwrap()
}

#[test]
fn points_that_expire_at_the_end_of_time_say_so() {
    let mut scene = Scene::with_points();
    let airline = scene.airline.clone();
    for text in ["2999-01-01T00:00:00.000000Z", "9999-12-30T21:59:59.999999Z", LATEST] {
        let mut accrual = Scene::accrual(scene.flyer, "1");
        accrual.expires_at = Some(at(text));
        let record = scene.done(&airline, accrual);
        assert_eq!(arrived(&record, scene.flyer).expires_at, Some(at(text)));
        let bytes = &scene.records.last().unwrap().bytes;
        assert!(String::from_utf8_lossy(bytes).contains(&format!("\"expires_at\":\"{text}\"")), "{text}");
        assert_eq!(Record::from_bytes(bytes).unwrap(), *record, "{text}");
    }
}

/// The program's own rule leads past the end: what has no last month stays.
#[test]
fn points_that_would_expire_past_the_end_of_time_never_do() {
    let mut scene = Scene::with_points();
    let airline = scene.airline.clone();
    for (now, expected) in [
        ("9997-11-30T23:59:59.999999Z", Some(at("9999-12-01T00:00:00.000000Z"))),
        ("9997-12-01T00:00:00.000000Z", None),
        (LATEST, None),
    ] {
        scene.set_now(at(now));
        let record = scene.done(&airline, Scene::accrual(scene.flyer, "1"));
        assert_eq!(arrived(&record, scene.flyer).expires_at, expected, "{now}");
    }
}
