//! Accounts, their postings and their lots.

use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::{Account, LotKey};
use pointbridge_core::partner::Program;
use pointbridge_store::{LotView, Page, Paged, PostingView, Scope, StoreError};
use sqlx::postgres::PgRow;

use super::{limit, paged, scope_bind};
use crate::columns;
use crate::error;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};

/// The account with its program, if the program's partner is in scope.
async fn account(
    session: &mut Session<'_>,
    scope: &Scope,
    membership: MembershipId,
) -> Result<Option<PgRow>, StoreError> {
    let sql = concat!(
        "select account.*, ",
        columns::program!(),
        " from account join membership on membership.membership_id = account.membership_id
         join program on program.program_id = membership.program_id
         where ($1 is null or program.partner_code = $1) and account.membership_id = $2"
    );
    session.row(sql, vec![scope_bind(scope), Bind::id(membership.uuid())]).await
}

pub(super) async fn balance(
    session: &mut Session<'_>,
    scope: &Scope,
    membership: MembershipId,
) -> Result<Option<(Account, Program)>, StoreError> {
    let row = account(session, scope, membership).await?;
    row.map(|row| Ok((rows::account(&row)?, rows::program(&row)?))).transpose()
}

pub(super) async fn postings(
    session: &mut Session<'_>,
    scope: &Scope,
    membership: MembershipId,
    page: &Page<i64>,
) -> Result<Option<Paged<PostingView, i64>>, StoreError> {
    if account(session, scope, membership).await?.is_none() {
        return Ok(None);
    }
    let found = session
        .rows(
            "select posting.posting_number, posting.member_sequence, record.bytes
             from posting join record on record.record_number = posting.record_number
             where posting.membership_id = $1 and posting.member_sequence < $2
             order by posting.member_sequence desc limit $3",
            vec![Bind::id(membership.uuid()), Bind::int(page.after.unwrap_or(i64::MAX)), limit(page)],
        )
        .await?;
    let read = |row: &PgRow| Ok((row.int("member_sequence")?, posting(row)?));
    let Paged { rows, next } = paged(&found, page, read, |(sequence, _)| *sequence)?;
    Ok(Some(Paged { rows: rows.into_iter().map(|(_, view)| view).collect(), next }))
}

/// The posting as its record has it.
fn posting(row: &PgRow) -> Result<PostingView, StoreError> {
    let record = rows::record(row)?;
    let index: usize = row.number::<usize>("posting_number")?.saturating_sub(1);
    let posting = record.postings.get(index);
    let posting = posting.ok_or_else(|| error::broken("a posting that its record does not have"))?.clone();
    let (reason, reference) = record.cause();
    Ok(PostingView {
        record_id: record.record_id,
        kind: record.kind,
        decided_at: record.decided_at,
        posting,
        reason: reason.cloned(),
        reference: reference.cloned(),
        exchange_id: record.exchange_id(),
    })
}

pub(super) async fn lots(
    session: &mut Session<'_>,
    scope: &Scope,
    membership: MembershipId,
    page: &Page<LotKey>,
) -> Result<Option<(Paged<LotView, LotKey>, Program)>, StoreError> {
    let Some(account) = account(session, scope, membership).await? else { return Ok(None) };
    let after = page.after.map(|key| (key.expiry.micros(), key.origin.number(), key.exchangeable));
    let (expires_at, origin_month, exchangeable) = after.unwrap_or((-1, 0, false));
    let found = session
        .rows(
            "select lot.* from lot
             where lot.membership_id = $1 and lot.remaining > 0
                 and (lot.expires_at, lot.origin_month, lot.exchangeable) > ($2, $3, $4)
             order by lot.expires_at, lot.origin_month, lot.exchangeable limit $5",
            vec![
                Bind::id(membership.uuid()),
                Bind::int(expires_at),
                Bind::int(i64::from(origin_month)),
                Bind::Flag(Some(exchangeable)),
                limit(page),
            ],
        )
        .await?;
    let read = |row: &PgRow| rows::lot(row).map(|(key, lot)| LotView { key, lot });
    let lots = paged(&found, page, read, |view| view.key)?;
    Ok(Some((lots, rows::program(&account)?)))
}
