//! Exchanges and their two phases.
//!
//! ```text
//! PENDING -> PREPARED -> COMMITTED
//!     |          |
//!     +----------+-----> ABORTED | EXPIRED
//! ```
//!
//! COMMITTED, ABORTED and EXPIRED are final. With hosted sides only, a prepare answers PREPARED at once. The functions at
//! the end of this file are the only way from one state to the next.
//!
//! What stands in a record has its fields in the order of their names, in which canonical bytes are written without being
//! put into order.

use serde::{Deserialize, Serialize};

use crate::agreement::ResidueOwner;
use crate::canonical::{Hash, hex_hash};
use crate::exposure::Obligation;
use crate::ids::{AgreementId, ExchangeId, MembershipId, ProgramId, ReservationId};
use crate::partner::Custody;
use crate::points::Amount;
use crate::rejections;
use crate::text::{PartnerCode, ReasonCode, Reference};
use crate::time::Timestamp;

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationState {
    /// A partner that keeps balances itself has not voted yet.
    Pending,
    /// Everything is held.
    Prepared,
    /// Done.
    Committed,
    /// Called off by a party.
    Aborted,
    /// Over by time.
    Expired,
}

impl ReservationState {
    /// Every state, in the order of the proto.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Prepared, Self::Committed, Self::Aborted, Self::Expired];

    /// The name in records and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Prepared => "PREPARED",
            Self::Committed => "COMMITTED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Reads what [`ReservationState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Committed | Self::Aborted | Self::Expired)
    }
}

/// The initiator's own names for the purchase; searchable, and on statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct References {
    /// The order.
    pub order: Reference,
    /// The store.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub store: Option<Reference>,
    /// The till.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub till: Option<Reference>,
}

/// One end of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Who keeps the balance.
    pub custody: Custody,
    /// The membership whose points move.
    pub membership_id: MembershipId,
    /// Its partner.
    pub partner: PartnerCode,
    /// The program.
    pub program_id: ProgramId,
}

/// What rounding left: `numerator / denominator` of one destination minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// As a decimal text; above zero.
    #[serde(with = "integer_text")]
    pub denominator: i64,
    /// As a decimal text; negative where the result was rounded up.
    #[serde(with = "integer_text")]
    pub numerator: i64,
    /// Who owns it.
    pub owner: ResidueOwner,
}

/// Points on their way from one program to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The agreement that it is under.
    pub agreement_id: AgreementId,
    /// The version of it.
    pub agreement_version: u32,
    /// What the member gets.
    pub credited_points: Amount,
    /// Where points arrive.
    pub destination: Side,
    /// What the destination program keeps back.
    pub fee_points: Amount,
    /// What that makes at the rate, rounded once.
    pub gross_points: Amount,
    /// Counts from 1.
    pub number: u32,
    /// What the partners owe each other for it.
    pub obligation: Obligation,
    /// What rounding left.
    pub residue: Residue,
    /// For how many days after the commit the initiator may reverse it, where the terms say so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reversal_days: Option<u32>,
    /// Where points leave.
    pub source: Side,
    /// What is taken.
    pub source_points: Amount,
    /// The hash of that version's terms.
    #[serde(with = "hex_hash")]
    pub terms_hash: Hash,
}

/// Points moved from a membership in one program to one in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Why it was aborted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub abort_reason: Option<ReasonCode>,
    /// When it came to its final state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_at: Option<Timestamp>,
    /// Its id.
    pub exchange_id: ExchangeId,
    /// When the hold is over.
    pub hold_expires_at: Timestamp,
    /// The partner that prepared it, and alone may commit it.
    pub initiator: PartnerCode,
    /// One to three.
    pub legs: Vec<Leg>,
    /// When it was prepared.
    pub prepared_at: Timestamp,
    /// The initiator's own names for it.
    pub references: References,
    /// The reservation under it.
    pub reservation_id: ReservationId,
    /// Where it stands.
    pub state: ReservationState,
}

impl Exchange {
    /// Whether a partner is on either end of a leg.
    #[must_use]
    pub fn is_party(&self, partner: &PartnerCode) -> bool {
        self.legs.iter().any(|leg| leg.source.partner == *partner || leg.destination.partner == *partner)
    }

    /// The partners of all legs, by code.
    #[must_use]
    pub fn parties(&self) -> Vec<PartnerCode> {
        let mut parties = Vec::with_capacity(self.legs.len().saturating_mul(2));
        parties.extend(
            self.legs.iter().flat_map(|leg| [&leg.source.partner, &leg.destination.partner]).cloned(),
        );
        parties.sort_unstable();
        parties.dedup();
        parties
    }
}

rejections! {
    /// Why an exchange cannot be committed, in order of precedence.
    pub enum CommitRejection {
        Aborted => ReservationAborted, "the exchange was aborted: prepare a new one";
        Expired => HoldExpired, "the hold was over before the commit, and the points are free again: quote and prepare anew";
    }
}

rejections! {
    /// Why an exchange cannot be aborted, in order of precedence.
    pub enum AbortRejection {
        Committed => ReservationCommitted, "the exchange was committed: it can only be reversed";
        Expired => HoldExpired, "the hold was over before the abort; the points are free again and nothing is left to do";
    }
}

/// What a phase-two request finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It moves the exchange to this.
    Moves(Box<Exchange>),
    /// It asks for what is already so: the answer is the one given then.
    Already,
}

/// Phase two: spends the hold.
///
/// # Errors
/// [`CommitRejection`], in its order. A hold that is over at `now` is expired, whether or not that was recorded.
pub fn commit(exchange: &Exchange, now: Timestamp) -> Result<Phase, CommitRejection> {
    match exchange.state {
        ReservationState::Committed => Ok(Phase::Already),
        ReservationState::Aborted => Err(CommitRejection::Aborted),
        ReservationState::Expired => Err(CommitRejection::Expired),
        ReservationState::Pending | ReservationState::Prepared if exchange.hold_expires_at <= now => {
            Err(CommitRejection::Expired)
        }
        ReservationState::Pending | ReservationState::Prepared => {
            Ok(moved(exchange, ReservationState::Committed, now, None))
        }
    }
}

/// Phase two: lets the hold go.
///
/// # Errors
/// [`AbortRejection`], in its order. A hold that is over at `now` is expired, whether or not that was recorded.
pub fn abort(exchange: &Exchange, reason: &ReasonCode, now: Timestamp) -> Result<Phase, AbortRejection> {
    match exchange.state {
        ReservationState::Aborted => Ok(Phase::Already),
        ReservationState::Committed => Err(AbortRejection::Committed),
        ReservationState::Expired => Err(AbortRejection::Expired),
        ReservationState::Pending | ReservationState::Prepared if exchange.hold_expires_at <= now => {
            Err(AbortRejection::Expired)
        }
        ReservationState::Pending | ReservationState::Prepared => {
            Ok(moved(exchange, ReservationState::Aborted, now, Some(reason.clone())))
        }
    }
}

/// The end that time brings: the expired exchange, or `None` where it is final already or its hold lasts.
#[must_use]
pub fn expire(exchange: &Exchange, now: Timestamp) -> Option<Exchange> {
    if exchange.state.is_final() || now < exchange.hold_expires_at {
        return None;
    }
    match moved(exchange, ReservationState::Expired, now, None) {
        Phase::Moves(expired) => Some(*expired),
        Phase::Already => None,
    }
}

fn moved(exchange: &Exchange, state: ReservationState, now: Timestamp, reason: Option<ReasonCode>) -> Phase {
    Phase::Moves(Box::new(Exchange {
        state,
        decided_at: Some(now),
        abort_reason: reason,
        ..exchange.clone()
    }))
}

/// 64-bit integers as decimal texts: JSON readers elsewhere lose digits beyond 53 bits.
mod integer_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes fields by reference
    pub(super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
