//! A batch and what is kept: what it finds there, what it read beside, and what it wrote.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pointbridge_core::exchange::ReservationState;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::ledger::{Lot, LotDelta, LotKey, LotSet};
use pointbridge_core::record::Record;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{AccountNeed, Changes, Footprint, World};

use super::{Kept, Known, LOTS_KEPT};

/// What of a footprint is not kept, of what can be. Everything else is read each time.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub(crate) accounts: Vec<MembershipId>,
    pub(crate) lots: BTreeSet<MembershipId>,
    pub(crate) exposures: BTreeSet<ExposureKey>,
    pub(crate) initiators: BTreeSet<PartnerCode>,
}

impl Kept {
    /// The records that prepared these exchanges, as far as they are kept.
    pub(crate) fn prepared<'a>(
        &self,
        ids: impl Iterator<Item = &'a ExchangeId>,
    ) -> HashMap<ExchangeId, Arc<Record>> {
        let mut known = self.lock();
        ids.filter_map(|id| Some((*id, Arc::clone(known.prepared.get(id)?)))).collect()
    }

    /// Puts what is kept of a footprint into the world, and tells what is not.
    pub(crate) fn fill(&self, footprint: &Footprint, world: &mut World) -> Missing {
        let mut known = self.lock();
        let mut missing = Missing::default();
        known.fill_points(footprint, world, &mut missing);
        missing
    }

    /// Puts sums into the world that are needed beside what the footprint names, and tells which are not kept.
    pub(crate) fn fill_sums(
        &self,
        initiators: &BTreeSet<PartnerCode>,
        exposures: &BTreeSet<ExposureKey>,
        world: &mut World,
    ) -> Missing {
        let mut missing = Missing::default();
        self.lock().fill_sums(initiators, exposures, world, &mut missing);
        missing
    }

    /// Keeps what was read because it was missing.
    pub(crate) fn learn(&self, missing: &Missing, world: &World) {
        let mut known = self.lock();
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
    fn fill_points(&mut self, footprint: &Footprint, world: &mut World, missing: &mut Missing) {
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
        self.fill_sums(&footprint.initiators, &footprint.exposures, world, missing);
    }

    fn fill_sums(
        &mut self,
        initiators: &BTreeSet<PartnerCode>,
        exposures: &BTreeSet<ExposureKey>,
        world: &mut World,
        missing: &mut Missing,
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
