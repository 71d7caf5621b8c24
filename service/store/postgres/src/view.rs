//! What callers read. Each view is one snapshot, by one statement or by a transaction, or reads what a moment more or less does not change; its statements carry the caller's scope: what is another's
//! is found as little as what does not exist, with the same statements.
//!
//! A list asks for one row more than the page has, which tells whether there is another page.

mod agreement;
mod exchange;
mod ledger;
mod member;
mod partner;
mod quote;
mod standing;

use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::ids::{AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId};
use pointbridge_core::ledger::{Account, LotKey};
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_store::{
    Admission, AgreementView, ConsentView, ExchangeFilter, ExchangeView, ExchangeWithReversals, LotView,
    MembershipName, MembershipView, Page, Paged, PostingView, QuoteView, Scope, StoreError, Views,
};
use sqlx::postgres::PgRow;

use crate::open::PostgresStore;
use crate::session::{Bind, read};

/// The scope's partner, or null for everything: `$1 is null or partner_code = $1`.
fn scope_bind(scope: &Scope) -> Bind {
    Bind::text_or_null(scope.partner().map(PartnerCode::as_str))
}

/// How many rows a page has.
fn size<K>(page: &Page<K>) -> u32 {
    page.size.clamp(1, Page::<K>::SIZE_MAX)
}

/// The statement's limit: a page and one row.
fn limit<K>(page: &Page<K>) -> Bind {
    Bind::int(i64::from(size(page)).saturating_add(1))
}

/// Cuts the rows to the page, and notes the last key where there are more.
fn paged<T, K>(
    rows: &[PgRow],
    page: &Page<K>,
    read: impl Fn(&PgRow) -> Result<T, StoreError>,
    key: impl Fn(&T) -> K,
) -> Result<Paged<T, K>, StoreError> {
    let size = usize::try_from(size(page)).unwrap_or(usize::MAX);
    let taken = rows.iter().take(size).map(read).collect::<Result<Vec<T>, _>>()?;
    let next = if rows.len() > size { taken.last().map(key) } else { None };
    Ok(Paged { rows: taken, next })
}

impl Views for PostgresStore {
    async fn partner(&self, scope: &Scope, code: &PartnerCode) -> Result<Option<Partner>, StoreError> {
        read!(self.reader, |session| partner::one(&mut session, scope, code))
    }

    async fn partners(
        &self,
        scope: &Scope,
        page: &Page<PartnerCode>,
    ) -> Result<Paged<Partner, PartnerCode>, StoreError> {
        read!(self.reader, |session| partner::list(&mut session, scope, page))
    }

    async fn program(&self, scope: &Scope, id: ProgramId) -> Result<Option<Program>, StoreError> {
        read!(self.reader, |session| partner::program(&mut session, scope, id))
    }

    async fn programs(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<ProgramId>,
    ) -> Result<Paged<Program, ProgramId>, StoreError> {
        read!(self.reader, |session| partner::programs(&mut session, scope, partner, page))
    }

    async fn agreement(&self, scope: &Scope, id: AgreementId) -> Result<Option<AgreementView>, StoreError> {
        read!(self.reader, |session| agreement::one(&mut session, scope, id))
    }

    async fn agreements(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<AgreementId>,
    ) -> Result<Paged<AgreementView, AgreementId>, StoreError> {
        read!(self.reader, |session| agreement::list(&mut session, scope, partner, page))
    }

    async fn membership(
        &self,
        scope: &Scope,
        name: &MembershipName,
    ) -> Result<Option<MembershipView>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let seen = member::one(&mut snapshot.session()?, scope, name).await;
        snapshot.rollback().await;
        seen
    }

    async fn consents(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<(Timestamp, ConsentId)>,
    ) -> Result<Option<Paged<ConsentView, (Timestamp, ConsentId)>>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let seen = member::consents(&mut snapshot.session()?, scope, membership, page).await;
        snapshot.rollback().await;
        seen
    }

    async fn balance(
        &self,
        scope: &Scope,
        membership: MembershipId,
    ) -> Result<Option<(Account, Program)>, StoreError> {
        read!(self.reader, |session| ledger::balance(&mut session, scope, membership))
    }

    async fn postings(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<i64>,
    ) -> Result<Option<Paged<PostingView, i64>>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let seen = ledger::postings(&mut snapshot.session()?, scope, membership, page).await;
        snapshot.rollback().await;
        seen
    }

    async fn lots(
        &self,
        scope: &Scope,
        membership: MembershipId,
        page: &Page<LotKey>,
    ) -> Result<Option<(Paged<LotView, LotKey>, Program)>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let seen = ledger::lots(&mut snapshot.session()?, scope, membership, page).await;
        snapshot.rollback().await;
        seen
    }

    async fn exchange(
        &self,
        scope: &Scope,
        id: ExchangeId,
    ) -> Result<Option<ExchangeWithReversals>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let seen = exchange::one(&mut snapshot.session()?, scope, id).await;
        snapshot.rollback().await;
        seen
    }

    async fn exchanges(
        &self,
        scope: &Scope,
        filter: &ExchangeFilter,
        page: &Page<ExchangeId>,
    ) -> Result<Paged<ExchangeView, ExchangeId>, StoreError> {
        read!(self.reader, |session| exchange::list(&mut session, scope, filter, page))
    }

    async fn quote(
        &self,
        scope: &Scope,
        source: MembershipId,
        destination: MembershipId,
    ) -> Result<QuoteView, StoreError> {
        let ends = quote::Ends { source, destination };
        read!(self.reader, |session| quote::read(&mut session, self.time(), scope, ends))
    }

    async fn approvals(
        &self,
        scope: &Scope,
        state: Option<ApprovalState>,
        page: &Page<ApprovalId>,
    ) -> Result<(Paged<Approval, ApprovalId>, Timestamp), StoreError> {
        read!(self.reader, |session| standing::approvals(&mut session, self.time(), scope, state, page))
    }

    async fn certificates(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        page: &Page<CertificateKey>,
    ) -> Result<Paged<Certificate, CertificateKey>, StoreError> {
        read!(self.reader, |session| standing::certificates(&mut session, scope, partner, page))
    }

    async fn signing_keys(
        &self,
        scope: &Scope,
        program: ProgramId,
    ) -> Result<Option<Vec<SigningKey>>, StoreError> {
        read!(self.reader, |session| standing::signing_keys(&mut session, scope, program))
    }

    async fn admission(
        &self,
        partner: Option<&PartnerCode>,
        fingerprint: &Hash,
    ) -> Result<Admission, StoreError> {
        read!(self.reader, |session| standing::admission(&mut session, self.time(), partner, fingerprint))
    }
}
