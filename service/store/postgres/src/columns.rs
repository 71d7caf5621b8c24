//! The columns of each noun as `rows` reads them: as text for statements of their own, and with their types for readings.
//!
//! Names that more than one noun has are told apart, so that a row can hold several nouns at once.

use crate::reading::Column;
use crate::reading::Kind::{Bytes, Flag, Id, Int, Text};

macro_rules! partner {
    () => {
        "partner.partner_code, partner.name as partner_name, partner.status as partner_status,
         partner.created_at as partner_created_at, partner.updated_at as partner_updated_at"
    };
}
pub(crate) use partner;

macro_rules! program {
    () => {
        "program.program_id, program.partner_code, program.program_code, program.name as program_name, program.scale,
         program.custody, program.points_expiry_months, program.created_at as program_created_at,
         program.updated_at as program_updated_at"
    };
}
pub(crate) use program;

/// Needs the membership's program in the statement too.
macro_rules! membership {
    () => {
        "membership.membership_id, membership.member_id, membership.program_id, program.partner_code,
         membership.external_reference, membership.reference_salt, membership.status as membership_status,
         membership.created_at as membership_created_at"
    };
}
pub(crate) use membership;

macro_rules! agreement {
    () => {
        "agreement.agreement_id, agreement.low_code, agreement.high_code, agreement.latest_version,
         agreement.active_version, agreement.active_since, agreement.pending_version, agreement.created_at"
    };
}
pub(crate) use agreement;

macro_rules! consent {
    () => {
        "consent.consent_id, consent.membership_id, consent.recipient_code, consent.consent_scope, consent.purpose,
         consent.notice_version, consent.evidence_hash, consent.granted_at, consent.expires_at"
    };
}
pub(crate) use consent;

pub(crate) const PARTNER: &[Column] = &[
    ("partner_code", Text, "partner.partner_code"),
    ("partner_name", Text, "partner.name"),
    ("partner_status", Text, "partner.status"),
    ("partner_created_at", Int, "partner.created_at"),
    ("partner_updated_at", Int, "partner.updated_at"),
];

pub(crate) const PROGRAM: &[Column] = &[
    ("program_id", Id, "program.program_id"),
    ("partner_code", Text, "program.partner_code"),
    ("program_code", Text, "program.program_code"),
    ("program_name", Text, "program.name"),
    ("scale", Int, "program.scale"),
    ("custody", Text, "program.custody"),
    ("points_expiry_months", Int, "program.points_expiry_months"),
    ("program_created_at", Int, "program.created_at"),
    ("program_updated_at", Int, "program.updated_at"),
];

/// Needs the membership's program in the statement too.
pub(crate) const MEMBERSHIP: &[Column] = &[
    ("membership_id", Id, "membership.membership_id"),
    ("member_id", Id, "membership.member_id"),
    ("program_id", Id, "membership.program_id"),
    ("partner_code", Text, "program.partner_code"),
    ("external_reference", Text, "membership.external_reference"),
    ("reference_salt", Id, "membership.reference_salt"),
    ("membership_status", Text, "membership.status"),
    ("membership_created_at", Int, "membership.created_at"),
];

pub(crate) const LINK_CODE: &[Column] = &[
    ("link_code_id", Id, "link_code.link_code_id"),
    ("code_hash", Bytes, "link_code.code_hash"),
    ("membership_id", Id, "link_code.membership_id"),
    ("partner_code", Text, "link_code.partner_code"),
    ("expires_at", Int, "link_code.expires_at"),
    ("used_by_membership_id", Id, "link_code.used_by_membership_id"),
];

pub(crate) const AGREEMENT: &[Column] = &[
    ("agreement_id", Id, "agreement.agreement_id"),
    ("low_code", Text, "agreement.low_code"),
    ("high_code", Text, "agreement.high_code"),
    ("latest_version", Int, "agreement.latest_version"),
    ("active_version", Int, "agreement.active_version"),
    ("active_since", Int, "agreement.active_since"),
    ("pending_version", Int, "agreement.pending_version"),
    ("created_at", Int, "agreement.created_at"),
];

pub(crate) const VERSION: &[Column] = &[
    ("agreement_id", Id, "agreement_version.agreement_id"),
    ("version", Int, "agreement_version.version"),
    ("author_code", Text, "agreement_version.author_code"),
    ("terms", Bytes, "agreement_version.terms"),
    ("terms_hash", Bytes, "agreement_version.terms_hash"),
    ("proposed_at", Int, "agreement_version.proposed_at"),
];

pub(crate) const CONSENT: &[Column] = &[
    ("consent_id", Id, "consent.consent_id"),
    ("membership_id", Id, "consent.membership_id"),
    ("recipient_code", Text, "consent.recipient_code"),
    ("consent_scope", Text, "consent.consent_scope"),
    ("purpose", Text, "consent.purpose"),
    ("notice_version", Text, "consent.notice_version"),
    ("evidence_hash", Bytes, "consent.evidence_hash"),
    ("granted_at", Int, "consent.granted_at"),
    ("expires_at", Int, "consent.expires_at"),
];

/// Needs the consent's withdrawal in the statement too, where there is one.
pub(crate) const CONSENT_WITH_END: &[Column] = &[
    ("consent_id", Id, "consent.consent_id"),
    ("membership_id", Id, "consent.membership_id"),
    ("recipient_code", Text, "consent.recipient_code"),
    ("consent_scope", Text, "consent.consent_scope"),
    ("purpose", Text, "consent.purpose"),
    ("notice_version", Text, "consent.notice_version"),
    ("evidence_hash", Bytes, "consent.evidence_hash"),
    ("granted_at", Int, "consent.granted_at"),
    ("expires_at", Int, "consent.expires_at"),
    ("reason", Text, "consent_withdrawal.reason"),
    ("withdrawn_at", Int, "consent_withdrawal.withdrawn_at"),
];

pub(crate) const ACCOUNT: &[Column] = &[
    ("membership_id", Id, "account.membership_id"),
    ("posted", Int, "account.posted"),
    ("held", Int, "account.held"),
    ("postings", Int, "account.postings"),
    ("live_holds", Int, "account.live_holds"),
];

pub(crate) const LOT: &[Column] = &[
    ("membership_id", Id, "lot.membership_id"),
    ("expires_at", Int, "lot.expires_at"),
    ("origin_month", Int, "lot.origin_month"),
    ("exchangeable", Flag, "lot.exchangeable"),
    ("remaining", Int, "lot.remaining"),
    ("held", Int, "lot.held"),
];

pub(crate) const EXPOSURE: &[Column] = &[
    ("low_code", Text, "exposure.low_code"),
    ("high_code", Text, "exposure.high_code"),
    ("currency", Text, "exposure.currency"),
    ("committed_low", Int, "exposure.committed_low"),
    ("prepared_low", Int, "exposure.prepared_low"),
    ("prepared_high", Int, "exposure.prepared_high"),
];

pub(crate) const APPROVAL: &[Column] = &[
    ("approval_id", Id, "approval.approval_id"),
    ("proposal", Bytes, "approval.proposal"),
    ("content_hash", Bytes, "approval.content_hash"),
    ("subject_changed_at", Int, "approval.subject_changed_at"),
    ("requested_by", Text, "approval.requested_by"),
    ("requested_at", Int, "approval.requested_at"),
    ("expires_at", Int, "approval.expires_at"),
    ("state", Text, "approval.state"),
    ("decided_by", Text, "approval.decided_by"),
    ("decided_at", Int, "approval.decided_at"),
    ("reason", Text, "approval.reason"),
];

pub(crate) const CERTIFICATE: &[Column] = &[
    ("fingerprint", Bytes, "certificate.fingerprint"),
    ("owner", Text, "certificate.owner"),
    ("principal", Text, "certificate.principal"),
    ("serial", Text, "certificate.serial"),
    ("not_before", Int, "certificate.not_before"),
    ("not_after", Int, "certificate.not_after"),
    ("pinned_by", Text, "certificate.pinned_by"),
    ("pinned_at", Int, "certificate.pinned_at"),
    ("revoked_by", Text, "certificate.revoked_by"),
    ("revoked_at", Int, "certificate.revoked_at"),
    ("revocation_reason", Text, "certificate.revocation_reason"),
];

pub(crate) const SIGNING_KEY: &[Column] = &[
    ("program_id", Id, "signing_key.program_id"),
    ("key_id", Text, "signing_key.key_id"),
    ("public_key", Bytes, "signing_key.public_key"),
    ("registered_by", Text, "signing_key.registered_by"),
    ("registered_at", Int, "signing_key.registered_at"),
];
