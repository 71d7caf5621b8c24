//! Approvals: what one person asked for and a second one decides.
//!
//! What waits is a [`Proposal`]: the whole command, as its caller gave it. It is carried out only when somebody else of the
//! same role names the hash of its content, and it dies with any change: once it is over by time, was decided, or what it is
//! about has changed since, it does nothing any more and is asked for again.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Domain, Hash, hex_hash};
use crate::command::{AdjustPoints, Approvable, ResumePartner};
use crate::ids::ApprovalId;
use crate::text::ReasonCode;
use crate::time::Timestamp;
use crate::world::FactQuery;

/// How long an approval waits for its second person: seven days.
pub const APPROVAL_TTL_SECONDS: u32 = 7 * 24 * 3600;

/// What needs two people. A further one is a variant here and implements `Approvable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    /// A suspended partner may start again.
    ResumePartner(ResumePartner),
    /// The operator corrects an account.
    AdjustPoints(AdjustPoints),
}

impl Proposal {
    /// The method that asks for it.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::ResumePartner(_) => "ResumePartner",
            Self::AdjustPoints(_) => "AdjustPoints",
        }
    }

    /// Names the facts that carrying it out needs.
    pub fn resolve(&self, facts: &mut FactQuery) {
        self.approvable().resolve(facts);
    }

    /// What carries it out.
    pub(crate) fn approvable(&self) -> &dyn Approvable {
        match self {
            Self::ResumePartner(command) => command,
            Self::AdjustPoints(command) => command,
        }
    }

    /// Its canonical bytes, and their hash: what the second person names.
    ///
    /// # Errors
    /// Never for proposals that this crate can make; see [`canonical::to_bytes`].
    pub fn seal(&self) -> Result<(Vec<u8>, Hash), serde_json::Error> {
        let bytes = canonical::to_bytes(self)?;
        let hash = canonical::hash(Domain::Approval, &bytes);
        Ok((bytes, hash))
    }
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApprovalState {
    /// Waits for a second person.
    Pending,
    /// A second person agreed, and it was done. Final.
    Approved,
    /// Somebody said no. Final.
    Rejected,
    /// Nobody decided in time. Final; never stored, because time alone brings it.
    Expired,
}

impl ApprovalState {
    /// The name in records and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// How an approval was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The principal who did.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why not; absent where it was approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<ReasonCode>,
}

/// Something that waits for a second person, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub approval_id: ApprovalId,
    /// What is asked for.
    pub proposal: Proposal,
    /// SHA-256 over the proposal's canonical bytes, with a prefix.
    #[serde(with = "hex_hash")]
    pub content_hash: Hash,
    /// When what it is about had last changed as it was asked for.
    pub subject_changed_at: Timestamp,
    /// The principal who asked.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// As it was last decided: never [`ApprovalState::Expired`]; ask [`Approval::state_at`].
    pub state: ApprovalState,
    /// How it was decided; absent while it waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<Verdict>,
}

impl Approval {
    /// Where it stands at a moment.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> ApprovalState {
        match self.state {
            ApprovalState::Pending if self.expires_at <= now => ApprovalState::Expired,
            state => state,
        }
    }
}
