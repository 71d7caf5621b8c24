//! Every row that the check reads, on one snapshot, without keeping any.
//!
//! Ids stand in their text form. Records come in the order in which they were written, as far as it matters: by time, which no
//! two hubs share for records that touch the same row, and by number, which grows within a hub. Their lines come by their
//! record's id.
//!
//! Absent on purpose: any opinion about the rows. Even what core could not read is shown, as far as a column's type goes.

mod lines;
mod parties;
mod standing;
mod state;

use pointbridge_core::time::Timestamp;
use pointbridge_store::{AuditRow, StoreError};
use sqlx::postgres::PgRow;

use crate::error;
use crate::rows::Cells;
use crate::session::Session;

/// A statement and how its rows are read.
type Table = (&'static str, fn(&PgRow) -> Result<AuditRow, StoreError>);

pub(crate) async fn show(
    session: &mut Session<'_>,
    visit: &mut (dyn FnMut(AuditRow) + Send),
) -> Result<Timestamp, StoreError> {
    // Whole tables, and a large one takes longer than any statement of a batch may.
    session
        .plain(
            "set local statement_timeout = 0; set local enable_seqscan = on; set local enable_hashjoin = on;
             set local enable_mergejoin = on",
        )
        .await?;
    let sql = "select greatest(store_state.created_at, (select max(last_now) from clock_slot)) as last_now from store_state";
    let state = session.row(sql, Vec::new()).await?;
    let last_now = state.ok_or_else(|| error::broken("the store has no state"))?.time("last_now")?;
    for (sql, read) in
        lines::TABLES.iter().chain(parties::TABLES).chain(standing::TABLES).chain(state::TABLES)
    {
        session
            .each(sql, &mut |row| {
                visit(read(row)?);
                Ok(())
            })
            .await?;
    }
    Ok(last_now)
}
