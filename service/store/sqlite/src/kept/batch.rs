//! A batch and what is kept: what it finds there, what it read beside, and what it wrote.

use std::collections::BTreeSet;
use std::sync::Arc;

use pointbridge_core::agreement::Pair;
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{ExchangeId, MembershipId, ProgramId};
use pointbridge_core::ledger::{Lot, LotDelta, LotKey, LotSet};
use pointbridge_core::member::ConsentKey;
use pointbridge_core::record::Record;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{AccountNeed, Changes, Footprint, RequestKey, World};

use super::{Kept, Known, LOTS_KEPT};

/// What of a footprint is not kept, of what can be. Everything else is read each time.
#[derive(Debug, Default)]
pub(crate) struct Missing<'a> {
    pub(crate) requests: Vec<&'a RequestKey>,
    pub(crate) partners: Vec<PartnerCode>,
    pub(crate) programs: Vec<ProgramId>,
    pub(crate) agreements: Vec<Pair>,
    pub(crate) memberships: Vec<MembershipId>,
    pub(crate) consents: Vec<ConsentKey>,
    pub(crate) accounts: Vec<MembershipId>,
    pub(crate) lots: BTreeSet<MembershipId>,
    pub(crate) exchanges: Vec<ExchangeId>,
    pub(crate) exposures: BTreeSet<ExposureKey>,
    pub(crate) initiators: BTreeSet<PartnerCode>,
}

impl Kept {
    /// Puts what is kept of a footprint into the world, and tells what is not.
    pub(crate) fn fill<'a>(&self, footprint: &'a Footprint, world: &mut World) -> Missing<'a> {
        let mut known = self.lock();
        let mut missing = Missing::default();
        known.fill_parties(footprint, world, &mut missing);
        known.fill_points(footprint, world, &mut missing);
        missing
    }

    /// Puts sums into the world that are needed beside what the footprint names, and tells which are not kept.
    pub(crate) fn fill_sums(
        &self,
        initiators: &BTreeSet<PartnerCode>,
        exposures: &BTreeSet<ExposureKey>,
        world: &mut World,
    ) -> Missing<'static> {
        let mut missing = Missing::default();
        self.lock().fill_sums(initiators, exposures, world, &mut missing);
        missing
    }

    /// Keeps what was read because it was missing.
    pub(crate) fn learn(&self, missing: &Missing<'_>, world: &World) {
        let mut known = self.lock();
        known.learn_parties(missing, world);
        for id in &missing.accounts {
            if let Some(account) = world.accounts.get(id) {
                known.accounts.put(*id, *account);
            }
        }
        for id in &missing.lots {
            let whole = world.lots.get(id).filter(|set| set.complete && set.lots.len() <= LOTS_KEPT);
            if let Some(set) = whole {
                known.lots.put(*id, set.lots.clone());
            }
        }
        for id in &missing.exchanges {
            if let Some(record) = world.exchanges.get(id).filter(|record| is_prepared(record)) {
                known.prepared.put(*id, Arc::clone(record));
            }
        }
        for key in &missing.exposures {
            if let Some(exposure) = world.exposures.get(key) {
                known.exposures.put(key.clone(), exposure.clone());
            }
        }
        for initiator in &missing.initiators {
            if let Some(count) = world.live_holds.get(initiator) {
                known.live_holds.put(initiator.clone(), *count);
            }
        }
    }

    /// Keeps what a batch has written. After its commit only: what was rolled back was never so.
    pub(crate) fn written(&self, changes: &Changes, now: Timestamp) {
        let mut known = self.lock();
        let records = i64::try_from(changes.records.len()).unwrap_or(i64::MAX);
        if let Some(head) = &mut known.head {
            head.last_now = now;
            head.last_record_number = head.last_record_number.saturating_add(records);
        }
        known.written_parties(changes);
        for (id, account) in &changes.accounts {
            known.accounts.renew(id, *account);
        }
        for ((membership, key), delta) in &changes.lots {
            known.move_lot(*membership, *key, *delta);
        }
        for record in changes.records.iter().map(|sealed| &sealed.record) {
            if let Some(exchange) = record.exchange().filter(|_| is_prepared(record)) {
                known.prepared.put(exchange.exchange_id, Arc::clone(record));
            }
        }
        for ended in changes.ended.keys() {
            known.prepared.forget(ended);
        }
        for (key, exposure) in &changes.exposures {
            known.exposures.put(key.clone(), exposure.clone());
        }
        for (initiator, count) in &changes.live_holds {
            known.live_holds.put(initiator.clone(), *count);
        }
    }
}

fn is_prepared(record: &Record) -> bool {
    record.exchange().is_some_and(|exchange| exchange.state == ReservationState::Prepared)
}

impl Known {
    fn fill_parties(&mut self, footprint: &Footprint, world: &mut World, missing: &mut Missing<'_>) {
        for code in footprint.partners.keys() {
            match self.partners.get(code) {
                Some(partner) => drop(world.partners.insert(code.clone(), partner.clone())),
                None => missing.partners.push(code.clone()),
            }
        }
        for id in footprint.programs.keys() {
            match self.programs.get(id) {
                Some(program) => drop(world.programs.insert(*id, program.clone())),
                None => missing.programs.push(*id),
            }
        }
        for pair in footprint.agreements.keys() {
            match self.agreements.get(pair) {
                Some(agreement) => drop(world.agreements.insert(pair.clone(), agreement.clone())),
                None => missing.agreements.push(pair.clone()),
            }
        }
        for id in footprint.memberships.keys() {
            match self.memberships.get(id) {
                Some(membership) => drop(world.memberships.insert(*id, membership.clone())),
                None => missing.memberships.push(*id),
            }
        }
        for key in footprint.consents.keys() {
            match self.consents.get(key) {
                Some(consent) => drop(world.consents.insert(key.clone(), consent.clone())),
                None => missing.consents.push(key.clone()),
            }
        }
    }

    fn fill_points(&mut self, footprint: &Footprint, world: &mut World, missing: &mut Missing<'_>) {
        for (id, need) in &footprint.accounts {
            match self.accounts.get(id) {
                Some(account) => drop(world.accounts.insert(*id, *account)),
                None => missing.accounts.push(*id),
            }
            if *need < AccountNeed::Lots {
                continue;
            }
            match self.lots.get(id) {
                Some(lots) => {
                    let set = LotSet { lots: lots.clone(), complete: true, ..LotSet::default() };
                    world.lots.insert(*id, set);
                }
                None => drop(missing.lots.insert(*id)),
            }
        }
        for id in &footprint.exchanges {
            match self.prepared.get(id) {
                Some(record) => drop(world.exchanges.insert(*id, Arc::clone(record))),
                None => missing.exchanges.push(*id),
            }
        }
        self.fill_sums(&footprint.initiators, &footprint.exposures, world, missing);
    }

    fn fill_sums(
        &mut self,
        initiators: &BTreeSet<PartnerCode>,
        exposures: &BTreeSet<ExposureKey>,
        world: &mut World,
        missing: &mut Missing<'_>,
    ) {
        for initiator in initiators {
            match self.live_holds.get(initiator) {
                Some(count) => drop(world.live_holds.insert(initiator.clone(), *count)),
                None => drop(missing.initiators.insert(initiator.clone())),
            }
        }
        for key in exposures {
            match self.exposures.get(key) {
                Some(exposure) => drop(world.exposures.insert(key.clone(), exposure.clone())),
                None => drop(missing.exposures.insert(key.clone())),
            }
        }
    }

    fn learn_parties(&mut self, missing: &Missing<'_>, world: &World) {
        for code in &missing.partners {
            if let Some(partner) = world.partners.get(code) {
                self.partners.put(code.clone(), partner.clone());
            }
        }
        for id in &missing.programs {
            if let Some(program) = world.programs.get(id) {
                self.programs.put(*id, program.clone());
            }
        }
        for pair in &missing.agreements {
            if let Some(agreement) = world.agreements.get(pair) {
                self.agreements.put(pair.clone(), agreement.clone());
            }
        }
        for id in &missing.memberships {
            if let Some(membership) = world.memberships.get(id) {
                self.memberships.put(*id, membership.clone());
            }
        }
        for key in &missing.consents {
            if let Some(consent) = world.consents.get(key) {
                self.consents.put(key.clone(), consent.clone());
            }
        }
    }

    fn written_parties(&mut self, changes: &Changes) {
        for (code, partner) in &changes.partners {
            self.partners.renew(code, partner.clone());
        }
        for (id, program) in &changes.programs {
            self.programs.renew(id, program.clone());
        }
        for (pair, agreement) in &changes.agreements {
            self.agreements.renew(pair, agreement.clone());
        }
        for (id, membership) in &changes.memberships {
            self.memberships.renew(id, membership.clone());
        }
        // Which consent is in force is read again where it is asked for: that a consent begins or ends is rare.
        for key in changes.consents_in_force.keys() {
            self.consents.forget(key);
        }
    }

    /// Moves a lot of a kept account. One that is not among those that are kept may have points that are held: the account is
    /// read again.
    fn move_lot(&mut self, membership: MembershipId, key: LotKey, delta: LotDelta) {
        let Some(lots) = self.lots.get(&membership) else { return };
        match lots.get(&key).map(|lot| lot.after(delta)) {
            None => self.lots.forget(&membership),
            Some(spent) if spent == Lot::default() => drop(lots.remove(&key)),
            Some(lot) => drop(lots.insert(key, lot)),
        }
    }
}
