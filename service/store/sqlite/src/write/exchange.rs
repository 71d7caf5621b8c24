//! Writing reservations with their legs and ends, live holds and exposures.

use pointbridge_core::exchange::{Leg, Side};
use pointbridge_core::ids::ReservationId;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;
use serde::Serialize;

use super::{put, put_each};
use crate::keys;
use crate::script::Script;

pub(super) fn write(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    prepared(script, changes)?;
    legs(script, changes)?;
    ended(script, changes)?;
    reversals(script, changes)?;
    let rows = changes.live_holds.iter().collect();
    put(
        script,
        "insert into initiator (partner_code, live_holds)
         select value ->> 0, value ->> 1 from jsonb_each(?) where true
         on conflict (partner_code) do update set live_holds = excluded.live_holds",
        rows,
    )?;
    exposures(script, changes)
}

fn prepared(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.prepared.values().map(|(exchange, record_id)| {
        let references = &exchange.references;
        (
            keys::id!(exchange.reservation_id),
            exchange.state,
            &exchange.initiator,
            (&references.order, &references.store, &references.till),
            exchange.prepared_at.micros(),
            exchange.hold_expires_at.micros(),
            keys::id!(record_id),
        )
    });
    put(
        script,
        "insert or rollback into reservation (
             reservation_id, state, initiator_code, order_reference, store_reference, till_reference, prepared_at,
             hold_expires_at, decided_at, prepare_record_id, last_record_id)
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> '$[3][0]', value ->> '$[3][1]',
             value ->> '$[3][2]', value ->> 4, value ->> 5, null, unhex(value ->> 6), unhex(value ->> 6)
         from jsonb_each(?)",
        rows.collect(),
    )
}

fn legs(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes
        .prepared
        .values()
        .flat_map(|(exchange, _)| exchange.legs.iter().map(move |leg| leg_row(exchange.reservation_id, leg)));
    put(
        script,
        "insert or rollback into exchange_leg (
             reservation_id, leg_number, agreement_id, agreement_version,
             source_program_id, source_partner_code, source_membership_id, source_custody,
             destination_program_id, destination_partner_code, destination_membership_id, destination_custody,
             source_points, gross_points, fee_points, credited_points,
             residue_numerator, residue_denominator, residue_owner,
             debtor_code, creditor_code, currency, money)
         select unhex(value ->> '$[0][0]'), value ->> '$[0][1]', unhex(value ->> '$[0][2]'), value ->> '$[0][3]',
             unhex(value ->> '$[1][0]'), value ->> '$[1][1]', unhex(value ->> '$[1][2]'), value ->> '$[1][3]',
             unhex(value ->> '$[2][0]'), value ->> '$[2][1]', unhex(value ->> '$[2][2]'), value ->> '$[2][3]',
             value ->> '$[3][0]', value ->> '$[3][1]', value ->> '$[3][2]', value ->> '$[3][3]',
             value ->> '$[4][0]', value ->> '$[4][1]', value ->> '$[4][2]',
             value ->> '$[5][0]', value ->> '$[5][1]', value ->> '$[5][2]', value ->> '$[5][3]'
         from jsonb_each(?)",
        rows.collect(),
    )
}

/// A leg as six arrays: what it is, its two sides, points, residue, obligation.
fn leg_row(reservation: ReservationId, leg: &Leg) -> impl Serialize {
    let owed = &leg.obligation;
    (
        (keys::id!(reservation), leg.number, keys::id!(leg.agreement_id), leg.agreement_version),
        side(&leg.source),
        side(&leg.destination),
        (
            leg.source_points.minor(),
            leg.gross_points.minor(),
            leg.fee_points.minor(),
            leg.credited_points.minor(),
        ),
        (leg.residue.numerator, leg.residue.denominator, leg.residue.owner),
        (owed.debtor.clone(), owed.creditor.clone(), owed.currency, owed.money.millionths()),
    )
}

fn side(side: &Side) -> impl Serialize {
    (keys::id!(side.program_id), side.partner.clone(), keys::id!(side.membership_id), side.custody)
}

fn ended(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.ended.iter().map(|(exchange_id, end)| {
        (keys::id!(exchange_id), end.state, end.decided_at.micros(), keys::id!(end.record_id))
    });
    put_each(
        script,
        "update or rollback reservation set
             state = ended.state, decided_at = ended.decided_at, last_record_id = ended.last_record_id
         from (
             select unhex(value ->> 0) as reservation_id, value ->> 1 as state, value ->> 2 as decided_at,
                 unhex(value ->> 3) as last_record_id
             from jsonb_each(?)
         ) as ended
         where reservation.reservation_id = ended.reservation_id and reservation.decided_at is null",
        rows.collect(),
        "reservation",
    )
}

fn reversals(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let made = changes.records.iter().filter_map(|sealed| Some((&sealed.record, sealed.record.reversal()?)));
    let rows = made.map(|(record, reversal)| {
        let progress = reversal.progress();
        (
            keys::id!(reversal.exchange_id),
            progress.parts,
            keys::id!(reversal.reversal_id),
            keys::id!(record.record_id),
            reversal.legs.first().map(|leg| leg.part.source_points.minor()),
            progress.source,
        )
    });
    put(
        script,
        "insert into reversal (
             reservation_id, reversal_number, reversal_id, record_id, source_points, reversed_source_points)
         select unhex(value ->> 0), value ->> 1, unhex(value ->> 2), unhex(value ->> 3), value ->> 4, value ->> 5
         from jsonb_each(?)",
        rows.collect(),
    )
}

fn exposures(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.exposures.values().map(|e| {
        let pair = &e.key.pair;
        (pair.low(), pair.high(), e.key.currency, e.committed_low, e.prepared_low, e.prepared_high)
    });
    put(
        script,
        "insert into exposure (low_code, high_code, currency, committed_low, prepared_low, prepared_high)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         from jsonb_each(?) where true
         on conflict (low_code, high_code, currency) do update set
             committed_low = excluded.committed_low, prepared_low = excluded.prepared_low,
             prepared_high = excluded.prepared_high",
        rows.collect(),
    )
}
