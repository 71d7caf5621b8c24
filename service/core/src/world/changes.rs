//! Changes: what accepted commands of a batch write.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agreement::{Agreement, AgreementVersion, Pair};
use crate::approval::Approval;
use crate::canonical::Hash;
use crate::certificate::{Certificate, CertificateKey};
use crate::exchange::{Exchange, ReservationState};
use crate::exposure::{Exposure, ExposureKey};
use crate::ids::{ApprovalId, ConsentId, ExchangeId, LinkCodeId, MembershipId, ProgramId, RecordId};
use crate::ledger::{Account, LotDelta, LotKey};
use crate::member::{Consent, ConsentKey, LinkCode, Membership, Withdrawal};
use crate::partner::{Partner, Program};
use crate::record::{Record, SealedRecord};
use crate::signing_key::SigningKey;
use crate::text::PartnerCode;
use crate::time::Timestamp;
use crate::world::{RequestKey, Rows};

/// A request that succeeded, to be answered the same for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Which.
    pub key: RequestKey,
    /// The hash of its body.
    pub body_hash: Hash,
    /// What it was answered with; may be an earlier record, where it asked for what was so already.
    pub record: Arc<Record>,
    /// When.
    pub answered_at: Timestamp,
}

/// A reservation's way into a final state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationEnd {
    /// The final state.
    pub state: ReservationState,
    /// When.
    pub decided_at: Timestamp,
    /// The record that says so.
    pub record_id: RecordId,
}

/// What is written. Rows that change are whole and keyed, so that the last one wins and each is written once per batch;
/// rows that are only ever added are lists; lots are sums of deltas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Partners as they are now.
    pub partners: BTreeMap<PartnerCode, Partner>,
    /// Programs as they are now.
    pub programs: BTreeMap<ProgramId, Program>,
    /// Memberships as they are now.
    pub memberships: BTreeMap<MembershipId, Membership>,
    /// Link codes as they are now.
    pub link_codes: BTreeMap<LinkCodeId, LinkCode>,
    /// Agreements as they are now.
    pub agreements: BTreeMap<Pair, Agreement>,
    /// New versions of agreements.
    pub versions: Vec<AgreementVersion>,
    /// New consents.
    pub consents: Vec<Consent>,
    /// New ends of consents.
    pub withdrawals: Vec<Withdrawal>,
    /// Which consent is in force for a key now.
    pub consents_in_force: BTreeMap<ConsentKey, Option<ConsentId>>,
    /// Accounts as they are now.
    pub accounts: Rows<MembershipId, Account>,
    /// Sums of what changed in lots.
    pub lots: Rows<(MembershipId, LotKey), LotDelta>,
    /// New exchanges, as they were prepared, with the record that says so.
    pub prepared: Rows<ExchangeId, (Exchange, RecordId)>,
    /// Exchanges that came to an end.
    pub ended: Rows<ExchangeId, ReservationEnd>,
    /// Live holds by initiator, as they are now.
    pub live_holds: Rows<PartnerCode, i64>,
    /// Exposures as they are now.
    pub exposures: Rows<ExposureKey, Exposure>,
    /// Approvals as they are now.
    pub approvals: BTreeMap<ApprovalId, Approval>,
    /// Certificates as they are now.
    pub certificates: BTreeMap<CertificateKey, Certificate>,
    /// New signing keys.
    pub signing_keys: Vec<SigningKey>,
    /// New records, in the order of decision. Their postings, lot movements and obligations are written beside them.
    pub records: Vec<SealedRecord>,
    /// New requests.
    pub requests: Vec<RequestRow>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            partners,
            programs,
            memberships,
            link_codes,
            agreements,
            versions,
            consents,
            withdrawals,
            consents_in_force,
            accounts,
            lots,
            prepared,
            ended,
            live_holds,
            exposures,
            approvals,
            certificates,
            signing_keys,
            records,
            requests,
        } = self;
        records.is_empty()
            && partners.is_empty()
            && programs.is_empty()
            && memberships.is_empty()
            && link_codes.is_empty()
            && agreements.is_empty()
            && versions.is_empty()
            && consents.is_empty()
            && withdrawals.is_empty()
            && consents_in_force.is_empty()
            && accounts.is_empty()
            && lots.is_empty()
            && prepared.is_empty()
            && ended.is_empty()
            && live_holds.is_empty()
            && exposures.is_empty()
            && approvals.is_empty()
            && certificates.is_empty()
            && signing_keys.is_empty()
            && requests.is_empty()
    }

    /// Adds what a later command changed.
    pub fn absorb(&mut self, next: Self) {
        self.partners.extend(next.partners);
        self.programs.extend(next.programs);
        self.memberships.extend(next.memberships);
        self.link_codes.extend(next.link_codes);
        self.agreements.extend(next.agreements);
        self.versions.extend(next.versions);
        self.consents.extend(next.consents);
        self.withdrawals.extend(next.withdrawals);
        self.consents_in_force.extend(next.consents_in_force);
        self.accounts.extend(next.accounts);
        self.prepared.extend(next.prepared);
        self.ended.extend(next.ended);
        self.live_holds.extend(next.live_holds);
        self.exposures.extend(next.exposures);
        self.approvals.extend(next.approvals);
        self.certificates.extend(next.certificates);
        self.signing_keys.extend(next.signing_keys);
        self.records.extend(next.records);
        self.requests.extend(next.requests);
        for ((membership, key), delta) in next.lots {
            self.move_lot(membership, key, delta);
        }
    }

    /// Adds a delta to a lot.
    ///
    /// Saturates: a lot is part of an account, whose own sum was checked before, so that no sum of deltas of accepted
    /// commands can be larger than an account.
    pub fn move_lot(&mut self, membership: MembershipId, key: LotKey, delta: LotDelta) {
        let sum = self.lots.get(&(membership, key)).map_or(delta, |sum| sum.and(delta));
        self.lots.insert((membership, key), sum);
    }
}
