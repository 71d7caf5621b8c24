//! What the reference store reads before a decision: facts, the world of a footprint, and what is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::ledger::{LOTS_PER_COMMAND_MAX, LotSet};
use pointbridge_core::reversal::Progress;
use pointbridge_core::time::{Expiry, Timestamp};
use pointbridge_core::world::{
    AccountNeed, ConsentFact, ExchangeFact, FactQuery, Facts, Footprint, KnownRequest, LinkCodeFact,
    MembershipFact, World,
};
use pointbridge_store::{Due, Pulse, StoreError};

use super::standing;
use super::state::{Reservation, State};

/// The facts that exist.
pub(super) fn facts(state: &State, query: &FactQuery) -> Facts {
    let mut facts = Facts::default();
    // First, because what is approved names facts of its own.
    let query = &standing::facts(state, query, &mut facts);
    for id in &query.memberships {
        if let Some(known) = state.memberships.get(id) {
            let fact = MembershipFact { program_id: known.program_id, partner: known.partner.clone() };
            facts.memberships.insert(*id, fact);
        }
    }
    for id in &query.agreements {
        facts.agreements.extend(state.agreement(*id).map(|known| (*id, known.pair.clone())));
    }
    for key in &query.versions {
        facts.versions.extend(state.versions.get(key).map(|known| (*key, Arc::new(known.clone()))));
    }
    for id in &query.exchanges {
        facts.exchanges.extend(state.reservations.get(id).map(|known| (*id, exchange_fact(known))));
    }
    for id in &query.consents {
        if let Some((known, home)) = state.consents.get(id).and_then(|known| {
            state.memberships.get(&known.membership_id).map(|membership| (known, membership))
        }) {
            facts.consents.insert(*id, ConsentFact { key: known.key(), partner: home.partner.clone() });
        }
    }
    for hash in &query.link_codes {
        let known = state.link_codes.values().find(|code| code.code_hash == *hash);
        facts
            .link_codes
            .extend(known.map(|code| (*hash, LinkCodeFact { membership_id: code.membership_id })));
    }
    facts
}

fn exchange_fact(known: &Reservation) -> ExchangeFact {
    let sides = known.prepared.legs.iter().flat_map(|leg| [&leg.source, &leg.destination]);
    ExchangeFact {
        initiator: known.prepared.initiator.clone(),
        memberships: sides.map(|side| (side.membership_id, side.program_id)).collect(),
        exposures: known.exposures().collect(),
    }
}

/// The rows of a footprint. The locks in it say nothing here: one lock is around everything.
pub(super) fn world(state: &State, needs: &Footprint, now: Timestamp) -> Result<World, StoreError> {
    let mut world = World::empty(now, state.window.window_id, state.epoch);
    for key in &needs.requests {
        if let Some(known) = state.requests.get(key) {
            let record = Arc::new(state.record(known.record_id)?);
            world.requests.insert(key.clone(), KnownRequest { body_hash: known.body_hash, record });
        }
    }
    world.partners = pick(&state.partners, needs.partners.keys());
    world.programs = pick(&state.programs, needs.programs.keys());
    for program in state.programs.values() {
        let code = (program.partner.clone(), program.code.clone());
        world.program_codes.extend(needs.program_codes.get(&code).cloned());
    }
    world.agreements = pick(&state.agreements, needs.agreements.keys());
    people(state, needs, &mut world);
    standing::world(state, needs, &mut world);
    accounts(state, needs, &mut world);
    exchanges(state, needs, &mut world)?;
    Ok(world)
}

/// Memberships, what they are called, and what their members agreed to.
fn people(state: &State, needs: &Footprint, world: &mut World) {
    world.memberships = pick(&state.memberships, needs.memberships.keys());
    for named in &needs.families {
        let member = state.memberships.get(named).map(|membership| membership.member_id);
        let family = state.memberships.values().filter(|other| Some(other.member_id) == member);
        world.memberships.extend(family.map(|other| (other.membership_id, other.clone())));
    }
    for membership in state.memberships.values() {
        let name = (membership.program_id, membership.external_reference.clone());
        world.external_references.extend(needs.external_references.get(&name).cloned());
    }
    let codes = state.link_codes.values().filter(|code| needs.link_codes.contains(&code.code_hash));
    world.link_codes = codes.map(|code| (code.code_hash, code.clone())).collect();
    for key in needs.consents.keys() {
        let consent = state.consents_in_force.get(key).and_then(|id| state.consents.get(id));
        world.consents.extend(consent.map(|consent| (key.clone(), consent.clone())));
    }
    for id in &needs.consents_by_id {
        if let Some(consent) = state.consents.get(id) {
            let end = state.withdrawals.get(id).cloned();
            world.consents_by_id.insert(*id, (consent.clone(), end));
        }
    }
}

/// Accounts, and where points will be chosen their lots and the holds that are over.
fn accounts(state: &State, needs: &Footprint, world: &mut World) {
    world.accounts = pick(&state.accounts, needs.accounts.keys());
    for (membership, need) in &needs.accounts {
        if *need == AccountNeed::Lots {
            world.lots.insert(*membership, open_lots(state, *membership));
            let overdue = state.reservations.iter().filter(|(_, r)| r.is_overdue(world.now));
            let overdue = overdue.filter(|(_, reservation)| reservation.takes_from(*membership));
            world.overdue.insert(*membership, overdue.map(|(id, _)| *id).collect());
        }
    }
}

/// The first lots of an account that have something free.
fn open_lots(state: &State, membership: MembershipId) -> LotSet {
    let mut open = state.lots_of(membership).filter(|(_, lot)| lot.free() > 0);
    let lots = open.by_ref().take(LOTS_PER_COMMAND_MAX).collect();
    LotSet { lots, complete: open.next().is_none(), changed: false }
}

/// The exchanges that are named and those that are overdue, with what their ends change.
fn exchanges(state: &State, needs: &Footprint, world: &mut World) -> Result<(), StoreError> {
    let overdue: BTreeSet<ExchangeId> = world.overdue.values().flatten().copied().collect();
    let mut initiators = needs.initiators.clone();
    let mut exposures = needs.exposures.clone();
    for reservation in overdue.iter().filter_map(|id| state.reservations.get(id)) {
        initiators.insert(reservation.prepared.initiator.clone());
        exposures.extend(reservation.exposures());
    }
    for id in needs.exchanges.union(&overdue) {
        if let Some(reservation) = state.reservations.get(id) {
            world.exchanges.insert(*id, Arc::new(state.record(reservation.last_record)?));
        }
    }
    reversals(state, needs, world)?;
    world.live_holds = pick(&state.live_holds, initiators.iter());
    world.exposures = pick(&state.exposures, exposures.iter());
    Ok(())
}

/// How far exchanges are reversed, and the lots that their commits credited.
fn reversals(state: &State, needs: &Footprint, world: &mut World) -> Result<(), StoreError> {
    for id in &needs.reversals {
        if let Some(last) = state.reversals.get(id).and_then(|parts| parts.last()) {
            let progress = Progress { parts: last.number, source: last.reversed_source_points };
            world.reversed.insert(*id, progress);
        }
        let Some(reservation) = state.reservations.get(id) else { continue };
        for moved in state.record(reservation.last_record)?.lots {
            let named = (moved.membership_id, moved.key());
            let lot = state.lots.get(&named).filter(|_| moved.remaining.minor() > 0);
            world.named_lots.extend(lot.map(|lot| (named, *lot)));
        }
    }
    Ok(())
}

/// The rows with these keys, as far as they exist.
fn pick<'a, K, V>(table: &BTreeMap<K, V>, keys: impl Iterator<Item = &'a K>) -> BTreeMap<K, V>
where
    K: Ord + Clone + 'a,
    V: Clone,
{
    keys.filter_map(|key| Some((key.clone(), table.get(key)?.clone()))).collect()
}

/// Holds that are over, then accounts with lots that are over and free; in each, the longest overdue first.
pub(super) fn due(state: &State, now: Timestamp, limit: usize) -> Vec<Due> {
    let overdue = state.reservations.iter().filter(|(_, reservation)| reservation.is_overdue(now));
    let holds: BTreeSet<_> = overdue.map(|(id, r)| (r.prepared.hold_expires_at, *id)).collect();
    let over = state.lots.iter().filter(|((_, key), lot)| key.expiry.is_over(now) && lot.free() > 0);
    let mut first: BTreeMap<MembershipId, Expiry> = BTreeMap::new();
    for ((membership, key), _) in over {
        first.entry(*membership).or_insert(key.expiry);
    }
    let accounts: BTreeSet<_> = first.into_iter().map(|(membership, expiry)| (expiry, membership)).collect();
    let holds = holds.into_iter().take(limit).map(|(_, id)| Due::Hold(id));
    holds.chain(accounts.into_iter().take(limit).map(|(_, id)| Due::Lots(id))).collect()
}

/// What is open at the moment.
pub(super) fn pulse(state: &State, now: Timestamp) -> Pulse {
    let open = || state.reservations.values().filter(|reservation| !reservation.state.is_final());
    Pulse {
        holds_open: i64::try_from(open().count()).unwrap_or(i64::MAX),
        oldest_hold_at: open().map(|reservation| reservation.prepared.prepared_at).min(),
        first_hold_ends_at: open().map(|reservation| reservation.prepared.hold_expires_at).min(),
        now,
    }
}
