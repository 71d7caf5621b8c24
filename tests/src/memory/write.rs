//! What the reference store writes after a decision, and what it refuses to.

use std::collections::{BTreeMap, BTreeSet};

use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::ledger::{LotDelta, LotKey};
use pointbridge_core::reversal::{Progress, whole};
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::standing;
use super::state::{Request, Reservation, ReversedPart, State};

/// Checks what a database's constraints check: nothing is made twice, nothing goes below zero, what is final stays.
///
/// # Errors
/// [`StoreError::Broken`], naming the row.
pub(super) fn check(state: &State, changes: &Changes) -> Result<(), StoreError> {
    check_names(state, changes)?;
    check_amounts(state, changes)?;
    check_reservations(state, changes)?;
    check_reversals(state, changes)?;
    standing::check(state, changes)?;
    let mut fresh = BTreeSet::new();
    for id in changes.records.iter().map(|sealed| sealed.record.record_id) {
        hold(!state.places.contains_key(&id) && fresh.insert(id), || format!("{id} is made twice"))?;
    }
    let mut fresh = BTreeSet::new();
    for row in &changes.requests {
        let is_new = !state.requests.contains_key(&row.key) && fresh.insert(&row.key);
        hold(is_new, || format!("{:?} is answered twice", row.key))?;
        let id = row.record.record_id;
        let made = changes.records.iter().any(|sealed| sealed.record.record_id == id);
        hold(made || state.places.contains_key(&id), || {
            format!("{id} answers a request and does not exist")
        })?;
    }
    Ok(())
}

pub(super) fn hold(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), StoreError> {
    if is_so { Ok(()) } else { Err(StoreError::Broken(otherwise())) }
}

fn check_names(state: &State, changes: &Changes) -> Result<(), StoreError> {
    for program in changes.programs.values() {
        let twin = state.programs.values().any(|known| {
            (&known.partner, &known.code) == (&program.partner, &program.code)
                && known.program_id != program.program_id
        });
        hold(!twin, || format!("{} has the code of another program", program.program_id))?;
    }
    for membership in changes.memberships.values() {
        let twin = state.memberships.values().any(|known| {
            known.program_id == membership.program_id
                && known.external_reference == membership.external_reference
                && known.membership_id != membership.membership_id
        });
        hold(!twin, || format!("{} has the reference of another membership", membership.membership_id))?;
        let now = |id, known| changes.memberships.get(id).unwrap_or(known);
        let rival = state.memberships.iter().map(|(id, known)| now(id, known)).any(|known| {
            known.program_id == membership.program_id
                && known.member_id == membership.member_id
                && known.membership_id != membership.membership_id
        });
        hold(!rival, || format!("{} is a second one of its member", membership.membership_id))?;
    }
    for code in changes.link_codes.values() {
        let twin = state
            .link_codes
            .values()
            .any(|known| known.code_hash == code.code_hash && known.link_code_id != code.link_code_id);
        hold(!twin, || format!("{} has the code of another link code", code.link_code_id))?;
    }
    for version in &changes.versions {
        let key = (version.agreement_id, version.version);
        hold(!state.versions.contains_key(&key), || format!("version {key:?} is made twice"))?;
    }
    for consent in &changes.consents {
        let id = consent.consent_id;
        hold(!state.consents.contains_key(&id), || format!("{id} is made twice"))?;
    }
    for withdrawal in &changes.withdrawals {
        let id = withdrawal.consent_id;
        hold(!state.withdrawals.contains_key(&id), || format!("{id} is withdrawn twice"))?;
    }
    Ok(())
}

fn check_amounts(state: &State, changes: &Changes) -> Result<(), StoreError> {
    for account in changes.accounts.values() {
        let fits = 0 <= account.held && account.held <= account.posted;
        hold(fits, || format!("account {} would be {account:?}", account.membership_id))?;
    }
    for ((membership, key), delta) in &changes.lots {
        let next = moved(state, *membership, *key, *delta);
        let fits = next.is_some_and(|lot| 0 <= lot.held && lot.held <= lot.remaining);
        hold(fits, || format!("lot {key:?} of {membership} would be {next:?}"))?;
    }
    for (key, exposure) in &changes.exposures {
        let fits = exposure.prepared_low >= 0 && exposure.prepared_high >= 0;
        hold(fits, || format!("exposure {key:?} would be {exposure:?}"))?;
    }
    for (initiator, count) in &changes.live_holds {
        hold(*count >= 0, || format!("{initiator} would have {count} live holds"))?;
    }
    Ok(())
}

fn check_reservations(state: &State, changes: &Changes) -> Result<(), StoreError> {
    for id in changes.prepared.keys() {
        hold(!state.reservations.contains_key(id), || format!("{id} is prepared twice"))?;
    }
    for (id, end) in &changes.ended {
        let known = state.reservations.get(id);
        let is_open = known.map_or(changes.prepared.contains_key(id), |known| !known.state.is_final());
        hold(is_open && end.state.is_final(), || format!("{id} ends twice, or not at all"))?;
    }
    Ok(())
}

/// The reversals among new records, as rows.
fn reversed_parts(changes: &Changes) -> impl Iterator<Item = (ExchangeId, ReversedPart)> + '_ {
    changes.records.iter().filter_map(|sealed| {
        let reversal = sealed.record.reversal()?;
        let Progress { parts, source } = reversal.progress();
        let part = ReversedPart {
            number: parts,
            reversal_id: reversal.reversal_id,
            record_id: sealed.record.record_id,
            source_points: reversal.legs.first()?.part.source_points.minor(),
            reversed_source_points: source,
        };
        Some((reversal.exchange_id, part))
    })
}

/// Each part follows the one before, of an exchange that is committed, up to the whole of it.
fn check_reversals(state: &State, changes: &Changes) -> Result<(), StoreError> {
    let mut reached: BTreeMap<ExchangeId, (u32, i64)> = BTreeMap::new();
    for (id, part) in reversed_parts(changes) {
        let stored = state.reversals.get(&id).and_then(|parts| parts.last());
        let stored = stored.map_or((0, 0), |last| (last.number, last.reversed_source_points));
        let (number, reversed) = reached.get(&id).copied().unwrap_or(stored);
        let follows = part.number == number.saturating_add(1)
            && part.source_points > 0
            && part.reversed_source_points.checked_sub(part.source_points) == Some(reversed);
        let end = changes.ended.get(&id).map(|end| end.state);
        let is_state = end.or_else(|| state.reservations.get(&id).map(|known| known.state));
        let prepared = state.reservations.get(&id).map(|known| &known.prepared);
        let prepared = prepared.or_else(|| changes.prepared.get(&id).map(|(exchange, _)| exchange));
        let fits = prepared.is_some_and(|exchange| part.reversed_source_points <= whole(exchange));
        hold(follows && fits && is_state == Some(ReservationState::Committed), || {
            format!("{} of {id} is out of line", part.reversal_id)
        })?;
        reached.insert(id, (part.number, part.reversed_source_points));
    }
    Ok(())
}

/// A lot after a delta; one that does not exist is empty.
fn moved(
    state: &State,
    membership: MembershipId,
    key: LotKey,
    delta: LotDelta,
) -> Option<pointbridge_core::ledger::Lot> {
    let known = state.lots.get(&(membership, key)).copied().unwrap_or_default();
    Some(pointbridge_core::ledger::Lot {
        remaining: known.remaining.checked_add(delta.remaining)?,
        held: known.held.checked_add(delta.held)?,
    })
}

/// Writes what was checked.
pub(super) fn write(state: &mut State, changes: Changes) {
    for (id, part) in reversed_parts(&changes) {
        state.reversals.entry(id).or_default().push(part);
    }
    state.partners.extend(changes.partners);
    state.programs.extend(changes.programs);
    state.memberships.extend(changes.memberships);
    state.link_codes.extend(changes.link_codes);
    state.agreements.extend(changes.agreements);
    state.versions.extend(changes.versions.into_iter().map(|row| ((row.agreement_id, row.version), row)));
    state.consents.extend(changes.consents.into_iter().map(|row| (row.consent_id, row)));
    state.withdrawals.extend(changes.withdrawals.into_iter().map(|row| (row.consent_id, row)));
    for (key, consent) in changes.consents_in_force {
        match consent {
            Some(id) => state.consents_in_force.insert(key, id),
            None => state.consents_in_force.remove(&key),
        };
    }
    state.accounts.extend(changes.accounts);
    for ((membership, key), delta) in changes.lots {
        if let Some(lot) = moved(state, membership, key, delta) {
            state.lots.insert((membership, key), lot);
        }
    }
    for (id, (prepared, record)) in changes.prepared {
        let reservation = Reservation {
            state: prepared.state,
            decided_at: None,
            prepare_record: record,
            last_record: record,
            prepared,
        };
        state.reservations.insert(id, reservation);
    }
    for (id, end) in changes.ended {
        if let Some(reservation) = state.reservations.get_mut(&id) {
            reservation.state = end.state;
            reservation.decided_at = Some(end.decided_at);
            reservation.last_record = end.record_id;
        }
    }
    state.live_holds.extend(changes.live_holds);
    state.exposures.extend(changes.exposures);
    state.approvals.extend(changes.approvals);
    state.certificates.extend(changes.certificates);
    state
        .signing_keys
        .extend(changes.signing_keys.into_iter().map(|key| ((key.program_id, key.key_id.clone()), key)));
    for sealed in changes.records {
        state.places.insert(sealed.record.record_id, state.records.len());
        state.records.push(sealed);
    }
    for row in changes.requests {
        let request = Request { body_hash: row.body_hash, record_id: row.record.record_id };
        state.requests.insert(row.key, request);
    }
}
