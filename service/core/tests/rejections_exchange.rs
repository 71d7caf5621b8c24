//! Refusals of the methods of exchanges: a line per variant, in order of precedence, and any two at once.
//!
//! A prepare's lines stand in the order in which they are checked, those of the two ends and of the amount inside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::sync::Arc;

use fixture::attempt::{self, Attempt};
use fixture::refusal::{
    Apart, Flaw, STANDING, Table, drain, flaw, freeze_all, reused, scatter, starting, suspend, unknown,
};
use fixture::{entered, partner};
use pointbridge_core::agreement::{Basis, Pair};
use pointbridge_core::command::{AbortExchange, Answer, CommitExchange, PrepareExchange, ReverseExchange};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::exposure::{Exposure, ExposureKey};
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::ledger::{HOLDS_PER_INITIATOR_MAX, HOLDS_PER_MEMBERSHIP_MAX, LotKey};
use pointbridge_core::money::Money;
use pointbridge_core::partner::Custody;
use pointbridge_core::points::Amount;
use pointbridge_core::quote::{Claims, QUOTE_TTL_SECONDS};
use pointbridge_core::rate::Rate;
use pointbridge_core::rejection::Reason;
use pointbridge_core::reversal::{Progress, REVERSALS_PER_EXCHANGE_MAX};

type Prepare = Attempt<PrepareExchange>;
type Spoil = fn(&mut Prepare);

fn claims(attempt: &mut Prepare) -> &mut Claims {
    attempt.command.claims.as_mut().unwrap()
}

/// The quote, the agreement and the two ends.
fn of_the_ends() -> Vec<Flaw<PrepareExchange>> {
    vec![
        flaw("invalid", Reason::QuoteInvalid, "quote_token", |a| {
            claims(a).initiator = fixture::code("market");
        }),
        flaw("of another epoch", Reason::EpochChanged, "quote_token", |a| claims(a).epoch += 1),
        flaw("expired", Reason::QuoteExpired, "quote_token", |a| {
            claims(a).expires_at = a.scene.world.now;
        }),
        flaw("used", Reason::QuoteUsed, "quote_token", |a| {
            let record = Arc::clone(&a.scene.records.last().unwrap().record);
            let exchange_id = claims(a).exchange_id;
            a.scene.world.exchanges.insert(exchange_id, record);
        }),
        flaw("not active", Reason::AgreementNotActive, None, |a| {
            a.scene.world.agreements.values_mut().for_each(|agreement| agreement.active_version = None);
        }),
        flaw("not one member", Reason::MembershipNotFound, "destination_membership_id", |a| {
            a.scene.part(a.scene.shopper);
        }),
        flaw("partner inactive", Reason::PartnerInactive, None, |a| suspend(&mut a.scene, "market")),
        flaw("partner-held", Reason::NotServed, None, |a| {
            let programs = a.scene.world.programs.values_mut();
            programs.for_each(|program| program.custody = Custody::PartnerHeld);
        }),
        flaw("membership inactive", Reason::MembershipInactive, None, |a| freeze_all(&mut a.scene)),
        flaw("source consent", Reason::ConsentMissing, None, |a| {
            let source = a.scene.flyer;
            a.scene.world.consents.retain(|key, _| key.membership_id != source);
        })
        .saying("at the source program"),
        flaw("destination consent", Reason::ConsentMissing, None, |a| {
            let destination = a.scene.shopper;
            a.scene.world.consents.retain(|key, _| key.membership_id != destination);
        })
        .saying("at the destination program"),
    ]
}

/// The amount, and what it needs.
fn of_the_amount() -> Vec<Flaw<PrepareExchange>> {
    vec![
        flaw("too little", Reason::AmountOutOfRange, "source_points", |a| {
            a.scene.bend_terms(|terms| terms.minimum = Amount::new(i64::MAX, terms.minimum.scale()));
        })
        .saying("minimum"),
        flaw("too much", Reason::AmountOutOfRange, "source_points", |a| {
            a.scene.bend_terms(|terms| terms.maximum = Amount::new(50, terms.maximum.scale()));
        })
        .saying("maximum"),
        flaw("step", Reason::AmountStep, "source_points", |a| {
            a.scene.bend_terms(|terms| terms.step = Amount::new(300, terms.step.scale()));
        }),
        flaw("too small", Reason::AmountTooSmall, "source_points", |a| {
            a.scene.bend_terms(|terms| terms.fee = Amount::new(666, terms.fee.scale()));
        }),
        flaw("overflow", Reason::Overflow, "source_points", |a| {
            a.scene.bend_terms(|terms| {
                terms.basis = Basis::Source;
                terms.price.money = Money::from_millionths(i64::MAX);
                terms.price.points = Amount::new(1, terms.price.points.scale());
            });
        }),
        flaw("membership holds", Reason::HoldLimit, None, |a| {
            a.scene.world.accounts.get_mut(&a.scene.flyer).unwrap().live_holds = HOLDS_PER_MEMBERSHIP_MAX;
        })
        .saying("the membership has 100"),
        flaw("initiator holds", Reason::HoldLimit, None, |a| {
            let airline = a.scene.airline.partner().unwrap().clone();
            a.scene.world.live_holds.insert(airline, HOLDS_PER_INITIATOR_MAX);
        })
        .saying("your partner has 100000"),
        flaw("insufficient", Reason::InsufficientPoints, None, |a| drain(&mut a.scene)),
        flaw("too many lots", Reason::TooManyLots, None, |a| scatter(&mut a.scene)),
        flaw("exposure", Reason::ExposureLimit, None, owe_all_that_is_allowed),
    ]
}

fn owe_all_that_is_allowed(attempt: &mut Prepare) {
    let [airline, market] = ["airline", "market"].map(fixture::code);
    let key = ExposureKey { pair: Pair::new(&airline, &market).unwrap(), currency: "CNY".parse().unwrap() };
    let owed = Exposure { committed_low: 900_000_000, prepared_low: 100_000_000, ..Exposure::none(key) };
    attempt.scene.world.exposures.insert(owed.key.clone(), owed);
}

const PREPARE_APART: &[Apart] = &[
    STANDING,
    ("too little", "too much", "terms with a maximum below the minimum are not proposed"),
    ("insufficient", "too many lots", "lots are counted of points that are there"),
];

#[test]
fn prepare_exchange() {
    let flaws = starting(of_the_ends().into_iter().chain(of_the_amount()).collect());
    let fresh = attempt::prepare_exchange;
    Table { method: "PrepareExchange", fresh, flaws, apart: PREPARE_APART }.check();
}

/// The destination's partner would spend the member's points: no quote is made for it, and none is taken from it.
fn of_the_destination(attempt: &mut Prepare) {
    attempt.caller = partner("market");
    claims(attempt).initiator = fixture::code("market");
}

/// Other ways into the same refusal.
#[test]
fn a_prepare_is_refused_for_every_way_of_deserving_it() {
    let lines: [(Reason, Spoil); 12] = [
        (Reason::QuoteInvalid, |a| a.command.claims = None),
        (Reason::QuoteInvalid, of_the_destination),
        (Reason::QuoteInvalid, |a| {
            of_the_destination(a);
            a.scene.tick(QUOTE_TTL_SECONDS);
        }),
        (Reason::Overflow, |a| {
            claims(a).source_minor = 10_000_000;
            a.scene.bend_terms(|terms| {
                terms.rate = Rate::new(1, 1_000_000_000_000).unwrap();
                terms.maximum = Amount::new(10_000_000, terms.maximum.scale());
            });
        }),
        (Reason::QuoteInvalid, |a| claims(a).initiator = fixture::code("market")),
        (Reason::QuoteInvalid, |a| a.caller = partner("market")),
        (Reason::QuoteInvalid, |a| a.caller = a.scene.operator.clone()),
        (Reason::AgreementNotActive, |a| claims(a).agreement_version = 9),
        (Reason::AgreementNotActive, |a| claims(a).agreement_id = a.scene.air_baby),
        (Reason::ConsentMissing, |a| {
            let now = a.scene.world.now;
            a.scene.world.consents.values_mut().for_each(|consent| consent.expires_at = Some(now));
        }),
        (Reason::InsufficientPoints, |a| {
            let lots = a.scene.world.lots.get_mut(&a.scene.flyer).unwrap();
            let bonus = std::mem::take(&mut lots.lots).into_iter();
            lots.lots = bonus.map(|(key, lot)| (LotKey { exchangeable: false, ..key }, lot)).collect();
        }),
        (Reason::InsufficientPoints, |a| {
            a.scene.world.accounts.get_mut(&a.scene.flyer).unwrap().held = 9001;
        }),
    ];
    for (line, (reason, spoil)) in lines.into_iter().enumerate() {
        let mut attempt = attempt::prepare_exchange();
        spoil(&mut attempt);
        let (changes, answer) = attempt.decide(false);
        let fits = matches!(&answer, Answer::Refused(r) if r.reason == reason);
        assert!(fits && changes.is_empty(), "line {line}: expected {reason:?}, got {answer:?}");
    }
}

#[test]
fn the_last_unit_within_a_limit_is_taken() {
    let lines: [(&str, Spoil); 5] = [
        ("as many holds as allowed, with this one", |a| {
            a.scene.world.accounts.get_mut(&a.scene.flyer).unwrap().live_holds = HOLDS_PER_MEMBERSHIP_MAX - 1;
        }),
        ("as many holds of the initiator as allowed, with this one", |a| {
            let airline = a.scene.airline.partner().unwrap().clone();
            a.scene.world.live_holds.insert(airline, HOLDS_PER_INITIATOR_MAX - 1);
        }),
        ("exactly what is available", |a| {
            a.scene.world.accounts.get_mut(&a.scene.flyer).unwrap().held = 9000;
        }),
        ("exactly what may be owed: 661 credited points are 6.61 yuan", |a| {
            owe_all_that_is_allowed(a);
            a.scene.world.exposures.values_mut().for_each(|owed| owed.prepared_low -= 6_610_000);
        }),
        ("the last microsecond of the quote", |a| {
            let last = a.scene.world.now.micros() + 1;
            claims(a).expires_at = pointbridge_core::time::Timestamp::from_micros(last).unwrap();
        }),
    ];
    for (line, bend) in lines {
        let mut attempt = attempt::prepare_exchange();
        bend(&mut attempt);
        let (_, answer) = attempt.decide(false);
        assert!(matches!(answer, Answer::Done(_)), "{line}: {answer:?}");
    }
    let mut beyond = attempt::prepare_exchange();
    owe_all_that_is_allowed(&mut beyond);
    beyond.scene.world.exposures.values_mut().for_each(|owed| owed.prepared_low -= 6_609_999);
    let (_, answer) = beyond.decide(false);
    assert!(matches!(&answer, Answer::Refused(r) if r.reason == Reason::ExposureLimit), "{answer:?}");
}

fn in_state<C>(attempt: &mut Attempt<C>, state: ReservationState) {
    let ids: Vec<_> = attempt.scene.world.exchanges.keys().copied().collect();
    for exchange_id in ids {
        attempt.scene.bend_exchange(exchange_id, |exchange| exchange.state = state);
    }
}

#[test]
fn commit_exchange() {
    let flaws: Vec<Flaw<CommitExchange>> = vec![
        reused(),
        unknown(),
        flaw("not found", Reason::ExchangeNotFound, "exchange_id", |a| a.caller = a.scene.baby.clone()),
        flaw("not initiator", Reason::RoleNotAllowed, None, |a| a.caller = a.scene.market.clone()),
        flaw("aborted", Reason::ReservationAborted, None, |a| in_state(a, ReservationState::Aborted)),
        flaw("expired", Reason::HoldExpired, None, |a| a.scene.tick(300)),
        flaw("overflow", Reason::Overflow, None, |a| {
            a.scene.world.accounts.get_mut(&a.scene.shopper).unwrap().posted = i64::MAX;
        }),
    ];
    let fresh = attempt::commit_exchange;
    Table { method: "CommitExchange", fresh, flaws, apart: &[] }.check();
}

#[test]
fn abort_exchange() {
    let flaws: Vec<Flaw<AbortExchange>> = vec![
        reused(),
        unknown(),
        flaw("not found", Reason::ExchangeNotFound, "exchange_id", |a| a.caller = a.scene.baby.clone()),
        flaw("committed", Reason::ReservationCommitted, None, |a| in_state(a, ReservationState::Committed)),
        flaw("expired", Reason::HoldExpired, None, |a| a.scene.tick(300)),
    ];
    let fresh = attempt::abort_exchange;
    Table { method: "AbortExchange", fresh, flaws, apart: &[] }.check();
}

#[test]
fn reverse_exchange() {
    let own: Vec<Flaw<ReverseExchange>> = vec![
        flaw("not found", Reason::ExchangeNotFound, "exchange_id", |a| a.caller = a.scene.baby.clone()),
        flaw("not committed", Reason::ReservationNotCommitted, "exchange_id", |a| {
            in_state(a, ReservationState::Prepared);
        }),
        flaw("not allowed", Reason::ReversalNotAllowed, None, |a| {
            a.caller = a.scene.airline.clone();
            let exchange_id = a.command.exchange_id;
            a.scene.bend_exchange(exchange_id, |exchange| exchange.initiator = fixture::code("baby"));
        }),
        flaw("term over", Reason::ReversalTermOver, None, |a: &mut Attempt<ReverseExchange>| {
            a.caller = a.scene.airline.clone();
            a.scene.tick(30 * 86_400);
        })
        .saying("30 days"),
        flaw("scale", Reason::AmountScale, "source_points", |a| {
            a.command.source_points = Some(entered("0.5"));
        }),
        flaw("out of range", Reason::AmountOutOfRange, "source_points", |a| {
            a.command.source_points = Some(entered("0"));
        }),
        flaw("exceeds", Reason::ReversalExceeds, "source_points", |a| {
            a.command.source_points = Some(entered("1001"));
        }),
        flaw("parts", Reason::ReversalLimit, "source_points", |a: &mut Attempt<ReverseExchange>| {
            let progress = Progress { parts: REVERSALS_PER_EXCHANGE_MAX - 1, source: 99 };
            a.scene.world.reversed.insert(a.command.exchange_id, progress);
        })
        .saying("at most 100 parts"),
        flaw("too small", Reason::AmountTooSmall, "source_points", |a| {
            a.command.source_points = Some(entered("1"));
        }),
        flaw("spent", Reason::PointsSpent, None, |a| {
            let lots = a.scene.world.lots.get_mut(&a.scene.shopper).unwrap();
            lots.lots.values_mut().for_each(|lot| lot.held = lot.remaining);
        }),
        flaw("overflow", Reason::Overflow, None, |a| {
            a.scene.world.accounts.get_mut(&a.scene.flyer).unwrap().posted = i64::MAX;
        }),
    ];
    let (fresh, flaws) = (attempt::reverse_exchange, starting(own));
    Table { method: "ReverseExchange", fresh, flaws, apart: &[STANDING] }.check();
}

/// Other ways into the same refusal, and the last moments that are none.
#[test]
fn a_reversal_is_refused_for_every_way_of_deserving_it() {
    type Spoil = fn(&mut Attempt<ReverseExchange>);
    let lines: [(Option<Reason>, Spoil); 12] = [
        (Some(Reason::ExchangeNotFound), |a| a.caller = a.scene.operator.clone()),
        (Some(Reason::ExchangeNotFound), |a| a.command.exchange_id = ExchangeId::new(fixture::id(77))),
        (Some(Reason::ReservationNotCommitted), |a| in_state(a, ReservationState::Aborted)),
        (Some(Reason::ReservationNotCommitted), |a| in_state(a, ReservationState::Expired)),
        (None, |a| a.scene.tick(4000 * 86_400)),
        (None, |a| {
            a.caller = a.scene.airline.clone();
            a.scene.tick(30 * 86_400 - 1);
        }),
        (Some(Reason::ReversalTermOver), |a| {
            a.caller = a.scene.airline.clone();
            let exchange_id = a.command.exchange_id;
            a.scene.bend_exchange(exchange_id, |exchange| exchange.legs[0].reversal_days = Some(0));
        }),
        (None, |a| {
            a.caller = a.scene.airline.clone();
            let exchange_id = a.command.exchange_id;
            a.scene.bend_exchange(exchange_id, |exchange| exchange.legs[0].reversal_days = Some(365));
            a.scene.tick(365 * 86_400 - 1);
        }),
        (Some(Reason::AmountOutOfRange), |a| {
            a.command.source_points = Some(entered("-1"));
        }),
        (Some(Reason::ReversalExceeds), |a| {
            let progress = Progress { parts: 1, source: 701 };
            a.scene.world.reversed.insert(a.command.exchange_id, progress);
        }),
        (Some(Reason::ReversalExceeds), |a| {
            a.command.source_points = None;
            let progress = Progress { parts: 1, source: 1000 };
            a.scene.world.reversed.insert(a.command.exchange_id, progress);
        }),
        (None, |a| {
            a.command.source_points = None;
            let progress = Progress { parts: REVERSALS_PER_EXCHANGE_MAX - 1, source: 700 };
            a.scene.world.reversed.insert(a.command.exchange_id, progress);
        }),
    ];
    for (line, (reason, spoil)) in lines.into_iter().enumerate() {
        let mut attempt = attempt::reverse_exchange();
        spoil(&mut attempt);
        let (_, answer) = attempt.decide(false);
        let found = match &answer {
            Answer::Refused(rejection) => Some(rejection.reason),
            Answer::Done(_) => None,
            other => panic!("line {line}: {other:?}"),
        };
        assert_eq!(found, reason, "line {line}: {answer:?}");
    }
}

#[test]
fn a_debt_the_other_way_makes_room_only_once_it_is_committed() {
    for (committed_low, prepared_high, fits) in [(-1_000_000, 0, true), (0, 1_000_000, false)] {
        let mut attempt = attempt::prepare_exchange();
        owe_all_that_is_allowed(&mut attempt);
        for owed in attempt.scene.world.exposures.values_mut() {
            owed.prepared_low = 1_000_000_000 - 6_610_000 + 1_000_000;
            (owed.committed_low, owed.prepared_high) = (committed_low, prepared_high);
        }
        let (_, answer) = attempt.decide(false);
        assert_eq!(matches!(answer, Answer::Done(_)), fits, "{answer:?}");
    }
}
