//! Promises of the rules beside the fields: each kind of rule refuses what it must, names the field, and says what it
//! wants. A line per event; values are changed from a request that passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use pointbridge_proto::v1::{self, direction_terms, get_membership_request, prepare_exchange_request};
use pointbridge_proto::validate::{NAMED_VIOLATIONS_MAX, ValidateError, Violations, ready, violations};
use prost::{Message, Name};
use prost_types::Timestamp;

const REQUEST_ID: &str = "0b9d5a3e-7c44-4c5e-9a53-0d6a3a1f2b4c";
const HEX: &str = "0123456789abcdef0123456789abcdef";

fn id(prefix: &str) -> String {
    format!("{prefix}_{HEX}")
}

fn found<M: Message + Name>(message: &M) -> Violations {
    violations(&M::full_name(), &message.encode_to_vec()).expect("rules work and bytes are a message")
}

/// The paths of the broken fields, in order.
fn paths<M: Message + Name>(message: &M) -> Vec<String> {
    found(message).named.into_iter().map(|violation| violation.field).collect()
}

/// Changes a good request, and expects exactly these lines, `field: what it must be`.
#[track_caller]
fn check<M: Message + Name>(mut good: M, change: impl FnOnce(&mut M), expected: &[&str]) {
    assert!(found(&good).is_empty(), "the request to change must pass: {:?}", found(&good));
    change(&mut good);
    let lines: Vec<String> =
        found(&good).named.iter().map(|line| format!("{}: {}", line.field, line.description)).collect();
    assert_eq!(lines, expected);
}

fn create_partner() -> v1::CreatePartnerRequest {
    v1::CreatePartnerRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        code: "airline".into(),
        name: "Blue Airline 蓝天".into(),
    }
}

fn create_program() -> v1::CreateProgramRequest {
    v1::CreateProgramRequest {
        request_id: REQUEST_ID.into(),
        validate_only: true,
        partner_code: "airline".into(),
        code: "miles".into(),
        name: "Miles".into(),
        scale: 4,
        custody: v1::Custody::Hosted.into(),
        points_expiry_months: 120,
    }
}

fn direction() -> v1::DirectionTerms {
    v1::DirectionTerms {
        source_program_id: id("prg"),
        destination_program_id: id("prg"),
        rate: Some(v1::Rate { give: 3, get: 2 }),
        rounding: v1::Rounding::TowardZero.into(),
        residue_owner: v1::ResidueOwner::Nobody.into(),
        minimum_source_points: "1".into(),
        maximum_source_points: "100000.00".into(),
        step_source_points: "0.01".into(),
        fee_points: "0".into(),
        basis: v1::SettlementBasis::Credited.into(),
        price: Some(v1::Price { money: "111.00".into(), points: "6666".into() }),
        funding: Some(direction_terms::Funding::Postpaid(v1::Postpaid { exposure_limit: "5000".into() })),
        hold_seconds: 0,
        reversal_days: None,
    }
}

fn propose() -> v1::ProposeAgreementRequest {
    v1::ProposeAgreementRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        partner_code: "market".into(),
        terms: Some(v1::AgreementTerms { settlement_currency: "CNY".into(), directions: vec![direction()] }),
    }
}

/// Changes the terms of a proposal.
#[track_caller]
fn check_terms(change: impl FnOnce(&mut v1::AgreementTerms), expected: &[&str]) {
    check(propose(), |request| change(request.terms.as_mut().unwrap()), expected);
}

/// Changes the only direction of a proposal.
#[track_caller]
fn check_direction(change: impl FnOnce(&mut v1::DirectionTerms), expected: &[&str]) {
    check_terms(|terms| change(&mut terms.directions[0]), expected);
}

fn accrue() -> v1::AccruePointsRequest {
    v1::AccruePointsRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        membership_id: id("mbs"),
        amount: "10.5".into(),
        reason_code: "SALE".into(),
        reference: "order-77/2026:A.1_b".into(),
        expiry: None,
    }
}

fn prepare() -> v1::PrepareExchangeRequest {
    v1::PrepareExchangeRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        terms: Some(prepare_exchange_request::Terms::QuoteToken("token".into())),
        references: Some(v1::References { order: "o-1".into(), store: None, till: None }),
    }
}

fn list_exchanges() -> v1::ListExchangesRequest {
    v1::ListExchangesRequest { page_size: 500, ..v1::ListExchangesRequest::default() }
}

#[test]
fn strings_keep_presence_length_and_pattern() {
    const UUID: &str =
        "request_id: must match ^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    const CODE: &str = "code: must match ^[a-z][a-z0-9-]{1,30}$";
    const NAME: &str = "name: must match ^[\\p{L}\\p{N}]([\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]*[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}])?$";
    check(create_partner(), |r| r.request_id.clear(), &["request_id: is required"]);
    check(create_partner(), |r| r.request_id = REQUEST_ID.to_uppercase(), &[UUID]);
    check(create_partner(), |r| r.request_id.push('\n'), &[UUID]);
    check(create_partner(), |r| r.code.clear(), &["code: is required"]);
    check(create_partner(), |r| r.code = "a".into(), &[CODE]);
    check(create_partner(), |r| r.code = "a".repeat(31), &[]);
    check(create_partner(), |r| r.code = "a".repeat(32), &[CODE]);
    check(create_partner(), |r| r.code = "аirline".into(), &[CODE]);
    check(create_partner(), |r| r.name = "é".repeat(80), &[]);
    check(create_partner(), |r| r.name = "é".repeat(81), &["name: must have at most 80 characters"]);
    for bad in [
        " Air",
        "Air ",
        "A\u{0}B",
        "A\tB",
        "A\nB",
        "A\u{202e}B",
        "A\u{200b}B",
        "=1+1",
        "A\u{a0}B",
        "A\u{1b}[0m",
    ] {
        check(create_partner(), |r| r.name = bad.into(), &[NAME]);
    }
    check(prepare(), |r| r.terms = Some(prepare_exchange_request::Terms::QuoteToken("t".repeat(300))), &[]);
    check(
        prepare(),
        |r| r.terms = Some(prepare_exchange_request::Terms::QuoteToken("t".repeat(301))),
        &["quote_token: must have at most 300 characters"],
    );
    check(
        prepare(),
        |r| r.terms = Some(prepare_exchange_request::Terms::QuoteToken(String::new())),
        &["quote_token: must have at least 1 characters"],
    );
}

#[test]
fn ids_codes_hashes_and_references_have_one_form() {
    const MEMBERSHIP: &str = "membership_id: must match ^mbs_[0-9a-f]{32}$";
    const REASON: &str = "reason_code: must match ^[A-Z][A-Z0-9_]{1,39}$";
    const REFERENCE: &str = "reference: must match ^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$";
    for bad in
        [HEX.to_owned(), id("prg"), id("MBS"), id("mbs").to_uppercase(), id("mbs") + "0", "mbs_".into()]
    {
        check(accrue(), |r| r.membership_id = bad, &[MEMBERSHIP]);
    }
    for bad in ["sale", "S", "1SALE", "SALE 1", "SALE-1", "Ｓ＿"] {
        check(accrue(), |r| r.reason_code = bad.into(), &[REASON]);
    }
    check(accrue(), |r| r.reason_code = "S".repeat(40), &[]);
    check(accrue(), |r| r.reason_code = "S".repeat(41), &[REASON]);
    for bad in ["a b", "-a", "a@b.example", "a'--", "a\u{0}", "été", "=a"] {
        check(accrue(), |r| r.reference = bad.into(), &[REFERENCE]);
    }
    check(accrue(), |r| r.reference = "r".repeat(64), &[]);
    check(accrue(), |r| r.reference = "r".repeat(65), &[REFERENCE]);
    let accept = v1::AcceptAgreementRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        agreement_id: id("agr"),
        version: 1,
        terms_hash: HEX.repeat(2),
    };
    check(accept.clone(), |r| r.version = 0, &["version: must be at least 1"]);
    check(
        accept,
        |r| r.terms_hash = HEX.repeat(2).to_uppercase(),
        &["terms_hash: must match ^[0-9a-f]{64}$"],
    );
}

#[test]
fn decimals_are_digits_and_one_point() {
    const AMOUNT: &str = "amount: must match ^(0|[1-9][0-9]{0,19})(\\.[0-9]{1,12})?$";
    const SIGNED: &str = "amount: must match ^-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,12})?$";
    for good in ["0", "0.01", "9223372036854775807", "1.00000"] {
        check(accrue(), |r| r.amount = good.into(), &[]);
    }
    let bad = [
        "-1", "+1", ".5", "5.", "1e3", "NaN", "inf", "１", "1 ", " 1", "1,000", "007", "0x1", "1.2.3", "1\n",
    ];
    for bad in bad {
        check(accrue(), |r| r.amount = bad.into(), &[AMOUNT]);
    }
    let adjust = v1::AdjustPointsRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        membership_id: id("mbs"),
        amount: "-3.5".into(),
        reason_code: "CORRECTION".into(),
        reference: "c-1".into(),
    };
    check(adjust.clone(), |r| r.amount = "--1".into(), &[SIGNED]);
    check(adjust, |r| r.amount = "\u{2212}1".into(), &[SIGNED]);
}

#[test]
fn numbers_keep_their_range() {
    check(create_program(), |r| r.scale = 5, &["scale: must be at most 4"]);
    check(create_program(), |r| r.points_expiry_months = 121, &["points_expiry_months: must be at most 120"]);
    check(list_exchanges(), |r| r.page_size = 501, &["page_size: must be at most 500"]);
    check_direction(
        |d| d.rate = Some(v1::Rate { give: 0, get: 1 }),
        &["terms.directions[0].rate.give: must be at least 1"],
    );
    check_direction(
        |d| d.rate = Some(v1::Rate { give: 1, get: 1_000_000_000_001 }),
        &["terms.directions[0].rate.get: must be at most 1000000000000"],
    );
    check_direction(|d| d.reversal_days = Some(0), &[]);
    check_direction(|d| d.reversal_days = Some(365), &[]);
    check_direction(
        |d| d.reversal_days = Some(366),
        &["terms.directions[0].reversal_days: must be at most 365"],
    );
    check_direction(|d| d.hold_seconds = 1, &[]);
    check_direction(|d| d.hold_seconds = 3_600, &[]);
    check_direction(|d| d.hold_seconds = 3_601, &["terms.directions[0].hold_seconds: must be at most 3600"]);
}

#[test]
fn enums_are_defined_and_said() {
    const CUSTODY: &str = "custody: must be one of CUSTODY_HOSTED, CUSTODY_PARTNER_HELD";
    const ROUNDING: &str =
        "terms.directions[0].rounding: must be one of ROUNDING_TOWARD_ZERO, ROUNDING_HALF_EVEN";
    check(create_program(), |r| r.custody = 2, &[]);
    check(create_program(), |r| r.custody = 0, &["custody: is required"]);
    check(create_program(), |r| r.custody = 3, &[CUSTODY]);
    check(create_program(), |r| r.custody = -1, &[CUSTODY]);
    check_direction(|d| d.rounding = 7, &[ROUNDING]);
    let states = "state: must be one of EXCHANGE_STATE_PENDING, EXCHANGE_STATE_PREPARED, EXCHANGE_STATE_COMMITTED, \
                  EXCHANGE_STATE_ABORTED, EXCHANGE_STATE_EXPIRED";
    check(list_exchanges(), |r| r.state = Some(0), &[states]);
    check(list_exchanges(), |r| r.state = Some(5), &[]);
}

#[test]
fn messages_lists_and_oneofs_are_walked() {
    check(propose(), |r| r.terms = None, &["terms: is required"]);
    check_terms(|t| t.directions.clear(), &["terms.directions: must have at least 1 items"]);
    check_terms(|t| t.directions = vec![direction(); 16], &[]);
    check_terms(
        |t| t.directions = vec![v1::DirectionTerms::default(); 17],
        &["terms.directions: must have at most 16 items"],
    );
    check_direction(|d| d.price = None, &["terms.directions[0].price: is required"]);
    check_direction(|d| d.funding = None, &["terms.directions[0].funding: is required: set postpaid"]);
    check_terms(
        |t| {
            t.settlement_currency = "cny".into();
            t.directions.push(direction());
            t.directions[1].price.as_mut().unwrap().points = "x".into();
        },
        &[
            "terms.settlement_currency: must match ^[A-Z]{3}$",
            "terms.directions[1].price.points: must match ^(0|[1-9][0-9]{0,19})(\\.[0-9]{1,12})?$",
        ],
    );
    let by_id =
        v1::GetMembershipRequest { name: Some(get_membership_request::Name::MembershipId(id("mbs"))) };
    check(by_id.clone(), |r| r.name = None, &["name: is required: set one of membership_id, external"]);
    check(
        by_id,
        |r| r.name = Some(get_membership_request::Name::External(v1::ExternalName::default())),
        &["external.program_id: is required", "external.external_reference: is required"],
    );
    check(prepare(), |r| r.references = None, &["references: is required"]);
    check(
        prepare(),
        |r| r.references.as_mut().unwrap().till = Some(String::new()),
        &["references.till: must match ^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$"],
    );
}

#[test]
fn absent_optional_fields_pass_and_present_ones_are_checked() {
    let update = v1::UpdateProgramRequest {
        request_id: REQUEST_ID.into(),
        validate_only: false,
        program_id: id("prg"),
        name: None,
        points_expiry_months: None,
    };
    check(update.clone(), |r| r.name = Some(String::new()), &["name: must have at least 1 characters"]);
    check(update, |r| r.points_expiry_months = Some(121), &["points_expiry_months: must be at most 120"]);
    check(
        list_exchanges(),
        |r| r.membership_id = Some("x".into()),
        &["membership_id: must match ^mbs_[0-9a-f]{32}$"],
    );
    check(
        list_exchanges(),
        |r| r.page_token = "t".repeat(513),
        &["page_token: must have at most 512 characters"],
    );
}

#[test]
fn times_stay_within_the_calendar() {
    const TIME: &str = "expire_time: must be a time of the years 1 to 9999 with 0 to 999999999 nanoseconds";
    let at = |seconds, nanos| {
        move |request: &mut v1::AccruePointsRequest| {
            request.expiry =
                Some(v1::accrue_points_request::Expiry::ExpireTime(Timestamp { seconds, nanos }));
        }
    };
    check(accrue(), at(253_402_300_799, 999_999_999), &[]);
    check(accrue(), at(253_402_300_800, 0), &[TIME]);
    check(accrue(), at(-62_135_596_801, 0), &[TIME]);
    check(accrue(), at(0, -1), &[TIME]);
    check(accrue(), at(0, 1_000_000_000), &[TIME]);
}

#[test]
fn all_broken_fields_are_named_in_order_up_to_the_bound() {
    let empty = v1::AccruePointsRequest::default();
    assert_eq!(paths(&empty), ["request_id", "membership_id", "amount", "reason_code", "reference"]);
    assert_eq!(
        found(&empty).sentence(),
        "request_id is required, and 4 more; correct them and send the request again"
    );

    let mut request = propose();
    request.terms.as_mut().unwrap().directions = vec![v1::DirectionTerms::default(); 16];
    let many = found(&request);
    assert_eq!(many.named.len(), NAMED_VIOLATIONS_MAX);
    assert_eq!(many.total, 16 * 12, "twelve of a direction's rules refuse its zero value");
}

#[test]
fn no_description_repeats_the_value() {
    let secret = "13800138000 hidden";
    let mut request = accrue();
    request.reference = secret.into();
    request.amount = secret.into();
    let found = found(&request);
    assert_eq!(found.total, 2);
    assert!(!format!("{found:?}{}", found.sentence()).contains("13800138000"));
}

#[test]
fn a_field_sent_twice_is_judged_as_it_is_read() {
    let mut bytes = v1::GetPartnerRequest { code: "BAD".into() }.encode_to_vec();
    bytes.extend(v1::GetPartnerRequest { code: "airline".into() }.encode_to_vec());
    assert_eq!(v1::GetPartnerRequest::decode(bytes.as_slice()).unwrap().code, "airline");
    assert!(violations("pointbridge.v1.GetPartnerRequest", &bytes).unwrap().is_empty());

    // Two halves of one message are one message.
    let mut halves = v1::ProposeAgreementRequest { terms: None, ..propose() };
    let mut bytes = halves.encode_to_vec();
    halves = v1::ProposeAgreementRequest {
        terms: Some(v1::AgreementTerms { settlement_currency: "CNY".into(), directions: vec![] }),
        ..v1::ProposeAgreementRequest::default()
    };
    bytes.extend(halves.encode_to_vec());
    halves.terms =
        Some(v1::AgreementTerms { settlement_currency: String::new(), directions: vec![direction()] });
    bytes.extend(halves.encode_to_vec());
    assert_eq!(v1::ProposeAgreementRequest::decode(bytes.as_slice()).unwrap(), propose());
    assert!(violations("pointbridge.v1.ProposeAgreementRequest", &bytes).unwrap().is_empty());
}

#[test]
fn rules_compile_and_strangers_pass() {
    ready().unwrap();
    assert!(violations("google.protobuf.Timestamp", &[0xff]).unwrap().is_empty());
    let broken = violations("pointbridge.v1.GetPartnerRequest", &[0xff]);
    assert!(matches!(broken, Err(ValidateError::Malformed)), "{broken:?}");
}
