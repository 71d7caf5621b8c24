//! What was read becomes the world that a batch is decided on.

use std::sync::Arc;

use pointbridge_core::ids::{ExchangeId, MembershipId, ProgramId};
use pointbridge_core::ledger::{LOTS_PER_COMMAND_MAX, LotSet};
use pointbridge_core::reversal::Progress;
use pointbridge_core::world::{AccountNeed, Footprint, KnownRequest, RequestKey, World};
use pointbridge_store::StoreError;

use super::nouns;
use crate::error;
use crate::reading::Found;
use crate::rows::{self, Cells};

/// Fills a world with what was found.
pub(super) fn world(found: &Found, footprint: &Footprint, world: &mut World) -> Result<(), StoreError> {
    requests(found, footprint, world)?;
    parties(found, world)?;
    members(found, world)?;
    exchanges(found, world)?;
    points(found, footprint, world)?;
    standing(found, world)
}

fn requests(found: &Found, footprint: &Footprint, world: &mut World) -> Result<(), StoreError> {
    let asked: Vec<&RequestKey> = footprint.requests.iter().collect();
    for row in found.of(&nouns::REQUEST)? {
        let place = row.number::<usize>("place")?.checked_sub(1).and_then(|place| asked.get(place));
        let key = place.copied().ok_or_else(|| error::broken("a row answers to no key"))?;
        let known = KnownRequest { body_hash: row.hash("body_hash")?, record: rows::record(&row)? };
        world.requests.insert(key.clone(), known);
    }
    Ok(())
}

fn parties(found: &Found, world: &mut World) -> Result<(), StoreError> {
    for row in found.of(&nouns::PARTNER)? {
        let partner = rows::partner(&row)?;
        world.partners.insert(partner.code.clone(), partner);
    }
    for row in found.of(&nouns::PROGRAM)? {
        let program = rows::program(&row)?;
        world.programs.insert(program.program_id, program);
    }
    for row in found.of(&nouns::PROGRAM_CODE)? {
        world.program_codes.insert((row.coded("partner_code")?, row.coded("program_code")?));
    }
    for row in found.of(&nouns::AGREEMENT)? {
        let agreement = rows::agreement(&row)?;
        world.agreements.insert(agreement.pair.clone(), agreement);
    }
    Ok(())
}

fn members(found: &Found, world: &mut World) -> Result<(), StoreError> {
    for row in found.of(&nouns::MEMBERSHIP)?.into_iter().chain(found.of(&nouns::FAMILY)?) {
        let membership = rows::membership(&row)?;
        world.memberships.insert(membership.membership_id, membership);
    }
    for row in found.of(&nouns::EXTERNAL_REFERENCE)? {
        let program = row.id("program_id", ProgramId::new)?;
        world.external_references.insert((program, row.coded("external_reference")?));
    }
    for row in found.of(&nouns::LINK_CODE)? {
        let code = rows::link_code(&row)?;
        world.link_codes.insert(code.code_hash, code);
    }
    for row in found.of(&nouns::CONSENT_IN_FORCE)? {
        let consent = rows::consent(&row)?;
        world.consents.insert(consent.key(), consent);
    }
    for row in found.of(&nouns::CONSENT_BY_ID)? {
        let consent = rows::consent(&row)?;
        world.consents_by_id.insert(consent.consent_id, (consent, rows::withdrawal(&row)?));
    }
    Ok(())
}

fn exchanges(found: &Found, world: &mut World) -> Result<(), StoreError> {
    for row in found.of(&nouns::EXCHANGE)? {
        let id = row.id("reservation_id", ExchangeId::new)?;
        world.exchanges.insert(id, rows::record(&row)?);
    }
    for row in found.of(&nouns::OVERDUE)? {
        let id = row.id("reservation_id", ExchangeId::new)?;
        let membership = row.id("source_membership_id", MembershipId::new)?;
        let record = world.exchanges.get(&id).map(Arc::clone);
        if record.is_none_or(|record| record.exchange().is_none()) {
            return Err(error::broken("a reservation's last record is of no exchange"));
        }
        world.overdue.entry(membership).or_default().insert(id);
    }
    for row in found.of(&nouns::PROGRESS)? {
        let progress = Progress { parts: row.number("parts")?, source: row.int("reversed_source_points")? };
        world.reversed.insert(row.id("reservation_id", ExchangeId::new)?, progress);
    }
    Ok(())
}

fn points(found: &Found, footprint: &Footprint, world: &mut World) -> Result<(), StoreError> {
    for row in found.of(&nouns::ACCOUNT)? {
        let account = rows::account(&row)?;
        world.accounts.insert(account.membership_id, account);
    }
    for (membership, _) in footprint.accounts.iter().filter(|(_, need)| **need == AccountNeed::Lots) {
        world.lots.insert(*membership, LotSet { complete: true, ..LotSet::default() });
    }
    for row in found.of(&nouns::LOT)? {
        let set = world.lots.entry(row.id("membership_id", MembershipId::new)?).or_default();
        let (key, lot) = rows::lot(&row)?;
        set.lots.insert(key, lot);
    }
    for set in world.lots.values_mut().filter(|set| set.lots.len() > LOTS_PER_COMMAND_MAX) {
        set.complete = false;
        set.lots.pop_last();
    }
    for row in found.of(&nouns::CREDITED_LOT)? {
        let (key, lot) = rows::lot(&row)?;
        world.named_lots.insert((row.id("membership_id", MembershipId::new)?, key), lot);
    }
    for row in found.of(&nouns::INITIATOR)? {
        world.live_holds.insert(row.coded("partner_code")?, row.int("live_holds")?);
    }
    for row in found.of(&nouns::EXPOSURE)? {
        let exposure = rows::exposure(&row)?;
        world.exposures.insert(exposure.key.clone(), exposure);
    }
    Ok(())
}

fn standing(found: &Found, world: &mut World) -> Result<(), StoreError> {
    for row in found.of(&nouns::APPROVAL)? {
        let approval = rows::approval(&row)?;
        world.approvals.insert(approval.approval_id, approval);
    }
    for row in found.of(&nouns::CERTIFICATE)? {
        let certificate = rows::certificate(&row)?;
        world.certificates.insert(certificate.key(), certificate);
    }
    for row in found.of(&nouns::PINS)? {
        world.pins.insert(row.coded("owner")?, row.int("pins")?);
    }
    for row in found.of(&nouns::SIGNING_KEY)? {
        let key = rows::signing_key(&row)?;
        world.signing_keys.entry(key.program_id).or_default().insert(key.key_id.clone(), key);
    }
    Ok(())
}
