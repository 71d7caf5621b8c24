//! Windows, and the append-only tables of what was done: records, their lines, and requests.

use pointbridge_core::ids::{MembershipId, ProgramId, RecordId, WindowId};
use pointbridge_store::{AuditRow, StoreError};
use sqlx::postgres::PgRow;

use super::Table;
use crate::rows::Cells;

pub(super) const TABLES: &[Table] = &[
    ("select * from settlement_window order by window_id", window),
    ("select * from record order by decided_at, record_number", record),
    (
        "select posting.*, record.record_id from posting left join record using (record_number)
         order by record.record_id, posting.posting_number",
        posting,
    ),
    (
        "select lot_movement.*, record.record_id from lot_movement left join record using (record_number)
         order by record.record_id, lot_movement.movement_number",
        lot_movement,
    ),
    (
        "select obligation.*, record.record_id from obligation left join record using (record_number)
         order by record.record_id, obligation.obligation_number",
        obligation,
    ),
    ("select * from request order by scope, method, request_id", request),
];

fn window(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Window {
        window_id: row.id("window_id", WindowId::new)?.to_string(),
        opens_at: row.int("opens_at")?,
        closes_at: row.int_or_null("closes_at")?,
    })
}

fn record(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Record {
        record_id: row.id("record_id", RecordId::new)?.to_string(),
        kind: row.text("kind")?,
        decided_at: row.int("decided_at")?,
        window_id: row.id_or_null("window_id", WindowId::new)?.map(|id| id.to_string()),
        bytes: row.bytes("bytes")?,
        hash: row.bytes("hash")?,
    })
}

/// The record that a line is of. One that is gone is named by the number that its lines still have.
fn record_of(row: &PgRow) -> Result<String, StoreError> {
    match row.id_or_null("record_id", RecordId::new)? {
        Some(id) => Ok(id.to_string()),
        None => Ok(format!("{}_#{}", RecordId::PREFIX, row.int("record_number")?)),
    }
}

fn posting(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Posting {
        record_id: record_of(row)?,
        number: row.int("posting_number")?,
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        account: row.text("account")?,
        amount: row.int("amount")?,
        membership_id: row.id_or_null("membership_id", MembershipId::new)?.map(|id| id.to_string()),
        sequence: row.int_or_null("member_sequence")?,
        balance_after: row.int_or_null("balance_after")?,
    })
}

fn lot_movement(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::LotMovement {
        record_id: record_of(row)?,
        number: row.int("movement_number")?,
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        expires_at: row.int("expires_at")?,
        origin_month: row.int("origin_month")?,
        exchangeable: row.flag("exchangeable")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
    })
}

fn obligation(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Obligation {
        record_id: record_of(row)?,
        number: row.int("obligation_number")?,
        debtor_code: row.text("debtor_code")?,
        creditor_code: row.text("creditor_code")?,
        currency: row.text("currency")?,
        money: row.int("money")?,
        window_id: row.id("window_id", WindowId::new)?.to_string(),
    })
}

fn request(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Request {
        scope: row.text("scope")?,
        method: row.text("method")?,
        request_id: row.id("request_id", |id| id.hyphenated().to_string())?,
        record_id: row.id("record_id", RecordId::new)?.to_string(),
    })
}
