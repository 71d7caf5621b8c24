//! The tables of what the records have added up to: exchanges, accounts, lots, exposures, live holds.

use pointbridge_core::ids::{AgreementId, MembershipId, ProgramId, RecordId, ReservationId, ReversalId};
use pointbridge_store::{AuditLeg, AuditRow, AuditSide, StoreError};
use sqlx::postgres::PgRow;

use super::Table;
use crate::rows::Cells;

pub(super) const TABLES: &[Table] = &[
    ("select * from reservation order by reservation_id", reservation),
    ("select * from exchange_leg order by reservation_id, leg_number", leg),
    ("select * from reversal order by reservation_id, reversal_number", reversal),
    ("select * from account order by membership_id", account),
    ("select * from lot order by membership_id, expires_at, origin_month, exchangeable", lot),
    ("select * from exposure order by low_code, high_code, currency", exposure),
    ("select * from initiator order by partner_code", initiator),
];

fn reservation(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Reservation {
        reservation_id: row.id("reservation_id", ReservationId::new)?.to_string(),
        state: row.text("state")?,
        initiator_code: row.text("initiator_code")?,
        order_reference: row.text("order_reference")?,
        store_reference: text_or_null(row, "store_reference")?,
        till_reference: text_or_null(row, "till_reference")?,
        prepared_at: row.int("prepared_at")?,
        hold_expires_at: row.int("hold_expires_at")?,
        decided_at: row.int_or_null("decided_at")?,
        prepare_record_id: row.id("prepare_record_id", RecordId::new)?.to_string(),
        last_record_id: row.id("last_record_id", RecordId::new)?.to_string(),
    })
}

fn text_or_null(row: &PgRow, column: &str) -> Result<Option<String>, StoreError> {
    row.text_or_null(column)
}

fn leg(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Leg(Box::new(AuditLeg {
        reservation_id: row.id("reservation_id", ReservationId::new)?.to_string(),
        number: row.int("leg_number")?,
        agreement_id: row.id("agreement_id", AgreementId::new)?.to_string(),
        agreement_version: row.int("agreement_version")?,
        source: AuditSide {
            program_id: row.id("source_program_id", ProgramId::new)?.to_string(),
            partner_code: row.text("source_partner_code")?,
            membership_id: row.id("source_membership_id", MembershipId::new)?.to_string(),
            custody: row.text("source_custody")?,
        },
        destination: AuditSide {
            program_id: row.id("destination_program_id", ProgramId::new)?.to_string(),
            partner_code: row.text("destination_partner_code")?,
            membership_id: row.id("destination_membership_id", MembershipId::new)?.to_string(),
            custody: row.text("destination_custody")?,
        },
        source_points: row.int("source_points")?,
        gross_points: row.int("gross_points")?,
        fee_points: row.int("fee_points")?,
        credited_points: row.int("credited_points")?,
        residue_numerator: row.int("residue_numerator")?,
        residue_denominator: row.int("residue_denominator")?,
        residue_owner: row.text("residue_owner")?,
        debtor_code: row.text("debtor_code")?,
        creditor_code: row.text("creditor_code")?,
        currency: row.text("currency")?,
        money: row.int("money")?,
    })))
}

fn reversal(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Reversal {
        reservation_id: row.id("reservation_id", ReservationId::new)?.to_string(),
        number: row.int("reversal_number")?,
        reversal_id: row.id("reversal_id", ReversalId::new)?.to_string(),
        record_id: row.id("record_id", RecordId::new)?.to_string(),
        source_points: row.int("source_points")?,
        reversed_source_points: row.int("reversed_source_points")?,
    })
}

fn account(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Account {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        posted: row.int("posted")?,
        held: row.int("held")?,
        postings: row.int("postings")?,
        live_holds: row.int("live_holds")?,
    })
}

fn lot(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Lot {
        membership_id: row.id("membership_id", MembershipId::new)?.to_string(),
        expires_at: row.int("expires_at")?,
        origin_month: row.int("origin_month")?,
        exchangeable: row.flag("exchangeable")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
    })
}

fn exposure(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Exposure {
        low_code: row.text("low_code")?,
        high_code: row.text("high_code")?,
        currency: row.text("currency")?,
        committed_low: row.int("committed_low")?,
        prepared_low: row.int("prepared_low")?,
        prepared_high: row.int("prepared_high")?,
    })
}

fn initiator(row: &PgRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow::Initiator { partner_code: row.text("partner_code")?, live_holds: row.int("live_holds")? })
}
