//! Every row that the check reads, on one snapshot, without keeping any.
//!
//! Ids stand in their text form. Records come in the order in which they were written, their lines by their record's id.
//!
//! Absent on purpose: any opinion about the rows. Even what core could not read is shown, as far as a column's type goes.

mod lines;
mod parties;
mod standing;
mod state;

use pointbridge_core::time::Timestamp;
use pointbridge_store::{AuditRow, StoreError};
use sqlx::sqlite::SqliteRow;

use crate::error;
use crate::rows::Cells;
use crate::session::Session;

/// A statement and how its rows are read.
type Table = (&'static str, fn(&SqliteRow) -> Result<AuditRow, StoreError>);

pub(crate) async fn show(
    session: &mut Session<'_>,
    visit: &mut (dyn FnMut(AuditRow) + Send),
) -> Result<Timestamp, StoreError> {
    let state = session.row("select last_now from store_state", Vec::new()).await?;
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
