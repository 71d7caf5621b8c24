//! Partners and their programs.

use serde::{Deserialize, Serialize};

use crate::ids::ProgramId;
use crate::points::Scale;
use crate::text::{DisplayName, PartnerCode, ProgramCode};
use crate::time::{Expiry, Timestamp};

/// Whether a partner may start something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PartnerStatus {
    /// May.
    Active,
    /// May commit, abort and read; nothing new.
    Suspended,
}

/// A merchant company of the alliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Immutable and never reused.
    pub code: PartnerCode,
    /// As people read it.
    pub name: DisplayName,
    /// Whether it may start something new.
    pub status: PartnerStatus,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Who keeps a program's balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Custody {
    /// The hub.
    Hosted,
    /// The partner's own system, which votes in each exchange.
    PartnerHeld,
}

/// A loyalty program and its points currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its id.
    pub program_id: ProgramId,
    /// Whose it is.
    pub partner: PartnerCode,
    /// Unique within the partner.
    pub code: ProgramCode,
    /// As people read it.
    pub name: DisplayName,
    /// Decimals of its points. Never changes.
    pub scale: Scale,
    /// Who keeps the balances. Never changes.
    pub custody: Custody,
    /// Points expire at the end of the calendar month this many months after the one they came in; 0 = never. At most 120.
    pub points_expiry_months: u8,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Program {
    /// The most months that points can live by a program's rule: ten years.
    pub const POINTS_EXPIRY_MONTHS_MAX: u8 = 120;

    /// When points that come at `now` expire by the program's rule.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        if self.points_expiry_months == 0 {
            return Expiry::Never;
        }
        now.month().end_after(self.points_expiry_months).map_or(Expiry::Never, Expiry::At)
    }
}
