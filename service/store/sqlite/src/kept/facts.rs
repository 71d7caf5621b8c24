//! Facts out of what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pointbridge_core::agreement::AgreementVersion;
use pointbridge_core::exchange::Exchange;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::world::{ExchangeFact, FactQuery, Facts, MembershipFact};

use super::{Kept, Known};

impl Kept {
    /// Answers what is kept, and leaves in the query what is not.
    pub(crate) fn answer(&self, query: &mut FactQuery, facts: &mut Facts) {
        let mut known = self.lock();
        known.memberships_of(query, facts);
        query.versions.retain(|key| {
            let found = known.versions.get(key).map(|version| Arc::clone(version));
            found.map(|version| facts.versions.insert(*key, version)).is_none()
        });
        query.exchanges.retain(|id| {
            let found = known.prepared.get(id).and_then(|record| fact_of(record.exchange()?));
            found.map(|fact| facts.exchanges.insert(*id, fact)).is_none()
        });
    }

    /// Keeps what never changes.
    pub(crate) fn keep_version(&self, version: &Arc<AgreementVersion>) {
        self.lock().versions.put((version.agreement_id, version.version), Arc::clone(version));
    }
}

impl Known {
    fn memberships_of(&mut self, query: &mut FactQuery, facts: &mut Facts) {
        query.memberships.retain(|id| {
            let Some(known) = self.memberships.get(id) else { return true };
            let fact = MembershipFact { program_id: known.program_id, partner: known.partner.clone() };
            facts.memberships.insert(*id, fact);
            false
        });
    }
}

/// What an exchange touches, which its preparation settled for good.
fn fact_of(exchange: &Exchange) -> Option<ExchangeFact> {
    let sides = exchange.legs.iter().flat_map(|leg| [&leg.source, &leg.destination]);
    let memberships: BTreeMap<_, _> = sides.map(|side| (side.membership_id, side.program_id)).collect();
    let exposures: Option<BTreeSet<_>> =
        exchange.legs.iter().map(|leg| ExposureKey::of(&leg.obligation)).collect();
    Some(ExchangeFact { initiator: exchange.initiator.clone(), memberships, exposures: exposures? })
}
