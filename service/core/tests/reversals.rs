//! Reversals: what comes back, from which lots into which, and that parts are as good as the whole.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::sync::{Arc, OnceLock};

use fixture::books::{self, amounts};
use fixture::{Scene, entered, id, reason, reference, shifted};
use pointbridge_core::command::{AdjustPoints, Answer, CommitExchange, Envelope, ExpireLots};
use pointbridge_core::exchange::{Exchange, Leg};
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::ledger::{LOTS_PER_COMMAND_MAX, LotKey, LotMovement};
use pointbridge_core::money::Money;
use pointbridge_core::points::{Amount, Scale};
use pointbridge_core::record::{Record, RecordKind};
use pointbridge_core::rejection::Reason;
use pointbridge_core::reversal::{self, ReversedLeg, Share, Step, given_back};
use pointbridge_core::time::{Expiry, Month, Timestamp};
use proptest::prelude::*;

fn done(answer: &Answer) -> &Arc<Record> {
    match answer {
        Answer::Done(record) => record,
        other => panic!("expected to be done: {other:?}"),
    }
}

fn is_refused(answer: &Answer, reason: Reason) -> bool {
    matches!(answer, Answer::Refused(rejection) if rejection.reason == reason)
}

/// A thousand miles are 666 points at 3 : 2, of which 5 are the fee and 661 the member's, worth 6.61 yuan.
#[test]
fn a_reversal_gives_back_its_share_and_the_last_part_the_rest() {
    let mut scene = Scene::with_points();
    let exchange_id = scene.committed(1000).exchange_id;
    let market = scene.market.clone();
    let lines = [
        (Some("300"), [300, 1, 198, 1_983_000], [300, 1, 198, 1_983_000]),
        (Some("450"), [450, 2, 297, 2_974_500], [750, 3, 495, 4_957_500]),
        (Some("249"), [249, 1, 165, 1_645_890], [999, 4, 660, 6_603_390]),
        (None, [1, 1, 1, 6_610], [1000, 5, 661, 6_610_000]),
    ];
    for (number, (points, part, reversed)) in (1..).zip(lines) {
        let record = scene.done(&market, Scene::reversal(exchange_id, points));
        let reversal = record.reversal().unwrap();
        let leg = &reversal.legs[0];
        assert_eq!((reversal.number, amounts(&leg.part), amounts(&leg.reversed)), (number, part, reversed));
        let owed = &leg.obligation;
        assert_eq!((owed.debtor.as_str(), owed.creditor.as_str()), ("market", "airline"));
        assert_eq!((record.obligations.as_slice(), owed.money.millionths()), (&[owed.clone()][..], part[3]));
        assert_eq!(record.window_id, Some(scene.world.window));
        books::check(&scene);
    }
    let [flyer, shopper] = [scene.flyer, scene.shopper].map(|id| scene.world.account(id).unwrap().posted);
    assert_eq!((flyer, shopper), (10_000, 10_000), "as before the exchange");
    assert!(scene.world.exposures.values().all(|owed| owed.committed_low == 0));
    assert!(is_refused(&scene.send(&market, Scene::reversal(exchange_id, None)), Reason::ReversalExceeds));
}

/// The airline's first lots are two, which end after 10 and after 400 days; then the fixture's, after 24 months.
fn with_lots() -> (Scene, ExchangeId, Vec<LotKey>) {
    let mut scene = Scene::new();
    let airline = scene.airline.clone();
    for (amount, days) in [("100", 10), ("200", 400)] {
        let mut accrual = Scene::accrual(scene.flyer, amount);
        accrual.expires_at = Some(scene.world.now.plus_seconds(days * 86_400));
        scene.done(&airline, accrual);
    }
    let accrual = Scene::accrual(scene.flyer, "10000");
    scene.done(&airline, accrual);
    let keys = scene.world.lots[&scene.flyer].lots.keys().copied().collect();
    let exchange_id = scene.committed(1000).exchange_id;
    (scene, exchange_id, keys)
}

fn remaining(scene: &Scene, membership: MembershipId, key: LotKey) -> i64 {
    scene.world.lots[&membership].lots.get(&key).map_or(0, |lot| lot.remaining)
}

#[test]
fn points_come_back_last_spent_first_and_live_no_shorter_than_the_grace() {
    let (mut scene, exchange_id, keys) = with_lots();
    let market = scene.market.clone();
    scene.tick(20 * 86_400);
    let flyer = scene.flyer;
    let had: Vec<i64> = keys.iter().map(|key| remaining(&scene, flyer, *key)).collect();
    assert_eq!(had, [0, 0, 9300], "first-expiring-first");
    scene.done(&market, Scene::reversal(exchange_id, Some("750")));
    let has: Vec<i64> = keys.iter().map(|key| remaining(&scene, flyer, *key)).collect();
    assert_eq!(has, [0, 50, 10_000], "700 into the lot spent last, 50 into the one before it");
    scene.done(&market, Scene::reversal(exchange_id, None));
    let grace = Expiry::At(scene.world.now.plus_seconds(30 * 86_400).to_end_of_day());
    assert_eq!(remaining(&scene, flyer, keys[0]), 0, "its time is over");
    assert_eq!(remaining(&scene, flyer, keys[1]), 200);
    assert_eq!(remaining(&scene, flyer, LotKey { expiry: grace, ..keys[0] }), 100, "of the same month");
    books::check(&scene);
    scene.tick(31 * 86_400);
    scene.sweep(ExpireLots { membership_id: flyer });
    assert_eq!(scene.world.account(flyer).unwrap().posted, 10_200);
    books::check(&scene);
}

fn take(scene: &mut Scene, amount: &str) {
    let market = scene.market.clone();
    let membership_id = scene.shopper;
    let (reason, reference) = (reason("CORRECTION"), reference("ticket-1"));
    scene.done(&market, AdjustPoints { membership_id, amount: entered(amount), reason, reference });
}

#[test]
fn only_the_own_lot_is_taken_from_and_never_what_is_held_of_it() {
    let mut scene = Scene::new();
    let (airline, market) = (scene.airline.clone(), scene.market.clone());
    let accrual = Scene::accrual(scene.flyer, "10000");
    scene.done(&airline, accrual);
    let exchange_id = scene.committed(1000).exchange_id;
    let mut later = Scene::accrual(scene.shopper, "5000");
    later.expires_at = Some(scene.world.now.plus_seconds(86_400));
    scene.done(&market, later);
    // 661 came from the exchange; 5,000 others are spent first, and 200 of the exchange's own are held.
    take(&mut scene, "-5000");
    let claims = scene.claims(scene.shopper, scene.flyer, 200);
    scene.done(&market, Scene::prepare(claims));
    let before = format!("{:?}", scene.world);
    for points in [None, Some("699")] {
        let answer = scene.send(&market, Scene::reversal(exchange_id, points));
        assert!(is_refused(&answer, Reason::PointsSpent), "{answer:?}");
        let Answer::Refused(refusal) = answer else { unreachable!() };
        assert!(!refusal.message.contains("461"), "it never tells how many are left: {}", refusal.message);
    }
    assert_eq!(format!("{:?}", scene.world), before, "a refusal changes nothing");
    let mut others = Scene::accrual(scene.shopper, "9000");
    others.expires_at = Some(scene.world.now.plus_seconds(86_400));
    scene.done(&market, others);
    let answer = scene.send(&market, Scene::reversal(exchange_id, None));
    assert!(is_refused(&answer, Reason::PointsSpent), "other lots do not stand in: {answer:?}");
    scene.done(&market, Scene::reversal(exchange_id, Some("698")));
    books::check(&scene);
    // The hold is over: what it held is there again, whether or not anybody has swept.
    scene.tick(300);
    let (_, answers) = {
        let batch = [scene.envelope(&market, Scene::reversal(exchange_id, None))];
        scene.decide(&batch)
    };
    let record = done(&answers[0]);
    assert_eq!(record.kind, RecordKind::ExchangeReversed);
    let kinds: Vec<_> = scene.records.iter().rev().take(2).map(|sealed| sealed.record.kind).collect();
    assert_eq!(kinds, [RecordKind::ExchangeReversed, RecordKind::ExchangeExpired]);
    books::check(&scene);
}

/// Drops end 12 months after the month in which they came.
#[test]
fn a_lot_that_is_over_is_not_taken_back() {
    let mut scene = Scene::with_points();
    let (airline, baby) = (scene.airline.clone(), scene.baby.clone());
    let claims = scene.claims(scene.flyer, scene.parent, 10);
    let exchange_id = claims.exchange_id;
    scene.done(&airline, Scene::prepare(claims));
    scene.done(&airline, CommitExchange { exchange_id });
    let over = fixture::at("2027-12-01T00:00:00.000000Z");
    scene.set_now(shifted(over, -1));
    let envelope = scene.envelope(&baby, Scene::reversal(exchange_id, Some("5")));
    done(&scene.decide(&[envelope]).1[0]);
    scene.set_now(over);
    let answer = scene.send(&baby, Scene::reversal(exchange_id, None));
    assert!(is_refused(&answer, Reason::PointsSpent), "{answer:?}");
}

/// A batch of two partners that both reverse: each sees what the one before did.
#[test]
fn two_reversals_of_one_batch_never_give_back_a_point_twice() {
    let mut scene = Scene::with_points();
    let exchange_id = scene.committed(1000).exchange_id;
    let (airline, market) = (scene.airline.clone(), scene.market.clone());
    let batch = [
        scene.envelope(&market, Scene::reversal(exchange_id, Some("600"))),
        scene.envelope(&airline, Scene::reversal(exchange_id, Some("600"))),
        scene.envelope(&airline, Scene::reversal(exchange_id, None)),
        scene.envelope(&market, Scene::reversal(exchange_id, None)),
    ];
    let (_, answers) = scene.transact(&batch);
    assert_eq!(done(&answers[0]).reversal().unwrap().progress().source, 600);
    assert!(is_refused(&answers[1], Reason::ReversalExceeds), "{:?}", answers[1]);
    assert_eq!(done(&answers[2]).reversal().unwrap().progress().source, 1000);
    assert!(is_refused(&answers[3], Reason::ReversalExceeds), "{:?}", answers[3]);
    books::check(&scene);
}

fn to_the_end(scene: &mut Scene, batch: &[Arc<Envelope>]) -> Vec<(usize, Answer)> {
    let mut open: Vec<(usize, Arc<Envelope>)> = batch.iter().cloned().enumerate().collect();
    let mut answered = Vec::new();
    for _ in 0..8 {
        let envelopes: Vec<_> = open.iter().map(|(_, envelope)| Arc::clone(envelope)).collect();
        let (_, answers) = scene.transact(&envelopes);
        let now = std::mem::take(&mut open);
        for ((place, envelope), answer) in now.into_iter().zip(answers) {
            match answer {
                Answer::Rerun => open.push((place, envelope)),
                answer => answered.push((place, answer)),
            }
        }
        if open.is_empty() {
            break;
        }
    }
    assert!(open.is_empty(), "overtaken without end");
    answered.sort_by_key(|(place, _)| *place);
    answered
}

/// Where facts were read before the exchange came about, the reversal is decided again on what is there then.
#[test]
fn an_exchange_that_comes_about_in_the_same_batch_is_reversed_on_a_fresh_load() {
    for is_prepared in [false, true] {
        let mut scene = Scene::with_points();
        let (airline, market) = (scene.airline.clone(), scene.market.clone());
        let claims = scene.claims(scene.flyer, scene.shopper, 1000);
        let exchange_id = claims.exchange_id;
        let prepare = scene.envelope(&airline, Scene::prepare(claims));
        let commit = scene.envelope(&airline, CommitExchange { exchange_id });
        let reverse = scene.envelope(&market, Scene::reversal(exchange_id, None));
        if is_prepared {
            done(&scene.transact(&[prepare]).1[0]);
            for (place, answer) in to_the_end(&mut scene, &[commit, reverse]) {
                assert!(matches!(answer, Answer::Done(_)), "{place}: {answer:?}");
            }
        } else {
            let (_, answers) = scene.transact(&[prepare, Arc::clone(&commit), Arc::clone(&reverse)]);
            assert_eq!(answers[1], Answer::Rerun);
            assert!(is_refused(&answers[2], Reason::ReservationNotCommitted), "{:?}", answers[2]);
            for (place, answer) in to_the_end(&mut scene, &[commit, reverse]) {
                assert!(matches!(answer, Answer::Done(_)), "{place}: {answer:?}");
            }
        }
        books::check(&scene);
        assert_eq!(scene.world.reversed[&exchange_id].source, 1000);
    }
}

/// The own lot stands behind more lots than a store loads for an account.
#[test]
fn the_own_lot_is_found_behind_any_number_of_others() {
    let mut scene = Scene::with_points();
    let exchange_id = scene.committed(1000).exchange_id;
    let market = scene.market.clone();
    for second in 1..=300 {
        let mut accrual = Scene::accrual(scene.shopper, "1");
        accrual.expires_at = Some(scene.world.now.plus_seconds(86_400 + second));
        scene.done(&market, accrual);
    }
    let batch = [scene.envelope(&market, Scene::reversal(exchange_id, None))];
    let shown = scene.shown(&batch);
    let lots = &shown.lots[&scene.shopper];
    assert!(lots.lots.len() == LOTS_PER_COMMAND_MAX && !lots.complete);
    done(&scene.transact(&batch).1[0]);
    books::check(&scene);
}

#[test]
fn a_reversal_without_what_it_touches_is_decided_again_and_changes_nothing() {
    type Forget = fn(&mut Scene);
    let lines: [(&str, Forget); 6] = [
        ("the destination's account", |scene| scene.world.accounts.retain(|id, _| *id != scene.shopper)),
        ("the source's account", |scene| scene.world.accounts.retain(|id, _| *id != scene.flyer)),
        ("the destination's program", |scene| drop(scene.world.programs.remove(&scene.points))),
        ("the source's program", |scene| drop(scene.world.programs.remove(&scene.miles))),
        ("the lots of the destination", |scene| drop(scene.world.lots.remove(&scene.shopper))),
        ("what the pair owes", |scene| scene.world.exposures.clear()),
    ];
    for (line, forget) in lines {
        let mut attempt = fixture::attempt::reverse_exchange();
        forget(&mut attempt.scene);
        let expected = (pointbridge_core::world::Changes::default(), Answer::Rerun);
        assert_eq!(attempt.decide(false), expected, "without {line}");
    }
}

#[test]
fn the_agreed_term_goes_from_the_terms_into_the_leg() {
    let mut scene = Scene::with_points();
    assert_eq!(scene.committed(30).legs[0].reversal_days, None);
    scene.bend_terms(|terms| terms.reversal_days = Some(7));
    let exchange = scene.committed(60);
    assert_eq!(exchange.legs[0].reversal_days, Some(7));
    let (until, days) = reversal::term(&exchange).unwrap();
    assert_eq!((until, days), (exchange.decided_at.unwrap().plus_seconds(7 * 86_400), 7));
}

/// A leg of any amounts.
fn leg() -> impl Strategy<Value = Leg> {
    let amount = || prop_oneof![3 => 0i64..1_000, 2 => 0i64..1_000_000_000, 1 => Just(i64::MAX)];
    (1i64..=1_000_000, amount(), amount(), amount()).prop_map(|(source, fee, credited, money)| {
        static SOME: OnceLock<Leg> = OnceLock::new();
        let mut leg = SOME.get_or_init(|| Scene::with_points().prepared(1000).legs.remove(0)).clone();
        let scale = Scale::new(0).unwrap();
        leg.source_points = Amount::new(source, scale);
        leg.fee_points = Amount::new(fee, scale);
        leg.credited_points = Amount::new(credited, scale);
        leg.obligation.money = Money::from_millionths(money);
        leg
    })
}

fn cuts() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..12)
}

/// Random places in `0..=whole`, each once and in order, from 0 to the whole.
fn places(cuts: &[u32], whole: i64) -> Vec<i64> {
    let mut places: Vec<i64> = cuts.iter().map(|cut| i64::from(*cut) % (whole + 1)).collect();
    places.extend([0, whole]);
    places.sort_unstable();
    places.dedup();
    places
}

fn movement(number: usize, (expiry, taken): (i64, i64)) -> LotMovement {
    let scale = Scale::new(0).unwrap();
    LotMovement {
        membership_id: MembershipId::new(id(1)),
        expires_at: (expiry < 90).then(|| Timestamp::from_micros(expiry * 86_400_000_000).unwrap()),
        origin_month: i32::try_from(number).unwrap(),
        exchangeable: true,
        remaining: Amount::new(-taken, scale),
        held: Amount::new(-taken, scale),
    }
}

proptest! {
    #[test]
    fn any_parts_are_one_reversal(leg in leg(), cuts in cuts()) {
        let whole = leg.source_points.minor();
        let mut sums = [0; 4];
        for pair in places(&cuts, whole).windows(2) {
            let step = Step { before: pair[0], after: pair[1] };
            let part = ReversedLeg::of(&leg, step, whole).unwrap();
            for (sum, amount) in sums.iter_mut().zip(amounts(&part.part)) {
                prop_assert!(amount >= 0, "never less for a larger part");
                *sum += amount;
            }
            let once = ReversedLeg::of(&leg, Step { before: 0, after: step.after }, whole).unwrap();
            prop_assert_eq!(sums, amounts(&once.part), "as one reversal of that size");
            prop_assert_eq!(part.reversed, once.part);
            prop_assert_eq!(part.obligation.money, part.part.money);
        }
        let all = [whole, leg.fee_points.minor(), leg.credited_points.minor(), leg.obligation.money.millionths()];
        prop_assert_eq!(sums, all, "all parts are the whole");
        prop_assert_eq!(Share::of(&leg, whole + 1, whole), None);
        prop_assert_eq!(Share::of(&leg, -1, whole), None);
    }

    #[test]
    fn the_last_part_takes_back_something_whatever_went_before(leg in leg(), before in any::<u32>()) {
        let whole = leg.source_points.minor();
        prop_assume!(leg.credited_points.minor() > 0);
        let before = i64::from(before) % whole;
        let part = ReversedLeg::of(&leg, Step { before, after: whole }, whole).unwrap().part;
        prop_assert!(part.credited_points.minor() > 0);
    }

    #[test]
    fn lots_come_back_in_parts_as_at_once(
        lots in prop::collection::vec((0i64..100, 1i64..500), 1..20), cuts in cuts(), day in 0u32..100
    ) {
        let now = Timestamp::from_micros(0).unwrap().plus_seconds(day * 86_400);
        let lots: Vec<_> = lots.into_iter().enumerate().map(|(number, lot)| movement(number, lot)).collect();
        let whole: i64 = lots.iter().map(|lot| -lot.remaining.minor()).sum();
        let mut sums = vec![0; lots.len()];
        for pair in places(&cuts, whole).windows(2) {
            let step = Step { before: pair[0], after: pair[1] };
            let back = given_back(&lots, lots[0].membership_id, step, now);
            prop_assert_eq!(back.iter().map(|(_, minor)| minor).sum::<i64>(), step.after - step.before);
            for (key, minor) in back {
                let number = usize::try_from(key.origin.number()).unwrap();
                let spent = lots[number].key();
                prop_assert!(key.expiry >= spent.expiry && key.expiry >= Expiry::At(now.plus_seconds(2_592_000)));
                prop_assert_eq!(LotKey { expiry: spent.expiry, ..key }, spent);
                prop_assert_eq!(key.origin, Month::from_number(key.origin.number()));
                sums[number] += minor;
                // The last spent first: nothing comes back into a lot before all later ones are whole again.
                let later = sums.iter().zip(&lots).skip(number + 1);
                prop_assert!(later.clone().all(|(sum, lot)| *sum == -lot.remaining.minor()));
            }
        }
        prop_assert!(sums.iter().zip(&lots).all(|(sum, lot)| *sum == -lot.remaining.minor()));
    }
}

#[test]
fn a_share_of_points_is_cut_and_one_of_money_is_rounded_half_even() {
    let mut leg = Scene::with_points().prepared(1000).legs.remove(0);
    for (amount, part, whole, points, money) in [
        (5, 1, 2, 2, 2),
        (3, 1, 2, 1, 2),
        (7, 2, 3, 4, 5),
        (14_986_499, 300, 900, 4_995_499, 4_995_500),
        (i64::MAX, 1, 2, i64::MAX / 2, i64::MAX / 2 + 1),
        (0, 1, 2, 0, 0),
    ] {
        leg.credited_points = Amount::new(amount, leg.credited_points.scale());
        leg.obligation.money = Money::from_millionths(amount);
        let share = Share::of(&leg, part, whole).unwrap();
        let found = (share.credited_points.minor(), share.money.millionths());
        assert_eq!(found, (points, money), "{part} of {whole} of {amount}");
    }
}

/// What reversals have come to is told of an exchange by its source points alone.
#[test]
fn what_is_reversed_of_an_exchange_follows_from_its_source_points() {
    let mut scene = Scene::with_points();
    let exchange: Exchange = scene.committed(1000);
    let minor = |(source, credited): (Amount, Amount)| (source.minor(), credited.minor());
    for (source, expected) in
        [(0, Some((0, 0))), (999, Some((999, 660))), (1000, Some((1000, 661))), (1001, None)]
    {
        assert_eq!(reversal::reversed(&exchange, source).map(minor), expected);
    }
}
