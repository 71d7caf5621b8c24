//! Writing reservations with their legs and ends, reversals, live holds and exposures.

use pointbridge_core::exchange::{Leg, Side};
use pointbridge_core::exposure::Exposure;
use pointbridge_core::ids::ReservationId;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::party::split;
use crate::error;
use crate::keys;
use crate::load::Known;
use crate::session::Bind;
use crate::writing::Script;

pub(super) fn write(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    prepared(script, changes);
    legs(script, changes)?;
    ended(script, changes)
}

/// What is prepared and ended in one batch is written as it ended: no statement sees what another one of its stage made.
fn prepared(script: &mut Script, changes: &Changes) {
    let rows = || {
        changes
            .prepared
            .iter()
            .map(|(id, (exchange, record_id))| (exchange, record_id, changes.ended.get(id)))
    };
    script.put(
        "insert into reservation (
             reservation_id, state, initiator_code, order_reference, store_reference, till_reference, prepared_at,
             hold_expires_at, decided_at, prepare_record_id, last_record_id)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        changes.prepared.len(),
        || {
            vec![
                keys::ids!(rows().map(|(exchange, _, _)| exchange.reservation_id)),
                keys::texts(rows().map(|(exchange, _, end)| end.map_or(exchange.state, |end| end.state).as_str())),
                keys::texts(rows().map(|(exchange, _, _)| &exchange.initiator)),
                keys::texts(rows().map(|(exchange, _, _)| &exchange.references.order)),
                keys::texts_or_null(rows().map(|(exchange, _, _)| exchange.references.store.as_ref())),
                keys::texts_or_null(rows().map(|(exchange, _, _)| exchange.references.till.as_ref())),
                keys::ints(rows().map(|(exchange, _, _)| exchange.prepared_at.micros())),
                keys::ints(rows().map(|(exchange, _, _)| exchange.hold_expires_at.micros())),
                keys::ints_or_null(rows().map(|(_, _, end)| end.map(|end| end.decided_at.micros()))),
                keys::ids!(rows().map(|(_, record_id, _)| *record_id)),
                keys::ids!(rows().map(|(_, record_id, end)| end.map_or(*record_id, |end| end.record_id))),
            ]
        },
    );
}

fn legs(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows: Vec<(ReservationId, &Leg)> = changes
        .prepared
        .values()
        .flat_map(|(exchange, _)| exchange.legs.iter().map(|leg| (exchange.reservation_id, leg)))
        .collect();
    let binds = leg_binds(&rows)?;
    script.put(
        "insert into exchange_leg (
             reservation_id, leg_number, agreement_id, agreement_version,
             source_program_id, source_partner_code, source_membership_id, source_custody,
             destination_program_id, destination_partner_code, destination_membership_id, destination_custody,
             source_points, gross_points, fee_points, credited_points,
             residue_numerator, residue_denominator, residue_owner,
             debtor_code, creditor_code, currency, money)
         select * from unnest(
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        rows.len(),
        || binds,
    );
    Ok(())
}

fn leg_binds(rows: &[(ReservationId, &Leg)]) -> Result<Vec<Bind>, StoreError> {
    let legs = || rows.iter().map(|(_, leg)| *leg);
    let ints = |read: fn(&Leg) -> i64| Bind::Ints(legs().map(read).collect());
    let mut binds = vec![
        keys::ids!(rows.iter().map(|(reservation, _)| *reservation)),
        keys::ints(legs().map(|leg| leg.number)),
        keys::ids!(legs().map(|leg| leg.agreement_id)),
        keys::ints(legs().map(|leg| leg.agreement_version)),
    ];
    binds.extend(side_binds(legs().map(|leg| &leg.source))?);
    binds.extend(side_binds(legs().map(|leg| &leg.destination))?);
    binds.extend([
        ints(|leg| leg.source_points.minor()),
        ints(|leg| leg.gross_points.minor()),
        ints(|leg| leg.fee_points.minor()),
        ints(|leg| leg.credited_points.minor()),
        ints(|leg| leg.residue.numerator),
        ints(|leg| leg.residue.denominator),
        keys::names(legs().map(|leg| leg.residue.owner))?,
        keys::texts(legs().map(|leg| &leg.obligation.debtor)),
        keys::texts(legs().map(|leg| &leg.obligation.creditor)),
        keys::texts(legs().map(|leg| leg.obligation.currency)),
        ints(|leg| leg.obligation.money.millionths()),
    ]);
    Ok(binds)
}

fn side_binds<'a>(sides: impl Iterator<Item = &'a Side> + Clone) -> Result<[Bind; 4], StoreError> {
    Ok([
        keys::ids!(sides.clone().map(|side| side.program_id)),
        keys::texts(sides.clone().map(|side| &side.partner)),
        keys::ids!(sides.clone().map(|side| side.membership_id)),
        keys::names(sides.map(|side| side.custody))?,
    ])
}

/// A second end is refused by its guard. Asking here for rows that are open would let a plan look through all that are.
fn ended(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = || changes.ended.iter().filter(|(id, _)| !changes.prepared.contains_key(id));
    script.put_each(
        "update reservation set state = ended.state, decided_at = ended.decided_at, last_record_id = ended.record_id
         from unnest($1, $2, $3, $4) as ended (id, state, decided_at, record_id)
         where reservation.reservation_id = ended.id",
        rows().count(),
        "reservation",
        || {
            vec![
                keys::ids!(rows().map(|(id, _)| *id)),
                keys::texts(rows().map(|(_, end)| end.state.as_str())),
                keys::ints(rows().map(|(_, end)| end.decided_at.micros())),
                keys::ids!(rows().map(|(_, end)| end.record_id)),
            ]
        },
    )
}

pub(super) fn reversals(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let made = changes.records.iter().filter_map(|sealed| Some((&sealed.record, sealed.record.reversal()?)));
    let mut rows = Vec::new();
    for (record, reversal) in made {
        let part = reversal.legs.first().map(|leg| leg.part.source_points.minor());
        let part = part.ok_or_else(|| error::broken("a reversal without a leg"))?;
        rows.push((record.record_id, reversal, part));
    }
    script.put(
        "insert into reversal (
             reservation_id, reversal_number, reversal_id, record_id, source_points, reversed_source_points)
         select * from unnest($1, $2, $3, $4, $5, $6)",
        rows.len(),
        || {
            vec![
                keys::ids!(rows.iter().map(|(_, reversal, _)| reversal.exchange_id)),
                keys::ints(rows.iter().map(|(_, reversal, _)| reversal.progress().parts)),
                keys::ids!(rows.iter().map(|(_, reversal, _)| reversal.reversal_id)),
                keys::ids!(rows.iter().map(|(record_id, _, _)| *record_id)),
                Bind::Ints(rows.iter().map(|(_, _, part)| *part).collect()),
                Bind::Ints(rows.iter().map(|(_, reversal, _)| reversal.progress().source).collect()),
            ]
        },
    );
    Ok(())
}

/// Live holds and exposures.
pub(super) fn hot(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let all = changes.live_holds.iter();
    let (old, new): (Vec<_>, Vec<_>) = all.partition(|(code, _)| known.initiators.contains(*code));
    let binds = |rows: &[(&pointbridge_core::text::PartnerCode, &i64)]| {
        vec![
            keys::texts(rows.iter().map(|(code, _)| code)),
            Bind::Ints(rows.iter().map(|(_, count)| **count).collect()),
        ]
    };
    script.put(
        "insert into initiator (partner_code, live_holds) select * from unnest($1, $2)",
        new.len(),
        || binds(&new),
    );
    script.put_each(
        "update initiator set live_holds = new.live_holds from unnest($1, $2) as new (code, live_holds)
         where initiator.partner_code = new.code",
        old.len(),
        "initiator",
        || binds(&old),
    )?;
    let (old, new) = split(&changes.exposures, |key| known.exposures.contains(key));
    script.put(
        "insert into exposure (low_code, high_code, currency, committed_low, prepared_low, prepared_high)
         select * from unnest($1, $2, $3, $4, $5, $6)",
        new.len(),
        || exposure_binds(&new),
    );
    script.put_each(
        "update exposure set committed_low = new.committed_low, prepared_low = new.prepared_low,
             prepared_high = new.prepared_high
         from unnest($1, $2, $3, $4, $5, $6) as new (low, high, currency, committed_low, prepared_low, prepared_high)
         where exposure.low_code = new.low and exposure.high_code = new.high and exposure.currency = new.currency",
        old.len(),
        "exposure",
        || exposure_binds(&old),
    )
}

fn exposure_binds(rows: &[&Exposure]) -> Vec<Bind> {
    let [low, high] = keys::pairs(rows.iter().map(|e| &e.key.pair));
    vec![
        low,
        high,
        keys::texts(rows.iter().map(|e| e.key.currency)),
        Bind::Ints(rows.iter().map(|e| e.committed_low).collect()),
        Bind::Ints(rows.iter().map(|e| e.prepared_low).collect()),
        Bind::Ints(rows.iter().map(|e| e.prepared_high).collect()),
    ]
}
