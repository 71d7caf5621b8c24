//! What a decision sees and what it changes.
//!
//! ```text
//! command --resolve--> FactQuery --store--> Facts          immutable, read without locks
//! command --footprint--> Footprint --store--> World        locked and loaded in one canonical order
//! command --decide(World)--> Changes --store--> written    World shows each command what earlier ones changed
//! ```
//!
//! Absent on purpose: how any of this is stored.

mod changes;
mod facts;
mod footprint;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agreement::{Agreement, Pair};
use crate::approval::Approval;
use crate::canonical::Hash;
use crate::certificate::{Certificate, CertificateKey};
use crate::exposure::{Exposure, ExposureKey};
use crate::ids::{ApprovalId, ConsentId, ExchangeId, MemberId, MembershipId, ProgramId, WindowId};
use crate::ledger::{Account, Lot, LotKey, LotSet};
use crate::member::{Consent, ConsentKey, LinkCode, Membership, Withdrawal};
use crate::partner::{Partner, Program};
use crate::record::Record;
use crate::reversal::Progress;
use crate::signing_key::SigningKey;
use crate::text::{KeyId, PartnerCode, ProgramCode, Reference};
use crate::time::Timestamp;

pub use changes::{Changes, RequestRow, ReservationEnd};
pub use facts::{ConsentFact, ExchangeFact, FactQuery, Facts, LinkCodeFact, MembershipFact};
pub use footprint::{AccountNeed, Footprint, Lock};
pub use rows::Rows;

/// Names a request for ever: whose, which method, which id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The partner's code, or `@operator`.
    pub scope: String,
    /// The method's name, `CommitExchange`.
    pub method: &'static str,
    /// The caller's id for the request.
    pub request_id: uuid::Uuid,
}

/// A request that succeeded before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRequest {
    /// The hash of the body that it came with.
    pub body_hash: Hash,
    /// What it was answered with.
    pub record: Arc<Record>,
}

/// What a store loaded for a batch, kept up to date with what the batch's commands decide.
#[derive(Debug, Clone)]
pub struct World {
    /// Read once, after the locks; never earlier than any earlier batch's.
    pub now: Timestamp,
    /// The open settlement window.
    pub window: WindowId,
    /// The store's epoch: raised by every restore.
    pub epoch: u32,
    /// What was read without locks, because it never changes.
    pub facts: Facts,
    /// Partners by code.
    pub partners: BTreeMap<PartnerCode, Partner>,
    /// Programs by id.
    pub programs: BTreeMap<ProgramId, Program>,
    /// Which program codes are taken.
    pub program_codes: BTreeSet<(PartnerCode, ProgramCode)>,
    /// Memberships by id.
    pub memberships: BTreeMap<MembershipId, Membership>,
    /// Which external references are taken.
    pub external_references: BTreeSet<(ProgramId, Reference)>,
    /// Accounts by membership.
    pub accounts: BTreeMap<MembershipId, Account>,
    /// Lots of accounts, where they were asked for.
    pub lots: BTreeMap<MembershipId, LotSet>,
    /// Exchanges that hold points of these accounts past their time, where lots were asked for.
    pub overdue: BTreeMap<MembershipId, BTreeSet<ExchangeId>>,
    /// Agreements by pair.
    pub agreements: BTreeMap<Pair, Agreement>,
    /// The consent in force for each key.
    pub consents: BTreeMap<ConsentKey, Consent>,
    /// Consents by id, with their end.
    pub consents_by_id: BTreeMap<ConsentId, (Consent, Option<Withdrawal>)>,
    /// Link codes by the hash of the code.
    pub link_codes: BTreeMap<Hash, LinkCode>,
    /// The last record of exchanges.
    pub exchanges: BTreeMap<ExchangeId, Arc<Record>>,
    /// How far exchanges were reversed, where that was asked for; what is missing is not at all.
    pub reversed: BTreeMap<ExchangeId, Progress>,
    /// The lots that exchanges to be reversed have credited, which need not be among the first of their account.
    pub named_lots: BTreeMap<(MembershipId, LotKey), Lot>,
    /// Exposures; what is missing is nothing owed.
    pub exposures: BTreeMap<ExposureKey, Exposure>,
    /// Live holds by initiator; what is missing is none.
    pub live_holds: BTreeMap<PartnerCode, i64>,
    /// Approvals by id.
    pub approvals: BTreeMap<ApprovalId, Approval>,
    /// Certificates by key.
    pub certificates: BTreeMap<CertificateKey, Certificate>,
    /// How many pins of partners are in force, where they were asked for.
    pub pins: BTreeMap<PartnerCode, i64>,
    /// Signing keys by program and name, where they were asked for.
    pub signing_keys: BTreeMap<ProgramId, BTreeMap<KeyId, SigningKey>>,
    /// Requests that succeeded before.
    pub requests: BTreeMap<RequestKey, KnownRequest>,
}

impl World {
    /// A world with nothing in it.
    #[must_use]
    pub fn empty(now: Timestamp, window: WindowId, epoch: u32) -> Self {
        Self {
            now,
            window,
            epoch,
            facts: Facts::default(),
            partners: BTreeMap::new(),
            programs: BTreeMap::new(),
            program_codes: BTreeSet::new(),
            memberships: BTreeMap::new(),
            external_references: BTreeSet::new(),
            accounts: BTreeMap::new(),
            lots: BTreeMap::new(),
            overdue: BTreeMap::new(),
            agreements: BTreeMap::new(),
            consents: BTreeMap::new(),
            consents_by_id: BTreeMap::new(),
            link_codes: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            reversed: BTreeMap::new(),
            named_lots: BTreeMap::new(),
            exposures: BTreeMap::new(),
            live_holds: BTreeMap::new(),
            approvals: BTreeMap::new(),
            certificates: BTreeMap::new(),
            pins: BTreeMap::new(),
            signing_keys: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// The memberships of one member, as far as they were loaded.
    pub fn family(&self, member: MemberId) -> impl Iterator<Item = &Membership> {
        self.memberships.values().filter(move |membership| membership.member_id == member)
    }

    /// The account of a membership, if it was loaded.
    #[must_use]
    pub fn account(&self, membership: MembershipId) -> Option<Account> {
        self.accounts.get(&membership).copied()
    }

    /// One lot of an account, if it was loaded: among those that can be spent, or by its key.
    #[must_use]
    pub fn lot(&self, membership: MembershipId, key: LotKey) -> Option<Lot> {
        let among = self.lots.get(&membership).and_then(|lots| lots.lots.get(&key));
        among.or_else(|| self.named_lots.get(&(membership, key))).copied()
    }

    /// The exposure with this key.
    #[must_use]
    pub fn exposure(&self, key: &ExposureKey) -> Exposure {
        self.exposures.get(key).cloned().unwrap_or_else(|| Exposure::none(key.clone()))
    }

    /// The live holds of an initiator.
    #[must_use]
    pub fn live_holds(&self, initiator: &PartnerCode) -> i64 {
        self.live_holds.get(initiator).copied().unwrap_or(0)
    }

    /// Shows the batch's next commands what an accepted one changed.
    pub fn apply(&mut self, changes: &Changes) {
        self.apply_things(changes);
        self.apply_credentials(changes);
        for (key, exposure) in &changes.exposures {
            self.exposures.insert(key.clone(), exposure.clone());
        }
        for (initiator, count) in &changes.live_holds {
            self.live_holds.insert(initiator.clone(), *count);
        }
        for (membership, account) in &changes.accounts {
            self.accounts.insert(*membership, *account);
        }
        for ((membership, key), delta) in &changes.lots {
            if let Some(lots) = self.lots.get_mut(membership) {
                lots.apply(*key, *delta);
            }
            if let Some(lot) = self.named_lots.get_mut(&(*membership, *key)) {
                *lot = lot.after(*delta);
            }
        }
        for record in changes.records.iter().map(|sealed| &sealed.record) {
            if let Some(exchange) = record.exchange() {
                self.exchanges.insert(exchange.exchange_id, Arc::clone(record));
                self.note_overdue(exchange);
            }
            if let Some(reversal) = record.reversal() {
                self.reversed.insert(reversal.exchange_id, reversal.progress());
            }
        }
        for row in &changes.requests {
            let known = KnownRequest { body_hash: row.body_hash, record: Arc::clone(&row.record) };
            self.requests.insert(row.key.clone(), known);
        }
    }

    fn apply_things(&mut self, changes: &Changes) {
        self.partners.extend(changes.partners.iter().map(|(k, v)| (k.clone(), v.clone())));
        for program in changes.programs.values() {
            self.program_codes.insert((program.partner.clone(), program.code.clone()));
            self.programs.insert(program.program_id, program.clone());
        }
        for membership in changes.memberships.values() {
            self.external_references.insert((membership.program_id, membership.external_reference.clone()));
            self.memberships.insert(membership.membership_id, membership.clone());
        }
        for agreement in changes.agreements.values() {
            self.facts.agreements.insert(agreement.agreement_id, agreement.pair.clone());
            self.agreements.insert(agreement.pair.clone(), agreement.clone());
        }
        self.approvals.extend(changes.approvals.iter().map(|(k, v)| (*k, v.clone())));
        self.link_codes.extend(changes.link_codes.values().map(|v| (v.code_hash, v.clone())));
        for version in &changes.versions {
            self.facts.versions.insert((version.agreement_id, version.version), Arc::new(version.clone()));
        }
        for consent in &changes.consents {
            self.consents_by_id.insert(consent.consent_id, (consent.clone(), None));
        }
        for withdrawal in &changes.withdrawals {
            if let Some((_, end)) = self.consents_by_id.get_mut(&withdrawal.consent_id) {
                *end = Some(withdrawal.clone());
            }
        }
        for (key, consent) in &changes.consents_in_force {
            match consent.and_then(|id| self.consents_by_id.get(&id)) {
                Some((consent, _)) => self.consents.insert(key.clone(), consent.clone()),
                None => self.consents.remove(key),
            };
        }
    }

    fn apply_credentials(&mut self, changes: &Changes) {
        for (key, certificate) in &changes.certificates {
            let before = self.certificates.insert(key.clone(), certificate.clone());
            let was = before.is_some_and(|before| before.is_pin_in_force());
            if let Some(count) = key.owner.as_ref().and_then(|owner| self.pins.get_mut(owner)) {
                let change = i64::from(certificate.is_pin_in_force()).saturating_sub(i64::from(was));
                *count = count.saturating_add(change);
            }
        }
        for key in &changes.signing_keys {
            self.signing_keys.entry(key.program_id).or_default().insert(key.key_id.clone(), key.clone());
        }
    }

    /// Keeps the list of overdue exchanges to those that are still open.
    fn note_overdue(&mut self, exchange: &crate::exchange::Exchange) {
        if !exchange.state.is_final() {
            return;
        }
        for leg in &exchange.legs {
            if let Some(overdue) = self.overdue.get_mut(&leg.source.membership_id) {
                overdue.remove(&exchange.exchange_id);
            }
        }
    }
}
