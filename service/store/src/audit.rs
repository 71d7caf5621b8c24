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
    /// `partner`
    Partner { partner_code: String, name: String, status: String, created_at: i64, updated_at: i64 },
    /// `program`
    Program {
        program_id: String,
        partner_code: String,
        program_code: String,
        name: String,
        scale: i64,
        custody: String,
        points_expiry_months: i64,
        created_at: i64,
        updated_at: i64,
    },
    /// `membership`
    Membership {
        membership_id: String,
        member_id: String,
        program_id: String,
        external_reference: String,
        reference_salt: Vec<u8>,
        status: String,
        created_at: i64,
    },
    /// `link_code`, without the hash of the code
    LinkCode {
        link_code_id: String,
        membership_id: String,
        partner_code: String,
        expires_at: i64,
        used_by_membership_id: Option<String>,
    },
    /// `agreement`
    Agreement {
        agreement_id: String,
        low_code: String,
        high_code: String,
        latest_version: i64,
        active_version: Option<i64>,
        active_since: Option<i64>,
        pending_version: Option<i64>,
        created_at: i64,
    },
    /// `agreement_version`
    AgreementVersion {
        agreement_id: String,
        version: i64,
        author_code: String,
        terms: Vec<u8>,
        terms_hash: Vec<u8>,
        proposed_at: i64,
    },
    /// `consent`
    Consent {
        consent_id: String,
        membership_id: String,
        recipient_code: String,
        scope: String,
        purpose: String,
        notice_version: String,
        evidence_hash: Vec<u8>,
        granted_at: i64,
        expires_at: Option<i64>,
    },
    /// `consent_withdrawal`
    ConsentWithdrawal { consent_id: String, reason: String, withdrawn_at: i64 },
    /// `consent_in_force`
    ConsentInForce { membership_id: String, recipient_code: String, scope: String, consent_id: String },
    /// `approval`
    Approval(Box<AuditApproval>),
    /// `certificate`
    Certificate(Box<AuditCertificate>),
    /// `signing_key`
    SigningKey {
        program_id: String,
        key_id: String,
        public_key: Vec<u8>,
        registered_by: String,
        registered_at: i64,
    },
    /// `reservation`
    Reservation {
        reservation_id: String,
        state: String,
        initiator_code: String,
        order_reference: String,
        store_reference: Option<String>,
        till_reference: Option<String>,
        prepared_at: i64,
        hold_expires_at: i64,
        decided_at: Option<i64>,
        prepare_record_id: String,
        last_record_id: String,
    },
    /// `exchange_leg`
    Leg(Box<AuditLeg>),
    /// `reversal`
    Reversal {
        reservation_id: String,
        number: i64,
        reversal_id: String,
        record_id: String,
        source_points: i64,
        reversed_source_points: i64,
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
}

/// One row of `exchange_leg`: the widest table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditLeg {
    pub reservation_id: String,
    pub number: i64,
    pub agreement_id: String,
    pub agreement_version: i64,
    pub source: AuditSide,
    pub destination: AuditSide,
    pub source_points: i64,
    pub gross_points: i64,
    pub fee_points: i64,
    pub credited_points: i64,
    pub residue_numerator: i64,
    pub residue_denominator: i64,
    pub residue_owner: String,
    pub debtor_code: String,
    pub creditor_code: String,
    pub currency: String,
    pub money: i64,
}

/// One end of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditSide {
    pub program_id: String,
    pub partner_code: String,
    pub membership_id: String,
    pub custody: String,
}

/// One row of `approval`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditApproval {
    pub approval_id: String,
    pub method: String,
    pub proposal: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub subject_changed_at: i64,
    pub requested_by: String,
    pub requested_at: i64,
    pub expires_at: i64,
    pub state: String,
    pub decided_by: Option<String>,
    pub decided_at: Option<i64>,
    pub reason: Option<String>,
}

/// One row of `certificate`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditCertificate {
    pub fingerprint: Vec<u8>,
    /// A partner's code, or empty.
    pub owner: String,
    pub pin: Option<AuditPin>,
    pub revocation: Option<AuditRevocation>,
}

/// The columns of a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditPin {
    pub principal: String,
    pub serial: String,
    pub not_before: i64,
    pub not_after: i64,
    pub pinned_by: String,
    pub pinned_at: i64,
}

/// The columns of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as above
pub struct AuditRevocation {
    pub revoked_by: String,
    pub revoked_at: i64,
    pub reason: String,
}
