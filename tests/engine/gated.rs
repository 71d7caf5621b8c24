//! The reference store behind a gate: a batch waits there until the test lets it through, or fails there as the test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::ids::{AgreementId, ApprovalId, ExchangeId, MembershipId, ProgramId};
use pointbridge_core::ledger::{Account, LotKey};
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};
use pointbridge_store::{
    Admission, AgreementView, AuditRow, ConsentListKey, ConsentView, Due, ExchangeFilter, ExchangeView,
    ExchangeWithReversals, LotView, MembershipName, MembershipView, Page, Paged, PostingView, Pulse,
    QuoteView, Scope, Store, StoreError, Views,
};
use pointbridge_tests::memory::MemoryStore;
use tokio::sync::Semaphore;

/// How long something that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many commands of a batch are whose.
pub(crate) type Callers = BTreeMap<String, usize>;

/// A store whose batches wait at a gate.
pub(crate) struct Gated {
    inner: MemoryStore,
    gate: Semaphore,
    /// How many commands of which caller each batch had that came to the gate, in order.
    batches: Mutex<Vec<Callers>>,
    failures: Mutex<VecDeque<StoreError>>,
}

impl Gated {
    /// A store with its gate closed.
    pub(crate) fn closed(inner: MemoryStore) -> Self {
        let (batches, failures) = (Mutex::default(), Mutex::default());
        Self { inner, gate: Semaphore::new(0), batches, failures }
    }

    /// Lets every batch through from now on.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    /// Lets one batch through.
    pub(crate) fn let_one_through(&self) {
        self.gate.add_permits(1);
    }

    /// Has the next batch that is let through fail.
    pub(crate) fn fail_next(&self, error: StoreError) {
        self.failures.lock().unwrap().push_back(error);
    }

    /// The sizes of the batches that came to the gate so far.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.callers().iter().map(|callers| callers.values().sum()).collect()
    }

    /// The same, by caller.
    pub(crate) fn callers(&self) -> Vec<Callers> {
        self.batches.lock().unwrap().clone()
    }

    /// Waits until so many batches have come to the gate.
    pub(crate) async fn arrived(&self, count: usize) {
        until("a batch comes to the gate", async || self.batches().len() >= count).await;
    }
}

/// Looks again and again until `look` finds it true.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < PATIENCE, "{what}: not within half a minute");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Store for Gated {
    async fn facts(&self, query: &FactQuery) -> Result<Facts, StoreError> {
        self.inner.facts(query).await
    }

    async fn transact<T, F>(&self, footprint: &Footprint, decide: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(World) -> (Changes, T) + Send + Sync,
    {
        let mut callers = Callers::new();
        for request in &footprint.requests {
            *callers.entry(request.scope.clone()).or_default() += 1;
        }
        self.batches.lock().unwrap().push(callers);
        self.gate.acquire().await.unwrap().forget();
        let failure = self.failures.lock().unwrap().pop_front();
        match failure {
            Some(error) => Err(error),
            None => self.inner.transact(footprint, decide).await,
        }
    }

    async fn due(&self, limit: u32) -> Result<Vec<Due>, StoreError> {
        self.inner.due(limit).await
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        self.inner.pulse().await
    }

    async fn audit(&self, visit: &mut (dyn FnMut(AuditRow) + Send)) -> Result<Timestamp, StoreError> {
        self.inner.audit(visit).await
    }
}

/// Reads go past the gate.
macro_rules! ungated {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Views for Gated {
            $(async fn $name(&self, scope: &Scope, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.inner.$name(scope, $($argument),*).await
            })*

            // The one that takes no scope.
            async fn admission(
                &self,
                partner: Option<&PartnerCode>,
                fingerprint: &Hash,
            ) -> Result<Admission, StoreError> {
                self.inner.admission(partner, fingerprint).await
            }
        }
    };
}

ungated! {
    partner(code: &PartnerCode) -> Option<Partner>;
    partners(page: &Page<PartnerCode>) -> Paged<Partner, PartnerCode>;
    program(id: ProgramId) -> Option<Program>;
    programs(partner: Option<&PartnerCode>, page: &Page<ProgramId>) -> Paged<Program, ProgramId>;
    agreement(id: AgreementId) -> Option<AgreementView>;
    agreements(partner: Option<&PartnerCode>, page: &Page<AgreementId>) -> Paged<AgreementView, AgreementId>;
    membership(name: &MembershipName) -> Option<MembershipView>;
    consents(id: MembershipId, page: &Page<ConsentListKey>) -> Option<Paged<ConsentView, ConsentListKey>>;
    balance(id: MembershipId) -> Option<(Account, Program)>;
    postings(id: MembershipId, page: &Page<i64>) -> Option<Paged<PostingView, i64>>;
    lots(id: MembershipId, page: &Page<LotKey>) -> Option<(Paged<LotView, LotKey>, Program)>;
    exchange(id: ExchangeId) -> Option<ExchangeWithReversals>;
    exchanges(filter: &ExchangeFilter, page: &Page<ExchangeId>) -> Paged<ExchangeView, ExchangeId>;
    quote(source: MembershipId, destination: MembershipId) -> QuoteView;
    approvals(state: Option<ApprovalState>, page: &Page<ApprovalId>) -> (Paged<Approval, ApprovalId>, Timestamp);
    certificates(of: Option<&PartnerCode>, page: &Page<CertificateKey>) -> Paged<Certificate, CertificateKey>;
    signing_keys(id: ProgramId) -> Option<Vec<SigningKey>>;
}
