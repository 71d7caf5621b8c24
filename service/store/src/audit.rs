//! Rows as the check sees them: plain numbers, texts and bytes, read straight from the tables.
//!
//! Ids stand in their text form, so that what the check names can be looked up. Amounts are minor units, money is
//! millionths, times are microseconds, "never" is [`i64::MAX`](pointbridge_core::time::Expiry::NEVER_MICROS).

/// One row of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the columns' names say what they hold; the tables are documented in the migrations
pub enum AuditRow {
    /// `settlement_window`
    Window { window_id: String, opens_at: i64, closes_at: Option<i64> },
    /// `program`
    Program { program_id: String, partner_code: String, scale: i64 },
    /// `membership`
    Membership {
        membership_id: String,
        program_id: String,
        external_reference: String,
        reference_salt: Vec<u8>,
    },
    /// `agreement`
    Agreement {
        agreement_id: String,
        low_code: String,
        high_code: String,
        active_version: Option<i64>,
        latest_version: i64,
    },
    /// `agreement_version`
    AgreementVersion { agreement_id: String, version: i64, terms: Vec<u8>, terms_hash: Vec<u8> },
    /// `record`, in the order in which they were written
    Record {
        record_id: String,
        kind: String,
        decided_at: i64,
        window_id: Option<String>,
        bytes: Vec<u8>,
        hash: Vec<u8>,
    },
    /// `posting`
    Posting {
        record_id: String,
        number: i64,
        program_id: String,
        account: String,
        amount: i64,
        membership_id: Option<String>,
        sequence: Option<i64>,
        balance_after: Option<i64>,
    },
    /// `lot_movement`
    LotMovement {
        record_id: String,
        number: i64,
        membership_id: String,
        expires_at: i64,
        origin_month: i64,
        exchangeable: bool,
        remaining: i64,
        held: i64,
    },
    /// `obligation`
    Obligation {
        record_id: String,
        number: i64,
        debtor_code: String,
        creditor_code: String,
        currency: String,
        money: i64,
        window_id: String,
    },
    /// `request`
    Request { scope: String, method: String, request_id: String, record_id: String },
    /// `reservation`
    Reservation {
        reservation_id: String,
        state: String,
        initiator_code: String,
        prepared_at: i64,
        hold_expires_at: i64,
        decided_at: Option<i64>,
        prepare_record_id: String,
        last_record_id: String,
    },
    /// `exchange_leg`
    Leg {
        reservation_id: String,
        number: i64,
        source_membership_id: String,
        destination_membership_id: String,
        source_points: i64,
        credited_points: i64,
        debtor_code: String,
        creditor_code: String,
        currency: String,
        money: i64,
    },
    /// `account`
    Account { membership_id: String, posted: i64, held: i64, postings: i64, live_holds: i64 },
    /// `lot`
    Lot {
        membership_id: String,
        expires_at: i64,
        origin_month: i64,
        exchangeable: bool,
        remaining: i64,
        held: i64,
    },
    /// `exposure`
    Exposure {
        low_code: String,
        high_code: String,
        currency: String,
        committed_low: i64,
        prepared_low: i64,
        prepared_high: i64,
    },
    /// `initiator`
    Initiator { partner_code: String, live_holds: i64 },
    /// `consent_in_force`, joined with its consent and its end
    ConsentInForce {
        membership_id: String,
        recipient_code: String,
        scope: String,
        consent_id: String,
        is_withdrawn: bool,
    },
}
