//! Views: what callers read. Every one takes the caller's scope; what is another's is as if it did not exist.
//!
//! Lists are pages by key: at most [`Page::SIZE_MAX`] rows, in the order of the key, after the key that the page before
//! ended with.

use std::future::Future;

use pointbridge_core::agreement::{Agreement, AgreementVersion};
use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::exchange::{Exchange, ReservationState};
use pointbridge_core::ids::{
    AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId, RecordId, WindowId,
};
use pointbridge_core::ledger::{Account, Lot, LotKey, Posting};
use pointbridge_core::member::{Consent, Membership, Withdrawal};
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::record::RecordKind;
use pointbridge_core::reversal::Reversal;
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::{PartnerCode, ReasonCode, Reference};
use pointbridge_core::time::Timestamp;

use crate::StoreError;

/// What a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything: the operator, an auditor, the hub itself.
    All,
    /// What belongs to a partner, or to a pair that it is in.
    Partner(PartnerCode),
}

impl Scope {
    /// The scope of a caller.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        match &caller.party {
            Party::Partner(code) => Self::Partner(code.clone()),
            Party::Operator | Party::Auditor | Party::Hub => Self::All,
        }
    }

    /// The partner that the scope is limited to.
    #[must_use]
    pub const fn partner(&self) -> Option<&PartnerCode> {
        match self {
            Self::All => None,
            Self::Partner(code) => Some(code),
        }
    }

    /// Whether what belongs to `owner` is in it.
    #[must_use]
    pub fn covers(&self, owner: &PartnerCode) -> bool {
        self.partner().is_none_or(|code| code == owner)
    }
}

/// Which page of a list: `after` is a key of the list's own type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    /// The key of the last row of the page before; absent for the first page.
    pub after: Option<K>,
    /// How many rows: 1 to [`Page::SIZE_MAX`].
    pub size: u32,
}

impl<K> Page<K> {
    /// The most rows of a page.
    pub const SIZE_MAX: u32 = 500;
}

/// A page's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T, K> {
    /// In the order of the key.
    pub rows: Vec<T>,
    /// The key to go on after; absent on the last page.
    pub next: Option<K>,
}

/// How a caller names a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipName {
    /// By its id.
    Id(MembershipId),
    /// By program and the partner's own reference.
    External(ProgramId, Reference),
}

/// A membership of the same member at another partner, proven by a link code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedMembership {
    /// Its id.
    pub membership_id: MembershipId,
    /// Its program.
    pub program_id: ProgramId,
    /// Its program's partner.
    pub partner: PartnerCode,
}

/// A membership and what it is linked with: the other memberships of spent link codes that this one issued or was brought
/// with, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipView {
    /// The membership.
    pub membership: Membership,
    /// What it is linked with.
    pub linked: Vec<LinkedMembership>,
}

/// A consent and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// The consent.
    pub consent: Consent,
    /// Its end.
    pub withdrawal: Option<Withdrawal>,
}

/// An agreement with the versions that matter now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementView {
    /// The agreement.
    pub agreement: Agreement,
    /// The version in force.
    pub active: Option<AgreementVersion>,
    /// The version that waits.
    pub pending: Option<AgreementVersion>,
}

/// A posting on a member's account, with what its record says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostingView {
    /// The record.
    pub record_id: RecordId,
    /// Its kind.
    pub kind: RecordKind,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The line.
    pub posting: Posting,
    /// Why, where the record says so.
    pub reason: Option<ReasonCode>,
    /// The cause's name, where the record says so.
    pub reference: Option<Reference>,
    /// The exchange, where it is of one.
    pub exchange_id: Option<ExchangeId>,
}

/// A lot that has something left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotView {
    /// What makes it one lot.
    pub key: LotKey,
    /// Its points.
    pub lot: Lot,
}

/// What exchanges to list; what is absent does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// In this state.
    pub state: Option<ReservationState>,
    /// With this membership on either end.
    pub membership_id: Option<MembershipId>,
    /// With this order reference.
    pub order: Option<Reference>,
}

/// One end of a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndView {
    /// The membership.
    pub membership: Membership,
    /// Its program.
    pub program: Program,
    /// Its program's partner.
    pub partner: Partner,
    /// The consent EXCHANGE in force at this end for the partner of the other end.
    pub consent: Option<Consent>,
}

/// What a quote is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteView {
    /// The source, if it is the caller's.
    pub source: Option<EndView>,
    /// The destination, if it is of the same member as the source.
    pub destination: Option<EndView>,
    /// The version in force between the two partners.
    pub version: Option<AgreementVersion>,
    /// The store's clock.
    pub now: Timestamp,
    /// The store's epoch.
    pub epoch: u32,
}

/// An exchange as its last record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeView {
    /// The exchange.
    pub exchange: Exchange,
    /// That record.
    pub record_id: RecordId,
    /// The record's window.
    pub window_id: Option<WindowId>,
    /// How many source units were reversed since.
    pub reversed_source: i64,
}

/// A reversal as its record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalView {
    /// The reversal.
    pub reversal: Reversal,
    /// That record.
    pub record_id: RecordId,
    /// The record's window.
    pub window_id: Option<WindowId>,
}

/// An exchange and its reversals in their order, at most
/// [`REVERSALS_PER_EXCHANGE_MAX`](pointbridge_core::reversal::REVERSALS_PER_EXCHANGE_MAX).
pub type ExchangeWithReversals = (ExchangeView, Vec<ReversalView>);
/// What is asked about a caller with every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The caller's partner, if it is registered; `None` also for who acts for no partner.
    pub partner: Option<Partner>,
    /// Whether the certificate was revoked, by the partner or by the operator.
    pub is_revoked: bool,
    /// Whether the certificate is pinned for the partner.
    pub is_pinned: bool,
    /// Whether the partner has any pin in force: if so, only pinned certificates pass.
    pub has_pins: bool,
    /// The store's clock.
    pub now: Timestamp,
}

/// The key of a list of consents: when it was given, and its id.
pub type ConsentListKey = (Timestamp, ConsentId);

/// The reads of a store.
#[allow(clippy::missing_errors_doc, clippy::type_complexity)] // every one errs with [`StoreError`], and in no other way
pub trait Views: Send + Sync {
    /// A partner, if it is in scope.
    fn partner(
        &self,
        scope: &Scope,
        code: &PartnerCode,
    ) -> impl Future<Output = Result<Option<Partner>, StoreError>> + Send;

    /// Partners in scope, by code.
    fn partners(
        &self,
        scope: &Scope,
        page: &Page<PartnerCode>,
    ) -> impl Future<Output = Result<Paged<Partner, PartnerCode>, StoreError>> + Send;

    /// A program, if its partner is in scope.
    fn program(
        &self,
        scope: &Scope,
        id: ProgramId,
    ) -> impl Future<Output = Result<Option<Program>, StoreError>> + Send;

    /// Programs in scope, of one partner if named, by id.
    fn programs(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<ProgramId>,
    ) -> impl Future<Output = Result<Paged<Program, ProgramId>, StoreError>> + Send;

    /// An agreement, if one of its parties is in scope.
    fn agreement(
        &self,
        scope: &Scope,
        id: AgreementId,
    ) -> impl Future<Output = Result<Option<AgreementView>, StoreError>> + Send;

    /// Agreements in scope, those with one partner if named, by id.
    fn agreements(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<AgreementId>,
    ) -> impl Future<Output = Result<Paged<AgreementView, AgreementId>, StoreError>> + Send;

    /// A membership, if its partner is in scope.
    fn membership(
        &self,
        scope: &Scope,
        name: &MembershipName,
    ) -> impl Future<Output = Result<Option<MembershipView>, StoreError>> + Send;

    /// The consents given at a membership, the newest last (by `granted_at`, then id); `None` where the membership is not in
    /// scope.
    fn consents(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<ConsentListKey>,
    ) -> impl Future<Output = Result<Option<Paged<ConsentView, ConsentListKey>>, StoreError>> + Send;

    /// A membership's account with its program; `None` where the membership is not in scope.
    fn balance(
        &self,
        scope: &Scope,
        membership: MembershipId,
    ) -> impl Future<Output = Result<Option<(Account, Program)>, StoreError>> + Send;

    /// The postings of a membership's account, the newest first, keyed by sequence; `None` where the membership is not in
    /// scope.
    fn postings(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<i64>,
    ) -> impl Future<Output = Result<Option<Paged<PostingView, i64>>, StoreError>> + Send;

    /// The lots of a membership's account that have something left, the first to be spent first, and the program; `None`
    /// where the membership is not in scope.
    fn lots(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<LotKey>,
    ) -> impl Future<Output = Result<Option<(Paged<LotView, LotKey>, Program)>, StoreError>> + Send;

    /// An exchange and its reversals, if a partner of one of its legs is in scope.
    fn exchange(
        &self,
        scope: &Scope,
        id: ExchangeId,
    ) -> impl Future<Output = Result<Option<ExchangeWithReversals>, StoreError>> + Send;

    /// Exchanges in scope, the newest first (by id, descending).
    fn exchanges(
        &self,
        scope: &Scope,
        filter: &ExchangeFilter,
        page: &Page<ExchangeId>,
    ) -> impl Future<Output = Result<Paged<ExchangeView, ExchangeId>, StoreError>> + Send;

    /// What a quote between two memberships is decided on.
    fn quote(
        &self,
        scope: &Scope,
        source: MembershipId,
        destination: MembershipId,
    ) -> impl Future<Output = Result<QuoteView, StoreError>> + Send;

    /// Approvals, the newest first (by id, descending), in one state if named; and the time by which those that are over
    /// by time are. What waits for the operator's people is in no partner's scope.
    fn approvals(
        &self,
        scope: &Scope,
        state: Option<ApprovalState>,
        page: &Page<ApprovalId>,
    ) -> impl Future<Output = Result<(Paged<Approval, ApprovalId>, Timestamp), StoreError>> + Send;

    /// Certificates in scope that are pinned or revoked, of one partner if named, by fingerprint.
    fn certificates(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<CertificateKey>,
    ) -> impl Future<Output = Result<Paged<Certificate, CertificateKey>, StoreError>> + Send;

    /// The signing keys of a program by name, all of them; `None` where the program is not in scope.
    fn signing_keys(
        &self,
        scope: &Scope,
        program: ProgramId,
    ) -> impl Future<Output = Result<Option<Vec<SigningKey>>, StoreError>> + Send;

    /// What is asked about a caller with every call. Takes no scope: it is what the scope rests on.
    fn admission(
        &self,
        partner: Option<&PartnerCode>,
        fingerprint: &Hash,
    ) -> impl Future<Output = Result<Admission, StoreError>> + Send;
}
