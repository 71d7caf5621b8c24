//! Reversals: a committed exchange given back, as a whole or in parts.
//!
//! The exchange itself stays COMMITTED: a final state never changes. Each part is a record of its own, and everything about
//! it follows from one number: how many source points are reversed once it is. Whatever was reversed in parts is therefore,
//! after each part, what one reversal of that size would have given; the last part takes what rounding had left.
//!
//! Absent on purpose: rates and prices. A reversal is a share of what the exchange did, at the terms of then.

use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, Leg, Side};
use crate::exposure::Obligation;
use crate::ids::{AgreementId, ExchangeId, MembershipId, ReversalId};
use crate::ledger::{LotKey, LotMovement};
use crate::money::Money;
use crate::points::Amount;
use crate::rate::{Rounding, divide};
use crate::text::{PartnerCode, ReasonCode, Reference};
use crate::time::{Expiry, Timestamp};

/// In how many parts one exchange can be reversed; the last of them takes all that is left. Bounds what one exchange can
/// show.
pub const REVERSALS_PER_EXCHANGE_MAX: u32 = 100;

/// For how many days after the commit the initiator may reverse, where the terms name no term: 30.
pub const REVERSAL_DAYS_DEFAULT: u32 = 30;

/// How long points that are given back live at least, in days: 30.
pub const GRACE_DAYS: u32 = 30;

/// Seconds in a day.
const DAY_SECONDS: u32 = 86_400;

/// What a leg moved, or a share of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Points of the source.
    pub source_points: Amount,
    /// Points that the destination program kept.
    pub fee_points: Amount,
    /// Points that the destination's member got.
    pub credited_points: Amount,
    /// What the partners owed each other for it, in the obligation's currency.
    pub money: Money,
}

impl Share {
    /// The share of a leg that `part` of `whole` source units make: points toward zero, money half-even, all of it where
    /// `part` is `whole`. Never less for a larger part.
    ///
    /// `None` where `part` is below zero or above `whole`.
    #[must_use]
    pub fn of(leg: &Leg, part: i64, whole: i64) -> Option<Self> {
        if part < 0 || part > whole {
            return None;
        }
        let cut = |amount: i64, rounding| {
            let product = i128::from(amount).checked_mul(i128::from(part))?;
            i64::try_from(divide(product, i128::from(whole), rounding)?).ok()
        };
        let points = |amount: Amount| {
            cut(amount.minor(), Rounding::TowardZero).map(|minor| Amount::new(minor, amount.scale()))
        };
        Some(Self {
            source_points: points(leg.source_points)?,
            fee_points: points(leg.fee_points)?,
            credited_points: points(leg.credited_points)?,
            money: cut(leg.obligation.money.millionths(), Rounding::HalfEven).map(Money::from_millionths)?,
        })
    }

    /// What this share has beyond an earlier one. `None` where the earlier one has more of anything.
    #[must_use]
    pub fn beyond(&self, earlier: &Self) -> Option<Self> {
        let rest = |now: i64, then: i64| now.checked_sub(then).filter(|rest| *rest >= 0);
        let points = |now: Amount, then: Amount| {
            rest(now.minor(), then.minor()).map(|minor| Amount::new(minor, now.scale()))
        };
        Some(Self {
            source_points: points(self.source_points, earlier.source_points)?,
            fee_points: points(self.fee_points, earlier.fee_points)?,
            credited_points: points(self.credited_points, earlier.credited_points)?,
            money: rest(self.money.millionths(), earlier.money.millionths()).map(Money::from_millionths)?,
        })
    }
}

/// A leg of a reversal: what this part of it gives back, and what all parts have given back with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversedLeg {
    /// The number of the exchange's leg.
    pub number: u32,
    /// The agreement that the exchange is under …
    pub agreement_id: AgreementId,
    /// … and its version of then.
    pub agreement_version: u32,
    /// Where points come back to.
    pub source: Side,
    /// Where points are taken back.
    pub destination: Side,
    /// What this part gives back.
    pub part: Share,
    /// What all parts up to this one have given back.
    pub reversed: Share,
    /// What the partners owe each other for this part: the other way round than for the exchange.
    pub obligation: Obligation,
}

impl ReversedLeg {
    /// The part of a leg that takes what is reversed from `before` to `after` out of `whole` source units. `None` where the
    /// numbers do not follow one another.
    #[must_use]
    pub fn of(leg: &Leg, step: Step, whole: i64) -> Option<Self> {
        let reversed = Share::of(leg, step.after, whole)?;
        let part = reversed.beyond(&Share::of(leg, step.before, whole)?)?;
        Some(Self {
            number: leg.number,
            agreement_id: leg.agreement_id,
            agreement_version: leg.agreement_version,
            source: leg.source.clone(),
            destination: leg.destination.clone(),
            obligation: Obligation {
                debtor: leg.obligation.creditor.clone(),
                creditor: leg.obligation.debtor.clone(),
                currency: leg.obligation.currency,
                money: part.money,
            },
            part,
            reversed,
        })
    }
}

/// A committed exchange, or a part of it, given back. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// Its id.
    pub reversal_id: ReversalId,
    /// Of which exchange.
    pub exchange_id: ExchangeId,
    /// Counts the parts from 1, at most [`REVERSALS_PER_EXCHANGE_MAX`].
    pub number: u32,
    /// The partner that asked for it.
    pub reverser: PartnerCode,
    /// One per leg of the exchange.
    pub legs: Vec<ReversedLeg>,
    /// Why.
    pub reason: ReasonCode,
    /// The caller's own name for it.
    pub reference: Reference,
    /// When.
    pub reversed_at: Timestamp,
}

impl Reversal {
    /// How far the exchange is reversed with this part.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let source = self.legs.first().map_or(0, |leg| leg.reversed.source_points.minor());
        Progress { parts: self.number, source }
    }
}

/// How far an exchange is reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// In how many parts.
    pub parts: u32,
    /// How many source minor units of its first leg.
    pub source: i64,
}

/// One part: from how many source units reversed to how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Reversed before.
    pub before: i64,
    /// Reversed with it.
    pub after: i64,
}

/// What an exchange takes from its source: what all shares are counted by. Zero for one without legs, which is none.
#[must_use]
pub fn whole(exchange: &Exchange) -> i64 {
    exchange.legs.first().map_or(0, |leg| leg.source_points.minor())
}

/// What is reversed of an exchange in all: points that came back to the source, and points that were taken back at the
/// destination. `None` for more than there was.
#[must_use]
pub fn reversed(exchange: &Exchange, source: i64) -> Option<(Amount, Amount)> {
    let whole = whole(exchange);
    let back = Share::of(exchange.legs.first()?, source, whole)?.source_points;
    Some((back, Share::of(exchange.legs.last()?, source, whole)?.credited_points))
}

/// Until when the initiator may reverse an exchange, and the days that its terms give. `None` where it is not committed.
#[must_use]
pub fn term(exchange: &Exchange) -> Option<(Timestamp, u32)> {
    let days = exchange.legs.first()?.reversal_days.unwrap_or(REVERSAL_DAYS_DEFAULT);
    Some((exchange.decided_at?.plus_seconds(days.saturating_mul(DAY_SECONDS)), days))
}

/// The lot that a commit credited at a destination, by the lot movements of its record.
#[must_use]
pub fn own_lot(committed: &[LotMovement], destination: MembershipId) -> Option<LotKey> {
    let credited =
        committed.iter().find(|moved| moved.membership_id == destination && moved.remaining.minor() > 0);
    credited.map(LotMovement::key)
}

/// The lots in which a step gives points back to a source: those that the commit had spent, the last spent first, each
/// with its month of origin, living until its own expiry and no less than [`GRACE_DAYS`] from `now`.
#[must_use]
pub fn given_back(
    committed: &[LotMovement],
    source: MembershipId,
    step: Step,
    now: Timestamp,
) -> Vec<(LotKey, i64)> {
    let spent = committed.iter().rev().filter(|moved| moved.membership_id == source);
    let mut passed: i64 = 0;
    let mut lots = Vec::new();
    for moved in spent {
        let taken = moved.remaining.minor().saturating_neg().max(0);
        let until = passed.saturating_add(taken);
        let minor = until.min(step.after).saturating_sub(passed.max(step.before));
        if minor > 0 {
            lots.push((with_grace(moved.key(), now), minor));
        }
        passed = until;
    }
    lots
}

/// The lot in which points come back that were spent from this one: not over before the grace is, and then at the end of a
/// day (UTC), so that what comes back on one day in many parts is one lot.
fn with_grace(key: LotKey, now: Timestamp) -> LotKey {
    let grace = now.plus_seconds(GRACE_DAYS.saturating_mul(DAY_SECONDS)).to_end_of_day();
    LotKey { expiry: key.expiry.max(Expiry::At(grace)), ..key }
}
