//! Rows out of record contents, as a store writes them beside each other.

use pointbridge_store::{AuditLeg, AuditRow, AuditSide};
use serde_json::{Value, json};

use crate::book::{Deal, airline, market, sha256};

/// What stands in a lot's key for points that never expire.
pub(crate) const NEVER: i64 = i64::MAX;

/// 2026-11-22T08:00:00Z.
const START: i64 = 1_795_334_400_000_000;

/// A moment so many seconds in.
pub(crate) fn micros(second: i64) -> i64 {
    START + second * 1_000_000
}

/// The same as records write it; less than an hour in.
pub(crate) fn time(second: i64) -> String {
    format!("2026-11-22T08:{:02}:{:02}.000000Z", second / 60, second % 60)
}

pub(crate) fn id(prefix: &str, number: u128) -> String {
    format!("{prefix}_{number:032x}")
}

/// How a reservation ended.
pub(crate) struct Ending {
    pub(crate) state: &'static str,
    pub(crate) second: i64,
}

/// Gives a record's content its id, time and schema; its lists are left out where they are empty.
pub(crate) fn complete(mut content: Value, number: u128) -> Value {
    content["schema"] = json!("pointbridge.record.v1");
    content["record_id"] = json!(id("rec", number));
    if content.get("who").is_none() {
        content["who"] = json!("partner/airline/partner/till-7");
    }
    content["parties"] = json!(["airline", "market"]);
    content["decided_at"] = json!(time(i64::try_from(number).unwrap()));
    content
}

/// A record's bytes and hash. Names come out sorted, as canonical bytes have them.
pub(crate) fn seal(content: &Value) -> (Vec<u8>, Vec<u8>) {
    let bytes = serde_json::to_vec(content).unwrap();
    let hash = sha256(&[b"pointbridge/record/v1\0", &bytes]);
    (bytes, hash)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The digits of an amount.
fn minor(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn second_of(content: &Value) -> i64 {
    i64::try_from(u128::from_str_radix(&text(&content["record_id"])[4..], 16).unwrap()).unwrap()
}

pub(crate) fn sealed(content: &Value) -> AuditRow {
    let (bytes, hash) = seal(content);
    AuditRow::Record {
        record_id: text(&content["record_id"]),
        kind: text(&content["kind"]),
        decided_at: micros(second_of(content)),
        window_id: content.get("window_id").map(text),
        bytes,
        hash,
    }
}

fn lines(content: &Value, name: &str) -> Vec<(i64, Value)> {
    let lines = content.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    (1..).zip(lines).collect()
}

pub(crate) fn postings(content: &Value) -> Vec<AuditRow> {
    let row = |(number, posting): (i64, Value)| {
        let member = posting.get("member");
        AuditRow::Posting {
            record_id: text(&content["record_id"]),
            number,
            program_id: text(&posting["program_id"]),
            account: text(&posting["account"]),
            amount: minor(&posting["amount"]),
            membership_id: member.map(|m| text(&m["membership_id"])),
            sequence: member.map(|m| m["sequence"].as_i64().unwrap()),
            balance_after: member.map(|m| minor(&m["balance_after"])),
        }
    };
    lines(content, "postings").into_iter().map(row).collect()
}

pub(crate) fn movements(content: &Value) -> Vec<AuditRow> {
    let expiry = |at: &str| match at {
        "2027-01-01T00:00:00.000000Z" => crate::book::SOON,
        _ => crate::book::C_MICROS,
    };
    let row = |(number, lot): (i64, Value)| AuditRow::LotMovement {
        record_id: text(&content["record_id"]),
        number,
        membership_id: text(&lot["membership_id"]),
        expires_at: lot.get("expires_at").map_or(NEVER, |at| expiry(at.as_str().unwrap())),
        origin_month: lot["origin_month"].as_i64().unwrap(),
        exchangeable: lot["exchangeable"].as_bool().unwrap(),
        remaining: minor(&lot["remaining"]),
        held: minor(&lot["held"]),
    };
    lines(content, "lots").into_iter().map(row).collect()
}

pub(crate) fn obligations(content: &Value) -> Vec<AuditRow> {
    let row = |(number, owed): (i64, Value)| AuditRow::Obligation {
        record_id: text(&content["record_id"]),
        number,
        debtor_code: text(&owed["debtor"]),
        creditor_code: text(&owed["creditor"]),
        currency: text(&owed["currency"]),
        money: minor(&owed["money"]),
        window_id: text(&content["window_id"]),
    };
    lines(content, "obligations").into_iter().map(row).collect()
}

/// The request that a caller's record answers.
pub(crate) fn request(content: &Value) -> Option<AuditRow> {
    let method = match content["kind"].as_str().unwrap() {
        "PARTNER_CREATED" => "CreatePartner",
        "PROGRAM_CREATED" => "CreateProgram",
        "MEMBERSHIP_REGISTERED" => "RegisterMembership",
        "LINK_CODE_ISSUED" => "IssueLinkCode",
        "MEMBERS_MERGED" => "MergeMembers",
        "CONSENT_GRANTED" => "GrantConsent",
        "CONSENT_WITHDRAWN" => "WithdrawConsent",
        "AGREEMENT_PROPOSED" => "ProposeAgreement",
        "AGREEMENT_ACCEPTED" => "AcceptAgreement",
        "POINTS_ACCRUED" => "AccruePoints",
        "POINTS_ADJUSTED" => "AdjustPoints",
        "EXCHANGE_PREPARED" => "PrepareExchange",
        "EXCHANGE_COMMITTED" => "CommitExchange",
        "EXCHANGE_ABORTED" => "AbortExchange",
        "EXCHANGE_REVERSED" => "ReverseExchange",
        "PARTNER_UPDATED" => "UpdatePartner",
        "PARTNER_SUSPENDED" => "SuspendPartner",
        "APPROVAL_REQUESTED" => "ResumePartner",
        "APPROVAL_APPROVED" => "Approve",
        "APPROVAL_REJECTED" => "Reject",
        "CERTIFICATE_PINNED" => "AddCertificate",
        "CERTIFICATE_REVOKED" => "RevokeCertificate",
        "SIGNING_KEY_REGISTERED" => "RegisterSigningKey",
        _ => return None,
    };
    let who = text(&content["who"]);
    let scope = if who.starts_with("operator/") { "@operator" } else { who.split('/').nth(1).unwrap() };
    Some(AuditRow::Request {
        scope: scope.to_owned(),
        method: method.to_owned(),
        request_id: format!("{:032x}", second_of(content)),
        record_id: text(&content["record_id"]),
    })
}

pub(crate) fn reservation(number: u128, second: i64, end: Option<&Ending>) -> AuditRow {
    let prepared = u128::try_from(second).unwrap();
    AuditRow::Reservation {
        reservation_id: id("rsv", number),
        state: end.map_or("PREPARED", |end| end.state).to_owned(),
        initiator_code: "airline".to_owned(),
        order_reference: format!("order-{number}"),
        store_reference: Some("store-12".to_owned()),
        till_reference: None,
        prepared_at: micros(second),
        hold_expires_at: micros(second + 300),
        decided_at: end.map(|end| micros(end.second)),
        prepare_record_id: id("rec", prepared),
        last_record_id: id("rec", prepared + u128::from(end.is_some())),
    }
}

pub(crate) fn leg(number: u128, deal: Deal) -> AuditRow {
    let side = |program, partner: &str, membership_id| AuditSide {
        program_id: id("prg", program),
        partner_code: partner.to_owned(),
        membership_id,
        custody: "HOSTED".to_owned(),
    };
    AuditRow::Leg(Box::new(AuditLeg {
        reservation_id: id("rsv", number),
        number: 1,
        agreement_id: id("agr", 1),
        agreement_version: 1,
        source: side(1, "airline", airline()),
        destination: side(2, "market", market()),
        source_points: deal.taken,
        gross_points: deal.gross,
        fee_points: 1,
        credited_points: deal.credited,
        residue_numerator: deal.rest,
        residue_denominator: 7,
        residue_owner: "NOBODY".to_owned(),
        debtor_code: "airline".to_owned(),
        creditor_code: "market".to_owned(),
        currency: "CNY".to_owned(),
        money: deal.money,
    }))
}
