//! Agreements: the versioned contract of a pair of partners.
//!
//! A version's terms are canonical bytes that never change once they are proposed; the party that did not write them
//! accepts them by their hash. Which version is in force stands on the agreement, not on the version.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Domain, Hash};
use crate::ids::{AgreementId, ProgramId};
use crate::money::{Currency, Money, Price};
use crate::points::Amount;
use crate::rate::{Rate, Rounding};
use crate::text::PartnerCode;
use crate::time::Timestamp;

/// Two different partners, unordered: the lower code first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    low: PartnerCode,
    high: PartnerCode,
}

impl Pair {
    /// The pair of two partners; `None` where they are one.
    #[must_use]
    pub fn new(one: &PartnerCode, other: &PartnerCode) -> Option<Self> {
        match one.cmp(other) {
            std::cmp::Ordering::Less => Some(Self { low: one.clone(), high: other.clone() }),
            std::cmp::Ordering::Greater => Some(Self { low: other.clone(), high: one.clone() }),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// The partner with the lower code.
    #[must_use]
    pub const fn low(&self) -> &PartnerCode {
        &self.low
    }

    /// The partner with the higher code.
    #[must_use]
    pub const fn high(&self) -> &PartnerCode {
        &self.high
    }

    /// Whether the partner is one of the two.
    #[must_use]
    pub fn has(&self, partner: &PartnerCode) -> bool {
        *partner == self.low || *partner == self.high
    }
}

/// Who owns what rounding leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResidueOwner {
    /// Nobody: it lapses.
    Nobody,
    /// The source partner.
    Source,
    /// The destination partner.
    Destination,
}

/// Which points the obligation is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Basis {
    /// Those credited at the destination.
    Credited,
    /// Those taken at the source.
    Source,
}

/// How obligations are covered until they are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// Afterwards, up to a limit.
    Postpaid {
        /// What the source partner may owe the destination partner net, prepared and committed; settlement currency.
        exposure_limit: Money,
    },
}

/// What holds for exchanges from one program into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectionTerms {
    /// Points leave this program …
    pub source_program: ProgramId,
    /// … and arrive in this one, of the other partner.
    pub destination_program: ProgramId,
    /// `give : get`, in minor units.
    pub rate: Rate,
    /// How the result is rounded, once.
    pub rounding: Rounding,
    /// Who owns what rounding leaves.
    pub residue_owner: ResidueOwner,
    /// The least that one exchange may take, in source points.
    pub minimum: Amount,
    /// The most that one exchange may take, in source points.
    pub maximum: Amount,
    /// What it takes is a multiple of this, in source points.
    pub step: Amount,
    /// Kept back from the result, in destination points; zero for none.
    pub fee: Amount,
    /// Which points the obligation counts.
    pub basis: Basis,
    /// What they are worth.
    pub price: Price,
    /// How the obligation is covered.
    pub funding: Funding,
    /// How long prepared points stay held.
    pub hold_seconds: u32,
    /// For how many days after its commit the initiator may reverse an exchange, 0 for never; absent for
    /// [`REVERSAL_DAYS_DEFAULT`](crate::reversal::REVERSAL_DAYS_DEFAULT). Left out of the canonical bytes where it is
    /// absent, so that terms from before there were reversals keep their hash.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reversal_days: Option<u32>,
}

impl DirectionTerms {
    /// Where the terms name no hold time: 5 minutes.
    pub const HOLD_SECONDS_DEFAULT: u32 = 300;
    /// The shortest hold.
    pub const HOLD_SECONDS_MIN: u32 = 1;
    /// The longest hold: 60 minutes.
    pub const HOLD_SECONDS_MAX: u32 = 3600;
    /// The longest term for reversals by the initiator.
    pub const REVERSAL_DAYS_MAX: u32 = 365;
}

/// The terms of one version, as both parties see and hash them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Names this shape: [`Terms::SCHEMA`].
    pub schema: String,
    /// Everything that the pair owes is in this currency.
    pub settlement_currency: Currency,
    /// One entry per ordered pair of programs, at most [`Terms::DIRECTIONS_MAX`].
    pub directions: Vec<DirectionTerms>,
}

impl Terms {
    /// The name of this shape of terms.
    pub const SCHEMA: &'static str = "pointbridge.terms.v1";
    /// Four programs on one side with four on the other.
    pub const DIRECTIONS_MAX: usize = 16;

    /// What holds from one program into another, if anything does.
    #[must_use]
    pub fn direction(&self, source: ProgramId, destination: ProgramId) -> Option<&DirectionTerms> {
        self.directions.iter().find(|d| d.source_program == source && d.destination_program == destination)
    }

    /// The canonical bytes and their hash.
    ///
    /// # Errors
    /// Never for values that this crate can make; see [`canonical::to_bytes`].
    pub fn seal(&self) -> Result<(Vec<u8>, Hash), serde_json::Error> {
        let bytes = canonical::to_bytes(self)?;
        let hash = canonical::hash(Domain::Terms, &bytes);
        Ok((bytes, hash))
    }
}

/// One version: who proposed what, and when. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementVersion {
    /// The agreement.
    pub agreement_id: AgreementId,
    /// Counts from 1.
    pub version: u32,
    /// Who wrote it; the other party accepts.
    pub author: PartnerCode,
    /// What it says.
    pub terms: Terms,
    /// SHA-256 of the canonical bytes of `terms`.
    #[serde(with = "canonical::hex_hash")]
    pub terms_hash: Hash,
    /// When it was proposed.
    pub proposed_at: Timestamp,
}

/// The contract of a pair: which version is in force and which waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Its id.
    pub agreement_id: AgreementId,
    /// Whose it is.
    pub pair: Pair,
    /// The highest version there is.
    pub latest_version: u32,
    /// The version in force, if one is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_version: Option<u32>,
    /// Since when it is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_since: Option<Timestamp>,
    /// The version that waits for acceptance, if one does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pending_version: Option<u32>,
    /// When its first version was proposed.
    pub created_at: Timestamp,
}
