//! What a record's bytes say, as far as the check needs it.
//!
//! Read with types of this crate; names that the check does not need are passed over.

#![expect(clippy::struct_field_names, reason = "the fields are called as in the JSON")]

use serde::Deserialize;

use crate::values::{Micros, Millionths, Minor, Whole};

/// The name of the records' shape.
pub(crate) const SCHEMA: &str = "pointbridge.record.v1";

#[derive(Debug, Deserialize)]
pub(crate) struct Content {
    pub(crate) schema: String,
    pub(crate) record_id: String,
    pub(crate) kind: String,
    pub(crate) who: String,
    pub(crate) parties: Vec<String>,
    pub(crate) decided_at: Micros,
    pub(crate) window_id: Option<String>,
    pub(crate) body: Body,
    #[serde(default)]
    pub(crate) postings: Vec<Posting>,
    #[serde(default)]
    pub(crate) lots: Vec<Movement>,
    #[serde(default)]
    pub(crate) obligations: Vec<Obligation>,
}

/// Exactly one of these is there.
#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    pub(crate) partner: Option<Partner>,
    pub(crate) program: Option<Program>,
    pub(crate) agreement: Option<AgreementBody>,
    pub(crate) membership: Option<Membership>,
    pub(crate) link_code: Option<LinkCode>,
    pub(crate) merge: Option<Merge>,
    pub(crate) consent: Option<Consent>,
    pub(crate) withdrawal: Option<WithdrawalBody>,
    pub(crate) points: Option<Points>,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) reversal: Option<Reversal>,
    pub(crate) standing: Option<Standing>,
    pub(crate) approval: Option<ApprovalBody>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) signing_key: Option<SigningKey>,
}

/// A partner that was suspended or resumed.
#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    pub(crate) partner: Partner,
    pub(crate) reason: String,
    pub(crate) approval_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ApprovalBody {
    pub(crate) approval: Approval,
    pub(crate) effect: Option<Effect>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Effect {
    pub(crate) record_id: String,
    /// What the record of the effect is about, compared as it stands.
    pub(crate) outcome: serde_json::Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Approval {
    pub(crate) approval_id: String,
    /// Read as [`Proposal`], and hashed as it stands.
    pub(crate) proposal: serde_json::Value,
    pub(crate) content_hash: String,
    pub(crate) subject_changed_at: Micros,
    pub(crate) requested_by: String,
    pub(crate) requested_at: Micros,
    pub(crate) expires_at: Micros,
    pub(crate) state: String,
    pub(crate) verdict: Option<Verdict>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) by: String,
    pub(crate) at: Micros,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proposal {
    ResumePartner { code: String, reason: String },
    AdjustPoints { membership_id: String, amount: Minor, reason: String, reference: String },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Certificate {
    pub(crate) fingerprint: String,
    pub(crate) owner: Option<String>,
    pub(crate) pin: Option<Pin>,
    pub(crate) revocation: Option<Verdict>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pin {
    pub(crate) principal: String,
    pub(crate) serial: String,
    pub(crate) not_before: Micros,
    pub(crate) not_after: Micros,
    pub(crate) by: String,
    pub(crate) at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SigningKey {
    pub(crate) program_id: String,
    pub(crate) key_id: String,
    pub(crate) public_key: String,
    pub(crate) by: String,
    pub(crate) at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Posting {
    pub(crate) program_id: String,
    pub(crate) account: String,
    pub(crate) amount: Minor,
    pub(crate) member: Option<MemberPosting>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MemberPosting {
    pub(crate) membership_id: String,
    pub(crate) sequence: i64,
    pub(crate) balance_after: Minor,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Movement {
    pub(crate) membership_id: String,
    pub(crate) expires_at: Option<Micros>,
    pub(crate) origin_month: i64,
    pub(crate) exchangeable: bool,
    pub(crate) remaining: Minor,
    pub(crate) held: Minor,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Obligation {
    pub(crate) debtor: String,
    pub(crate) creditor: String,
    pub(crate) currency: String,
    pub(crate) money: Millionths,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Partner {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Program {
    pub(crate) program_id: String,
    pub(crate) partner: String,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) scale: i64,
    pub(crate) custody: String,
    pub(crate) points_expiry_months: i64,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Membership {
    pub(crate) membership_id: String,
    pub(crate) program_id: String,
    pub(crate) reference_commitment: String,
    pub(crate) status: String,
    pub(crate) created_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LinkCode {
    pub(crate) link_code_id: String,
    pub(crate) membership_id: String,
    pub(crate) partner: String,
    pub(crate) expires_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Merge {
    pub(crate) link_code_id: String,
    pub(crate) membership: Membership,
    pub(crate) linked_membership_id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Consent {
    pub(crate) consent_id: String,
    pub(crate) membership_id: String,
    pub(crate) recipient: String,
    pub(crate) scope: String,
    pub(crate) purpose: String,
    pub(crate) notice_version: String,
    pub(crate) evidence_hash: String,
    pub(crate) granted_at: Micros,
    pub(crate) expires_at: Option<Micros>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WithdrawalBody {
    pub(crate) consent: Consent,
    pub(crate) withdrawal: Withdrawal,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Withdrawal {
    pub(crate) consent_id: String,
    pub(crate) reason: String,
    pub(crate) withdrawn_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Points {
    pub(crate) membership_id: String,
    pub(crate) program_id: String,
    pub(crate) amount: Minor,
    pub(crate) reason: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) posted: Minor,
    pub(crate) postings: i64,
    pub(crate) approval_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AgreementBody {
    pub(crate) agreement: Agreement,
    pub(crate) version: Version,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Agreement {
    pub(crate) agreement_id: String,
    pub(crate) pair: Pair,
    pub(crate) latest_version: i64,
    pub(crate) active_version: Option<i64>,
    pub(crate) active_since: Option<Micros>,
    pub(crate) pending_version: Option<i64>,
    pub(crate) created_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pair {
    pub(crate) low: String,
    pub(crate) high: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    pub(crate) agreement_id: String,
    pub(crate) version: i64,
    pub(crate) author: String,
    /// Read as [`Terms`], and hashed as it stands.
    pub(crate) terms: serde_json::Value,
    pub(crate) terms_hash: String,
    pub(crate) proposed_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Terms {
    pub(crate) settlement_currency: String,
    pub(crate) directions: Vec<Direction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Direction {
    pub(crate) source_program: String,
    pub(crate) destination_program: String,
    pub(crate) rate: Rate,
    pub(crate) rounding: String,
    pub(crate) residue_owner: String,
    pub(crate) minimum: Minor,
    pub(crate) maximum: Minor,
    pub(crate) step: Minor,
    pub(crate) fee: Minor,
    pub(crate) basis: String,
    pub(crate) price: Price,
    pub(crate) hold_seconds: i64,
    pub(crate) reversal_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Rate {
    pub(crate) give: i64,
    pub(crate) get: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Price {
    pub(crate) money: Millionths,
    pub(crate) points: Minor,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) reservation_id: String,
    pub(crate) state: String,
    pub(crate) initiator: String,
    pub(crate) legs: Vec<Leg>,
    pub(crate) references: References,
    pub(crate) prepared_at: Micros,
    pub(crate) hold_expires_at: Micros,
    pub(crate) decided_at: Option<Micros>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct References {
    pub(crate) order: String,
    pub(crate) store: Option<String>,
    pub(crate) till: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Leg {
    pub(crate) number: i64,
    pub(crate) agreement_id: String,
    pub(crate) agreement_version: i64,
    pub(crate) terms_hash: String,
    pub(crate) source: Side,
    pub(crate) destination: Side,
    pub(crate) source_points: Minor,
    pub(crate) gross_points: Minor,
    pub(crate) fee_points: Minor,
    pub(crate) credited_points: Minor,
    pub(crate) residue: Residue,
    pub(crate) obligation: Obligation,
    pub(crate) reversal_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reversal {
    pub(crate) reversal_id: String,
    pub(crate) exchange_id: String,
    pub(crate) number: i64,
    pub(crate) reverser: String,
    pub(crate) legs: Vec<ReversedLeg>,
    pub(crate) reversed_at: Micros,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReversedLeg {
    pub(crate) number: i64,
    pub(crate) agreement_id: String,
    pub(crate) agreement_version: i64,
    pub(crate) source: Side,
    pub(crate) destination: Side,
    pub(crate) part: Share,
    pub(crate) reversed: Share,
    pub(crate) obligation: Obligation,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Share {
    pub(crate) source_points: Minor,
    pub(crate) fee_points: Minor,
    pub(crate) credited_points: Minor,
    pub(crate) money: Millionths,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Side {
    pub(crate) program_id: String,
    pub(crate) partner: String,
    pub(crate) membership_id: String,
    pub(crate) custody: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Residue {
    pub(crate) numerator: Whole,
    pub(crate) denominator: Whole,
    pub(crate) owner: String,
}
