//! The tables of who there is: partners, programs, members, agreements and consents.

use pointbridge_core::ids::{AgreementId, ConsentId, LinkCodeId, MemberId, MembershipId, ProgramId};
use pointbridge_store::{AuditRow, StoreError};
use sqlx::postgres::PgRow;

use super::Table;
use crate::rows::Cells;

pub(super) const TABLES: &[Table] = &[
    ("select * from partner order by partner_code", partner),
    ("select * from program order by program_id", program),
    ("select * from membership order by membership_id", membership),
    ("select * from link_code order by link_code_id", link_code),
    ("select * from agreement order by agreement_id", agreement),
    ("select * from agreement_version order by agreement_id, version", agreement_version),
    ("select * from consent order by consent_id", consent),
    ("select * from consent_withdrawal order by consent_id", consent_withdrawal),
    (
        "select * from consent_in_force order by membership_id, recipient_code, consent_scope",
        consent_in_force,
    ),
];

fn partner(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Partner {
        partner_code: row.text("partner_code")?,
        name: row.text("name")?,
        status: row.text("status")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

fn program(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Program {
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        partner_code: row.text("partner_code")?,
        program_code: row.text("program_code")?,
        name: row.text("name")?,
        scale: row.int("scale")?,
        custody: row.text("custody")?,
        points_expiry_months: row.int("points_expiry_months")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

fn membership(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Membership {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        member_id: row.id("member_id", MemberId::new)?.to_string(),
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        external_reference: row.text("external_reference")?,
        reference_salt: row.id("reference_salt", |salt| salt.into_bytes().to_vec())?,
        status: row.text("status")?,
        created_at: row.int("created_at")?,
    })
}

fn link_code(row: &PgRow) -> Result<AuditRow, StoreError> {
    let used_by = row.id_or_null("used_by_membership_id", MembershipId::new)?;
    Ok(AuditRow::LinkCode {
        link_code_id: row.id("link_code_id", LinkCodeId::new)?.to_string(),
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        partner_code: row.text("partner_code")?,
        expires_at: row.int("expires_at")?,
        used_by_membership_id: used_by.map(|id| id.to_string()),
    })
}

fn agreement(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Agreement {
        agreement_id: row.id("agreement_id", AgreementId::new)?.to_string(),
        low_code: row.text("low_code")?,
        high_code: row.text("high_code")?,
        latest_version: row.int("latest_version")?,
        active_version: row.int_or_null("active_version")?,
        active_since: row.int_or_null("active_since")?,
        pending_version: row.int_or_null("pending_version")?,
        created_at: row.int("created_at")?,
    })
}

fn agreement_version(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::AgreementVersion {
        agreement_id: row.id("agreement_id", AgreementId::new)?.to_string(),
        version: row.int("version")?,
        author_code: row.text("author_code")?,
        terms: row.bytes("terms")?,
        terms_hash: row.bytes("terms_hash")?,
        proposed_at: row.int("proposed_at")?,
    })
}

fn consent(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Consent {
        consent_id: row.id("consent_id", ConsentId::new)?.to_string(),
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        recipient_code: row.text("recipient_code")?,
        scope: row.text("consent_scope")?,
        purpose: row.text("purpose")?,
        notice_version: row.text("notice_version")?,
        evidence_hash: row.bytes("evidence_hash")?,
        granted_at: row.int("granted_at")?,
        expires_at: row.int_or_null("expires_at")?,
    })
}

fn consent_withdrawal(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::ConsentWithdrawal {
        consent_id: row.id("consent_id", ConsentId::new)?.to_string(),
        reason: row.text("reason")?,
        withdrawn_at: row.int("withdrawn_at")?,
    })
}

fn consent_in_force(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::ConsentInForce {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        recipient_code: row.text("recipient_code")?,
        scope: row.text("consent_scope")?,
        consent_id: row.id("consent_id", ConsentId::new)?.to_string(),
    })
}
