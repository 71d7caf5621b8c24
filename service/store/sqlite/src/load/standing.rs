//! Loading approvals, certificates and signing keys.

use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{Footprint, World};
use pointbridge_store::StoreError;

use crate::keys;
use crate::rows::{self, Cells};
use crate::session::Session;

pub(super) async fn load(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = "select approval.* from jsonb_each(?1) as asked
         join approval on approval.approval_id = unhex(asked.value)";
    let asked = footprint.approvals.iter().map(|id| keys::id!(id)).collect();
    for row in session.found(sql, asked).await? {
        let approval = rows::approval(&row)?;
        world.approvals.insert(approval.approval_id, approval);
    }
    certificates(session, footprint, world).await?;
    let sql = "select signing_key.* from jsonb_each(?1) as asked
         join signing_key on signing_key.program_id = unhex(asked.value)";
    let asked = footprint.signing_keys.iter().map(|id| keys::id!(id)).collect();
    for row in session.found(sql, asked).await? {
        let key = rows::signing_key(&row)?;
        world.signing_keys.entry(key.program_id).or_default().insert(key.key_id.clone(), key);
    }
    Ok(())
}

async fn certificates(
    session: &mut Session<'_>,
    footprint: &Footprint,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = "select certificate.* from jsonb_each(?1) as asked
         join certificate on certificate.fingerprint = unhex(asked.value ->> 0)
             and certificate.owner = asked.value ->> 1";
    let owner = |owner: &Option<PartnerCode>| owner.as_ref().map_or_else(String::new, PartnerCode::to_string);
    let asked = footprint.certificates.iter().map(|key| (keys::hash(&key.fingerprint), owner(&key.owner)));
    for row in session.found(sql, asked.collect()).await? {
        let certificate = rows::certificate(&row)?;
        world.certificates.insert(certificate.key(), certificate);
    }
    let sql = "select asked.value as owner, (
             select count(*) from certificate
             where certificate.owner = asked.value and pinned_at is not null and revoked_at is null) as pins
         from jsonb_each(?1) as asked";
    for row in session.found(sql, footprint.pins.iter().collect()).await? {
        world.pins.insert(row.coded("owner")?, row.int("pins")?);
    }
    Ok(())
}
