//! Damage to approvals, certificates and signing keys.

use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::{append, book, hex};
use crate::changes::{Case, case, change, forge, record};
use crate::rows::{id, micros, time};
use crate::standing::at;
use crate::{check, found};

pub(super) fn cases() -> Vec<Case> {
    [statuses(), rows(), approvals(), effects(), credentials()].into_iter().flatten().collect()
}

/// Gives the cinema's row another status and time.
fn cinema_row(rows: &mut [AuditRow], to: &str, second: i64) {
    change!(rows, AuditRow::Partner { partner_code, status, updated_at, .. } if partner_code == "cinema" => {
        (*status, *updated_at) = (to.to_owned(), micros(second));
    });
}

/// The cinema after the end of the book.
fn cinema(status: &str, second: i64) -> Value {
    json!({
        "code": "cinema", "name": "The cinema", "status": status,
        "created_at": time(41), "updated_at": time(second),
    })
}

/// The cinema suspended again, and its name changed by a record that says a status of its own.
fn updated_when_suspended(rows: &mut Vec<AuditRow>, status: &str) {
    let suspended = json!({"standing": {"partner": cinema("SUSPENDED", 51), "reason": "FRAUD_SUSPECTED"}});
    let who = "operator/wang";
    append(rows, json!({"kind": "PARTNER_SUSPENDED", "who": who, "body": suspended}), at::NEXT);
    let updated = json!({"partner": cinema(status, 52)});
    append(rows, json!({"kind": "PARTNER_UPDATED", "who": who, "body": updated}), at::NEXT_BUT_ONE);
    cinema_row(rows, status, 52);
}

/// A record that says another status than what happened gives.
fn statuses() -> Vec<Case> {
    let found_at = |number| format!("partner-rows: {}", record(number));
    vec![
        case(found_at(at::CREATION), |rows| {
            forge(rows, at::CREATION, |content| content["body"]["partner"]["status"] = json!("SUSPENDED"));
        }),
        case(found_at(at::SUSPENSION), |rows| {
            forge(rows, at::SUSPENSION, |content| {
                content["body"]["standing"]["partner"]["status"] = json!("ACTIVE");
            });
        }),
        case(found_at(at::RESUMPTION), |rows| {
            forge(rows, at::RESUMPTION, |content| {
                content["body"]["standing"]["partner"]["status"] = json!("SUSPENDED");
            });
            forge(rows, at::APPROVAL, |content| {
                content["body"]["approval"]["effect"]["outcome"]["partner"]["status"] = json!("SUSPENDED");
            });
            cinema_row(rows, "SUSPENDED", 44);
        }),
        case(found_at(at::NEXT_BUT_ONE), |rows| updated_when_suspended(rows, "ACTIVE")),
    ]
}

#[test]
fn a_suspended_partner_may_be_renamed_and_stays_suspended() {
    let mut rows = book();
    updated_when_suspended(&mut rows, "SUSPENDED");
    assert_eq!(found(&check(rows)), Vec::<String>::new());
}

#[test]
fn no_status_is_judged_where_a_record_of_it_proves_nothing() {
    let mut rows = book();
    updated_when_suspended(&mut rows, "SUSPENDED");
    change!(rows, AuditRow::Record { record_id, hash, .. } if *record_id == id("rec", at::NEXT) => hash[0] ^= 1);
    assert_eq!(found(&check(rows)), [format!("record-hash: {}", record(at::NEXT))]);
}

fn rows() -> Vec<Case> {
    macro_rules! approval {
        ($field:ident, $value:expr) => {
            case(format!("approval-rows: approval {}", id("apr", 1)), |rows| {
                change!(rows, AuditRow::Approval(row) if row.approval_id == id("apr", 1) => row.$field = $value);
            })
        };
    }
    vec![
        approval!(method, "AdjustPoints".to_owned()),
        approval!(proposal, b"{}".to_vec()),
        approval!(content_hash, vec![0; 32]),
        approval!(subject_changed_at, 0),
        approval!(requested_by, "operator/li".to_owned()),
        approval!(requested_at, 0),
        approval!(expires_at, micros(901)),
        approval!(state, "PENDING".to_owned()),
        approval!(decided_by, Some("operator/li".to_owned())),
        approval!(decided_at, None),
        approval!(reason, Some("ANOTHER".to_owned())),
    ]
}

/// What both the record and the row say of the first approval.
fn forged(
    expected: String,
    number: u128,
    content: impl FnOnce(&mut Value),
    row: impl FnOnce(&mut pointbridge_store::AuditApproval),
) -> Case {
    case(expected, |rows| {
        forge(rows, number, content);
        let mut found_row = None;
        change!(rows, AuditRow::Approval(found) if found.approval_id == id("apr", 1) => found_row = Some(found));
        row(found_row.unwrap());
    })
}

fn approvals() -> Vec<Case> {
    let approval = |content: &mut Value| content["body"]["approval"]["approval"].take();
    let put = |content: &mut Value, approval: Value| content["body"]["approval"]["approval"] = approval;
    vec![
        forged(
            format!("approval-content: {}", record(at::APPROVAL)),
            at::APPROVAL,
            |content| {
                let mut changed = approval(content);
                changed["content_hash"] = json!(hex(&[0; 32]));
                put(content, changed);
            },
            |row| row.content_hash = vec![0; 32],
        ),
        forged(
            format!("approval-content: {}", record(at::APPROVAL)),
            at::APPROVAL,
            |content| {
                let mut changed = approval(content);
                changed["requested_by"] = json!("operator/li");
                put(content, changed);
            },
            |row| row.requested_by = "operator/li".to_owned(),
        ),
        forged(
            format!("approval-decision: {}", record(at::APPROVAL)),
            at::APPROVAL,
            |content| {
                let mut changed = approval(content);
                changed["verdict"]["at"] = json!(time(44));
                put(content, changed);
            },
            |row| row.decided_at = Some(micros(44)),
        ),
        // By who had asked for it: the one who approves makes the effect's record too.
        case(format!("approval-two-people: {}", record(at::APPROVAL)), |rows| {
            forge(rows, at::RESUMPTION, |content| content["who"] = json!("operator/wang"));
            forge(rows, at::APPROVAL, |content| {
                content["who"] = json!("operator/wang");
                content["body"]["approval"]["approval"]["verdict"]["by"] = json!("operator/wang");
            });
            change!(rows, AuditRow::Approval(row) if row.approval_id == id("apr", 1) => row.decided_by = Some("operator/wang".to_owned()));
        }),
        // Rejected again, by the second record that says so.
        case(format!("approval-decision: {}", record(at::REJECTION)), |rows| {
            forge(rows, at::REJECTION, |content| {
                content["body"]["approval"]["approval"]["expires_at"] = json!(time(47));
            });
            forge(rows, at::REJECTION - 1, |content| {
                content["body"]["approval"]["approval"]["expires_at"] = json!(time(47));
            });
            change!(rows, AuditRow::Approval(row) if row.approval_id == id("apr", 2) => row.expires_at = micros(47));
        }),
    ]
}

fn effects() -> Vec<Case> {
    let effect = format!("approval-effect: {}", record(at::RESUMPTION));
    let approval = format!("approval-effect: {}", record(at::APPROVAL));
    vec![
        case(effect.clone(), |rows| {
            forge(rows, at::RESUMPTION, |content| {
                content["body"]["standing"].as_object_mut().unwrap().remove("approval_id");
            });
        }),
        case(effect.clone(), |rows| {
            forge(rows, at::RESUMPTION, |content| content["body"]["standing"]["reason"] = json!("ANOTHER"));
        }),
        // Done under the name of an approval that was rejected.
        case(effect, |rows| {
            forge(rows, at::RESUMPTION, |content| {
                content["body"]["standing"]["approval_id"] = json!(id("apr", 2));
            });
        }),
        // What was done is there, and the approval does not say so.
        case(approval.clone(), |rows| forge(rows, at::APPROVAL, without_effect)),
        // Approved, and nothing was done.
        case(approval.clone(), |rows| {
            forge(rows, at::APPROVAL, without_effect);
            rows.retain(|row| !matches!(row, AuditRow::Record { record_id, .. } if *record_id == id("rec", at::RESUMPTION)));
            cinema_row(rows, "SUSPENDED", 42);
        }),
        // Whoever approves again is answered with another partner than the one that was resumed.
        case(approval.clone(), |rows| {
            outcome(rows, |outcome| outcome["partner"]["status"] = json!("SUSPENDED"));
        }),
        case(approval.clone(), |rows| outcome(rows, |outcome| outcome["partner"]["another"] = json!(1))),
        case(approval, |rows| outcome(rows, |outcome| *outcome = json!({"points": outcome["partner"]}))),
    ]
}

fn without_effect(content: &mut Value) {
    content["body"]["approval"].as_object_mut().unwrap().remove("effect").unwrap();
}

/// Changes what the approval says that it came to.
fn outcome(rows: &mut [AuditRow], change: impl FnOnce(&mut Value)) {
    forge(rows, at::APPROVAL, |content| change(&mut content["body"]["approval"]["effect"]["outcome"]));
}

fn credentials() -> Vec<Case> {
    macro_rules! certificate {
        ($change:expr) => {
            case(format!("certificate-rows: certificate {}/airline", hex(&[7; 32])), |rows| {
                let change: fn(&mut pointbridge_store::AuditCertificate) = $change;
                change!(rows, AuditRow::Certificate(row) => change(row));
            })
        };
    }
    macro_rules! key {
        ($field:ident, $value:expr) => {
            case(format!("signing-key-rows: signing key {}/2026-11", id("prg", 1)), |rows| {
                change!(rows, AuditRow::SigningKey { $field, .. } => *$field = $value);
            })
        };
    }
    vec![
        certificate!(|row| row.revocation = None),
        certificate!(|row| row.pin = None),
        certificate!(|row| row.pin.as_mut().unwrap().principal = "operator/wang".to_owned()),
        certificate!(|row| row.pin.as_mut().unwrap().serial = "0b".to_owned()),
        certificate!(|row| row.pin.as_mut().unwrap().not_before = 0),
        certificate!(|row| row.pin.as_mut().unwrap().not_after = 0),
        certificate!(|row| row.pin.as_mut().unwrap().pinned_by = "operator/wang".to_owned()),
        certificate!(|row| row.pin.as_mut().unwrap().pinned_at = 0),
        certificate!(|row| row.revocation.as_mut().unwrap().revoked_by = "operator/wang".to_owned()),
        certificate!(|row| row.revocation.as_mut().unwrap().revoked_at = 0),
        certificate!(|row| row.revocation.as_mut().unwrap().reason = "ANOTHER".to_owned()),
        key!(public_key, vec![18; 32]),
        key!(registered_by, "operator/wang".to_owned()),
        key!(registered_at, 0),
    ]
}
