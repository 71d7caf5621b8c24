//! The columns of each noun as `rows` reads them, to be put into statements with `concat!`.
//!
//! Names that more than one noun has are told apart, so that a row can hold several nouns at once.

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
