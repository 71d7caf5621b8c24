//! Writing: changes become rows, each table with one statement whatever the number of rows, and all statements in one script.
//!
//! | order | what | statement (none where nothing changed) | rows |
//! | --- | --- | --- | --- |
//! | 1–4 | partners, programs, memberships, link codes | insert, or update of what may change | one each |
//! | 5–6 | agreements, their new versions | insert or update; insert | one each |
//! | 7–10 | consents, ends, what is in force | insert; insert; delete and insert or update | one each |
//! | 11 | records | insert | one each |
//! | 12 | accounts | insert or update | one each |
//! | 13–14 | lots that points come to; lots that they leave or are held in | insert or update by deltas; update by deltas | one per lot |
//! | 14a | lots of these whose last free point went, or first one came | update | few |
//! | 15–17 | reservations, legs, ends | insert; insert; update | one each |
//! | 17a | reversals | insert | one each |
//! | 18–19 | live holds, exposures | insert or update | one per key |
//! | 20–22 | postings, lot movements, obligations | insert | as many as the records have |
//! | 23–25 | approvals, certificates, signing keys | insert or update; insert or update; insert | one each |
//! | 26 | requests | insert | one each |
//! | 27 | the last time | `store_state`; with any change | 1 |
//!
//! Before all of them stand `begin immediate`, which takes the write lock of the database, and a look whether another process has
//! written since the batch before; behind them the commit. The order is that of the foreign keys.
//!
//! Rows that are changed by deltas or ends are counted: where fewer rows changed than were decided on, an invariant is
//! broken. A lot that loses points is never inserted, because a constraint is checked before a conflict is found, so that a
//! negative delta would be refused as a new row.

mod exchange;
mod ledger;
mod party;
mod standing;

use pointbridge_core::time::Timestamp;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;
use serde::Serialize;

use crate::error;
use crate::keys;
use crate::script::Script;
use crate::session::Bind;

/// Where a batch writes: its time, the number of its first record, and what tells that nobody else has written since the batch
/// before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) now: Timestamp,
    pub(crate) record_number: i64,
    pub(crate) data_version: i64,
}

/// The changes of a batch as one transaction, which goes to the database's thread at once, because each way there and back costs
/// more than most statements do.
pub(crate) fn script(changes: &Changes, place: Place) -> Result<Script, StoreError> {
    let mut script = Script::begin(place.data_version);
    party::write(&mut script, changes)?;
    ledger::records(&mut script, changes, place.record_number)?;
    ledger::balances(&mut script, changes)?;
    exchange::write(&mut script, changes)?;
    ledger::lines(&mut script, changes, place.record_number)?;
    standing::write(&mut script, changes)?;
    requests(&mut script, changes)?;
    script.add("update store_state set last_now = ?", vec![Bind::Int(place.now.micros())]);
    script.commit();
    Ok(script)
}

/// Adds a statement over an array of rows. An empty array needs no statement.
fn put<T: Serialize>(script: &mut Script, sql: &'static str, rows: Vec<T>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let array = keys::array(&rows)?;
    drop(rows);
    script.add(sql, vec![array]);
    Ok(())
}

/// As [`put`], where every row of the array must change one of the table.
fn put_each<T: Serialize>(
    script: &mut Script,
    sql: &'static str,
    rows: Vec<T>,
    table: &'static str,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = i64::try_from(rows.len()).map_err(|_| error::broken("a bound beyond 64 bits"))?;
    let array = keys::array(&rows)?;
    drop(rows);
    script.add_exact(sql, vec![array], table, expected);
    Ok(())
}

fn requests(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.requests.iter().map(|row| {
        let key = &row.key;
        (
            &key.scope,
            key.method,
            key.request_id.simple(),
            keys::hash(&row.body_hash),
            keys::id!(row.record.record_id),
            row.answered_at.micros(),
        )
    });
    put(
        script,
        "insert or rollback into request (scope, method, request_id, body_hash, record_id, answered_at)
         select value ->> 0, value ->> 1, unhex(value ->> 2), unhex(value ->> 3), unhex(value ->> 4), value ->> 5
         from jsonb_each(?)",
        rows.collect(),
    )
}
