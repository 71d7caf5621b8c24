//! One wrong cell per case, or where a forger sealed a record anew, the cells that go with it.
//!
//! A forged record has a good hash, so that what is found is what its content breaks.

mod exchanges;
mod parties;
mod reversals;
mod standing;

use std::collections::BTreeSet;

use pointbridge_check::Invariant;
use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::{self, at, book};
use crate::changes::{Case, case, change, forge, record};
use crate::rows::{NEVER, id, micros};
use crate::{check, check_at, found};

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
            rows.retain(|row| !matches!(row, AuditRow::Request { record_id, .. } if *record_id == id("rec", at::COMMIT)));
        }),
        request("airline/CommitExchange", |[_, _, record_id]| *record_id = id("rec", 77)),
        request("airline/CommitExchange", |[_, _, record_id]| *record_id = id("rec", at::LIVE)),
        request("airline/CommitExchange", |[_, _, record_id]| *record_id = id("rec", 19)),
        request("airline/AbortExchange", |[_, method, _]| *method = "AbortExchange".to_owned()),
        // Either party may abort; only the initiator commits.
        request("market/CommitExchange", |[scope, ..]| *scope = "market".to_owned()),
        request("@operator/CommitExchange", |[scope, ..]| *scope = "@operator".to_owned()),
    ]
}

/// A change of the commit's request: of its scope, its method or its record. The row is named as it is after that.
fn request(key: &str, change: impl FnOnce([&mut String; 3])) -> Case {
    case(format!("request-record: request {key}/00000000000000000000000000000015"), |rows| {
        let commit = id("rec", at::COMMIT);
        let found = rows.iter_mut().find_map(|row| match row {
            AuditRow::Request { scope, method, record_id, .. } if *record_id == commit => {
                Some([scope, method, record_id])
            }
            _ => None,
        });
        change(found.unwrap());
    })
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
    ]
}

fn lot_and_account_cases() -> Vec<Case> {
    vec![
        case(format!("lots-of-record: {}", record(at::ACCRUAL_A)), |rows| {
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
            rows: book::book_with(book::DEAL_100, book::DEAL_1300),
        },
        // Aborted since, so that the account has enough in the end.
        Case {
            expected: format!("account-available: account {}", book::airline()),
            rows: book::book_with(book::DEAL_1300, book::DEAL_200),
        },
        // Taken below what is held, and given back.
        case(format!("account-available: posting {}/1", id("rec", 25)), |rows| {
            let [taken, given] = [(-1100, 6, 100), (1100, 7, 1200)];
            book::append(rows, adjusted(taken), 25);
            book::append(rows, adjusted(given), 26);
            change!(rows, AuditRow::Account { postings, .. } if *postings == 5 => *postings = 7);
        }),
    ]
}

/// An adjustment, by its amount, number and balance, while 200 points are held.
fn adjusted(change: (i64, i64, i64)) -> Value {
    let mut content = book::points("POINTS_ADJUSTED", "ADJUSTMENT", change, None);
    content["body"]["points"]["held"] = json!("200");
    content
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
            change!(rows, AuditRow::Window { opens_at, .. } => *opens_at = micros(22));
        }),
        case(format!("obligation-window: window {}", id("wnd", 1)), |rows| {
            change!(rows, AuditRow::Window { closes_at, .. } => *closes_at = Some(micros(21)));
        }),
        case(format!("obligation-window: {}", record(at::LIVE)), |rows| {
            forge(rows, at::LIVE, |content| content["window_id"] = json!(id("wnd", 1)));
            change!(rows, AuditRow::Record { record_id, window_id, .. } if *record_id == id("rec", at::LIVE) => *window_id = Some(id("wnd", 1)));
        }),
    ]
}

fn overdue() -> (String, Vec<String>) {
    let late = micros(24 + 300 + 60) + 1;
    let expected = format!("reservation-overdue: reservation {}", id("rsv", 3));
    (expected, found(&check_at(book(), late)))
}

#[test]
fn one_wrong_cell_is_one_finding_of_one_invariant_in_its_own_row() {
    let cases = [
        record_cases(),
        forged_line_cases(),
        lot_and_account_cases(),
        line_row_cases(),
        head_cases(),
        exchanges::cases(),
        parties::cases(),
        reversals::cases(),
        standing::cases(),
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
    assert!(check_at(book(), micros(24 + 300 + 60)).is_clean());
    let (expected, found) = overdue();
    assert_eq!(found, [expected]);
}

#[test]
fn either_party_may_ask_again_for_an_abort_and_is_answered_with_the_first() {
    let mut rows = book();
    let place = rows.iter().position(|row| matches!(row, AuditRow::Partner { .. })).unwrap();
    let again = |scope: &str, method: &str, number| AuditRow::Request {
        scope: scope.to_owned(),
        method: method.to_owned(),
        request_id: format!("{:032x}", 99),
        record_id: id("rec", number),
    };
    rows.insert(place, again("market", "AbortExchange", at::ABORT));
    rows.insert(place, again("airline", "CommitExchange", at::COMMIT));
    assert!(check(rows.clone()).is_clean());
    // The first request itself must be there all the same.
    rows.retain(|row| !matches!(row, AuditRow::Request { scope, record_id, .. } if scope == "airline" && *record_id == id("rec", at::ABORT)));
    assert_eq!(found(&check(rows)), [format!("request-record: {}", record(at::ABORT))]);
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
    content["record_id"] = json!(id("rec", 25));
    content["decided_at"] = json!(crate::rows::time(25));
    let after = rows.iter().rposition(|row| matches!(row, AuditRow::Record { .. })).unwrap() + 1;
    rows.insert(after, crate::rows::sealed(&content));
    let report = check(rows);
    assert!(found(&report).contains(&format!("reservation-state: {}", record(25))), "{:?}", found(&report));
}
