//! Who acts: what a decision needs to know of a principal.

use crate::text::PartnerCode;

/// The side of the hub that a caller stands on. It comes from the client certificate, never from a request's body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The company that runs the hub.
    Operator,
    /// A partner, by its code.
    Partner(PartnerCode),
    /// Reads everything, changes nothing.
    Auditor,
    /// The hub itself: its sweeper.
    Hub,
}

/// A caller: its party, and the name that stands in records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// On whose behalf.
    pub party: Party,
    /// The principal without its trust domain: `partner/airline/partner/till-7`, `operator/wang`, `hub/sweeper`.
    pub principal: String,
}

impl Caller {
    /// The hub's own caller for work that time brings.
    #[must_use]
    pub fn sweeper() -> Self {
        Self { party: Party::Hub, principal: "hub/sweeper".to_owned() }
    }

    /// The partner that acts, if one does.
    #[must_use]
    pub const fn partner(&self) -> Option<&PartnerCode> {
        match &self.party {
            Party::Partner(code) => Some(code),
            Party::Operator | Party::Auditor | Party::Hub => None,
        }
    }

    /// The first part of a request's key: the partner's code, or `@` and what it is that acts.
    #[must_use]
    pub fn request_scope(&self) -> String {
        match &self.party {
            Party::Partner(code) => code.to_string(),
            Party::Operator => "@operator".to_owned(),
            Party::Auditor => "@auditor".to_owned(),
            Party::Hub => "@hub".to_owned(),
        }
    }

    /// Whether the caller may see what belongs to `owner`.
    #[must_use]
    pub fn may_read(&self, owner: &PartnerCode) -> bool {
        match &self.party {
            Party::Partner(code) => code == owner,
            Party::Operator | Party::Auditor | Party::Hub => true,
        }
    }
}
