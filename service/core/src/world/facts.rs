//! Facts: what never changes, so that it can be read before any lock is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agreement::{AgreementVersion, Pair};
use crate::approval::Proposal;
use crate::canonical::Hash;
use crate::exposure::ExposureKey;
use crate::ids::{AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId};
use crate::member::ConsentKey;
use crate::text::PartnerCode;

/// Which facts a batch needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactQuery {
    /// Of memberships: their program and partner.
    pub memberships: BTreeSet<MembershipId>,
    /// Of agreements: their pair.
    pub agreements: BTreeSet<AgreementId>,
    /// Versions of agreements.
    pub versions: BTreeSet<(AgreementId, u32)>,
    /// Of exchanges: who and what they touch.
    pub exchanges: BTreeSet<ExchangeId>,
    /// Of consents: what they are about.
    pub consents: BTreeSet<ConsentId>,
    /// Of link codes, by the hash of the code: what they were made for.
    pub link_codes: BTreeSet<Hash>,
    /// Of approvals: what they are about. Facts that carrying it out needs are found along with it, as
    /// [`Proposal::resolve`] names them.
    pub approvals: BTreeSet<ApprovalId>,
    /// Of certificates, by fingerprint: who pinned them.
    pub certificates: BTreeSet<Hash>,
}

/// Of a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipFact {
    /// Its program.
    pub program_id: ProgramId,
    /// Its program's partner.
    pub partner: PartnerCode,
}

/// Of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFact {
    /// Who prepared it.
    pub initiator: PartnerCode,
    /// The accounts and programs that its legs touch.
    pub memberships: BTreeMap<MembershipId, ProgramId>,
    /// The exposures that its legs touch.
    pub exposures: BTreeSet<ExposureKey>,
}

/// Of a link code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCodeFact {
    /// The membership that it was made for.
    pub membership_id: MembershipId,
}

/// The facts that were found. What does not exist is missing.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By membership.
    pub memberships: BTreeMap<MembershipId, MembershipFact>,
    /// By agreement.
    pub agreements: BTreeMap<AgreementId, Pair>,
    /// By agreement and version.
    pub versions: BTreeMap<(AgreementId, u32), Arc<AgreementVersion>>,
    /// By exchange.
    pub exchanges: BTreeMap<ExchangeId, ExchangeFact>,
    /// By consent.
    pub consents: BTreeMap<ConsentId, ConsentKey>,
    /// By the hash of the code.
    pub link_codes: BTreeMap<Hash, LinkCodeFact>,
    /// By approval.
    pub approvals: BTreeMap<ApprovalId, Proposal>,
    /// By the fingerprint of a certificate: the partner that it is pinned for.
    pub certificates: BTreeMap<Hash, PartnerCode>,
}
