//! Partners and their programs.

use pointbridge_core::ids::ProgramId;
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::text::PartnerCode;
use pointbridge_store::{Page, Paged, Scope, StoreError};
use uuid::Uuid;

use super::{limit, paged, scope_bind};
use crate::columns;
use crate::rows;
use crate::session::{Bind, Session};

pub(super) async fn one(
    session: &mut Session<'_>,
    scope: &Scope,
    code: &PartnerCode,
) -> Result<Option<Partner>, StoreError> {
    let sql = concat!(
        "select ",
        columns::partner!(),
        " from partner where ($1 is null or partner_code = $1) and partner_code = $2"
    );
    let binds = vec![scope_bind(scope), Bind::text(code.to_string())];
    session.row(sql, binds).await?.as_ref().map(rows::partner).transpose()
}

pub(super) async fn list(
    session: &mut Session<'_>,
    scope: &Scope,
    page: &Page<PartnerCode>,
) -> Result<Paged<Partner, PartnerCode>, StoreError> {
    let sql = concat!(
        "select ",
        columns::partner!(),
        " from partner where ($1 is null or partner_code = $1) and partner_code > $2
         order by partner_code limit $3"
    );
    let after = page.after.as_ref().map(PartnerCode::to_string).unwrap_or_default();
    let found = session.rows(sql, vec![scope_bind(scope), Bind::text(after), limit(page)]).await?;
    paged(&found, page, rows::partner, |partner| partner.code.clone())
}

pub(super) async fn program(
    session: &mut Session<'_>,
    scope: &Scope,
    id: ProgramId,
) -> Result<Option<Program>, StoreError> {
    let sql = concat!(
        "select ",
        columns::program!(),
        " from program where ($1 is null or partner_code = $1) and program_id = $2"
    );
    let row = session.row(sql, vec![scope_bind(scope), Bind::id(id.uuid())]).await?;
    row.as_ref().map(rows::program).transpose()
}

pub(super) async fn programs(
    session: &mut Session<'_>,
    scope: &Scope,
    partner: Option<&PartnerCode>,
    page: &Page<ProgramId>,
) -> Result<Paged<Program, ProgramId>, StoreError> {
    let sql = concat!(
        "select ",
        columns::program!(),
        " from program
         where ($1 is null or partner_code = $1) and ($2 is null or partner_code = $2) and program_id > $3
         order by program_id limit $4"
    );
    let after = page.after.map_or(Bind::id(Uuid::nil()), |id| Bind::id(id.uuid()));
    let partner = Bind::text_or_null(partner.map(PartnerCode::as_str));
    let found = session.rows(sql, vec![scope_bind(scope), partner, after, limit(page)]).await?;
    paged(&found, page, rows::program, |program| program.program_id)
}
