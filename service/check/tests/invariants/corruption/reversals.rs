//! Damage to reversals.

use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::{self, at, reversed};
use crate::changes::{Case, case_reversed, change, forge, record};
use crate::rows::{id, micros, time};
use crate::{check, found};

pub(super) fn cases() -> Vec<Case> {
    [rows(), sums(), persons(), lots(), lines()].into_iter().flatten().collect()
}

/// A row's change.
macro_rules! row {
    ($field:ident, $value:expr) => {
        case_reversed(format!("reversal-rows: reversal {}/1", id("rsv", 1)), |rows| {
            change!(rows, AuditRow::Reversal { $field, .. } => *$field = $value);
        })
    };
}

fn rows() -> Vec<Case> {
    vec![
        row!(reversal_id, id("rev", 2)),
        row!(record_id, id("rec", at::COMMIT)),
        row!(source_points, 99),
        row!(reversed_source_points, 101),
        case_reversed(format!("reversal-rows: reversal {}/1", id("rsv", 1)), |rows| {
            rows.retain(|row| !matches!(row, AuditRow::Reversal { .. }));
        }),
        case_reversed(format!("reversal-rows: reversal {}/2", id("rsv", 1)), |rows| {
            let place = rows.iter().position(|row| matches!(row, AuditRow::Reversal { .. })).unwrap();
            let mut another = rows[place].clone();
            if let AuditRow::Reversal { number, .. } = &mut another {
                *number = 2;
            }
            rows.insert(place + 1, another);
        }),
    ]
}

/// A change of the one leg of the reversal, in the record alone.
fn leg(change: impl Fn(&mut Value) + 'static) -> Case {
    case_reversed(format!("reversal-sums: {}", record(at::REVERSAL)), |rows| {
        forge(rows, at::REVERSAL, |content| change(&mut content["body"]["reversal"]["legs"][0]));
    })
}

fn sums() -> Vec<Case> {
    let name = || format!("reversal-sums: {}", record(at::REVERSAL));
    let reversal = |field: &'static str, value: Value| {
        case_reversed(name(), move |rows| {
            forge(rows, at::REVERSAL, |content| content["body"]["reversal"][field] = value);
        })
    };
    let whole = |number: i64, points: &'static str, minor: i64| {
        case_reversed(name(), move |rows| {
            forge(rows, at::REVERSAL, |content| {
                content["body"]["reversal"]["number"] = json!(number);
                content["body"]["reversal"]["legs"][0]["reversed"]["source_points"] = json!(points);
            });
            change!(rows, AuditRow::Reversal { number: row, reversed_source_points, .. } => {
                *row = number;
                *reversed_source_points = minor;
            });
        })
    };
    vec![
        leg(|leg| leg["reversed"]["credited_points"] = json!("0.29")),
        leg(|leg| leg["reversed"]["fee_points"] = json!("0.01")),
        leg(|leg| leg["reversed"]["money"] = json!("0.471798")),
        leg(|leg| leg["part"]["money"] = json!("0.471796")),
        leg(|leg| leg["agreement_version"] = json!(2)),
        leg(|leg| leg["number"] = json!(2)),
        reversal("reverser", json!("market")),
        reversal("reversed_at", json!(time(24))),
        // More than the exchange took.
        whole(1, "301", 301),
    ]
}

/// 30 days after the commit, in microseconds and as records write it.
const TERM_ENDS: (i64, &str) = (30 * 24 * 3600 * 1_000_000, "2026-12-22T08:00:21.000000Z");
/// What comes back then lives 30 days, and to the end of a day.
const LOT_ENDS: &str = "2027-01-22T00:00:00.000000Z";
/// A microsecond before.
const LAST_MOMENT: (i64, &str) = (TERM_ENDS.0 - 1, "2026-12-22T08:00:20.999999Z");

/// Reversed by this partner, in everything that is written.
fn reversed_by(rows: &mut [AuditRow], partner: &str) {
    forge(rows, at::REVERSAL, |content| {
        content["who"] = json!(format!("partner/{partner}/partner/till-7"));
        content["body"]["reversal"]["reverser"] = json!(partner);
    });
    change!(rows, AuditRow::Request { scope, record_id, .. } if *record_id == id("rec", at::REVERSAL) => *scope = partner.to_owned());
}

/// A day, in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// Reversed so long after the commit, in everything that is written: what comes back lives 30 days from then, and to the end of a day.
fn reversed_at(rows: &mut Vec<AuditRow>, (after, at): (i64, &str), lot_ends: &str) {
    let moment = micros(21) + after;
    let lot_ends_at = (moment + 30 * DAY + DAY - 1) / DAY * DAY;
    forge(rows, at::REVERSAL, |content| {
        content["decided_at"] = json!(at);
        content["body"]["reversal"]["reversed_at"] = json!(at);
        content["lots"][1]["expires_at"] = json!(lot_ends);
    });
    change!(rows, AuditRow::Record { record_id, decided_at, .. } if *record_id == id("rec", at::REVERSAL) => *decided_at = moment);
    change!(rows, AuditRow::LotMovement { record_id, number: 2, expires_at, .. } if *record_id == id("rec", at::REVERSAL) => *expires_at = lot_ends_at);
    change!(rows, AuditRow::Lot { expires_at: book::SOON, remaining, .. } => *remaining = 200);
    rows.push(AuditRow::Lot {
        membership_id: book::airline(),
        expires_at: lot_ends_at,
        origin_month: book::MONTH,
        exchangeable: true,
        remaining: 100,
        held: 0,
    });
}

/// By who may not, or not any more.
fn persons() -> Vec<Case> {
    let name = || format!("reversal-sums: {}", record(at::REVERSAL));
    vec![
        case_reversed(name(), |rows| reversed_by(rows, "cinema")),
        case_reversed(name(), |rows| reversed_at(rows, TERM_ENDS, LOT_ENDS)),
    ]
}

#[test]
fn the_initiator_may_reverse_until_the_term_ends_and_the_receiver_at_any_time() {
    let mut last = reversed();
    reversed_at(&mut last, LAST_MOMENT, LOT_ENDS);
    assert_eq!(found(&check(last)), Vec::<String>::new());
    let mut late = reversed();
    reversed_at(&mut late, TERM_ENDS, LOT_ENDS);
    reversed_by(&mut late, "market");
    assert_eq!(found(&check(late)), Vec::<String>::new());
}

/// Points that come back into another lot than they left, and the lot that has them with it.
fn lots() -> Vec<Case> {
    let name = || format!("reversal-lots: {}", record(at::REVERSAL));
    vec![
        case_reversed(name(), |rows| {
            forge(rows, at::REVERSAL, |content| {
                content["lots"][1].as_object_mut().unwrap().remove("expires_at");
            });
            change!(rows, AuditRow::LotMovement { record_id, number: 2, expires_at, .. } if *record_id == id("rec", at::REVERSAL) => *expires_at = crate::rows::NEVER);
            change!(rows, AuditRow::Lot { remaining, .. } if *remaining == 300 => *remaining = 200);
            change!(rows, AuditRow::Lot { remaining, .. } if *remaining == 1000 => *remaining = 1100);
        }),
        case_reversed(name(), |rows| {
            // In two steps, so that the sum is right and the way is not.
            forge(rows, at::REVERSAL, |content| {
                let mut more = content["lots"][1].clone();
                content["lots"][1]["remaining"] = json!("60");
                more["remaining"] = json!("40");
                content["lots"].as_array_mut().unwrap().push(more);
            });
            let of_reversal = |row: &AuditRow| matches!(row, AuditRow::LotMovement { record_id, number: 2, .. } if *record_id == id("rec", at::REVERSAL));
            let place = rows.iter().position(of_reversal).unwrap();
            let mut more = rows[place].clone();
            for (row, [to, points]) in [(&mut rows[place], [2, 60]), (&mut more, [3, 40])] {
                if let AuditRow::LotMovement { number, remaining, .. } = row {
                    (*number, *remaining) = (to, points);
                }
            }
            rows.insert(place + 1, more);
        }),
    ]
}

fn lines() -> Vec<Case> {
    let posting = format!("posting-rows: posting {}/1", id("rec", at::REVERSAL));
    vec![
        case_reversed(posting, |rows| {
            change!(rows, AuditRow::Posting { record_id, number: 1, amount, .. } if *record_id == id("rec", at::REVERSAL) => *amount = -29);
        }),
        case_reversed(format!("obligation-rows: obligation {}/1", id("rec", at::REVERSAL)), |rows| {
            change!(rows, AuditRow::Obligation { record_id, money, .. } if *record_id == id("rec", at::REVERSAL) => *money = 1);
        }),
        // The other way round than it should be: what is owed doubles instead of falling.
        case_reversed(format!("reversal-sums: {}", record(at::REVERSAL)), |rows| {
            forge(rows, at::REVERSAL, |content| {
                let owed = json!({"debtor": "airline", "creditor": "market", "currency": "CNY", "money": "0.471797"});
                content["obligations"][0] = owed.clone();
                content["body"]["reversal"]["legs"][0]["obligation"] = owed;
            });
            change!(rows, AuditRow::Obligation { record_id, debtor_code, creditor_code, .. } if *record_id == id("rec", at::REVERSAL) => {
                std::mem::swap(debtor_code, creditor_code);
            });
            change!(rows, AuditRow::Exposure { committed_low, .. } => *committed_low = 1_415_392 + 471_797);
        }),
        case_reversed(format!("record-lines: {}", record(at::REVERSAL)), |rows| {
            forge(rows, at::REVERSAL, |content| content["obligations"][0]["money"] = json!("0.471796"));
            change!(rows, AuditRow::Obligation { record_id, money, .. } if *record_id == id("rec", at::REVERSAL) => *money = 471_796);
            change!(rows, AuditRow::Exposure { committed_low, .. } => *committed_low = 943_596);
        }),
        case_reversed(
            format!("lot-rows: lot {}/{}/{}/exchangeable", book::market(), crate::rows::NEVER, book::MONTH)
                .replace(&crate::rows::NEVER.to_string(), "never"),
            |rows| {
                change!(rows, AuditRow::Lot { remaining, .. } if *remaining == 57 => *remaining = 85);
            },
        ),
    ]
}
