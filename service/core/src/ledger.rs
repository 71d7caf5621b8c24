//! The hosted ledger: accounts, lots and postings.
//!
//! Points that came together and expire together are one lot. Lots are spent first-expiring-first; those of equal expiry
//! and month of origin are merged, so that an account has few of them. A hold reserves points and the lots that they will
//! come from, without a posting; held lots do not expire.
//!
//! What stands in a record has its fields in the order of their names, in which canonical bytes are written without being
//! put into order.
//!
//! Amounts are changed only by the functions here, each of which checks for overflow and for `0 <= held <= posted`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{MembershipId, ProgramId};
use crate::points::Amount;
use crate::time::{Expiry, Month, Timestamp};

/// The most lots that one command may touch.
pub const LOTS_PER_COMMAND_MAX: usize = 256;

/// The most live holds on one membership.
pub const HOLDS_PER_MEMBERSHIP_MAX: u32 = 100;

/// The most live holds of one initiator.
pub const HOLDS_PER_INITIATOR_MAX: i64 = 100_000;

/// The points account of a membership, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub membership_id: MembershipId,
    /// The sum of its postings; never negative.
    pub posted: i64,
    /// The sum of its live holds; at most `posted`.
    pub held: i64,
    /// How many postings it has: the number of its last one.
    pub postings: i64,
    /// How many live holds it has.
    pub live_holds: u32,
}

impl Account {
    /// A new account: nothing on it.
    #[must_use]
    pub const fn open(membership_id: MembershipId) -> Self {
        Self { membership_id, posted: 0, held: 0, postings: 0, live_holds: 0 }
    }

    /// What may be spent: posted less held.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.posted.saturating_sub(self.held)
    }

    /// The account after one posting of `minor`. `None` where the result would be negative, less than what is held, or
    /// too large.
    #[must_use]
    pub fn post(self, minor: i64) -> Option<Self> {
        let posted = self.posted.checked_add(minor)?;
        let postings = self.postings.checked_add(1)?;
        (posted >= self.held).then_some(Self { posted, postings, ..self })
    }

    /// The account after holding `minor` more. `None` where that is not available.
    #[must_use]
    pub fn hold(self, minor: i64) -> Option<Self> {
        let held = self.held.checked_add(minor)?;
        let live_holds = self.live_holds.checked_add(1)?;
        (minor >= 0 && held <= self.posted).then_some(Self { held, live_holds, ..self })
    }

    /// The account after the end of a hold of `minor`. `None` where there was none.
    #[must_use]
    pub fn release(self, minor: i64) -> Option<Self> {
        let held = self.held.checked_sub(minor)?;
        let live_holds = self.live_holds.checked_sub(1)?;
        (minor >= 0 && held >= 0).then_some(Self { held, live_holds, ..self })
    }
}

/// What makes points one lot, in the order in which lots are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotKey {
    /// When they are over.
    pub expiry: Expiry,
    /// The month that they came in.
    pub origin: Month,
    /// Whether they can be exchanged on.
    pub exchangeable: bool,
}

/// A lot's points, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lot {
    /// Not yet spent.
    pub remaining: i64,
    /// Of these, held.
    pub held: i64,
}

impl Lot {
    /// What a new command may take.
    #[must_use]
    pub fn free(&self) -> i64 {
        self.remaining.saturating_sub(self.held)
    }

    /// The lot after a change that was decided.
    #[must_use]
    pub const fn after(self, delta: LotDelta) -> Self {
        Self {
            remaining: self.remaining.saturating_add(delta.remaining),
            held: self.held.saturating_add(delta.held),
        }
    }
}

/// By how much a lot changes. Deltas add up, so that a lot need not be loaded to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LotDelta {
    /// To what remains.
    pub remaining: i64,
    /// To what is held.
    pub held: i64,
}

impl LotDelta {
    /// Both deltas one after the other.
    #[must_use]
    pub const fn and(self, next: Self) -> Self {
        Self {
            remaining: self.remaining.saturating_add(next.remaining),
            held: self.held.saturating_add(next.held),
        }
    }
}

/// The lots of an account that a store loaded: those with something free, the first to expire first, at most
/// [`LOTS_PER_COMMAND_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LotSet {
    /// By key, which is the order of spending.
    pub lots: BTreeMap<LotKey, Lot>,
    /// Whether these are all that have something free.
    pub complete: bool,
    /// Whether an earlier command of the same batch changed them, so that what was not loaded may matter now.
    pub changed: bool,
}

impl LotSet {
    /// Applies a delta that was decided. A lot that was not loaded counts only where the set is complete, because only
    /// then is it known to be new.
    pub fn apply(&mut self, key: LotKey, delta: LotDelta) {
        self.changed = true;
        let loaded = self.lots.contains_key(&key);
        if !loaded && !self.complete {
            return;
        }
        let lot = self.lots.entry(key).or_default();
        *lot = lot.after(delta);
    }

    /// The lots that are over at `now` and have something free: they are written off before anything else is decided.
    pub fn over(&self, now: Timestamp) -> impl Iterator<Item = (LotKey, i64)> + '_ {
        let over = self.lots.iter().filter(move |(key, lot)| key.expiry.is_over(now) && lot.free() > 0);
        over.map(|(key, lot)| (*key, lot.free()))
    }

    /// Chooses the lots that `minor` units come from, first-expiring-first, leaving out what is over at `now` and, for an
    /// exchange, what cannot be exchanged.
    ///
    /// # Errors
    /// [`PickError`].
    pub fn pick(&self, minor: i64, now: Timestamp, use_for: UseFor) -> Result<Vec<(LotKey, i64)>, PickError> {
        let mut missing = minor;
        let mut picked = Vec::new();
        let mut all_seen = true;
        for (key, lot) in &self.lots {
            let suits = lot.free() > 0
                && !key.expiry.is_over(now)
                && (key.exchangeable || use_for == UseFor::Anything);
            if !suits || missing <= 0 {
                continue;
            }
            if picked.len() >= LOTS_PER_COMMAND_MAX {
                all_seen = false;
                break;
            }
            let taken = missing.min(lot.free());
            picked.push((*key, taken));
            missing = missing.saturating_sub(taken);
        }
        match () {
            () if missing <= 0 => Ok(picked),
            () if self.complete && all_seen => Err(PickError::Insufficient),
            () if self.changed && all_seen => Err(PickError::Stale),
            () => Err(PickError::TooManyLots),
        }
    }
}

/// What points are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseFor {
    /// To be exchanged on: exchangeable lots only.
    Exchange,
    /// For anything else.
    Anything,
}

/// Why lots could not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickError {
    /// There are not as many points.
    Insufficient,
    /// More lots would be needed than one command may touch.
    TooManyLots,
    /// Earlier commands of the batch used up what was loaded: decide again with a fresh load.
    Stale,
}

/// The accounts of a program's chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChartAccount {
    /// The members' points: what the program owes.
    Member,
    /// Points made by accrual.
    Issuance,
    /// Points that arrived by exchange.
    ExchangeIn,
    /// Points that left by exchange.
    ExchangeOut,
    /// Points kept back as a fee.
    Fee,
    /// Points that expired.
    Expired,
    /// Corrections by the program's owner.
    Adjustment,
    /// What members owe after a reversal.
    Debt,
}

impl ChartAccount {
    /// The name in records and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "MEMBER",
            Self::Issuance => "ISSUANCE",
            Self::ExchangeIn => "EXCHANGE_IN",
            Self::ExchangeOut => "EXCHANGE_OUT",
            Self::Fee => "FEE",
            Self::Expired => "EXPIRED",
            Self::Adjustment => "ADJUSTMENT",
            Self::Debt => "DEBT",
        }
    }
}

/// One line of a double-entry posting. The lines of a record sum to zero in every program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account.
    pub account: ChartAccount,
    /// Signed; the program's points.
    pub amount: Amount,
    /// On a member's account: whose, and how the account stands after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<MemberPosting>,
    /// The program whose chart it is in.
    pub program_id: ProgramId,
}

/// What a posting on a member's account says beside its amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPosting {
    /// The account's sum after this posting.
    pub balance_after: Amount,
    /// The account.
    pub membership_id: MembershipId,
    /// Counts from 1 in this account, without gaps.
    pub sequence: i64,
}

/// What a record changed in one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotMovement {
    /// Whether it can be exchanged on.
    pub exchangeable: bool,
    /// When the lot is over; absent for never.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
    /// Signed, to what is held.
    pub held: Amount,
    /// The account.
    pub membership_id: MembershipId,
    /// The month that its points came in, as [`Month::number`].
    pub origin_month: i32,
    /// Signed, to what remains.
    pub remaining: Amount,
}

impl LotMovement {
    /// The lot that it changed.
    #[must_use]
    pub fn key(&self) -> LotKey {
        LotKey {
            expiry: self.expires_at.map_or(Expiry::Never, Expiry::At),
            origin: Month::from_number(self.origin_month),
            exchangeable: self.exchangeable,
        }
    }

    /// By how much.
    #[must_use]
    pub const fn delta(&self) -> LotDelta {
        LotDelta { remaining: self.remaining.minor(), held: self.held.minor() }
    }
}
