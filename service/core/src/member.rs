//! Members, their memberships, link codes and consents.

use serde::{Deserialize, Serialize};

use crate::canonical::{Hash, hex_hash};
use crate::ids::{ConsentId, LinkCodeId, MemberId, MembershipId, ProgramId};
use crate::text::{NoticeVersion, PartnerCode, ReasonCode, Reference};
use crate::time::Timestamp;

/// How long a link code lives, in seconds: 10 minutes.
pub const LINK_CODE_TTL_SECONDS: u32 = 600;

/// Whether a membership takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MembershipStatus {
    /// It does.
    Active,
    /// It keeps its points and does nothing.
    Frozen,
}

/// A member's enrolment in one program. Also names its points account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its id.
    pub membership_id: MembershipId,
    /// The person. Changes when two members turn out to be one.
    pub member_id: MemberId,
    /// The program.
    pub program_id: ProgramId,
    /// The program's partner.
    pub partner: PartnerCode,
    /// The partner's own opaque name for the member, in clear only here.
    pub external_reference: Reference,
    /// 128 random bits, with which the reference stands as a commitment in the record.
    pub reference_salt: [u8; 16],
    /// Whether it takes part.
    pub status: MembershipStatus,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A code that one home program made for one partner, to prove that two memberships are one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCode {
    /// Its id; the code itself derives from it under a key of the hub.
    pub link_code_id: LinkCodeId,
    /// A hash of the code. The code itself is stored nowhere.
    pub code_hash: Hash,
    /// The membership that it was made for.
    pub membership_id: MembershipId,
    /// The only partner that may bring it.
    pub partner: PartnerCode,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
    /// The membership that it was brought with, once it was.
    pub used_by: Option<MembershipId>,
}

/// What a consent allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsentScope {
    /// To be recognized.
    Recognize,
    /// To be enrolled.
    Enroll,
    /// To exchange points.
    Exchange,
    /// To use coupons.
    Coupon,
}

impl ConsentScope {
    /// Every scope, in the order of the proto.
    pub const ALL: [Self; 4] = [Self::Recognize, Self::Enroll, Self::Exchange, Self::Coupon];

    /// The name in records and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recognize => "RECOGNIZE",
            Self::Enroll => "ENROLL",
            Self::Exchange => "EXCHANGE",
            Self::Coupon => "COUPON",
        }
    }
}

/// What a consent is about: at most one is in force for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsentKey {
    /// The membership at whose program it was given.
    pub membership_id: MembershipId,
    /// The partner that it names.
    pub recipient: PartnerCode,
    /// What it allows.
    pub scope: ConsentScope,
}

/// A member's grant to share with a named partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id.
    pub consent_id: ConsentId,
    /// The membership at whose program it was given.
    pub membership_id: MembershipId,
    /// The partner that it names.
    pub recipient: PartnerCode,
    /// What it allows.
    pub scope: ConsentScope,
    /// What for, as a code of the home program's list.
    pub purpose: ReasonCode,
    /// The privacy notice that was shown.
    pub notice_version: NoticeVersion,
    /// SHA-256 of the evidence, which the home program keeps.
    #[serde(with = "hex_hash")]
    pub evidence_hash: Hash,
    /// When it was given.
    pub granted_at: Timestamp,
    /// When it ends by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

impl Consent {
    /// What it is about.
    #[must_use]
    pub fn key(&self) -> ConsentKey {
        ConsentKey { membership_id: self.membership_id, recipient: self.recipient.clone(), scope: self.scope }
    }

    /// Whether it has not ended by itself at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// The end that a member put to a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The consent.
    pub consent_id: ConsentId,
    /// Why, as a code of the home program's list.
    pub reason: ReasonCode,
    /// When.
    pub withdrawn_at: Timestamp,
}
