//! What a caller has left of the limits that the hub keeps for its partner.
//!
//! WhoAmI tells it. Absent on purpose: the limits themselves.

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What is limited, such as `calls_per_second`.
    pub name: &'static str,
    /// How much there is when nothing is used.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
}

/// The limits of a request's caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas(pub Vec<Quota>);
