//! The book's parties, as records and as rows: two partners and their programs, three memberships of two people, a link
//! code that was used, consents of which one was withdrawn, and an agreement in force.

use pointbridge_store::AuditRow;
use serde_json::{Value, json};

use crate::book::{SALT, airline, hex, market, sha256, terms, terms_hash};
use crate::rows::{id, micros, time};

/// What the evidence of every consent hashes to.
const EVIDENCE: [u8; 32] = [9; 32];

fn partner(code: &str, second: i64) -> Value {
    let partner = json!({
        "code": code, "name": format!("The {code}"), "status": "ACTIVE",
        "created_at": time(second), "updated_at": time(second),
    });
    json!({"kind": "PARTNER_CREATED", "who": "operator/wang", "body": {"partner": partner}})
}

fn who(partner: &str) -> String {
    format!("partner/{partner}/partner/till-7")
}

fn program(number: u128, partner: &str, scale: i64, second: i64) -> Value {
    let program = json!({
        "program_id": id("prg", number), "partner": partner, "code": "points", "name": "Points", "scale": scale,
        "custody": "HOSTED", "points_expiry_months": 0, "created_at": time(second), "updated_at": time(second),
    });
    json!({"kind": "PROGRAM_CREATED", "who": who(partner), "body": {"program": program}})
}

fn membership(number: u128, program: u128, partner: &str, reference: &str) -> Value {
    let commitment = sha256(&[b"pointbridge/reference/v1\0", &SALT, reference.as_bytes()]);
    json!({
        "membership_id": id("mbs", number), "program_id": id("prg", program), "partner": partner,
        "reference_commitment": hex(&commitment), "status": "ACTIVE",
        "created_at": time(4 + i64::try_from(number).unwrap()),
    })
}

fn registered(membership: &Value) -> Value {
    let who = who(membership["partner"].as_str().unwrap());
    json!({"kind": "MEMBERSHIP_REGISTERED", "who": who, "body": {"membership": membership}})
}

fn link() -> [Value; 2] {
    let code = json!({
        "link_code_id": id("lnk", 1), "membership_id": airline(), "partner": "market", "expires_at": time(608),
    });
    let merge = json!({
        "link_code_id": id("lnk", 1), "membership": membership(2, 2, "market", "card-2"),
        "linked_membership_id": airline(), "linked_program_id": id("prg", 1), "linked_partner": "airline",
    });
    [
        json!({"kind": "LINK_CODE_ISSUED", "body": {"link_code": code}}),
        json!({"kind": "MEMBERS_MERGED", "who": who("market"), "body": {"merge": merge}}),
    ]
}

fn consent(number: u128, membership: &str, recipient: &str) -> Value {
    json!({
        "consent_id": id("cns", number), "membership_id": membership, "recipient": recipient, "scope": "EXCHANGE",
        "purpose": "EXCHANGE_POINTS", "notice_version": "2026-11-01", "evidence_hash": hex(&EVIDENCE),
        "granted_at": time(9 + i64::try_from(number).unwrap()), "expires_at": time(900),
    })
}

fn agreement(kind: &str, by: &str, active: Option<i64>) -> Value {
    let mut agreement = json!({
        "agreement_id": id("agr", 1), "pair": {"low": "airline", "high": "market"}, "latest_version": 1,
        "created_at": time(14),
    });
    match active {
        Some(active) => {
            agreement["active_version"] = json!(active);
            agreement["active_since"] = json!(time(15));
        }
        None => agreement["pending_version"] = json!(1),
    }
    let version = json!({
        "agreement_id": id("agr", 1), "version": 1, "author": "airline", "terms": terms(),
        "terms_hash": hex(&terms_hash()), "proposed_at": time(14),
    });
    json!({"kind": kind, "who": who(by), "body": {"agreement": {"agreement": agreement, "version": version}}})
}

/// The contents of their records, in order: the first 15 of the book.
pub(crate) fn contents() -> Vec<Value> {
    let granted = |by: &str, consent: Value| json!({"kind": "CONSENT_GRANTED", "who": who(by), "body": {"consent": consent}});
    let third = || consent(3, &market(), "airline");
    let withdrawal =
        json!({"consent_id": id("cns", 3), "reason": "MEMBER_REQUEST", "withdrawn_at": time(13)});
    let withdrawn = json!({"withdrawal": {"consent": third(), "withdrawal": withdrawal}});
    let [issued, merged] = link();
    vec![
        partner("airline", 1),
        partner("market", 2),
        program(1, "airline", 0, 3),
        program(2, "market", 2, 4),
        registered(&membership(1, 1, "airline", "FF-1")),
        registered(&membership(2, 2, "market", "card-2")),
        registered(&membership(3, 2, "market", "card-3")),
        issued,
        merged,
        granted("airline", consent(1, &airline(), "market")),
        granted("airline", consent(2, &airline(), "market")),
        granted("market", third()),
        json!({"kind": "CONSENT_WITHDRAWN", "who": who("market"), "body": withdrawn}),
        agreement("AGREEMENT_PROPOSED", "airline", None),
        agreement("AGREEMENT_ACCEPTED", "market", Some(1)),
    ]
}

/// Their rows.
pub(crate) fn rows() -> Vec<AuditRow> {
    let consent = |number: u128, membership_id, recipient: &str| AuditRow::Consent {
        consent_id: id("cns", number),
        membership_id,
        recipient_code: recipient.to_owned(),
        scope: "EXCHANGE".to_owned(),
        purpose: "EXCHANGE_POINTS".to_owned(),
        notice_version: "2026-11-01".to_owned(),
        evidence_hash: EVIDENCE.to_vec(),
        granted_at: micros(9 + i64::try_from(number).unwrap()),
        expires_at: Some(micros(900)),
    };
    let mut rows = enrolled();
    rows.extend(agreed());
    rows.extend([
        consent(1, airline(), "market"),
        consent(2, airline(), "market"),
        consent(3, market(), "airline"),
        AuditRow::ConsentWithdrawal {
            consent_id: id("cns", 3),
            reason: "MEMBER_REQUEST".to_owned(),
            withdrawn_at: micros(13),
        },
        AuditRow::ConsentInForce {
            membership_id: airline(),
            recipient_code: "market".to_owned(),
            scope: "EXCHANGE".to_owned(),
            consent_id: id("cns", 2),
        },
    ]);
    rows
}

fn enrolled() -> Vec<AuditRow> {
    let partner = |code: &str, second| AuditRow::Partner {
        partner_code: code.to_owned(),
        name: format!("The {code}"),
        status: "ACTIVE".to_owned(),
        created_at: micros(second),
        updated_at: micros(second),
    };
    let program = |number, partner: &str, scale, second| AuditRow::Program {
        program_id: id("prg", number),
        partner_code: partner.to_owned(),
        program_code: "points".to_owned(),
        name: "Points".to_owned(),
        scale,
        custody: "HOSTED".to_owned(),
        points_expiry_months: 0,
        created_at: micros(second),
        updated_at: micros(second),
    };
    let membership = |number: u128, member, program, reference: &str| AuditRow::Membership {
        membership_id: id("mbs", number),
        member_id: id("mem", member),
        program_id: id("prg", program),
        external_reference: reference.to_owned(),
        reference_salt: SALT.to_vec(),
        status: "ACTIVE".to_owned(),
        created_at: micros(4 + i64::try_from(number).unwrap()),
    };
    vec![
        partner("airline", 1),
        partner("market", 2),
        program(1, "airline", 0, 3),
        program(2, "market", 2, 4),
        membership(1, 1, 1, "FF-1"),
        membership(2, 1, 2, "card-2"),
        membership(3, 3, 2, "card-3"),
        AuditRow::LinkCode {
            link_code_id: id("lnk", 1),
            membership_id: airline(),
            partner_code: "market".to_owned(),
            expires_at: micros(608),
            used_by_membership_id: Some(market()),
        },
    ]
}

fn agreed() -> [AuditRow; 2] {
    [
        AuditRow::Agreement {
            agreement_id: id("agr", 1),
            low_code: "airline".to_owned(),
            high_code: "market".to_owned(),
            latest_version: 1,
            active_version: Some(1),
            active_since: Some(micros(15)),
            pending_version: None,
            created_at: micros(14),
        },
        AuditRow::AgreementVersion {
            agreement_id: id("agr", 1),
            version: 1,
            author_code: "airline".to_owned(),
            terms: serde_json::to_vec(&terms()).unwrap(),
            terms_hash: terms_hash(),
            proposed_at: micros(14),
        },
    ]
}
