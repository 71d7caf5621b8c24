//! The book's third part, as records and as rows: a cinema that was suspended and resumed by two people, an approval that
//! was rejected, a certificate that was pinned and revoked, and a signing key.

use pointbridge_store::{AuditApproval, AuditCertificate, AuditPin, AuditRevocation, AuditRow};
use serde_json::{Value, json};

use crate::book::{hex, sha256};
use crate::rows::{id, micros, time};

/// The number of the first record.
pub(crate) const FIRST: u128 = 41;

/// The ids of records, by what they are of.
pub(crate) mod at {
    pub(crate) const CREATION: u128 = 41;
    pub(crate) const SUSPENSION: u128 = 42;
    pub(crate) const RESUMPTION: u128 = 44;
    pub(crate) const APPROVAL: u128 = 45;
    pub(crate) const REJECTION: u128 = 47;
    /// Two that come after all records of the book.
    pub(crate) const NEXT: u128 = 51;
    pub(crate) const NEXT_BUT_ONE: u128 = 52;
}

/// What both approvals ask for.
pub(crate) const PROPOSAL: &str = "{\"resume_partner\":{\"code\":\"cinema\",\"reason\":\"CLEARED\"}}";

pub(crate) fn proposal_hash() -> Vec<u8> {
    sha256(&[b"pointbridge/approval/v1\0", PROPOSAL.as_bytes()])
}

fn cinema(status: &str, changed: i64) -> Value {
    json!({
        "code": "cinema", "name": "The cinema", "status": status, "created_at": time(41), "updated_at": time(changed),
    })
}

fn by(person: &str, kind: &str, body: &Value) -> Value {
    json!({"kind": kind, "who": format!("operator/{person}"), "body": body})
}

fn approval(number: u128, asked: i64, state: &str, verdict: Option<Value>) -> Value {
    let mut approval = json!({
        "approval_id": id("apr", number), "proposal": serde_json::from_str::<Value>(PROPOSAL).unwrap(),
        "content_hash": hex(&proposal_hash()), "subject_changed_at": time(42), "requested_by": "operator/wang",
        "requested_at": time(asked), "expires_at": time(900), "state": state,
    });
    if let Some(verdict) = verdict {
        approval["verdict"] = verdict;
    }
    approval
}

fn certificate(is_revoked: bool) -> Value {
    let mut certificate = json!({
        "fingerprint": hex(&[7; 32]), "owner": "airline",
        "pin": {
            "principal": "partner/airline/partner/till-7", "serial": "0a", "not_before": time(1), "not_after": time(900),
            "by": "partner/airline/partner/till-7", "at": time(48),
        },
    });
    if is_revoked {
        certificate["revocation"] =
            json!({"by": "partner/airline/partner/till-7", "at": time(49), "reason": "KEY_LOST"});
    }
    certificate
}

/// The contents of the records, in order.
pub(crate) fn contents() -> Vec<Value> {
    let standing = |partner: Value, reason: &str| json!({"partner": partner, "reason": reason});
    let mut resumed = standing(cinema("ACTIVE", 44), "CLEARED");
    resumed["approval_id"] = json!(id("apr", 1));
    let agreed = json!({"by": "operator/zhao", "at": time(45)});
    let refused = json!({"by": "operator/wang", "at": time(47), "reason": "NOT_YET"});
    let effect =
        json!({"record_id": id("rec", at::RESUMPTION), "outcome": {"partner": cinema("ACTIVE", 44)}});
    let approval_body = |approval: Value| json!({"approval": {"approval": approval}});
    let mut approved = approval_body(approval(1, 43, "APPROVED", Some(agreed)));
    approved["approval"]["effect"] = effect;
    let key = json!({
        "program_id": id("prg", 1), "key_id": "2026-11", "public_key": hex(&[17; 32]),
        "by": "partner/airline/partner/till-7", "at": time(50),
    });
    let suspended = standing(cinema("SUSPENDED", 42), "FRAUD_SUSPECTED");
    vec![
        by("wang", "PARTNER_CREATED", &json!({"partner": cinema("ACTIVE", 41)})),
        by("wang", "PARTNER_SUSPENDED", &json!({"standing": suspended})),
        by("wang", "APPROVAL_REQUESTED", &approval_body(approval(1, 43, "PENDING", None))),
        by("zhao", "PARTNER_RESUMED", &json!({"standing": resumed})),
        by("zhao", "APPROVAL_APPROVED", &approved),
        by("wang", "APPROVAL_REQUESTED", &approval_body(approval(2, 46, "PENDING", None))),
        by("wang", "APPROVAL_REJECTED", &approval_body(approval(2, 46, "REJECTED", Some(refused)))),
        json!({"kind": "CERTIFICATE_PINNED", "body": {"certificate": certificate(false)}}),
        json!({"kind": "CERTIFICATE_REVOKED", "body": {"certificate": certificate(true)}}),
        json!({"kind": "SIGNING_KEY_REGISTERED", "body": {"signing_key": key}}),
    ]
}

/// Their rows.
pub(crate) fn rows() -> Vec<AuditRow> {
    let approval = |number: u128, asked: i64, [state, by]: [&str; 2], decided: i64, reason: Option<&str>| {
        AuditRow::Approval(Box::new(AuditApproval {
            approval_id: id("apr", number),
            method: "ResumePartner".to_owned(),
            proposal: PROPOSAL.as_bytes().to_vec(),
            content_hash: proposal_hash(),
            subject_changed_at: micros(42),
            requested_by: "operator/wang".to_owned(),
            requested_at: micros(asked),
            expires_at: micros(900),
            state: state.to_owned(),
            decided_by: Some(by.to_owned()),
            decided_at: Some(micros(decided)),
            reason: reason.map(ToOwned::to_owned),
        }))
    };
    let till = || "partner/airline/partner/till-7".to_owned();
    vec![
        AuditRow::Partner {
            partner_code: "cinema".to_owned(),
            name: "The cinema".to_owned(),
            status: "ACTIVE".to_owned(),
            created_at: micros(41),
            updated_at: micros(44),
        },
        approval(1, 43, ["APPROVED", "operator/zhao"], 45, None),
        approval(2, 46, ["REJECTED", "operator/wang"], 47, Some("NOT_YET")),
        AuditRow::Certificate(Box::new(AuditCertificate {
            fingerprint: vec![7; 32],
            owner: "airline".to_owned(),
            pin: Some(AuditPin {
                principal: till(),
                serial: "0a".to_owned(),
                not_before: micros(1),
                not_after: micros(900),
                pinned_by: till(),
                pinned_at: micros(48),
            }),
            revocation: Some(AuditRevocation {
                revoked_by: till(),
                revoked_at: micros(49),
                reason: "KEY_LOST".to_owned(),
            }),
        })),
        AuditRow::SigningKey {
            program_id: id("prg", 1),
            key_id: "2026-11".to_owned(),
            public_key: vec![17; 32],
            registered_by: till(),
            registered_at: micros(50),
        },
    ]
}
