//! Loading partners, programs, agreements, members and consents.

use pointbridge_core::world::{Footprint, World};
use pointbridge_store::StoreError;

use crate::columns;
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::Session;

pub(super) async fn load(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    partners(session, footprint, world).await?;
    programs(session, footprint, world).await?;
    agreements(session, footprint, world).await?;
    memberships(session, footprint, world).await?;
    link_codes(session, footprint, world).await?;
    consents(session, footprint, world).await
}

async fn partners(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = concat!(
        "select ",
        columns::partner!(),
        " from jsonb_each(?1) as asked join partner on partner.partner_code = asked.value"
    );
    for row in session.found(sql, footprint.partners.keys().collect()).await? {
        let partner = rows::partner(&row)?;
        world.partners.insert(partner.code.clone(), partner);
    }
    Ok(())
}

async fn programs(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = concat!(
        "select ",
        columns::program!(),
        " from jsonb_each(?1) as asked join program on program.program_id = unhex(asked.value)"
    );
    let asked = footprint.programs.keys().map(|id| keys::id!(id)).collect();
    for row in session.found(sql, asked).await? {
        let program = rows::program(&row)?;
        world.programs.insert(program.program_id, program);
    }
    let sql = "select program.partner_code, program.program_code from jsonb_each(?1) as asked
         join program on program.partner_code = asked.value ->> 0 and program.program_code = asked.value ->> 1";
    for row in session.found(sql, footprint.program_codes.iter().collect()).await? {
        world.program_codes.insert((row.coded("partner_code")?, row.coded("program_code")?));
    }
    Ok(())
}

async fn agreements(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = concat!(
        "select ",
        columns::agreement!(),
        " from jsonb_each(?1) as asked
         join agreement on agreement.low_code = asked.value ->> 0 and agreement.high_code = asked.value ->> 1"
    );
    let asked = footprint.agreements.keys().map(|pair| (pair.low(), pair.high())).collect();
    for row in session.found(sql, asked).await? {
        let agreement = rows::agreement(&row)?;
        world.agreements.insert(agreement.pair.clone(), agreement);
    }
    Ok(())
}

async fn memberships(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let by_id = concat!(
        "select ",
        columns::membership!(),
        " from jsonb_each(?1) as asked
         join membership on membership.membership_id = unhex(asked.value)
         join program on program.program_id = membership.program_id"
    );
    let by_member = concat!(
        "select ",
        columns::membership!(),
        " from jsonb_each(?1) as asked
         join membership as named on named.membership_id = unhex(asked.value)
         join membership on membership.member_id = named.member_id
         join program on program.program_id = membership.program_id"
    );
    let asked = footprint.memberships.keys().map(|id| keys::id!(id)).collect();
    let mut found_rows = session.found(by_id, asked).await?;
    let asked = footprint.families.iter().map(|id| keys::id!(id)).collect();
    found_rows.extend(session.found(by_member, asked).await?);
    for row in found_rows {
        let membership = rows::membership(&row)?;
        world.memberships.insert(membership.membership_id, membership);
    }
    let sql = "select membership.program_id, membership.external_reference from jsonb_each(?1) as asked
         join membership on membership.program_id = unhex(asked.value ->> 0)
             and membership.external_reference = asked.value ->> 1";
    let asked = footprint.external_references.iter();
    let asked = asked.map(|(program, reference)| (keys::id!(program), reference)).collect();
    for row in session.found(sql, asked).await? {
        let program = row.id("program_id", pointbridge_core::ids::ProgramId::new)?;
        world.external_references.insert((program, row.coded("external_reference")?));
    }
    Ok(())
}

async fn link_codes(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = "select link_code.* from jsonb_each(?1) as asked
         join link_code on link_code.code_hash = unhex(asked.value)";
    for row in session.found(sql, footprint.link_codes.iter().map(keys::hash).collect()).await? {
        let code = rows::link_code(&row)?;
        world.link_codes.insert(code.code_hash, code);
    }
    Ok(())
}

async fn consents(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let in_force = concat!(
        "select ",
        columns::consent!(),
        " from jsonb_each(?1) as asked
         join consent_in_force on consent_in_force.membership_id = unhex(asked.value ->> 0)
             and consent_in_force.recipient_code = asked.value ->> 1
             and consent_in_force.consent_scope = asked.value ->> 2
         join consent on consent.consent_id = consent_in_force.consent_id"
    );
    let asked = footprint.consents.keys();
    let asked = asked.map(|key| (keys::id!(key.membership_id), &key.recipient, key.scope)).collect();
    for row in session.found(in_force, asked).await? {
        let consent = rows::consent(&row)?;
        world.consents.insert(consent.key(), consent);
    }
    let by_id = concat!(
        "select ",
        columns::consent!(),
        ", consent_withdrawal.reason, consent_withdrawal.withdrawn_at from jsonb_each(?1) as asked
         join consent on consent.consent_id = unhex(asked.value)
         left join consent_withdrawal on consent_withdrawal.consent_id = consent.consent_id"
    );
    let asked = footprint.consents_by_id.iter().map(|id| keys::id!(id)).collect();
    for row in session.found(by_id, asked).await? {
        let consent = rows::consent(&row)?;
        world.consents_by_id.insert(consent.consent_id, (consent, rows::withdrawal(&row)?));
    }
    Ok(())
}
