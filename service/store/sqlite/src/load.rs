//! Loading: a footprint becomes a world. Accounts, lots and sums are not read where they are kept; the rest is read in one
//! way to the connection's thread, and in two more only where an account whose points will be chosen has live holds, of which some
//! may be over.
//!
//! | order | what | statement (one each, none where nothing is asked for) | rows |
//! | --- | --- | --- | --- |
//! | 1 | window, epoch, last time, last record, where they are not kept | `store_state`, `settlement_window`, `record` | 1 |
//! | 2 | requests | `request` by key, with their records | at most one per request |
//! | 3–5 | partners, programs, taken program codes | by key | at most one per key |
//! | 6 | agreements | `agreement` by pair | at most one per pair |
//! | 7–9 | memberships, families, taken references | `membership` by key, by member | one per key; a family's size |
//! | 10 | link codes | `link_code` by hash | at most one per code |
//! | 11–12 | consents in force, consents by id | `consent_in_force` with `consent`; `consent` | at most one per key |
//! | 13–15 | approvals; certificates and pins in force; signing keys | by key; counted by owner; by program | one per key; one per partner; at most 16 per program |
//! | 16–17 | accounts, lots | `account`, `lot` by membership | one; at most 257 per account |
//! | 18–19 | initiators, exposures | by key | at most one per key |
//! | 20 | exchanges | `reservation` by id, with their last records where these are not kept | at most one per id |
//! | 21 | how far exchanges to be reversed are, and the lots that they credited | `reversal`; `lot` by the movements of the last record | at most one per id and leg, each |
//! | 22 | overdue holds of accounts that have live holds and whose lots are needed | `reservation_open`, legs, last records | one per overdue leg |
//! | 23–24 | the initiators and exposures of 22 | by key | at most one per key |
//!
//! Locks: none. The writer takes its turns behind a lock of its own, and another process that wrote meanwhile is found before a
//! batch writes or is answered (`transact`).
//!
//! Absent on purpose: facts; who calls `transact` has read them before and knows which.

mod exchange;
mod ledger;
mod party;
mod standing;

use pointbridge_core::ids::WindowId;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Footprint, KnownRequest, RequestKey, World};
use pointbridge_store::StoreError;

use crate::error;
use crate::kept::{Head, Kept, Missing};
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::Session;

/// Loads what a footprint names: what is kept from there, the rest from the database.
pub(crate) async fn world(
    session: &mut Session<'_>,
    footprint: &Footprint,
    now: Timestamp,
    head: &Head,
    kept: &Kept,
) -> Result<World, StoreError> {
    let mut world = World::empty(now, head.window, head.epoch);
    let missing = kept.fill(footprint, &mut world);
    // What is read together is asked for once for its statements and once for their rows; the first time nothing is found, and
    // the world stays as it is.
    session.note_readings();
    named(session, footprint, &missing, kept, &mut world).await?;
    session.read_noted().await?;
    named(session, footprint, &missing, kept, &mut world).await?;
    kept.learn(&missing, &world);
    overdue(session, footprint, kept, &mut world).await?;
    Ok(world)
}

/// What the footprint names.
async fn named(
    session: &mut Session<'_>,
    footprint: &Footprint,
    missing: &Missing,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    requests(session, footprint, world).await?;
    party::load(session, footprint, world).await?;
    standing::load(session, footprint, world).await?;
    ledger::load(session, missing, world).await?;
    exchange::load(session, footprint, kept, world).await
}

/// What is over by time on the accounts whose points will be chosen, and the sums that it touches.
async fn overdue(
    session: &mut Session<'_>,
    footprint: &Footprint,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    let touched = exchange::overdue(session, footprint, world).await?;
    let missing = kept.fill_sums(&touched.initiators, &touched.exposures, world);
    ledger::sums(session, &missing, world).await?;
    kept.learn(&missing, world);
    Ok(())
}

/// What SQLite counts up whenever another connection has written.
pub(crate) async fn data_version(session: &mut Session<'_>) -> Result<i64, StoreError> {
    let row = session.row("select data_version from pragma_data_version", Vec::new()).await?;
    row.ok_or_else(|| error::broken("the database has no version"))?.int("data_version")
}

/// The database as a whole, as it is on the disk.
pub(crate) async fn head(session: &mut Session<'_>) -> Result<Head, StoreError> {
    let rows = session
        .rows(
            "select store_state.epoch, store_state.last_now, settlement_window.window_id,
                 (select coalesce(max(record_number), 0) from record) as last_record_number,
                 (select data_version from pragma_data_version) as data_version
             from store_state join settlement_window on settlement_window.closes_at is null",
            Vec::new(),
        )
        .await?;
    let [row] = rows.as_slice() else {
        return Err(error::broken("there is not exactly one open settlement window"));
    };
    Ok(Head {
        window: row.id("window_id", WindowId::new)?,
        epoch: row.number("epoch")?,
        last_now: row.time("last_now")?,
        last_record_number: row.int("last_record_number")?,
        data_version: row.int("data_version")?,
    })
}

async fn requests(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let asked: Vec<&RequestKey> = footprint.requests.iter().collect();
    if asked.is_empty() {
        return Ok(());
    }
    let elements: Vec<_> =
        asked.iter().map(|key| (&key.scope, key.method, key.request_id.simple())).collect();
    let rows = session
        .rows(
            "select asked.key as place, request.body_hash, record.bytes
             from jsonb_each(?1) as asked
             join request on request.scope = asked.value ->> 0 and request.method = asked.value ->> 1
                 and request.request_id = unhex(asked.value ->> 2)
             join record on record.record_id = request.record_id",
            vec![keys::array(&elements)?],
        )
        .await?;
    for row in rows {
        let known = KnownRequest { body_hash: row.hash("body_hash")?, record: rows::record(&row)? };
        world.requests.insert(asked_for(&asked, &row)?.clone(), known);
    }
    Ok(())
}

/// The key that a row answers to, by its place in the array.
fn asked_for<'a, K>(asked: &[&'a K], row: &sqlx::sqlite::SqliteRow) -> Result<&'a K, StoreError> {
    let place: usize = row.number("place")?;
    asked.get(place).copied().ok_or_else(|| error::broken("a row answers to no key"))
}
