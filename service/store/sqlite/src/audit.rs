//! Every row that the check reads, on one snapshot, without keeping any.
//!
//! Ids stand in their text form. Records come in the order in which they were written, their lines by their record's id.
//!
//! Absent on purpose: any opinion about the rows. Even what core could not read is shown, as far as a column's type goes.

mod lines;
mod state;

use pointbridge_core::time::Timestamp;
use pointbridge_store::{AuditRow, StoreError};
use sqlx::sqlite::SqliteRow;

use crate::due;
use crate::session::Session;
use crate::time::Time;

/// A statement and how its rows are read.
type Table = (&'static str, fn(&SqliteRow) -> Result<AuditRow, StoreError>);

pub(crate) async fn show(
    session: &mut Session<'_>,
    time: &Time,
    visit: &mut (dyn FnMut(AuditRow) + Send),
) -> Result<Timestamp, StoreError> {
    let now = due::now(session, time).await?;
    for (sql, read) in state::FIRST.iter().chain(lines::TABLES).chain(state::LAST) {
        session
            .each(sql, &mut |row| {
                visit(read(row)?);
                Ok(())
            })
            .await?;
    }
    Ok(now)
}
