//! What an exchange gives: the arithmetic of prices, the order of a quote's refusals, and the bytes of its claims.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use fixture::refusal::{freeze_all, suspend};
use fixture::{Scene, entered};
use pointbridge_core::agreement::{Basis, DirectionTerms, Pair, ResidueOwner};
use pointbridge_core::ids::{AgreementId, ExchangeId, MembershipId};
use pointbridge_core::member::{ConsentKey, ConsentScope};
use pointbridge_core::money::{Money, Price};
use pointbridge_core::partner::{Custody, PartnerStatus};
use pointbridge_core::points::{Amount, Scale};
use pointbridge_core::quote::{
    self, AmountRejection, Claims, End, Ends, QUOTE_TTL_SECONDS, QuoteInputs, QuoteRequest, Quoted, price,
};
use pointbridge_core::rate::{RATE_PART_MAX, Rate, Rounding, Rounding::HalfEven, Rounding::TowardZero};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

/// Whole units of a program without decimals.
fn whole(minor: i64) -> Amount {
    Amount::new(minor, Scale::new(0).unwrap())
}

/// The terms of the fixture's miles for supermarket points: 3 : 2 toward zero, a fee of 5, one yuan for 100 credited.
fn terms() -> DirectionTerms {
    let scene = Scene::new();
    let version = &scene.world.facts.versions[&(scene.air_market, 1)];
    version.terms.direction(scene.miles, scene.points).unwrap().clone()
}

/// As much money for one unit as the hub can count.
fn dear() -> Price {
    Price { money: Money::from_millionths(i64::MAX), points: whole(1) }
}

/// Rate, rounding and fee; basis and price (millionths : points); then source points, and what comes of them: gross,
/// credited, the residue's numerator and denominator, and millionths owed.
type Line = ((u64, u64), Rounding, i64, Basis, (i64, i64), i64, [i64; 5]);

#[rustfmt::skip]
const PRICES: [Line; 14] = [
    ((3, 2),       TowardZero, 5, Basis::Credited, (1_000_000, 100),    1000, [666, 661, 2, 3, 6_610_000]),
    ((3, 2),       HalfEven,   5, Basis::Credited, (1_000_000, 100),    1000, [667, 662, -1, 3, 6_620_000]),
    ((3, 2),       TowardZero, 5, Basis::Source,   (1_000_000, 100),    1000, [666, 661, 2, 3, 10_000_000]),
    ((3, 2),       TowardZero, 5, Basis::Credited, (1_000_000, 100),     900, [600, 595, 0, 3, 5_950_000]),
    ((3, 2),       TowardZero, 0, Basis::Credited, (1_000_000, 100),     900, [600, 600, 0, 3, 6_000_000]),
    ((2, 1),       HalfEven,   0, Basis::Credited, (1_000_000, 100),       5, [2, 2, 1, 2, 20_000]),
    ((2, 1),       HalfEven,   0, Basis::Credited, (1_000_000, 100),       7, [4, 4, -1, 2, 40_000]),
    ((2, 1),       TowardZero, 0, Basis::Credited, (1_000_000, 100),       7, [3, 3, 1, 2, 30_000]),
    ((3, 2),       TowardZero, 5, Basis::Credited, (111_000_000, 6666), 1000, [666, 661, 2, 3, 11_006_751]),
    ((6666, 111),  TowardZero, 0, Basis::Source,   (111_000_000, 6666), 6666, [111, 111, 0, 6666, 111_000_000]),
    ((1, 1),       TowardZero, 0, Basis::Credited, (1, 2),                 1, [1, 1, 0, 1, 0]),
    ((1, 1),       TowardZero, 0, Basis::Credited, (1, 2),                 3, [3, 3, 0, 1, 2]),
    ((1, 150),     TowardZero, 0, Basis::Credited, (1_000_000, 10_000),    7, [1050, 1050, 0, 1, 105_000]),
    ((6, 4),       TowardZero, 5, Basis::Credited, (1_000_000, 100),    1000, [666, 661, 4, 6, 6_610_000]),
];

#[test]
fn an_amount_becomes_what_the_terms_say() {
    for (line, (rate, rounding, fee, basis, (millionths, points), source, expected)) in (1..).zip(PRICES) {
        for residue_owner in [ResidueOwner::Nobody, ResidueOwner::Source, ResidueOwner::Destination] {
            let price_of = Price { money: Money::from_millionths(millionths), points: whole(points) };
            let terms = DirectionTerms {
                rate: Rate::new(rate.0, rate.1).unwrap(),
                rounding,
                residue_owner,
                fee: whole(fee),
                basis,
                price: price_of,
                ..terms()
            };
            let priced = price(&terms, source).unwrap();
            let residue = priced.residue;
            let found = [
                priced.gross,
                priced.credited,
                residue.numerator,
                residue.denominator,
                priced.money.millionths(),
            ];
            assert_eq!(found, expected, "line {line}");
            assert_eq!(residue.owner, residue_owner, "line {line}");
        }
    }
}

#[test]
fn an_amount_that_the_terms_do_not_take_is_refused() {
    let limits = DirectionTerms { minimum: whole(100), maximum: whole(1000), step: whole(50), ..terms() };
    let too_little = AmountRejection::TooLittle { minimum: whole(100) };
    let too_much = AmountRejection::TooMuch { maximum: whole(1000) };
    let step = AmountRejection::Step { step: whole(50) };
    for (minor, expected) in [
        (i64::MIN, Some(&too_little)),
        (0, Some(&too_little)),
        (99, Some(&too_little)),
        (100, None),
        (101, Some(&step)),
        (150, None),
        (999, Some(&step)),
        (1000, None),
        (1001, Some(&too_much)),
        (i64::MAX, Some(&too_much)),
    ] {
        assert_eq!(price(&limits, minor).err().as_ref(), expected, "{minor}");
    }
}

#[test]
fn a_result_of_nothing_is_too_small_and_one_beyond_64_bits_is_told() {
    let all = DirectionTerms { maximum: whole(i64::MAX), fee: whole(0), ..terms() };
    let rated = |give, get| DirectionTerms { rate: Rate::new(give, get).unwrap(), ..all.clone() };
    let dear = dear();
    let of_the_source = DirectionTerms { basis: Basis::Source, price: dear, ..rated(3, 2) };
    for (line, terms, minor, expected) in [
        ("rounded to nothing", rated(3, 2), 1, Some(AmountRejection::TooSmall)),
        ("rounded to one", rated(3, 2), 2, None),
        (
            "eaten by the fee",
            DirectionTerms { fee: whole(2), ..rated(3, 2) },
            3,
            Some(AmountRejection::TooSmall),
        ),
        ("more than the fee", DirectionTerms { fee: whole(2), ..rated(3, 2) }, 5, None),
        ("the largest that fits", rated(1, 1), i64::MAX / 10_000, None),
        ("too many points", rated(1, RATE_PART_MAX), 9_223_373, Some(AmountRejection::Overflow)),
        ("too much money", DirectionTerms { price: dear, ..rated(1, 1) }, 2, Some(AmountRejection::Overflow)),
        ("too much money for what is taken", of_the_source.clone(), 2, Some(AmountRejection::Overflow)),
        ("too much money for what becomes nothing", of_the_source, 1, Some(AmountRejection::TooSmall)),
        ("the most money", DirectionTerms { price: dear, ..rated(1, 1) }, 1, None),
    ] {
        assert_eq!(price(&terms, minor).err(), expected, "{line}");
    }
}

/// A quote about to be asked for.
struct Asked {
    scene: Scene,
    request: QuoteRequest,
    caller_status: PartnerStatus,
    has_version: bool,
}

impl Asked {
    fn new() -> Self {
        let request = QuoteRequest { source_points: entered("1000"), legs_max: 0 };
        Self { scene: Scene::new(), request, caller_status: PartnerStatus::Active, has_version: true }
    }

    fn end(&self, id: MembershipId, other: MembershipId) -> End<'_> {
        let world = &self.scene.world;
        let membership = &world.memberships[&id];
        let recipient = world.memberships[&other].partner.clone();
        let key = ConsentKey { membership_id: id, recipient, scope: ConsentScope::Exchange };
        End {
            membership,
            program: &world.programs[&membership.program_id],
            partner: &world.partners[&membership.partner],
            consent: world.consents.get(&key),
        }
    }

    fn quote(&self) -> Result<Quoted, Rejection> {
        let scene = &self.scene;
        let version = &scene.world.facts.versions[&(scene.air_market, 1)];
        let source = self.end(scene.flyer, scene.shopper);
        let destination = self.end(scene.shopper, scene.flyer);
        let inputs = QuoteInputs {
            ends: Ends { source, destination },
            version: self.has_version.then_some(version),
            caller_status: self.caller_status,
            now: scene.world.now,
        };
        quote::quote(self.request, &inputs)
    }

    fn without_consent_at(&mut self, home: MembershipId) {
        self.scene.world.consents.retain(|key, _| key.membership_id != home);
    }
}

type Spoil = (&'static str, Reason, Option<&'static str>, fn(&mut Asked));

/// In order of precedence.
const REFUSALS: [Spoil; 14] = [
    ("suspended", Reason::PartnerSuspended, None, |a| a.caller_status = PartnerStatus::Suspended),
    ("routes", Reason::NotServed, Some("max_legs"), |a| a.request.legs_max = 2),
    ("not active", Reason::AgreementNotActive, None, |a| a.has_version = false),
    ("not one member", Reason::MembershipNotFound, Some("destination_membership_id"), |a| {
        a.scene.part(a.scene.shopper);
    }),
    ("partner inactive", Reason::PartnerInactive, None, |a| suspend(&mut a.scene, "market")),
    ("partner-held", Reason::NotServed, None, |a| {
        a.scene.world.programs.values_mut().for_each(|program| program.custody = Custody::PartnerHeld);
    }),
    ("membership inactive", Reason::MembershipInactive, None, |a| freeze_all(&mut a.scene)),
    ("source consent", Reason::ConsentMissing, None, |a| a.without_consent_at(a.scene.flyer)),
    ("destination consent", Reason::ConsentMissing, None, |a| a.without_consent_at(a.scene.shopper)),
    ("scale", Reason::AmountScale, Some("source_points"), |a| a.request.source_points = entered("0.5")),
    ("too little", Reason::AmountOutOfRange, Some("source_points"), |a| {
        a.scene.bend_terms(|terms| terms.minimum = whole(i64::MAX));
    }),
    ("step", Reason::AmountStep, Some("source_points"), |a| {
        a.scene.bend_terms(|terms| terms.step = whole(300));
    }),
    ("too small", Reason::AmountTooSmall, Some("source_points"), |a| {
        a.scene.bend_terms(|terms| terms.fee = whole(666));
    }),
    ("overflow", Reason::Overflow, Some("source_points"), |a| {
        a.scene.bend_terms(|terms| (terms.basis, terms.price) = (Basis::Source, dear()));
    }),
];

#[test]
fn a_quote_is_refused_in_the_order_of_the_table() {
    for (first, (name, reason, field, spoil)) in REFUSALS.iter().enumerate() {
        for (later, _, _, spoil_later) in &REFUSALS[first..] {
            let mut asked = Asked::new();
            spoil_later(&mut asked);
            spoil(&mut asked);
            let rejection = asked.quote().unwrap_err();
            let found = (rejection.reason, rejection.field.as_deref());
            assert_eq!(found, (*reason, *field), "{name} before {later}: {rejection}");
        }
    }
}

#[test]
fn a_quote_gives_what_the_prepare_then_holds() {
    let mut asked = Asked::new();
    let quoted = asked.quote().unwrap();
    assert_eq!(quoted.hold_seconds, 300);
    assert_eq!(quoted.expires_at, asked.scene.world.now.plus_seconds(QUOTE_TTL_SECONDS));
    let exchange_id = ExchangeId::new(asked.scene.draw());
    let airline = asked.scene.airline.clone();
    let claims = quote::claims(&airline, &quoted, exchange_id, asked.scene.world.epoch).unwrap();
    assert_eq!(quote::claims(&asked.scene.operator, &quoted, exchange_id, 7), None, "only partners quote");
    let accrual = Scene::accrual(asked.scene.flyer, "1000");
    asked.scene.done(&airline, accrual);
    let record = asked.scene.done(&airline, Scene::prepare(claims));
    let exchange = record.exchange().unwrap();
    assert_eq!(exchange.legs, [quoted.leg]);
    assert_eq!(exchange.exchange_id, exchange_id);
    let leg = &exchange.legs[0];
    assert!(Pair::new(&leg.obligation.debtor, &leg.obligation.creditor).is_some());
    assert_eq!(leg.obligation.debtor, leg.source.partner, "the liability shrank at the source");
}

fn claims() -> impl Strategy<Value = Claims> {
    let ids = (any::<u128>(), any::<u128>(), any::<u128>(), any::<u128>());
    let rest =
        (any::<u32>(), any::<u32>(), any::<i64>(), 0i64..=253_402_207_200_000_000, "[a-z][a-z0-9-]{1,30}");
    (ids, rest).prop_map(|((exchange, agreement, source, destination), rest)| {
        let (epoch, agreement_version, source_minor, micros, code) = rest;
        Claims {
            exchange_id: ExchangeId::new(Uuid::from_u128(exchange)),
            initiator: PartnerCode::new(code).unwrap(),
            epoch,
            agreement_id: AgreementId::new(Uuid::from_u128(agreement)),
            agreement_version,
            source: MembershipId::new(Uuid::from_u128(source)),
            destination: MembershipId::new(Uuid::from_u128(destination)),
            source_minor,
            expires_at: Timestamp::from_micros(micros).unwrap(),
        }
    })
}

proptest! {
    #[test]
    fn claims_read_back_as_themselves_and_leave_room_for_the_seal(claims in claims()) {
        let bytes = claims.to_bytes();
        // 200 bytes of a token, less version, nonce and tag.
        prop_assert!(bytes.len() <= 170, "{} bytes", bytes.len());
        prop_assert_eq!(Claims::from_bytes(&bytes), Some(claims));
    }

    #[test]
    fn claims_that_were_cut_or_lengthened_do_not_read_as_the_same(claims in claims(), cut in 1usize..120) {
        let bytes = claims.to_bytes();
        let shorter = &bytes[..bytes.len().saturating_sub(cut)];
        prop_assert_ne!(Claims::from_bytes(shorter), Some(claims.clone()));
        let longer = [&bytes[..], b"a"].concat();
        prop_assert_ne!(Claims::from_bytes(&longer), Some(claims));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(claims) = Claims::from_bytes(&bytes) {
            prop_assert_eq!(claims.to_bytes(), bytes);
        }
    }

    #[test]
    fn bytes_with_the_form_of_claims_are_read_or_refused_never_changed(
        mut bytes in prop::collection::vec(any::<u8>(), 88), code in "[a-zA-Z0-9 -]{0,34}", micros in 0u64..=253_402_207_200_000_000
    ) {
        bytes[80..88].copy_from_slice(&micros.to_be_bytes());
        bytes.extend_from_slice(code.as_bytes());
        match Claims::from_bytes(&bytes) {
            Some(claims) => prop_assert_eq!(claims.to_bytes(), bytes),
            None => prop_assert!(PartnerCode::new(code).is_err(), "only the partner's code can be wrong"),
        }
    }

    #[test]
    fn nothing_is_made_and_nothing_is_lost(
        minor in 1i64..=1_000_000, give in 1u64..10_000, get in 1u64..10_000, fee in 0i64..100, half_even in any::<bool>()
    ) {
        let rounding = if half_even { HalfEven } else { TowardZero };
        let rate = Rate::new(give, get).unwrap();
        let terms = DirectionTerms { rate, rounding, fee: whole(fee), ..terms() };
        let exact = i128::from(minor) * i128::from(get);
        match price(&terms, minor) {
            Ok(priced) => {
                let back = i128::from(priced.gross) * i128::from(give) + i128::from(priced.residue.numerator);
                prop_assert_eq!(back, exact);
                prop_assert_eq!(priced.gross - priced.credited, fee);
                prop_assert!(priced.credited > 0 && priced.money.millionths() > 0);
            }
            Err(rejection) => {
                prop_assert_eq!(rejection, AmountRejection::TooSmall);
                prop_assert!(exact < i128::from(fee + 1) * i128::from(give), "there was something left");
            }
        }
    }
}
