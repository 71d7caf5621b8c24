//! The tables of how things stand: who there is, and what the records have added up to.

use pointbridge_core::ids::{
    AgreementId, ConsentId, MembershipId, ProgramId, RecordId, ReservationId, WindowId,
};
use pointbridge_store::{AuditRow, StoreError};
use sqlx::sqlite::SqliteRow;

use super::Table;
use crate::rows::Cells;

/// Before the records.
pub(super) const FIRST: &[Table] = &[
    ("select * from settlement_window order by window_id", window),
    ("select * from program order by program_id", program),
    ("select * from membership order by membership_id", membership),
    ("select * from agreement order by agreement_id", agreement),
    ("select * from agreement_version order by agreement_id, version", agreement_version),
];

/// After the requests.
pub(super) const LAST: &[Table] = &[
    ("select * from reservation order by reservation_id", reservation),
    ("select * from exchange_leg order by reservation_id, leg_number", leg),
    ("select * from account order by membership_id", account),
    ("select * from lot order by membership_id, expires_at, origin_month, exchangeable", lot),
    ("select * from exposure order by low_code, high_code, currency", exposure),
    ("select * from initiator order by partner_code", initiator),
    (
        "select consent_in_force.*, consent_withdrawal.consent_id is not null as is_withdrawn
         from consent_in_force
         left join consent_withdrawal on consent_withdrawal.consent_id = consent_in_force.consent_id
         order by consent_in_force.membership_id, consent_in_force.recipient_code, consent_in_force.consent_scope",
        consent_in_force,
    ),
];

fn window(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Window {
        window_id: row.id("window_id", WindowId::new)?.to_string(),
        opens_at: row.int("opens_at")?,
        closes_at: row.int_or_null("closes_at")?,
    })
}

fn program(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Program {
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        partner_code: row.text("partner_code")?,
        scale: row.int("scale")?,
    })
}

fn membership(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Membership {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        program_id: row.id("program_id", ProgramId::new)?.to_string(),
        external_reference: row.text("external_reference")?,
        reference_salt: row.bytes("reference_salt")?,
    })
}

fn agreement(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Agreement {
        agreement_id: row.id("agreement_id", AgreementId::new)?.to_string(),
        low_code: row.text("low_code")?,
        high_code: row.text("high_code")?,
        active_version: row.int_or_null("active_version")?,
        latest_version: row.int("latest_version")?,
    })
}

fn agreement_version(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::AgreementVersion {
        agreement_id: row.id("agreement_id", AgreementId::new)?.to_string(),
        version: row.int("version")?,
        terms: row.bytes("terms")?,
        terms_hash: row.bytes("terms_hash")?,
    })
}

fn reservation(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Reservation {
        reservation_id: row.id("reservation_id", ReservationId::new)?.to_string(),
        state: row.text("state")?,
        initiator_code: row.text("initiator_code")?,
        prepared_at: row.int("prepared_at")?,
        hold_expires_at: row.int("hold_expires_at")?,
        decided_at: row.int_or_null("decided_at")?,
        prepare_record_id: row.id("prepare_record_id", RecordId::new)?.to_string(),
        last_record_id: row.id("last_record_id", RecordId::new)?.to_string(),
    })
}

fn leg(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Leg {
        reservation_id: row.id("reservation_id", ReservationId::new)?.to_string(),
        number: row.int("leg_number")?,
        source_membership_id: row.id("source_membership_id", MembershipId::new)?.to_string(),
        destination_membership_id: row.id("destination_membership_id", MembershipId::new)?.to_string(),
        source_points: row.int("source_points")?,
        credited_points: row.int("credited_points")?,
        debtor_code: row.text("debtor_code")?,
        creditor_code: row.text("creditor_code")?,
        currency: row.text("currency")?,
        money: row.int("money")?,
    })
}

fn account(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Account {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        posted: row.int("posted")?,
        held: row.int("held")?,
        postings: row.int("postings")?,
        live_holds: row.int("live_holds")?,
    })
}

fn lot(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Lot {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        expires_at: row.int("expires_at")?,
        origin_month: row.int("origin_month")?,
        exchangeable: row.flag("exchangeable")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
    })
}

fn exposure(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Exposure {
        low_code: row.text("low_code")?,
        high_code: row.text("high_code")?,
        currency: row.text("currency")?,
        committed_low: row.int("committed_low")?,
        prepared_low: row.int("prepared_low")?,
        prepared_high: row.int("prepared_high")?,
    })
}

fn initiator(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Initiator { partner_code: row.text("partner_code")?, live_holds: row.int("live_holds")? })
}

fn consent_in_force(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::ConsentInForce {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        recipient_code: row.text("recipient_code")?,
        scope: row.text("consent_scope")?,
        consent_id: row.id("consent_id", ConsentId::new)?.to_string(),
        is_withdrawn: row.flag("is_withdrawn")?,
    })
}
