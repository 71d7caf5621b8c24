//! Damage to approvals, certificates and signing keys.

use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::hex;
use crate::changes::{Case, case, change, forge, record};
use crate::rows::{id, micros, time};
use crate::standing::at;

pub(super) fn cases() -> Vec<Case> {
    [rows(), approvals(), effects(), credentials()].into_iter().flatten().collect()
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
    ]
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
