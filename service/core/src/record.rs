//! Records: what every mutation leaves, and what answers it ever after.
//!
//! A record is the settlement record, the audit entry and the answer to replays at once: who did what, when, with which
//! postings, lot movements and obligations. It is made into canonical bytes once. A replay is answered from these bytes
//! alone, so that they hold everything that the answer needs, and no more of a person than ids.
//!
//! What is made most often has its fields in the order of their names, in which canonical bytes are written without being
//! put into order.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::agreement::{Agreement, AgreementVersion};
use crate::approval::Approval;
use crate::canonical::{self, Domain, Hash, hex_hash};
use crate::certificate::Certificate;
use crate::exchange::Exchange;
use crate::exposure::Obligation;
use crate::ids::{ApprovalId, ExchangeId, LinkCodeId, MembershipId, ProgramId, RecordId, WindowId};
use crate::ledger::{LotMovement, Posting};
use crate::member::{Consent, MembershipStatus, Withdrawal};
use crate::partner::{Partner, Program};
use crate::points::Amount;
use crate::reversal::Reversal;
use crate::signing_key::SigningKey;
use crate::text::{PartnerCode, ReasonCode, Reference};
use crate::time::Timestamp;

/// What kind of mutation a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecordKind {
    /// A partner was registered.
    PartnerCreated,
    /// A partner's name changed.
    PartnerUpdated,
    /// A partner may start nothing any more.
    PartnerSuspended,
    /// A partner may start again.
    PartnerResumed,
    /// A program was made.
    ProgramCreated,
    /// A program's name or expiry rule changed.
    ProgramUpdated,
    /// A version was proposed.
    AgreementProposed,
    /// A version came into force.
    AgreementAccepted,
    /// A membership was registered.
    MembershipRegistered,
    /// A link code was made.
    LinkCodeIssued,
    /// Two members became one.
    MembersMerged,
    /// A consent was given.
    ConsentGranted,
    /// A consent was withdrawn.
    ConsentWithdrawn,
    /// Points were earned.
    PointsAccrued,
    /// Points were corrected by the program's owner, or by the operator with two people.
    PointsAdjusted,
    /// Points expired.
    PointsExpired,
    /// Phase one of an exchange.
    ExchangePrepared,
    /// Phase two: done.
    ExchangeCommitted,
    /// Phase two: called off.
    ExchangeAborted,
    /// Phase two: over by time.
    ExchangeExpired,
    /// A committed exchange was given back, in part or as a whole.
    ExchangeReversed,
    /// A certificate was pinned.
    CertificatePinned,
    /// A certificate was revoked.
    CertificateRevoked,
    /// A program's signing key was registered.
    SigningKeyRegistered,
    /// Something that needs two people was asked for.
    ApprovalRequested,
    /// A second person agreed; what was asked for is done.
    ApprovalApproved,
    /// Somebody said no.
    ApprovalRejected,
}

impl RecordKind {
    /// The name in records and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartnerCreated => "PARTNER_CREATED",
            Self::PartnerUpdated => "PARTNER_UPDATED",
            Self::PartnerSuspended => "PARTNER_SUSPENDED",
            Self::PartnerResumed => "PARTNER_RESUMED",
            Self::ProgramCreated => "PROGRAM_CREATED",
            Self::ProgramUpdated => "PROGRAM_UPDATED",
            Self::AgreementProposed => "AGREEMENT_PROPOSED",
            Self::AgreementAccepted => "AGREEMENT_ACCEPTED",
            Self::MembershipRegistered => "MEMBERSHIP_REGISTERED",
            Self::LinkCodeIssued => "LINK_CODE_ISSUED",
            Self::MembersMerged => "MEMBERS_MERGED",
            Self::ConsentGranted => "CONSENT_GRANTED",
            Self::ConsentWithdrawn => "CONSENT_WITHDRAWN",
            Self::PointsAccrued => "POINTS_ACCRUED",
            Self::PointsAdjusted => "POINTS_ADJUSTED",
            Self::PointsExpired => "POINTS_EXPIRED",
            Self::ExchangePrepared => "EXCHANGE_PREPARED",
            Self::ExchangeCommitted => "EXCHANGE_COMMITTED",
            Self::ExchangeAborted => "EXCHANGE_ABORTED",
            Self::ExchangeExpired => "EXCHANGE_EXPIRED",
            Self::ExchangeReversed => "EXCHANGE_REVERSED",
            Self::CertificatePinned => "CERTIFICATE_PINNED",
            Self::CertificateRevoked => "CERTIFICATE_REVOKED",
            Self::SigningKeyRegistered => "SIGNING_KEY_REGISTERED",
            Self::ApprovalRequested => "APPROVAL_REQUESTED",
            Self::ApprovalApproved => "APPROVAL_APPROVED",
            Self::ApprovalRejected => "APPROVAL_REJECTED",
        }
    }
}

/// A membership as it stands in a record: the external reference only as a salted commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipBody {
    /// Its id.
    pub membership_id: MembershipId,
    /// The program.
    pub program_id: ProgramId,
    /// The program's partner.
    pub partner: PartnerCode,
    /// SHA-256 over the membership's salt and its external reference.
    #[serde(with = "hex_hash")]
    pub reference_commitment: Hash,
    /// Whether it takes part.
    pub status: MembershipStatus,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A link code as it stands in a record. The code itself does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCodeBody {
    /// Its id, from which the hub can derive the code again.
    pub link_code_id: LinkCodeId,
    /// The membership that it was made for.
    pub membership_id: MembershipId,
    /// The partner that may bring it.
    pub partner: PartnerCode,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// The end of a link code: two memberships that are one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeBody {
    /// The code.
    pub link_code_id: LinkCodeId,
    /// The membership that it was brought with.
    pub membership: MembershipBody,
    /// The membership that it was made for.
    pub linked_membership_id: MembershipId,
    /// Its program.
    pub linked_program_id: ProgramId,
    /// Its program's partner.
    pub linked_partner: PartnerCode,
}

/// A change of points on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsBody {
    /// Signed.
    pub amount: Amount,
    /// The approval that the operator needed for it; absent where nobody needed one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval_id: Option<ApprovalId>,
    /// What of it is held.
    pub held: Amount,
    /// The account.
    pub membership_id: MembershipId,
    /// The account's sum after.
    pub posted: Amount,
    /// The account's number of postings after.
    pub postings: i64,
    /// Its program.
    pub program_id: ProgramId,
    /// Why; absent where time did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<ReasonCode>,
    /// The caller's own name for the cause.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<Reference>,
}

/// A partner that was suspended or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingBody {
    /// The partner as it is now.
    pub partner: Partner,
    /// Why.
    pub reason: ReasonCode,
    /// The approval that resuming needed; absent where the partner was suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval_id: Option<ApprovalId>,
}

/// What an approval came to, as its own answer shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The partner as it is now.
    Partner(Partner),
    /// The change of points and the account after it.
    Points(PointsBody),
}

/// What an approval did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalEffect {
    /// The record of it.
    pub record_id: RecordId,
    /// What that record says.
    pub outcome: Outcome,
}

/// An approval as it is now, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalBody {
    /// The approval.
    pub approval: Approval,
    /// What it did; absent unless it was approved by this record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effect: Option<ApprovalEffect>,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A partner as it is now.
    Partner(Partner),
    /// A program as it is now.
    Program(Program),
    /// An agreement as it is now, and the version that was proposed or accepted.
    Agreement {
        /// The agreement.
        agreement: Agreement,
        /// The version.
        version: Box<AgreementVersion>,
    },
    /// A membership.
    Membership(MembershipBody),
    /// A link code.
    LinkCode(LinkCodeBody),
    /// A merge.
    Merge(MergeBody),
    /// A consent.
    Consent(Consent),
    /// A consent and its end.
    Withdrawal {
        /// The consent.
        consent: Consent,
        /// Its end.
        withdrawal: Withdrawal,
    },
    /// Points earned, corrected or expired.
    Points(PointsBody),
    /// An exchange as it is now.
    Exchange(Box<Exchange>),
    /// A reversal.
    Reversal(Box<Reversal>),
    /// A partner that was suspended or resumed.
    Standing(StandingBody),
    /// An approval as it is now.
    Approval(Box<ApprovalBody>),
    /// A certificate as it is now.
    Certificate(Box<Certificate>),
    /// A signing key.
    SigningKey(SigningKey),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is about.
    pub body: Body,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What kind of mutation.
    pub kind: RecordKind,
    /// In order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lots: Vec<LotMovement>,
    /// One per leg.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub obligations: Vec<Obligation>,
    /// The partners that it concerns, by code.
    pub parties: Vec<PartnerCode>,
    /// In order; sums to zero per program.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub postings: Vec<Posting>,
    /// Its id.
    pub record_id: RecordId,
    /// Names this shape: [`Record::SCHEMA`].
    pub schema: Cow<'static, str>,
    /// The principal.
    pub who: String,
    /// The settlement period, where something is owed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window_id: Option<WindowId>,
}

impl Record {
    /// The name of this shape of records.
    pub const SCHEMA: &'static str = "pointbridge.record.v1";

    /// The exchange, where the record is of one.
    #[must_use]
    pub const fn exchange(&self) -> Option<&Exchange> {
        match &self.body {
            Body::Exchange(exchange) => Some(exchange),
            _ => None,
        }
    }

    /// The reversal, where the record is of one.
    #[must_use]
    pub const fn reversal(&self) -> Option<&Reversal> {
        match &self.body {
            Body::Reversal(reversal) => Some(reversal),
            _ => None,
        }
    }

    /// The exchange that the record is of or about, where there is one.
    #[must_use]
    pub const fn exchange_id(&self) -> Option<ExchangeId> {
        match &self.body {
            Body::Exchange(exchange) => Some(exchange.exchange_id),
            Body::Reversal(reversal) => Some(reversal.exchange_id),
            _ => None,
        }
    }

    /// Why it was done and the caller's own name for the cause, where the record says so.
    #[must_use]
    pub const fn cause(&self) -> (Option<&ReasonCode>, Option<&Reference>) {
        match &self.body {
            Body::Points(points) => (points.reason.as_ref(), points.reference.as_ref()),
            Body::Reversal(reversal) => (Some(&reversal.reason), Some(&reversal.reference)),
            _ => (None, None),
        }
    }

    /// Reads a record's canonical bytes.
    ///
    /// # Errors
    /// Where the bytes are not a record of this schema.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// A record and its bytes, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// What it says.
    pub record: Arc<Record>,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: Hash,
    /// 128 random bits for its leaf in the log.
    pub salt: [u8; 16],
}

impl SealedRecord {
    /// Makes the canonical bytes of a record.
    ///
    /// # Errors
    /// Never for records that this crate can make; see [`canonical::to_bytes`].
    pub fn seal(record: Record, salt: [u8; 16]) -> Result<Self, serde_json::Error> {
        let bytes = canonical::to_bytes(&record)?;
        let hash = canonical::hash(Domain::Record, &bytes);
        Ok(Self { record: Arc::new(record), bytes, hash, salt })
    }
}
