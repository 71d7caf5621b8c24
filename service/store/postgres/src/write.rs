//! Writing: changes become rows, all of them in one statement, and reversals in one behind it.
//!
//! | order | what | how | rows |
//! | --- | --- | --- | --- |
//! | 1–4 | partners, programs, memberships, link codes | insert of those that were not there, update of those that were | one each |
//! | 5–6 | agreements, their new versions | insert, update; insert | one each |
//! | 7–9 | consents, ends, what is in force | insert; insert; delete, insert, update | one each |
//! | 10 | approvals, certificates, signing keys | insert, update; insert, update; insert | one each |
//! | 11–14 | records, postings, lot movements, obligations | insert | as many as the records have |
//! | 15–17 | reservations, legs, ends | insert; insert; update | one each |
//! | 18 | requests | insert | one each |
//! | 19–20 | accounts, lots | insert, update | one each |
//! | 21 | the slot of the clock | update | 1 |
//! | 22–23 | live holds, exposures: the hottest rows, once per batch and last | insert, update | one per key |
//! | then | reversals, which look at their reservation's row | insert | one each |
//!
//! A row is inserted only where the batch was decided without one, and never over another: where a hub made it meanwhile, the
//! insert fails and the batch is decided again. Rows that are changed by deltas or ends are counted: where fewer rows changed
//! than were decided on, an invariant is broken.
//!
//! Locks: all rows that change are locked since `load`; inserts wait only for who makes the same row at the same moment.

mod exchange;
mod ledger;
mod party;
mod standing;

use pointbridge_core::time::Timestamp;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use crate::keys;
use crate::load::Known;
use crate::session::{Bind, Session};
use crate::time::Time;
use crate::writing::Script;

/// Where a batch writes: its time, the number of its first record, and its hub's slot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) now: Timestamp,
    pub(crate) record_number: i64,
}

/// Writes the changes of a batch.
pub(crate) async fn changes(
    session: &mut Session<'_>,
    changes: &Changes,
    known: &Known,
    place: &Place,
    time: &Time,
) -> Result<(), StoreError> {
    let mut script = Script::new();
    party::write(&mut script, changes, known)?;
    standing::write(&mut script, changes, known)?;
    ledger::records(&mut script, changes, place.record_number);
    ledger::lines(&mut script, changes, place.record_number)?;
    exchange::write(&mut script, changes)?;
    requests(&mut script, changes);
    ledger::balances(&mut script, changes, known)?;
    script.put_each(
        "update clock_slot set last_now = greatest(last_now, $1), hub_id = case
             when last_now > $1 then hub_id
             when last_now = $1 and hub_id <> $3 then '00000000-0000-0000-0000-000000000000'
             else $3 end
         where clock_slot_id = $2",
        1,
        "clock_slot",
        || vec![Bind::int(place.now.micros()), time.slot(), time.hub()],
    )?;
    exchange::hot(&mut script, changes, known)?;
    script.then();
    exchange::reversals(&mut script, changes)?;
    script.run(session).await
}

/// Sorted, so that two hubs with the same requests wait for each other in one order.
fn requests(script: &mut Script, changes: &Changes) {
    let mut rows: Vec<_> = changes.requests.iter().collect();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let rows = || rows.iter();
    script.put(
        "insert into request (scope, method, request_id, body_hash, record_id, answered_at)
         select * from unnest($1, $2, $3, $4, $5, $6)",
        rows().len(),
        || {
            vec![
                keys::texts(rows().map(|row| &row.key.scope)),
                keys::texts(rows().map(|row| row.key.method)),
                Bind::Ids(rows().map(|row| row.key.request_id).collect()),
                keys::hashes(rows().map(|row| &row.body_hash)),
                keys::ids!(rows().map(|row| row.record.record_id)),
                keys::ints(rows().map(|row| row.answered_at.micros())),
            ]
        },
    );
}
