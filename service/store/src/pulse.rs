//! What is open at the moment, for those who watch the hub.

use pointbridge_core::time::Timestamp;

/// What is open at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Exchanges that are neither committed, called off nor over.
    pub holds_open: i64,
    /// When the oldest of them was made.
    pub oldest_hold_at: Option<Timestamp>,
    /// When the hold of the one that is over first is over; may have passed.
    pub first_hold_ends_at: Option<Timestamp>,
    /// The store's clock.
    pub now: Timestamp,
}
