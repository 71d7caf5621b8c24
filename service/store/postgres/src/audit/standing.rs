//! The tables of standing: approvals, certificates, signing keys.

use pointbridge_core::ids::{ApprovalId, ProgramId};
use pointbridge_store::{AuditApproval, AuditCertificate, AuditPin, AuditRevocation, AuditRow, StoreError};
use sqlx::postgres::PgRow;

use super::Table;
use crate::rows::Cells;

pub(super) const TABLES: &[Table] = &[
    ("select * from approval order by approval_id", approval),
    ("select * from certificate order by fingerprint, owner", certificate),
    ("select * from signing_key order by program_id, key_id", signing_key),
];

fn approval(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Approval(Box::new(AuditApproval {
        approval_id: row.id("approval_id", ApprovalId::new)?.to_string(),
        method: row.text("method")?,
        proposal: row.bytes("proposal")?,
        content_hash: row.bytes("content_hash")?,
        subject_changed_at: row.int("subject_changed_at")?,
        requested_by: row.text("requested_by")?,
        requested_at: row.int("requested_at")?,
        expires_at: row.int("expires_at")?,
        state: row.text("state")?,
        decided_by: row.text_or_null("decided_by")?,
        decided_at: row.int_or_null("decided_at")?,
        reason: row.text_or_null("reason")?,
    })))
}

fn certificate(row: &PgRow) -> Result<AuditRow, StoreError> {
    // A column that is empty where its neighbours are not reads as what no row has.
    let text = |column: &str| row.text_or_null(column).map(Option::unwrap_or_default);
    let int = |column: &str| row.int_or_null(column).map(Option::unwrap_or_default);
    let pin = match row.int_or_null("pinned_at")? {
        Some(pinned_at) => Some(AuditPin {
            principal: text("principal")?,
            serial: text("serial")?,
            not_before: int("not_before")?,
            not_after: int("not_after")?,
            pinned_by: text("pinned_by")?,
            pinned_at,
        }),
        None => None,
    };
    let revocation = match row.int_or_null("revoked_at")? {
        Some(revoked_at) => Some(AuditRevocation {
            revoked_by: text("revoked_by")?,
            revoked_at,
            reason: text("revocation_reason")?,
        }),
        None => None,
    };
    Ok(AuditRow::Certificate(Box::new(AuditCertificate {
        fingerprint: row.bytes("fingerprint")?,
        owner: row.text("owner")?,
        pin,
        revocation,
    })))
}

fn signing_key(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::SigningKey {
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        key_id: row.text("key_id")?,
        public_key: row.bytes("public_key")?,
        registered_by: row.text("registered_by")?,
        registered_at: row.int("registered_at")?,
    })
}
