//! Agreements with the versions that matter now.

use pointbridge_core::ids::AgreementId;
use pointbridge_core::text::PartnerCode;
use pointbridge_store::{AgreementView, Page, Paged, Scope, StoreError};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{limit, paged, scope_bind};
use crate::columns;
use crate::rows;
use crate::session::{Bind, Session};

/// An agreement in scope, with its version in force and the one that waits.
macro_rules! select {
    () => {
        concat!(
            "select ",
            columns::agreement!(),
            ", active.version as active_terms_version, active.author_code as active_terms_author_code,
             active.terms as active_terms_terms, active.terms_hash as active_terms_terms_hash,
             active.proposed_at as active_terms_proposed_at,
             pending.version as pending_terms_version, pending.author_code as pending_terms_author_code,
             pending.terms as pending_terms_terms, pending.terms_hash as pending_terms_terms_hash,
             pending.proposed_at as pending_terms_proposed_at
             from agreement
             left join agreement_version as active on active.agreement_id = agreement.agreement_id
                 and active.version = agreement.active_version
             left join agreement_version as pending on pending.agreement_id = agreement.agreement_id
                 and pending.version = agreement.pending_version
             where ($1 is null or $1 in (agreement.low_code, agreement.high_code))"
        )
    };
}

pub(super) async fn one(
    session: &mut Session<'_>,
    scope: &Scope,
    id: AgreementId,
) -> Result<Option<AgreementView>, StoreError> {
    let sql = concat!(select!(), " and agreement.agreement_id = $2");
    let row = session.row(sql, vec![scope_bind(scope), Bind::id(id.uuid())]).await?;
    row.as_ref().map(view).transpose()
}

pub(super) async fn list(
    session: &mut Session<'_>,
    scope: &Scope,
    partner: Option<&PartnerCode>,
    page: &Page<AgreementId>,
) -> Result<Paged<AgreementView, AgreementId>, StoreError> {
    let sql = concat!(
        select!(),
        " and ($2 is null or $2 in (agreement.low_code, agreement.high_code)) and agreement.agreement_id > $3
         order by agreement.agreement_id limit $4"
    );
    let after = page.after.map_or(Bind::id(Uuid::nil()), |id| Bind::id(id.uuid()));
    let partner = Bind::text_or_null(partner.map(PartnerCode::as_str));
    let found = session.rows(sql, vec![scope_bind(scope), partner, after, limit(page)]).await?;
    paged(&found, page, view, |view| view.agreement.agreement_id)
}

fn view(row: &PgRow) -> Result<AgreementView, StoreError> {
    Ok(AgreementView {
        agreement: rows::agreement(row)?,
        active: rows::version(row, "active_terms_")?,
        pending: rows::version(row, "pending_terms_")?,
    })
}
