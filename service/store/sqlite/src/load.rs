//! Loading: a footprint becomes a world, in three ways to the connection's thread: the head, 2–13, and the rest.
//!
//! | order | what | statement (one each, none where nothing is asked for) | rows |
//! | --- | --- | --- | --- |
//! | 1 | window, epoch, last time, last record | `store_state`, `settlement_window`, `record` | 1 |
//! | 2 | requests | `request` by key, with their records | at most one per request |
//! | 3–5 | partners, programs, taken program codes | by key | at most one per key |
//! | 6 | agreements | `agreement` by pair | at most one per pair |
//! | 7–9 | memberships, families, taken references | `membership` by key, by member | one per key; a family's size |
//! | 10 | link codes | `link_code` by hash | at most one per code |
//! | 11–12 | consents in force, those of them that are not kept, consents by id | `consent_in_force`, `consent`, `consent` | at most one per key |
//! | 13 | accounts | `account` by membership | one |
//! | 14 | overdue holds of accounts that have live holds and whose lots are needed | `reservation_open`, legs, last records | one per overdue leg |
//! | 15 | exchanges | `reservation` by id, with their last records where these are not kept | at most one per id |
//! | 15a | how far exchanges to be reversed are, and the lots that they credited | `reversal`; `lot` by the movements of the last record | at most one per id and leg, each |
//! | 16 | lots | `lot` by membership | at most 257 per account |
//! | 17–19 | approvals; certificates and pins in force; signing keys | by key; counted by owner; by program | one per key; one per partner; at most 16 per program |
//! | 20–21 | initiators, exposures | by key, those of 14 as well | at most one per key |
//!
//! Locks: `begin immediate` has taken the one write lock of the database before the first statement, so that shares and
//! updates need no lock of their own and the order is only a habit shared with other dialects.
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
use crate::kept::Kept;
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::Session;
use crate::time::Time;

/// Where a batch writes: its time and the number of its first record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) now: Timestamp,
    pub(crate) record_number: i64,
}

/// Loads what a footprint names.
pub(crate) async fn world(
    session: &mut Session<'_>,
    footprint: &Footprint,
    time: &Time,
    kept: &Kept,
) -> Result<(World, Place), StoreError> {
    let (mut world, place) = head(session, time).await?;
    // In two groups, of which the second needs the accounts of the first. Each is asked once for its statements and once for
    // their rows; the first time nothing is found, and the world stays as it is.
    session.note_readings();
    parties(session, footprint, kept, &mut world).await?;
    session.read_noted().await?;
    parties(session, footprint, kept, &mut world).await?;
    session.note_readings();
    points(session, footprint, kept, &mut world).await?;
    session.read_noted().await?;
    points(session, footprint, kept, &mut world).await?;
    Ok((world, place))
}

/// Requests, who takes part, and accounts.
async fn parties(
    session: &mut Session<'_>,
    footprint: &Footprint,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    requests(session, footprint, world).await?;
    party::load(session, footprint, kept, world).await?;
    standing::load(session, footprint, world).await?;
    ledger::accounts(session, footprint, world).await
}

/// Exchanges, lots, holds and exposures.
async fn points(
    session: &mut Session<'_>,
    footprint: &Footprint,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    let touched = exchange::load(session, footprint, kept, world).await?;
    ledger::load(session, footprint, touched, world).await
}

async fn head(session: &mut Session<'_>, time: &Time) -> Result<(World, Place), StoreError> {
    let rows = session
        .rows(
            "select store_state.epoch, store_state.last_now, settlement_window.window_id,
                 (select coalesce(max(record_number), 0) from record) as last_record_number
             from store_state join settlement_window on settlement_window.closes_at is null",
            Vec::new(),
        )
        .await?;
    let [row] = rows.as_slice() else {
        return Err(error::broken("there is not exactly one open settlement window"));
    };
    let now = time.now(row.time("last_now")?);
    let last = row.int("last_record_number")?;
    let record_number =
        last.checked_add(1).ok_or_else(|| error::broken("there are no numbers for records left"))?;
    let world = World::empty(now, row.id("window_id", WindowId::new)?, row.number("epoch")?);
    Ok((world, Place { now, record_number }))
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
