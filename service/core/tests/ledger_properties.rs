//! Properties of accounts, lots and whole histories: whatever happens, the books balance.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use fixture::steps::{self, Step};
use fixture::{Scene, at, books, id};
use pointbridge_core::agreement::Funding;
use pointbridge_core::command::Answer;
use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::{Account, LOTS_PER_COMMAND_MAX, Lot, LotKey, LotSet, PickError, UseFor};
use pointbridge_core::money::Money;
use pointbridge_core::record::RecordKind;
use pointbridge_core::time::{Expiry, Month};
use pointbridge_core::world::Changes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

#[derive(Debug, Clone, Copy)]
enum Move {
    Post(i64),
    Hold(i64),
    Release(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let minor = || prop_oneof![8 => -1_000i64..1_000, 1 => any::<i64>()];
    let one = prop_oneof![
        minor().prop_map(Move::Post),
        minor().prop_map(Move::Hold),
        minor().prop_map(Move::Release)
    ];
    prop::collection::vec(one, 0..60)
}

/// What an account would be, without regard to what is allowed.
fn intended(account: &Account, one: Move) -> (i128, i128, i128) {
    let (posted, held) = (i128::from(account.posted), i128::from(account.held));
    let holds = i128::from(account.live_holds);
    match one {
        Move::Post(minor) => (posted + i128::from(minor), held, holds),
        Move::Hold(minor) => (posted, held + i128::from(minor), holds + 1),
        Move::Release(minor) => (posted, held - i128::from(minor), holds - 1),
    }
}

fn lots() -> impl Strategy<Value = LotSet> {
    let expiry = prop_oneof![
        4 => (0u32..4_000).prop_map(|hours| Expiry::At(at(fixture::START).plus_seconds(hours * 3_600))),
        1 => Just(Expiry::Never),
    ];
    let key =
        (expiry, 24_310i32..24_320, prop::bool::weighted(0.8)).prop_map(|(expiry, month, exchangeable)| {
            LotKey { expiry, origin: Month::from_number(month), exchangeable }
        });
    let lot = (0i64..50, 0i64..50).prop_map(|(free, held)| Lot { remaining: free + held, held });
    let few = prop::collection::btree_map(key.clone(), lot.clone(), 0..30);
    let many = prop::collection::btree_map(key, lot, 250..600);
    (prop_oneof![few, many], any::<bool>(), any::<bool>()).prop_map(|(lots, complete, changed)| LotSet {
        lots,
        complete,
        changed,
    })
}

fn start() -> Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    let with_little_credit = || {
        let mut scene = Scene::with_points();
        let exposure_limit = Money::from_millionths(30_000_000);
        scene.bend_terms(|terms| terms.funding = Funding::Postpaid { exposure_limit });
        scene
    };
    SCENE.get_or_init(with_little_credit).clone()
}

/// Plays a history, with all steps between two moments in one batch or one by one. Checks the books after each batch.
fn play(history: &[Step], one_by_one: bool) -> (Scene, Vec<Answer>, Changes) {
    let mut scene = start();
    let (mut answers, mut sum) = (Vec::new(), Changes::default());
    for group in steps::groups(history) {
        scene.tick(group.wait_seconds);
        let steps = group.steps.iter();
        let batch: Vec<_> =
            steps.map(|(place, step)| steps::envelope(&mut scene, history, *place, step)).collect();
        let size = if one_by_one { 1 } else { batch.len().max(1) };
        for batch in batch.chunks(size) {
            let (changes, answered) = scene.decide(batch);
            answers.extend(answered);
            sum.absorb(changes);
            books::check(&scene);
        }
    }
    (scene, answers, sum)
}

proptest! {
    #[test]
    fn an_account_never_holds_more_than_it_has(moves in moves()) {
        let mut account = Account::open(MembershipId::new(id(1)));
        for one in moves {
            let after = match one {
                Move::Post(minor) => account.post(minor),
                Move::Hold(minor) => account.hold(minor),
                Move::Release(minor) => account.release(minor),
            };
            let (posted, held, holds) = intended(&account, one);
            let signed = !matches!(one, Move::Hold(minor) | Move::Release(minor) if minor < 0);
            let allowed = signed && 0 <= held && held <= posted && posted <= i128::from(i64::MAX) && holds >= 0;
            prop_assert_eq!(after.is_some(), allowed, "{:?} on {:?}", one, account);
            if let Some(after) = after {
                prop_assert_eq!((i128::from(after.posted), i128::from(after.held)), (posted, held));
                prop_assert_eq!(i128::from(after.live_holds), holds);
                prop_assert_eq!(after.postings - account.postings, i64::from(matches!(one, Move::Post(_))));
                prop_assert_eq!(i128::from(after.available()), posted - held);
                account = after;
            }
        }
    }

    #[test]
    fn lots_are_spent_first_expiring_first(
        set in lots(), minor in 1i64..12_000, hour in 0u32..4_000, for_exchange in any::<bool>()
    ) {
        let now = at(fixture::START).plus_seconds(hour * 3_600);
        let use_for = if for_exchange { UseFor::Exchange } else { UseFor::Anything };
        let suits = |(key, lot): &(&LotKey, &Lot)| {
            lot.free() > 0 && !key.expiry.is_over(now) && (key.exchangeable || !for_exchange)
        };
        let suiting: Vec<_> = set.lots.iter().filter(suits).collect();
        let first_free: i64 = suiting.iter().take(LOTS_PER_COMMAND_MAX).map(|(_, lot)| lot.free()).sum();
        match set.pick(minor, now, use_for) {
            Ok(picked) => {
                prop_assert!(picked.len() <= LOTS_PER_COMMAND_MAX);
                prop_assert_eq!(picked.iter().map(|(_, taken)| taken).sum::<i64>(), minor);
                for (place, (key, taken)) in picked.iter().enumerate() {
                    prop_assert_eq!(key, suiting[place].0, "no lot is passed over");
                    let free = suiting[place].1.free();
                    let is_last = place + 1 == picked.len();
                    prop_assert!(0 < *taken && *taken <= free && (is_last || *taken == free));
                }
            }
            Err(error) => {
                prop_assert!(first_free < minor, "there was enough: {:?}", error);
                let all_seen = suiting.len() <= LOTS_PER_COMMAND_MAX;
                let expected = match (all_seen, set.complete, set.changed) {
                    (true, true, _) => PickError::Insufficient,
                    (true, false, true) => PickError::Stale,
                    _ => PickError::TooManyLots,
                };
                prop_assert_eq!(error, expected);
            }
        }
    }

    #[test]
    fn what_is_over_is_what_is_free_and_past_its_time(set in lots(), hour in 0u32..4_000) {
        let now = at(fixture::START).plus_seconds(hour * 3_600);
        let over: BTreeMap<_, _> = set.over(now).collect();
        for (key, lot) in &set.lots {
            let expected = matches!(key.expiry, Expiry::At(end) if end <= now) && lot.remaining > lot.held;
            prop_assert_eq!(over.get(key).copied(), expected.then(|| lot.remaining - lot.held));
        }
        prop_assert!(over.keys().all(|key| key.expiry != Expiry::Never));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_books_balance_and_a_batch_is_its_commands_one_by_one(history in steps::history()) {
        let (batched, answers, changes) = play(&history, false);
        let (single, expected, summed) = play(&history, true);
        prop_assert!(!answers.contains(&Answer::Rerun), "all lots are loaded");
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(changes, summed);
        prop_assert_eq!(&batched.records, &single.records);
        prop_assert_eq!(format!("{:?}", batched.world), format!("{:?}", single.world));
    }
}

/// The random histories reach everything that they are to check.
#[test]
fn histories_reach_every_kind_of_record_and_the_refusals_that_matter() {
    let mut runner = TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    let mut reasons = BTreeSet::new();
    for _ in 0..150 {
        let history = steps::history().new_tree(&mut runner).unwrap().current();
        let (scene, answers, _) = play(&history, false);
        kinds.extend(scene.records.iter().map(|sealed| sealed.record.kind));
        reasons.extend(answers.iter().filter_map(|answer| match answer {
            Answer::Refused(rejection) => Some(rejection.reason.as_str()),
            _ => None,
        }));
    }
    for kind in [
        RecordKind::PointsAccrued,
        RecordKind::PointsAdjusted,
        RecordKind::PointsExpired,
        RecordKind::ExchangePrepared,
        RecordKind::ExchangeCommitted,
        RecordKind::ExchangeAborted,
        RecordKind::ExchangeExpired,
        RecordKind::ExchangeReversed,
    ] {
        assert!(kinds.contains(&kind), "no history made {kind:?}");
    }
    for reason in [
        "INSUFFICIENT_POINTS",
        "EXPOSURE_LIMIT",
        "AMOUNT_TOO_SMALL",
        "HOLD_EXPIRED",
        "RESERVATION_ABORTED",
        "RESERVATION_COMMITTED",
        "RESERVATION_NOT_COMMITTED",
        "REVERSAL_EXCEEDS",
    ] {
        assert!(reasons.contains(reason), "no history met {reason}");
    }
}

/// 100 prepares of 1 on an account of 60: exactly 60 pass, in one batch.
#[test]
fn one_batch_never_spends_a_point_twice() {
    let mut scene = Scene::new();
    let airline = scene.airline.clone();
    let accrual = Scene::accrual(scene.flyer, "600");
    scene.done(&airline, accrual);
    let prepares: Vec<_> = (0..100)
        .map(|_| {
            let claims = scene.claims(scene.flyer, scene.shopper, 10);
            scene.envelope(&airline, Scene::prepare(claims))
        })
        .collect();
    let (changes, answers) = scene.decide(&prepares);
    let done = answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
    assert_eq!((done, changes.prepared.len(), changes.records.len()), (60, 60, 60));
    assert_eq!(scene.world.account(scene.flyer).unwrap().available(), 0);
    books::check(&scene);
}
