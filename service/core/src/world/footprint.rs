//! Footprints: the rows that a batch needs, and how it needs them.

use std::collections::{BTreeMap, BTreeSet};

use crate::agreement::Pair;
use crate::canonical::Hash;
use crate::certificate::CertificateKey;
use crate::exposure::ExposureKey;
use crate::ids::{ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId};
use crate::member::ConsentKey;
use crate::text::{PartnerCode, ProgramCode, Reference};
use crate::world::RequestKey;

/// How a row is needed. The stronger one wins where two commands differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// It must not change meanwhile.
    Share,
    /// It will change.
    Update,
}

/// What of an account is needed, beside the account itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountNeed {
    /// Nothing: points come, or come from lots that are known.
    Balance,
    /// Its lots and what holds points past its time: points will be chosen.
    Lots,
}

/// The rows that a batch needs.
///
/// A store takes locks in the order of these fields, and within each in the order of the keys: that is the one canonical
/// order. It adds, for every account with [`AccountNeed::Lots`], the exchanges that hold its points past their time, and
/// the exposures and initiators of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Requests that may have succeeded before.
    pub requests: BTreeSet<RequestKey>,
    /// Partners.
    pub partners: BTreeMap<PartnerCode, Lock>,
    /// Programs.
    pub programs: BTreeMap<ProgramId, Lock>,
    /// Program codes that will be taken.
    pub program_codes: BTreeSet<(PartnerCode, ProgramCode)>,
    /// Agreements.
    pub agreements: BTreeMap<Pair, Lock>,
    /// Memberships.
    pub memberships: BTreeMap<MembershipId, Lock>,
    /// Memberships whose member's other memberships are needed too, all to change.
    pub families: BTreeSet<MembershipId>,
    /// External references that will be taken.
    pub external_references: BTreeSet<(ProgramId, Reference)>,
    /// Link codes, to change.
    pub link_codes: BTreeSet<Hash>,
    /// The consent in force for each key.
    pub consents: BTreeMap<ConsentKey, Lock>,
    /// Consents and their end, by id.
    pub consents_by_id: BTreeSet<ConsentId>,
    /// Exchanges, to change.
    pub exchanges: BTreeSet<ExchangeId>,
    /// Exchanges to be reversed: how far they were, and the lots that they credited, to change.
    pub reversals: BTreeSet<ExchangeId>,
    /// Accounts, to change.
    pub accounts: BTreeMap<MembershipId, AccountNeed>,
    /// Live holds by initiator, to change.
    pub initiators: BTreeSet<PartnerCode>,
    /// Exposures, to change.
    pub exposures: BTreeSet<ExposureKey>,
    /// Approvals, to change.
    pub approvals: BTreeSet<ApprovalId>,
    /// Certificates, to change.
    pub certificates: BTreeSet<CertificateKey>,
    /// Partners whose pins in force are to be counted.
    pub pins: BTreeSet<PartnerCode>,
    /// Programs whose signing keys are needed, to be added to.
    pub signing_keys: BTreeSet<ProgramId>,
}

impl Footprint {
    /// Names a partner.
    pub fn partner(&mut self, code: &PartnerCode, lock: Lock) {
        strengthen(&mut self.partners, code.clone(), lock);
    }

    /// Names a program.
    pub fn program(&mut self, id: ProgramId, lock: Lock) {
        strengthen(&mut self.programs, id, lock);
    }

    /// Names an agreement.
    pub fn agreement(&mut self, pair: &Pair, lock: Lock) {
        strengthen(&mut self.agreements, pair.clone(), lock);
    }

    /// Names a membership.
    pub fn membership(&mut self, id: MembershipId, lock: Lock) {
        strengthen(&mut self.memberships, id, lock);
    }

    /// Names the consent in force for a key.
    pub fn consent(&mut self, key: ConsentKey, lock: Lock) {
        strengthen(&mut self.consents, key, lock);
    }

    /// Names an account.
    pub fn account(&mut self, id: MembershipId, need: AccountNeed) {
        strengthen(&mut self.accounts, id, need);
    }
}

fn strengthen<K: Ord, L: Ord + Copy>(map: &mut BTreeMap<K, L>, key: K, need: L) {
    map.entry(key).and_modify(|known| *known = need.max(*known)).or_insert(need);
}
