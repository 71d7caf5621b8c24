//! What time asks for: holds that are over, and accounts with lots that are; and how much is held at all.
//!
//! All statements read an index that has only what is open, in the order of time, and stop at the limit.

use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::time::Timestamp;
use pointbridge_store::{Due, Pulse, StoreError};

use crate::error;
use crate::rows::Cells;
use crate::session::{Bind, Session};
use crate::time::Time;

pub(crate) async fn read(session: &mut Session<'_>, time: &Time, limit: u32) -> Result<Vec<Due>, StoreError> {
    let now = now(session, time).await?;
    let binds = || vec![Bind::Int(now.micros()), Bind::Int(i64::from(limit))];
    let holds = session
        .rows(
            "select reservation_id from reservation where decided_at is null and hold_expires_at <= ?1
             order by hold_expires_at, reservation_id limit ?2",
            binds(),
        )
        .await?;
    let lots = session
        .rows(
            "select distinct membership_id from lot
             where has_free = 1 and expires_at < 9223372036854775807 and expires_at <= ?1
             order by expires_at, membership_id limit ?2",
            binds(),
        )
        .await?;
    let holds = holds.iter().map(|row| row.id("reservation_id", ExchangeId::new).map(Due::Hold));
    let lots = lots.iter().map(|row| row.id("membership_id", MembershipId::new).map(Due::Lots));
    holds.chain(lots).collect()
}

/// The index is named because it has what is open and nothing else: a plan that read all that ever was would be wrong at any size.
pub(crate) async fn pulse(session: &mut Session<'_>, time: &Time) -> Result<Pulse, StoreError> {
    let now = now(session, time).await?;
    let row = session
        .row(
            "select count(*) as holds_open, min(prepared_at) as oldest_hold_at, min(hold_expires_at) as first_hold_ends_at
             from reservation indexed by reservation_open where decided_at is null",
            Vec::new(),
        )
        .await?;
    let row = row.ok_or_else(|| error::broken("a sum has no row"))?;
    Ok(Pulse {
        holds_open: row.int("holds_open")?,
        oldest_hold_at: row.time_or_null("oldest_hold_at")?,
        first_hold_ends_at: row.time_or_null("first_hold_ends_at")?,
        now,
    })
}

/// The store's clock on the session's snapshot.
pub(crate) async fn now(session: &mut Session<'_>, time: &Time) -> Result<Timestamp, StoreError> {
    let row = session.row("select last_now from store_state", Vec::new()).await?;
    let last = row.ok_or_else(|| error::broken("the store has no state"))?.time("last_now")?;
    Ok(time.now(last))
}
