//! What callers read from the reference store. Each view takes all rows, leaves out what is not in scope, and cuts a page.

use std::collections::BTreeMap;

use pointbridge_core::agreement::{Agreement, Pair};
use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::ids::{
    AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId, RecordId,
};
use pointbridge_core::ledger::{Account, LotKey, Posting};
use pointbridge_core::member::Membership;
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::record::Record;
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_store::{
    Admission, AgreementView, ConsentView, EndView, ExchangeFilter, ExchangeView, ExchangeWithReversals,
    LinkedMembership, LotView, MembershipName, MembershipView, Page, Paged, PostingView, QuoteView,
    ReversalView, Scope, StoreError, Views,
};

use super::MemoryStore;
use super::standing;
use super::state::{Reservation, State};

/// A page of rows that are in the order of the list already; `is_before` says which of two keys comes first in it.
pub(super) fn page<T, K: Clone>(
    rows: impl Iterator<Item = (K, T)>,
    page: &Page<K>,
    is_before: impl Fn(&K, &K) -> bool,
) -> Paged<T, K> {
    let size = usize::try_from(page.size.clamp(1, Page::<K>::SIZE_MAX)).unwrap_or(1);
    let mut ahead = rows.filter(|(key, _)| page.after.as_ref().is_none_or(|after| is_before(after, key)));
    let taken: Vec<(K, T)> = ahead.by_ref().take(size).collect();
    let next = taken.last().map(|(key, _)| key.clone()).filter(|_| ahead.next().is_some());
    Paged { rows: taken.into_iter().map(|(_, row)| row).collect(), next }
}

impl State {
    fn scoped_membership(&self, scope: &Scope, id: MembershipId) -> Option<&Membership> {
        self.memberships.get(&id).filter(|membership| scope.covers(&membership.partner))
    }

    fn agreement_view(&self, agreement: &Agreement) -> AgreementView {
        let version = |number: Option<u32>| {
            number.and_then(|number| self.versions.get(&(agreement.agreement_id, number)).cloned())
        };
        AgreementView {
            active: version(agreement.active_version),
            pending: version(agreement.pending_version),
            agreement: agreement.clone(),
        }
    }

    fn linked(&self, membership: MembershipId) -> Vec<LinkedMembership> {
        let used = self.link_codes.values().filter_map(|code| Some((code.membership_id, code.used_by?)));
        let others = used.filter_map(|(issuer, bringer)| match membership {
            id if id == issuer => Some(bringer),
            id if id == bringer => Some(issuer),
            _ => None,
        });
        let others = others.filter_map(|id| self.memberships.get(&id));
        let linked: BTreeMap<MembershipId, LinkedMembership> = others
            .map(|other| {
                let linked = LinkedMembership {
                    membership_id: other.membership_id,
                    program_id: other.program_id,
                    partner: other.partner.clone(),
                };
                (other.membership_id, linked)
            })
            .collect();
        linked.into_values().collect()
    }

    fn postings_of(&self, membership: MembershipId) -> Result<BTreeMap<i64, PostingView>, StoreError> {
        let mut found = BTreeMap::new();
        let touches = |posting: &Posting| {
            posting.member.as_ref().is_some_and(|member| member.membership_id == membership)
        };
        for sealed in self.records.iter().filter(|sealed| sealed.record.postings.iter().any(touches)) {
            let record = self.record(sealed.record.record_id)?;
            for posting in record.postings.iter().filter(|posting| touches(posting)) {
                let sequence = posting.member.as_ref().map(|member| member.sequence);
                found.extend(sequence.map(|sequence| (sequence, posting_view(&record, posting))));
            }
        }
        Ok(found)
    }

    fn exchange_view(&self, reservation: &Reservation) -> Result<ExchangeView, StoreError> {
        let id = reservation.last_record;
        let record = self.record(id)?;
        let exchange = record.exchange().cloned();
        let exchange = exchange.ok_or_else(|| StoreError::Broken(format!("{id} is of no exchange")))?;
        let last = self.reversals.get(&exchange.exchange_id).and_then(|parts| parts.last());
        Ok(ExchangeView {
            exchange,
            record_id: id,
            window_id: record.window_id,
            reversed_source: last.map_or(0, |last| last.reversed_source_points),
        })
    }

    fn reversal_views(&self, id: ExchangeId) -> Result<Vec<ReversalView>, StoreError> {
        let parts = self.reversals.get(&id).into_iter().flatten();
        parts.map(|part| self.reversal_view(part.record_id)).collect()
    }

    fn reversal_view(&self, record_id: RecordId) -> Result<ReversalView, StoreError> {
        let record = self.record(record_id)?;
        let reversal = record.reversal().cloned();
        let reversal =
            reversal.ok_or_else(|| StoreError::Broken(format!("{record_id} is of no reversal")))?;
        Ok(ReversalView { reversal, record_id, window_id: record.window_id })
    }

    fn end_view(&self, membership: &Membership, other: &PartnerCode) -> Option<EndView> {
        Some(EndView {
            program: self.programs.get(&membership.program_id)?.clone(),
            partner: self.partners.get(&membership.partner)?.clone(),
            consent: self.exchange_consent(membership.membership_id, other).cloned(),
            membership: membership.clone(),
        })
    }
}

fn posting_view(record: &Record, posting: &Posting) -> PostingView {
    let (reason, reference) = record.cause();
    PostingView {
        record_id: record.record_id,
        kind: record.kind,
        decided_at: record.decided_at,
        posting: posting.clone(),
        reason: reason.cloned(),
        reference: reference.cloned(),
        exchange_id: record.exchange_id(),
    }
}

fn in_scope(scope: &Scope, reservation: &Reservation) -> bool {
    scope.partner().is_none_or(|partner| reservation.prepared.is_party(partner))
}

fn matches(filter: &ExchangeFilter, reservation: &Reservation) -> bool {
    let touches = |id: MembershipId| {
        let legs = &reservation.prepared.legs;
        legs.iter().any(|leg| leg.source.membership_id == id || leg.destination.membership_id == id)
    };
    filter.state.is_none_or(|state| reservation.state == state)
        && filter.membership_id.is_none_or(touches)
        && filter.order.as_ref().is_none_or(|order| reservation.prepared.references.order == *order)
}

impl Views for MemoryStore {
    async fn partner(&self, scope: &Scope, code: &PartnerCode) -> Result<Option<Partner>, StoreError> {
        Ok(self.state().partners.get(code).filter(|_| scope.covers(code)).cloned())
    }

    async fn partners(
        &self,
        scope: &Scope,
        of: &Page<PartnerCode>,
    ) -> Result<Paged<Partner, PartnerCode>, StoreError> {
        let state = self.state();
        let rows = state.partners.iter().filter(|(code, _)| scope.covers(code));
        Ok(page(rows.map(|(code, partner)| (code.clone(), partner.clone())), of, |a, b| a < b))
    }

    async fn program(&self, scope: &Scope, id: ProgramId) -> Result<Option<Program>, StoreError> {
        Ok(self.state().programs.get(&id).filter(|program| scope.covers(&program.partner)).cloned())
    }

    async fn programs(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        of: &Page<ProgramId>,
    ) -> Result<Paged<Program, ProgramId>, StoreError> {
        let state = self.state();
        let rows = state.programs.iter().filter(|(_, program)| {
            scope.covers(&program.partner) && partner.is_none_or(|code| program.partner == *code)
        });
        Ok(page(rows.map(|(id, program)| (*id, program.clone())), of, |a, b| a < b))
    }

    async fn agreement(&self, scope: &Scope, id: AgreementId) -> Result<Option<AgreementView>, StoreError> {
        let state = self.state();
        let known = state.agreement(id);
        let known = known.filter(|known| scope.partner().is_none_or(|code| known.pair.has(code)));
        Ok(known.map(|known| state.agreement_view(known)))
    }

    async fn agreements(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        of: &Page<AgreementId>,
    ) -> Result<Paged<AgreementView, AgreementId>, StoreError> {
        let state = self.state();
        let wanted = state.agreements.values().filter(|known| {
            scope.partner().is_none_or(|code| known.pair.has(code))
                && partner.is_none_or(|code| known.pair.has(code))
        });
        let by_id: BTreeMap<AgreementId, AgreementView> =
            wanted.map(|known| (known.agreement_id, state.agreement_view(known))).collect();
        Ok(page(by_id.into_iter(), of, |a, b| a < b))
    }

    async fn membership(
        &self,
        scope: &Scope,
        name: &MembershipName,
    ) -> Result<Option<MembershipView>, StoreError> {
        let state = self.state();
        let known = match name {
            MembershipName::Id(id) => state.memberships.get(id),
            MembershipName::External(program, reference) => state
                .memberships
                .values()
                .find(|known| known.program_id == *program && known.external_reference == *reference),
        };
        let known = known.filter(|known| scope.covers(&known.partner));
        Ok(known.map(|known| MembershipView {
            membership: known.clone(),
            linked: state.linked(known.membership_id),
        }))
    }

    async fn consents(
        &self,
        scope: &Scope,
        membership: MembershipId,
        of: &Page<(Timestamp, ConsentId)>,
    ) -> Result<Option<Paged<ConsentView, (Timestamp, ConsentId)>>, StoreError> {
        let state = self.state();
        if state.scoped_membership(scope, membership).is_none() {
            return Ok(None);
        }
        let given = state.consents.values().filter(|consent| consent.membership_id == membership);
        let rows: BTreeMap<(Timestamp, ConsentId), ConsentView> = given
            .map(|consent| {
                let withdrawal = state.withdrawals.get(&consent.consent_id).cloned();
                let key = (consent.granted_at, consent.consent_id);
                (key, ConsentView { consent: consent.clone(), withdrawal })
            })
            .collect();
        Ok(Some(page(rows.into_iter(), of, |a, b| a < b)))
    }

    async fn balance(
        &self,
        scope: &Scope,
        membership: MembershipId,
    ) -> Result<Option<(Account, Program)>, StoreError> {
        let state = self.state();
        let Some(known) = state.scoped_membership(scope, membership) else { return Ok(None) };
        let account = state.accounts.get(&membership).copied();
        Ok(account.zip(state.programs.get(&known.program_id).cloned()))
    }

    async fn postings(
        &self,
        scope: &Scope,
        membership: MembershipId,
        of: &Page<i64>,
    ) -> Result<Option<Paged<PostingView, i64>>, StoreError> {
        let state = self.state();
        if state.scoped_membership(scope, membership).is_none() {
            return Ok(None);
        }
        let newest_first = state.postings_of(membership)?.into_iter().rev();
        Ok(Some(page(newest_first, of, |a, b| a > b)))
    }

    async fn lots(
        &self,
        scope: &Scope,
        membership: MembershipId,
        of: &Page<LotKey>,
    ) -> Result<Option<(Paged<LotView, LotKey>, Program)>, StoreError> {
        let state = self.state();
        let Some(known) = state.scoped_membership(scope, membership) else { return Ok(None) };
        let left = state.lots_of(membership).filter(|(_, lot)| lot.remaining > 0);
        let rows = page(left.map(|(key, lot)| (key, LotView { key, lot })), of, |a, b| a < b);
        Ok(state.programs.get(&known.program_id).cloned().map(|program| (rows, program)))
    }

    async fn exchange(
        &self,
        scope: &Scope,
        id: ExchangeId,
    ) -> Result<Option<ExchangeWithReversals>, StoreError> {
        let state = self.state();
        let known = state.reservations.get(&id).filter(|known| in_scope(scope, known));
        known.map(|known| Ok((state.exchange_view(known)?, state.reversal_views(id)?))).transpose()
    }

    async fn exchanges(
        &self,
        scope: &Scope,
        filter: &ExchangeFilter,
        of: &Page<ExchangeId>,
    ) -> Result<Paged<ExchangeView, ExchangeId>, StoreError> {
        let state = self.state();
        let newest_first = state.reservations.iter().rev();
        let wanted = newest_first.filter(|(_, known)| in_scope(scope, known) && matches(filter, known));
        let Paged { rows, next } = page(wanted.map(|(id, known)| (*id, known)), of, |a, b| a > b);
        let rows = rows.into_iter().map(|known| state.exchange_view(known)).collect::<Result<_, _>>()?;
        Ok(Paged { rows, next })
    }

    async fn quote(
        &self,
        scope: &Scope,
        source: MembershipId,
        destination: MembershipId,
    ) -> Result<QuoteView, StoreError> {
        let state = self.state();
        let source = state.scoped_membership(scope, source);
        let other = state.memberships.get(&destination);
        let other = other.filter(|other| source.is_some_and(|source| source.member_id == other.member_id));
        let pair = source.zip(other).and_then(|(source, other)| Pair::new(&source.partner, &other.partner));
        let agreement = pair.and_then(|pair| state.agreements.get(&pair));
        let version = agreement.and_then(|known| Some((known.agreement_id, known.active_version?)));
        // Without a destination there is no partner for whom a consent could matter.
        let source_end = source.and_then(|source| {
            let toward = other.map_or(&source.partner, |other| &other.partner);
            state.end_view(source, toward)
        });
        Ok(QuoteView {
            destination: source.zip(other).and_then(|(source, other)| state.end_view(other, &source.partner)),
            source: source_end,
            version: version.and_then(|key| state.versions.get(&key).cloned()),
            now: self.now(&state),
            epoch: state.epoch,
        })
    }

    async fn approvals(
        &self,
        scope: &Scope,
        wanted: Option<ApprovalState>,
        of: &Page<ApprovalId>,
    ) -> Result<(Paged<Approval, ApprovalId>, Timestamp), StoreError> {
        let state = self.state();
        let now = self.now(&state);
        Ok((standing::approvals(&state, scope, (wanted, now), of), now))
    }

    async fn certificates(
        &self,
        scope: &Scope,
        partner: Option<&PartnerCode>,
        of: &Page<CertificateKey>,
    ) -> Result<Paged<Certificate, CertificateKey>, StoreError> {
        Ok(standing::certificates(&self.state(), scope, partner, of))
    }

    async fn signing_keys(
        &self,
        scope: &Scope,
        program: ProgramId,
    ) -> Result<Option<Vec<SigningKey>>, StoreError> {
        Ok(standing::signing_keys(&self.state(), scope, program))
    }

    async fn admission(
        &self,
        partner: Option<&PartnerCode>,
        fingerprint: &Hash,
    ) -> Result<Admission, StoreError> {
        let state = self.state();
        Ok(standing::admission(&state, partner, fingerprint, self.now(&state)))
    }
}
