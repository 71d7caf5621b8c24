//! Memberships, what they are linked with, and their consents.

use pointbridge_core::ids::{ConsentId, MembershipId, ProgramId};
use pointbridge_core::time::Timestamp;
use pointbridge_store::{
    ConsentView, LinkedMembership, MembershipName, MembershipView, Page, Paged, Scope, StoreError,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{limit, paged, scope_bind};
use crate::columns;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};

macro_rules! select {
    () => {
        concat!(
            "select ",
            columns::membership!(),
            " from membership join program on program.program_id = membership.program_id
             where ($1 is null or program.partner_code = $1)"
        )
    };
}

pub(super) async fn one(
    session: &mut Session<'_>,
    scope: &Scope,
    name: &MembershipName,
) -> Result<Option<MembershipView>, StoreError> {
    let row = match name {
        MembershipName::Id(id) => {
            let sql = concat!(select!(), " and membership.membership_id = $2");
            session.row(sql, vec![scope_bind(scope), Bind::id(id.uuid())]).await?
        }
        MembershipName::External(program, reference) => {
            let sql =
                concat!(select!(), " and membership.program_id = $2 and membership.external_reference = $3");
            let reference = Bind::text(reference.to_string());
            session.row(sql, vec![scope_bind(scope), Bind::id(program.uuid()), reference]).await?
        }
    };
    let Some(membership) = row.as_ref().map(rows::membership).transpose()? else { return Ok(None) };
    let linked = linked(session, membership.membership_id).await?;
    Ok(Some(MembershipView { membership, linked }))
}

async fn linked(
    session: &mut Session<'_>,
    membership: MembershipId,
) -> Result<Vec<LinkedMembership>, StoreError> {
    let found = session
        .rows(
            "select membership.membership_id, membership.program_id, program.partner_code
             from (
                 select used_by_membership_id as membership_id from link_code
                 where membership_id = $1 and used_by_membership_id is not null
                 union
                 select membership_id from link_code where used_by_membership_id = $1
             ) as linked
             join membership on membership.membership_id = linked.membership_id
             join program on program.program_id = membership.program_id
             order by membership.membership_id",
            vec![Bind::id(membership.uuid())],
        )
        .await?;
    let read = |row: &PgRow| {
        Ok(LinkedMembership {
            membership_id: row.id("membership_id", MembershipId::new)?,
            program_id: row.id("program_id", ProgramId::new)?,
            partner: row.coded("partner_code")?,
        })
    };
    found.iter().map(read).collect()
}

pub(super) async fn consents(
    session: &mut Session<'_>,
    scope: &Scope,
    membership: MembershipId,
    page: &Page<(Timestamp, ConsentId)>,
) -> Result<Option<Paged<ConsentView, (Timestamp, ConsentId)>>, StoreError> {
    let sql = concat!(select!(), " and membership.membership_id = $2");
    if session.row(sql, vec![scope_bind(scope), Bind::id(membership.uuid())]).await?.is_none() {
        return Ok(None);
    }
    let sql = concat!(
        "select ",
        columns::consent!(),
        ", consent_withdrawal.reason, consent_withdrawal.withdrawn_at
         from consent left join consent_withdrawal on consent_withdrawal.consent_id = consent.consent_id
         where consent.membership_id = $1 and (consent.granted_at, consent.consent_id) > ($2, $3)
         order by consent.granted_at, consent.consent_id limit $4"
    );
    let (granted_at, consent_id) = match &page.after {
        Some((granted_at, id)) => (Bind::int(granted_at.micros()), Bind::id(id.uuid())),
        None => (Bind::int(-1), Bind::id(Uuid::nil())),
    };
    let binds = vec![Bind::id(membership.uuid()), granted_at, consent_id, limit(page)];
    let found = session.rows(sql, binds).await?;
    let read =
        |row: &PgRow| Ok(ConsentView { consent: rows::consent(row)?, withdrawal: rows::withdrawal(row)? });
    paged(&found, page, read, |view| (view.consent.granted_at, view.consent.consent_id)).map(Some)
}
