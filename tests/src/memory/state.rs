//! The tables of the reference store.
//!
//! Records are kept as their bytes and read back from them wherever they are needed, as a database must.

use std::collections::BTreeMap;

use pointbridge_core::agreement::{Agreement, AgreementVersion, Pair};
use pointbridge_core::approval::Approval;
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::exchange::{Exchange, ReservationState};
use pointbridge_core::exposure::{Exposure, ExposureKey};
use pointbridge_core::ids::{
    AgreementId, ApprovalId, ConsentId, ExchangeId, LinkCodeId, MembershipId, ProgramId, RecordId, ReversalId,
};
use pointbridge_core::ledger::{Account, Lot, LotKey};
use pointbridge_core::member::{Consent, ConsentKey, ConsentScope, LinkCode, Membership, Withdrawal};
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::record::{Record, SealedRecord};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::{KeyId, PartnerCode};
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::RequestKey;
use pointbridge_store::StoreError;

use super::FirstWindow;

/// A reservation: the exchange as it was prepared, and where it stands.
pub(super) struct Reservation {
    pub(super) prepared: Exchange,
    pub(super) state: ReservationState,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) prepare_record: RecordId,
    pub(super) last_record: RecordId,
}

impl Reservation {
    /// Whether it holds points of an account past its time.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        !self.state.is_final() && self.prepared.hold_expires_at <= now
    }

    /// Whether it takes points from an account.
    pub(super) fn takes_from(&self, membership: MembershipId) -> bool {
        self.prepared.legs.iter().any(|leg| leg.source.membership_id == membership)
    }

    /// The exposures that its legs touch.
    pub(super) fn exposures(&self) -> impl Iterator<Item = ExposureKey> + '_ {
        self.prepared.legs.iter().filter_map(|leg| {
            let owed = &leg.obligation;
            Some(ExposureKey { pair: Pair::new(&owed.debtor, &owed.creditor)?, currency: owed.currency })
        })
    }
}

/// A part of an exchange that was given back.
pub(super) struct ReversedPart {
    pub(super) number: u32,
    pub(super) reversal_id: ReversalId,
    pub(super) record_id: RecordId,
    pub(super) source_points: i64,
    pub(super) reversed_source_points: i64,
}

/// A request that succeeded.
pub(super) struct Request {
    pub(super) body_hash: Hash,
    pub(super) record_id: RecordId,
}

/// Everything that the store knows.
pub(super) struct State {
    pub(super) window: FirstWindow,
    pub(super) epoch: u32,
    pub(super) last_now: Timestamp,
    pub(super) partners: BTreeMap<PartnerCode, Partner>,
    pub(super) programs: BTreeMap<ProgramId, Program>,
    pub(super) memberships: BTreeMap<MembershipId, Membership>,
    pub(super) link_codes: BTreeMap<LinkCodeId, LinkCode>,
    pub(super) agreements: BTreeMap<Pair, Agreement>,
    pub(super) versions: BTreeMap<(AgreementId, u32), AgreementVersion>,
    pub(super) consents: BTreeMap<ConsentId, Consent>,
    pub(super) withdrawals: BTreeMap<ConsentId, Withdrawal>,
    pub(super) consents_in_force: BTreeMap<ConsentKey, ConsentId>,
    pub(super) accounts: BTreeMap<MembershipId, Account>,
    pub(super) lots: BTreeMap<(MembershipId, LotKey), Lot>,
    pub(super) reservations: BTreeMap<ExchangeId, Reservation>,
    /// In order.
    pub(super) reversals: BTreeMap<ExchangeId, Vec<ReversedPart>>,
    pub(super) exposures: BTreeMap<ExposureKey, Exposure>,
    pub(super) live_holds: BTreeMap<PartnerCode, i64>,
    pub(super) approvals: BTreeMap<ApprovalId, Approval>,
    pub(super) certificates: BTreeMap<CertificateKey, Certificate>,
    pub(super) signing_keys: BTreeMap<(ProgramId, KeyId), SigningKey>,
    /// In the order in which they were written.
    pub(super) records: Vec<SealedRecord>,
    /// Where in `records` each stands.
    pub(super) places: BTreeMap<RecordId, usize>,
    pub(super) requests: BTreeMap<RequestKey, Request>,
}

impl State {
    pub(super) fn empty(window: FirstWindow) -> Self {
        Self {
            window,
            epoch: 1,
            last_now: window.opens_at,
            partners: BTreeMap::new(),
            programs: BTreeMap::new(),
            memberships: BTreeMap::new(),
            link_codes: BTreeMap::new(),
            agreements: BTreeMap::new(),
            versions: BTreeMap::new(),
            consents: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            consents_in_force: BTreeMap::new(),
            accounts: BTreeMap::new(),
            lots: BTreeMap::new(),
            reservations: BTreeMap::new(),
            reversals: BTreeMap::new(),
            exposures: BTreeMap::new(),
            live_holds: BTreeMap::new(),
            approvals: BTreeMap::new(),
            certificates: BTreeMap::new(),
            signing_keys: BTreeMap::new(),
            records: Vec::new(),
            places: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// A record, read back from its bytes.
    pub(super) fn record(&self, id: RecordId) -> Result<Record, StoreError> {
        let sealed = self.places.get(&id).and_then(|place| self.records.get(*place));
        let sealed = sealed.ok_or_else(|| StoreError::Broken(format!("{id} is named and does not exist")))?;
        Record::from_bytes(&sealed.bytes).map_err(|error| StoreError::Broken(format!("{id}: {error}")))
    }

    /// The lots of an account in the order of spending.
    pub(super) fn lots_of(&self, membership: MembershipId) -> impl Iterator<Item = (LotKey, Lot)> + '_ {
        let all = self.lots.iter().filter(move |((owner, _), _)| *owner == membership);
        all.map(|((_, key), lot)| (*key, *lot))
    }

    /// The agreement with this id.
    pub(super) fn agreement(&self, id: AgreementId) -> Option<&Agreement> {
        self.agreements.values().find(|agreement| agreement.agreement_id == id)
    }

    /// The consent EXCHANGE in force at a membership for a partner.
    pub(super) fn exchange_consent(
        &self,
        membership_id: MembershipId,
        recipient: &PartnerCode,
    ) -> Option<&Consent> {
        let scope = ConsentScope::Exchange;
        let key = ConsentKey { membership_id, recipient: recipient.clone(), scope };
        self.consents.get(self.consents_in_force.get(&key)?)
    }
}
