//! One wrong cell per case, or where a forger sealed a record anew, the cells that go with it.
//!
//! A forged record has a good hash, so that what is found is what its content breaks.

use std::collections::BTreeSet;

use pointbridge_check::Invariant;
use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::{self, at, book};
use crate::rows::{NEVER, id, micros, seal};
use crate::{check, check_at, found};

/// Changes exactly one row.
macro_rules! change {
    ($rows:expr, $pattern:pat $(if $guard:expr)? => $change:expr) => {{
        let mut changed = 0;
        for row in $rows.iter_mut() {
            match row {
                $pattern $(if $guard)? => { $change; changed += 1; }
                _ => {}
            }
        }
        assert_eq!(changed, 1, "the case must change one row: {}", stringify!($pattern));
    }};
}

/// Seals a record anew with another content.
pub(crate) fn forge(rows: &mut [AuditRow], number: u128, change: impl FnOnce(&mut Value)) {
    let wanted = id("rec", number);
    let record = rows.iter_mut().find_map(|row| match row {
        AuditRow::Record { record_id, bytes, hash, .. } if *record_id == wanted => Some((bytes, hash)),
        _ => None,
    });
    let (bytes, hash) = record.unwrap();
    let mut content: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut content);
    (*bytes, *hash) = seal(&content);
}

struct Case {
    expected: String,
    rows: Vec<AuditRow>,
}

fn case(expected: impl Into<String>, change: impl FnOnce(&mut Vec<AuditRow>)) -> Case {
    let mut rows = book();
    change(&mut rows);
    Case { expected: expected.into(), rows }
}

fn record(number: u128) -> String {
    format!("record {}", id("rec", number))
}

fn record_cases() -> Vec<Case> {
    let columns = format!("record-columns: {}", record(at::COMMIT));
    vec![
        case(format!("record-hash: {}", record(at::COMMIT)), |rows| {
            change!(rows, AuditRow::Record { record_id, hash, .. } if *record_id == id("rec", at::COMMIT) => hash[0] ^= 1);
        }),
        case(format!("record-form: {}", record(at::COMMIT)), |rows| {
            change!(rows, AuditRow::Record { record_id, bytes, hash, .. } if *record_id == id("rec", at::COMMIT) => {
                bytes.push(b' ');
                *hash = book::sha256(&[b"pointbridge/record/v1\0", bytes]);
            });
        }),
        case(format!("record-form: {}", record(at::ACCRUAL_A)), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["schema"] = json!("pointbridge.record.v2"));
        }),
        case(format!("record-form: {}", record(at::ACCRUAL_A)), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["postings"][0]["amount"] = json!("1e3"));
        }),
        case(columns.clone(), |rows| {
            change!(rows, AuditRow::Record { record_id, kind, .. } if *record_id == id("rec", at::COMMIT) => *kind = "EXCHANGE_ABORTED".to_owned());
        }),
        case(columns.clone(), |rows| {
            change!(rows, AuditRow::Record { record_id, decided_at, .. } if *record_id == id("rec", at::COMMIT) => *decided_at += 1);
        }),
        case(columns, |rows| {
            change!(rows, AuditRow::Record { record_id, window_id, .. } if *record_id == id("rec", at::COMMIT) => *window_id = None);
        }),
        case(format!("record-columns: {}", record(77)), |rows| {
            change!(rows, AuditRow::Record { record_id, .. } if *record_id == id("rec", at::COMMIT) => *record_id = id("rec", 77));
        }),
        case(format!("record-missing: {}", record(at::COMMIT)), |rows| {
            rows.retain(|row| !matches!(row, AuditRow::Record { record_id, .. } if *record_id == id("rec", at::COMMIT)));
        }),
        case(format!("request-record: {}", record(at::COMMIT)), |rows| {
            change!(rows, AuditRow::Request { record_id, .. } if *record_id == id("rec", at::COMMIT) => *record_id = id("rec", 1));
        }),
        case("request-record: request airline/Any/00000000000000000000000000000010", |rows| {
            change!(rows, AuditRow::Request { record_id, .. } if *record_id == id("rec", at::COMMIT) => *record_id = id("rec", 77));
        }),
    ]
}

fn forged_line_cases() -> Vec<Case> {
    let accrual = record(at::ACCRUAL_A);
    vec![
        case(format!("record-lines: {accrual}"), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["body"]["points"]["amount"] = json!("999"));
        }),
        case(format!("record-lines: {accrual}"), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["body"]["points"]["posted"] = json!("999"));
        }),
        case(format!("record-lines: {}", record(at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| content["obligations"][0]["money"] = json!("1.415391"));
            change!(rows, AuditRow::Obligation { money, .. } => *money = 1_415_391);
            change!(rows, AuditRow::Exposure { committed_low, .. } => *committed_low = 1_415_391);
        }),
        case(format!("postings-balance: {accrual}"), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["postings"][1]["amount"] = json!("-999"));
            change!(rows, AuditRow::Posting { record_id, number: 2, amount, .. } if *record_id == id("rec", at::ACCRUAL_A) => *amount = -999);
        }),
        case(format!("posting-program: {accrual}"), |rows| {
            forge(rows, at::ACCRUAL_A, |content| {
                content["postings"][0]["program_id"] = json!(id("prg", 2));
                content["postings"][1]["program_id"] = json!(id("prg", 2));
            });
            for number in 1..=2 {
                change!(rows, AuditRow::Posting { record_id, number: n, program_id, .. } if *record_id == id("rec", at::ACCRUAL_A) && *n == number => *program_id = id("prg", 2));
            }
        }),
        case(format!("account-sequence: posting {}/3", id("rec", at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| {
                content["postings"][2]["member"]["balance_after"] = json!("0.86");
            });
            change!(rows, AuditRow::Posting { record_id, number: 3, balance_after, .. } if *record_id == id("rec", at::COMMIT) => *balance_after = Some(86));
        }),
        case(format!("account-sequence: posting {}/1", id("rec", at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| content["postings"][0]["member"]["sequence"] = json!(4));
            change!(rows, AuditRow::Posting { record_id, number: 1, sequence, .. } if *record_id == id("rec", at::COMMIT) => *sequence = Some(4));
        }),
        case(format!("lots-of-record: {accrual}"), |rows| {
            forge(rows, at::ACCRUAL_A, |content| content["lots"][0]["remaining"] = json!("1001"));
            change!(rows, AuditRow::LotMovement { record_id, remaining, .. } if *record_id == id("rec", at::ACCRUAL_A) => *remaining = 1001);
            change!(rows, AuditRow::Lot { remaining, .. } if *remaining == 1000 => *remaining = 1001);
        }),
        case(
            format!("lot-available: lot {}/{}/{}/exchangeable", book::airline(), book::C_MICROS, book::MONTH),
            |rows| {
                forge(rows, at::LIVE, |content| {
                    content["lots"][0]["expires_at"] = json!("2026-12-31T23:00:00.000000Z");
                });
                change!(rows, AuditRow::LotMovement { record_id, expires_at, .. } if *record_id == id("rec", at::LIVE) => *expires_at = book::C_MICROS);
                change!(rows, AuditRow::Lot { held, .. } if *held == 200 => *held = 0);
                rows.push(lot(book::C_MICROS, 0, 200));
            },
        ),
        Case {
            expected: format!("account-available: account {}", book::airline()),
            rows: book::book_with(book::DEAL_1300),
        },
    ]
}

fn lot(expires_at: i64, remaining: i64, held: i64) -> AuditRow {
    AuditRow::Lot {
        membership_id: book::airline(),
        expires_at,
        origin_month: book::MONTH,
        exchangeable: true,
        remaining,
        held,
    }
}

fn line_row_cases() -> Vec<Case> {
    let posting = format!("posting-rows: posting {}/1", id("rec", at::COMMIT));
    let movement = format!("lot-movement-rows: lot movement {}/1", id("rec", at::COMMIT));
    let obligation = format!("obligation-rows: obligation {}/1", id("rec", at::COMMIT));
    macro_rules! posting {
        ($field:ident, $value:expr) => {
            case(posting.clone(), |rows| {
                change!(rows, AuditRow::Posting { record_id, number: 1, $field, .. } if *record_id == id("rec", at::COMMIT) => *$field = $value);
            })
        };
    }
    macro_rules! movement {
        ($field:ident, $value:expr) => {
            case(movement.clone(), |rows| {
                change!(rows, AuditRow::LotMovement { record_id, number: 1, $field, .. } if *record_id == id("rec", at::COMMIT) => *$field = $value);
            })
        };
    }
    macro_rules! obligation {
        ($field:ident, $value:expr) => {
            case(obligation.clone(), |rows| change!(rows, AuditRow::Obligation { $field, .. } => *$field = $value))
        };
    }
    vec![
        posting!(amount, -299),
        posting!(account, "DEBT".to_owned()),
        posting!(program_id, id("prg", 2)),
        posting!(membership_id, None),
        posting!(membership_id, Some(book::market())),
        posting!(sequence, None),
        posting!(sequence, Some(4)),
        posting!(balance_after, None),
        posting!(balance_after, Some(1199)),
        movement!(membership_id, book::market()),
        movement!(expires_at, NEVER),
        movement!(origin_month, 1),
        movement!(exchangeable, false),
        movement!(remaining, -299),
        movement!(held, 0),
        obligation!(debtor_code, "market".to_owned()),
        obligation!(creditor_code, "airline".to_owned()),
        obligation!(currency, "EUR".to_owned()),
        obligation!(money, 1),
        obligation!(window_id, id("wnd", 2)),
    ]
}

fn head_cases() -> Vec<Case> {
    let account = |invariant: &str| format!("{invariant}: account {}", book::airline());
    macro_rules! account {
        ($invariant:literal, $field:ident) => {
            case(account($invariant), |rows| {
                change!(rows, AuditRow::Account { membership_id, $field, .. } if *membership_id == book::airline() => *$field += 1);
            })
        };
    }
    let lot_row = format!("lot-rows: lot {}/{}/{}/exchangeable", book::airline(), book::SOON, book::MONTH);
    let spent = format!("lot-rows: lot {}/{}/{}/exchangeable", book::airline(), book::C_MICROS, book::MONTH);
    vec![
        account!("account-posted", posted),
        account!("account-held", held),
        account!("account-postings", postings),
        account!("account-live-holds", live_holds),
        case(lot_row.clone(), |rows| {
            change!(rows, AuditRow::Lot { expires_at, remaining, .. } if *expires_at == book::SOON => *remaining += 1);
        }),
        case(lot_row, |rows| {
            change!(rows, AuditRow::Lot { expires_at, held, .. } if *expires_at == book::SOON => *held -= 1);
        }),
        case(spent, |rows| rows.push(lot(book::C_MICROS, 1, 0))),
        case("exposure-rows: exposure airline/market/CNY", |rows| {
            change!(rows, AuditRow::Exposure { committed_low, .. } => *committed_low += 1);
        }),
        case("exposure-rows: exposure airline/market/CNY", |rows| {
            change!(rows, AuditRow::Exposure { prepared_low, .. } => *prepared_low -= 1);
        }),
        case("exposure-rows: exposure airline/market/CNY", |rows| {
            change!(rows, AuditRow::Exposure { prepared_high, .. } => *prepared_high += 1);
        }),
        case("initiator-live-holds: initiator airline", |rows| {
            change!(rows, AuditRow::Initiator { live_holds, .. } => *live_holds = 0);
        }),
        case(format!("obligation-window: window {}", id("wnd", 1)), |rows| {
            change!(rows, AuditRow::Window { opens_at, .. } => *opens_at = micros(17));
        }),
        case(format!("obligation-window: window {}", id("wnd", 1)), |rows| {
            change!(rows, AuditRow::Window { closes_at, .. } => *closes_at = Some(micros(16)));
        }),
        case(format!("obligation-window: {}", record(at::LIVE)), |rows| {
            forge(rows, at::LIVE, |content| content["window_id"] = json!(id("wnd", 1)));
            change!(rows, AuditRow::Record { record_id, window_id, .. } if *record_id == id("rec", at::LIVE) => *window_id = Some(id("wnd", 1)));
        }),
    ]
}

fn exchange_cases() -> Vec<Case> {
    let live = format!("reservation-state: reservation {}", id("rsv", 3));
    let aborted = format!("reservation-state: reservation {}", id("rsv", 2));
    let leg = format!("leg-rows: leg {}/1", id("rsv", 3));
    macro_rules! reservation {
        ($expected:expr, $number:literal, $field:ident, $value:expr) => {
            case($expected.clone(), |rows| {
                change!(rows, AuditRow::Reservation { reservation_id, $field, .. } if *reservation_id == id("rsv", $number) => *$field = $value);
            })
        };
    }
    macro_rules! leg {
        ($field:ident, $value:expr) => {
            case(leg.clone(), |rows| {
                change!(rows, AuditRow::Leg { reservation_id, $field, .. } if *reservation_id == id("rsv", 3) => *$field = $value);
            })
        };
    }
    vec![
        reservation!(live, 3, state, "COMMITTED".to_owned()),
        reservation!(live, 3, initiator_code, "market".to_owned()),
        reservation!(live, 3, prepared_at, micros(20)),
        reservation!(live, 3, hold_expires_at, micros(1)),
        reservation!(live, 3, decided_at, Some(micros(20))),
        reservation!(live, 3, prepare_record_id, id("rec", 1)),
        reservation!(live, 3, last_record_id, id("rec", 77)),
        reservation!(aborted, 2, state, "PREPARED".to_owned()),
        reservation!(aborted, 2, decided_at, None),
        reservation!(aborted, 2, last_record_id, id("rec", 17)),
        leg!(source_membership_id, book::market()),
        leg!(destination_membership_id, book::airline()),
        leg!(source_points, 1),
        leg!(credited_points, 1),
        leg!(debtor_code, "market".to_owned()),
        leg!(creditor_code, "airline".to_owned()),
        leg!(currency, "EUR".to_owned()),
        leg!(money, 1),
        case(format!("phases-match: {}", record(at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| {
                content["body"]["exchange"]["references"]["order"] = json!("another");
            });
        }),
        case(format!("leg-terms: {}", record(15)), |rows| {
            for number in [15, at::COMMIT] {
                forge(rows, number, |content| {
                    content["body"]["exchange"]["legs"][0]["residue"]["numerator"] = json!("5");
                });
            }
        }),
        case(format!("leg-terms: {}", record(at::LIVE)), |rows| {
            forge(rows, at::LIVE, |content| {
                content["body"]["exchange"]["legs"][0]["obligation"]["money"] = json!("0.932494");
            });
            change!(rows, AuditRow::Leg { money, .. } if *money == 932_493 => *money = 932_494);
            change!(rows, AuditRow::Exposure { prepared_low, .. } => *prepared_low = 932_494);
        }),
    ]
}

fn party_cases() -> Vec<Case> {
    let consent = format!("consent-in-force: consent in force {}/market/EXCHANGE", book::airline());
    let version = format!("terms-hash: agreement version {}/1", id("agr", 1));
    let agreement = format!("agreement-active: agreement {}", id("agr", 1));
    let commitment = format!("reference-commitment: membership {}", book::airline());
    vec![
        case(format!("program-rows: program {}", id("prg", 2)), |rows| {
            change!(rows, AuditRow::Program { scale, .. } if *scale == 2 => *scale = 3);
        }),
        case(commitment.clone(), |rows| {
            change!(rows, AuditRow::Membership { external_reference, .. } if external_reference == "FF-1" => *external_reference = "FF-2".to_owned());
        }),
        case(commitment, |rows| {
            change!(rows, AuditRow::Membership { external_reference, reference_salt, .. } if external_reference == "FF-1" => reference_salt[0] = 0);
        }),
        case(agreement.clone(), |rows| {
            change!(rows, AuditRow::Agreement { active_version, .. } => *active_version = None);
        }),
        case(
            agreement,
            |rows| change!(rows, AuditRow::Agreement { latest_version, .. } => *latest_version = 2),
        ),
        case(version.clone(), |rows| {
            change!(rows, AuditRow::AgreementVersion { terms, .. } => *terms = String::from_utf8_lossy(terms).replace("5000", "6000").into_bytes());
        }),
        case(
            version,
            |rows| change!(rows, AuditRow::AgreementVersion { terms_hash, .. } => terms_hash[0] ^= 1),
        ),
        case(consent.clone(), |rows| {
            change!(rows, AuditRow::ConsentInForce { consent_id, .. } => *consent_id = id("cns", 1));
        }),
        case(
            consent,
            |rows| change!(rows, AuditRow::ConsentInForce { is_withdrawn, .. } => *is_withdrawn = true),
        ),
        case(format!("consent-in-force: consent in force {}/airline/EXCHANGE", book::market()), |rows| {
            rows.push(AuditRow::ConsentInForce {
                membership_id: book::market(),
                recipient_code: "airline".to_owned(),
                scope: "EXCHANGE".to_owned(),
                consent_id: id("cns", 3),
                is_withdrawn: false,
            });
        }),
    ]
}

fn overdue() -> (String, Vec<String>) {
    let late = micros(19 + 300 + 60) + 1;
    let expected = format!("reservation-overdue: reservation {}", id("rsv", 3));
    (expected, found(&check_at(book(), late)))
}

#[test]
fn one_wrong_cell_is_one_finding_of_one_invariant_in_its_own_row() {
    let cases = [
        record_cases(),
        forged_line_cases(),
        line_row_cases(),
        head_cases(),
        exchange_cases(),
        party_cases(),
    ];
    let mut covered = BTreeSet::from(["reservation-overdue".to_owned()]);
    for Case { expected, rows } in cases.into_iter().flatten() {
        let report = check(rows);
        assert_eq!(found(&report), [expected.as_str()], "{:#}", report.to_json()["invariants"]);
        assert!(!report.is_clean());
        covered.insert(expected.split_once(':').unwrap().0.to_owned());
    }
    let all: BTreeSet<String> = Invariant::ALL.iter().map(|invariant| invariant.name().to_owned()).collect();
    assert_eq!(covered, all, "every invariant has a case");
}

#[test]
fn a_hold_may_be_open_for_60_seconds_after_its_end_and_not_longer() {
    assert!(check_at(book(), micros(19 + 300 + 60)).is_clean());
    let (expected, found) = overdue();
    assert_eq!(found, [expected]);
}

#[test]
fn a_request_may_be_gone_after_400_days() {
    let mut rows = book();
    rows.retain(|row| !matches!(row, AuditRow::Request { .. }));
    // The exchange that is prepared would be overdue by then.
    let report = check_at(rows, micros(400 * 24 * 3600 + 60));
    assert_eq!(found(&report), [format!("reservation-overdue: reservation {}", id("rsv", 3))]);
}

#[test]
fn a_second_end_is_found_at_the_record_that_came_too_late() {
    let mut rows = book();
    let aborted =
        rows.iter().find(|row| matches!(row, AuditRow::Record { kind, .. } if kind == "EXCHANGE_ABORTED"));
    let Some(AuditRow::Record { bytes, .. }) = aborted else { unreachable!() };
    let mut content: Value = serde_json::from_slice(bytes).unwrap();
    content["record_id"] = json!(id("rec", 20));
    content["decided_at"] = json!(crate::rows::time(20));
    let after = rows.iter().rposition(|row| matches!(row, AuditRow::Record { .. })).unwrap() + 1;
    rows.insert(after, crate::rows::sealed(&content));
    let report = check(rows);
    assert!(found(&report).contains(&format!("reservation-state: {}", record(20))), "{:?}", found(&report));
}
