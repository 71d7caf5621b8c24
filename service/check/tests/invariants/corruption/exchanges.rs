//! Damage to reservations and legs.

use pointbridge_store::AuditRow;
use serde_json::json;

use crate::book::{self, at};
use crate::changes::{Case, case, change, forge, record};
use crate::rows::{id, micros, time};

/// A leg's change, of the exchange that is still prepared.
macro_rules! leg {
    ($($field:ident).+, $value:expr) => {
        case(format!("leg-rows: leg {}/1", id("rsv", 3)), |rows| {
            change!(rows, AuditRow::Leg(leg) if leg.reservation_id == id("rsv", 3) => leg.$($field).+ = $value);
        })
    };
}

pub(super) fn cases() -> Vec<Case> {
    [reservations(), legs(), forged(), times()].into_iter().flatten().collect()
}

fn reservations() -> Vec<Case> {
    let live = format!("reservation-state: reservation {}", id("rsv", 3));
    let aborted = format!("reservation-state: reservation {}", id("rsv", 2));
    macro_rules! reservation {
        ($expected:expr, $number:literal, $field:ident, $value:expr) => {
            case($expected.clone(), |rows| {
                change!(rows, AuditRow::Reservation { reservation_id, $field, .. } if *reservation_id == id("rsv", $number) => *$field = $value);
            })
        };
    }
    vec![
        reservation!(live, 3, state, "COMMITTED".to_owned()),
        reservation!(live, 3, initiator_code, "market".to_owned()),
        reservation!(live, 3, order_reference, "order-4".to_owned()),
        reservation!(live, 3, store_reference, None),
        reservation!(live, 3, till_reference, Some("till-1".to_owned())),
        reservation!(live, 3, prepared_at, micros(25)),
        reservation!(live, 3, hold_expires_at, micros(1)),
        reservation!(live, 3, decided_at, Some(micros(25))),
        reservation!(live, 3, prepare_record_id, id("rec", 1)),
        reservation!(live, 3, last_record_id, id("rec", 77)),
        reservation!(aborted, 2, state, "PREPARED".to_owned()),
        reservation!(aborted, 2, decided_at, None),
        reservation!(aborted, 2, last_record_id, id("rec", at::SECOND)),
    ]
}

fn legs() -> Vec<Case> {
    vec![
        leg!(agreement_id, id("agr", 2)),
        leg!(agreement_version, 2),
        leg!(source.program_id, id("prg", 2)),
        leg!(source.partner_code, "market".to_owned()),
        leg!(source.membership_id, book::market()),
        leg!(source.custody, "PARTNER_HELD".to_owned()),
        leg!(destination.program_id, id("prg", 1)),
        leg!(destination.partner_code, "airline".to_owned()),
        leg!(destination.membership_id, book::airline()),
        leg!(destination.custody, "PARTNER_HELD".to_owned()),
        leg!(source_points, 1),
        leg!(gross_points, 1),
        leg!(fee_points, 0),
        leg!(credited_points, 1),
        leg!(residue_numerator, 2),
        leg!(residue_denominator, 8),
        leg!(residue_owner, "SOURCE".to_owned()),
        leg!(debtor_code, "market".to_owned()),
        leg!(creditor_code, "airline".to_owned()),
        leg!(currency, "EUR".to_owned()),
        leg!(money, 1),
    ]
}

fn forged() -> Vec<Case> {
    vec![
        case(format!("phases-match: {}", record(at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| {
                content["body"]["exchange"]["references"]["order"] = json!("another");
            });
        }),
        case(format!("leg-terms: {}", record(at::PREPARE)), |rows| {
            for number in [at::PREPARE, at::COMMIT] {
                forge(rows, number, |content| {
                    content["body"]["exchange"]["legs"][0]["residue"]["numerator"] = json!("5");
                });
            }
            change!(rows, AuditRow::Leg(leg) if leg.residue_numerator == -2 => leg.residue_numerator = 5);
        }),
        case(format!("leg-terms: {}", record(at::LIVE)), |rows| {
            forge(rows, at::LIVE, |content| {
                content["body"]["exchange"]["legs"][0]["obligation"]["money"] = json!("0.932494");
            });
            change!(rows, AuditRow::Leg(leg) if leg.money == 932_493 => leg.money = 932_494);
            change!(rows, AuditRow::Exposure { prepared_low, .. } => *prepared_low = 932_494);
        }),
    ]
}

/// Ends on the wrong side of the hold's end, and times that are not those of the decision.
fn times() -> Vec<Case> {
    vec![
        case(format!("phase-times: {}", record(at::COMMIT)), |rows| {
            forge(rows, at::COMMIT, |content| {
                content["decided_at"] = json!(time(320));
                content["body"]["exchange"]["decided_at"] = json!(time(320));
            });
            change!(rows, AuditRow::Record { record_id, decided_at, .. } if *record_id == id("rec", at::COMMIT) => *decided_at = micros(320));
            change!(rows, AuditRow::Reservation { decided_at, .. } if *decided_at == Some(micros(21)) => *decided_at = Some(micros(320)));
        }),
        case(format!("phase-times: {}", record(at::ABORT)), |rows| {
            forge(rows, at::ABORT, |content| {
                content["kind"] = json!("EXCHANGE_EXPIRED");
                content["body"]["exchange"]["state"] = json!("EXPIRED");
            });
            change!(rows, AuditRow::Record { record_id, kind, .. } if *record_id == id("rec", at::ABORT) => *kind = "EXCHANGE_EXPIRED".to_owned());
            change!(rows, AuditRow::Reservation { state, .. } if state == "ABORTED" => *state = "EXPIRED".to_owned());
            rows.retain(|row| !matches!(row, AuditRow::Request { record_id, .. } if *record_id == id("rec", at::ABORT)));
        }),
        case(format!("phase-times: {}", record(at::ABORT)), |rows| {
            forge(rows, at::ABORT, |content| content["body"]["exchange"]["decided_at"] = json!(time(24)));
            change!(rows, AuditRow::Reservation { decided_at, .. } if *decided_at == Some(micros(23)) => *decided_at = Some(micros(24)));
        }),
        case(format!("phase-times: {}", record(at::LIVE)), |rows| {
            forge(rows, at::LIVE, |content| {
                content["body"]["exchange"]["prepared_at"] = json!(time(23));
                content["body"]["exchange"]["hold_expires_at"] = json!(time(323));
            });
            change!(rows, AuditRow::Reservation { prepared_at, hold_expires_at, .. } if *prepared_at == micros(24) => {
                *prepared_at = micros(23);
                *hold_expires_at = micros(323);
            });
        }),
    ]
}
