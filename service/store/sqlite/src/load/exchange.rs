//! Loading exchanges: those that are named, and those that hold points of the named accounts past their time.

use std::collections::BTreeSet;
use std::sync::Arc;

use pointbridge_core::agreement::Pair;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::reversal::Progress;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{AccountNeed, Footprint, World};
use pointbridge_store::StoreError;

use crate::error;
use crate::kept::Kept;
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};

/// What the named exchanges and the overdue ones touch, beside what the footprint names.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) initiators: BTreeSet<PartnerCode>,
    pub(super) exposures: BTreeSet<ExposureKey>,
}

pub(super) async fn load(
    session: &mut Session<'_>,
    footprint: &Footprint,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    named(session, footprint, kept, world).await?;
    reversals(session, footprint, world).await
}

/// The named exchanges, by their last records. Whether what is kept of one is still its last record is for the database to say, and
/// the same statement reads the others, so that it tells nothing which are kept.
async fn named(
    session: &mut Session<'_>,
    footprint: &Footprint,
    kept: &Kept,
    world: &mut World,
) -> Result<(), StoreError> {
    let asked: Vec<_> = footprint.exchanges.iter().map(|id| keys::id!(id)).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let kept = kept.prepared(footprint.exchanges.iter());
    let held: Vec<_> = kept.values().map(|record| keys::id!(record.record_id)).collect();
    let rows = session
        .rows(
            "select reservation.reservation_id, (
                 select record.bytes from record where record.record_id = reservation.last_record_id
                     and record.record_id not in (select unhex(value) from jsonb_each(?2))
             ) as bytes
             from jsonb_each(?1) as asked join reservation on reservation.reservation_id = unhex(asked.value)",
            vec![keys::array(&asked)?, keys::array(&held)?],
        )
        .await?;
    for row in rows {
        let id = row.id("reservation_id", ExchangeId::new)?;
        let record = if let Some(bytes) = row.bytes_or_null("bytes")? {
            rows::record_of(&bytes)?
        } else {
            let last = kept.get(&id).map(Arc::clone);
            last.ok_or_else(|| error::broken("a reservation without its last record"))?
        };
        world.exchanges.insert(id, record);
    }
    Ok(())
}

/// How far exchanges to be reversed are, and the lots that their commits credited.
async fn reversals(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let asked = || footprint.reversals.iter().map(|id| keys::id!(id)).collect();
    let sql = "select reversal.reservation_id, max(reversal.reversal_number) as parts,
             max(reversal.reversed_source_points) as reversed_source_points
         from jsonb_each(?1) as asked join reversal on reversal.reservation_id = unhex(asked.value)
         group by reversal.reservation_id";
    for row in session.found(sql, asked()).await? {
        let progress = Progress { parts: row.number("parts")?, source: row.int("reversed_source_points")? };
        world.reversed.insert(row.id("reservation_id", ExchangeId::new)?, progress);
    }
    let sql = "select lot.* from jsonb_each(?1) as asked
         join reservation on reservation.reservation_id = unhex(asked.value)
         join record on record.record_id = reservation.last_record_id
         join lot_movement on lot_movement.record_number = record.record_number
         join lot on lot.membership_id = lot_movement.membership_id and lot.expires_at = lot_movement.expires_at
             and lot.origin_month = lot_movement.origin_month and lot.exchangeable = lot_movement.exchangeable
         where lot_movement.remaining > 0";
    for row in session.found(sql, asked()).await? {
        let (key, lot) = rows::lot(&row)?;
        world.named_lots.insert((row.id("membership_id", MembershipId::new)?, key), lot);
    }
    Ok(())
}

/// The exchanges that hold points of the accounts whose lots are needed past their time.
pub(super) async fn overdue(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<Touched, StoreError> {
    let mut touched = Touched::default();
    let needed = footprint.accounts.iter().filter(|(_, need)| **need == AccountNeed::Lots);
    let has_holds =
        |id: &&MembershipId| world.accounts.get(*id).is_some_and(|account| account.live_holds > 0);
    let asked: Vec<_> = needed.map(|(id, _)| id).filter(has_holds).map(|id| keys::id!(id)).collect();
    if asked.is_empty() {
        return Ok(touched);
    }
    // From the few that are overdue to their legs: an account may have had any number of exchanges.
    let rows = session
        .rows(
            "select exchange_leg.source_membership_id, reservation.reservation_id, record.bytes
             from reservation
             cross join exchange_leg on exchange_leg.reservation_id = reservation.reservation_id
             join record on record.record_id = reservation.last_record_id
             where reservation.decided_at is null and reservation.hold_expires_at <= ?1
                 and exchange_leg.source_membership_id in (select unhex(value) from jsonb_each(?2))",
            vec![Bind::Int(world.now.micros()), keys::array(&asked)?],
        )
        .await?;
    for row in rows {
        let id = row.id("reservation_id", ExchangeId::new)?;
        let membership = row.id("source_membership_id", MembershipId::new)?;
        world.overdue.entry(membership).or_default().insert(id);
        let record = rows::record(&row)?;
        let exchange = record
            .exchange()
            .ok_or_else(|| error::broken("a reservation's last record is of no exchange"))?;
        touched.initiators.insert(exchange.initiator.clone());
        for leg in &exchange.legs {
            let owed = &leg.obligation;
            let pair = Pair::new(&owed.debtor, &owed.creditor)
                .ok_or_else(|| error::broken("one partner owes itself"))?;
            touched.exposures.insert(ExposureKey { pair, currency: owed.currency });
        }
        world.exchanges.insert(id, Arc::clone(&record));
    }
    Ok(touched)
}
