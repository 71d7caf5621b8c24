//! Writing partners, programs, members, agreements and consents.
//!
//! An update names only what may change: the rest of a row is as it was when it was made.

use pointbridge_core::member::ConsentKey;
use pointbridge_core::partner::Program;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use crate::keys;
use crate::load::Known;
use crate::session::Bind;
use crate::writing::Script;

pub(super) fn write(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    partners(script, changes, known)?;
    programs(script, changes, known)?;
    memberships(script, changes, known)?;
    link_codes(script, changes, known)?;
    agreements(script, changes, known)?;
    versions(script, changes)?;
    consents(script, changes);
    consents_in_force(script, changes, known)
}

/// What is there already, and what is not.
pub(super) fn split<'a, K: Ord + 'a, V: 'a>(
    rows: impl IntoIterator<Item = (&'a K, &'a V)>,
    is_known: impl Fn(&K) -> bool,
) -> (Vec<&'a V>, Vec<&'a V>) {
    let (old, new): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(key, _)| is_known(key));
    let values = |rows: Vec<(&'a K, &'a V)>| rows.into_iter().map(|(_, value)| value).collect();
    (values(old), values(new))
}

fn partners(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.partners, |key| known.partners.contains(key));
    let status = keys::names(new.iter().map(|p| p.status))?;
    script.put(
        "insert into partner (partner_code, name, status, created_at, updated_at)
         select * from unnest($1, $2, $3, $4, $5)",
        new.len(),
        || {
            vec![
                keys::texts(new.iter().map(|p| &p.code)),
                keys::texts(new.iter().map(|p| &p.name)),
                status,
                keys::ints(new.iter().map(|p| p.created_at.micros())),
                keys::ints(new.iter().map(|p| p.updated_at.micros())),
            ]
        },
    );
    let status = keys::names(old.iter().map(|p| p.status))?;
    script.put_each(
        "update partner set name = new.name, status = new.status, updated_at = new.updated_at
         from unnest($1, $2, $3, $4) as new (code, name, status, updated_at) where partner.partner_code = new.code",
        old.len(),
        "partner",
        || {
            vec![
                keys::texts(old.iter().map(|p| &p.code)),
                keys::texts(old.iter().map(|p| &p.name)),
                status,
                keys::ints(old.iter().map(|p| p.updated_at.micros())),
            ]
        },
    )
}

fn programs(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.programs, |key| known.programs.contains(key));
    let custody = keys::names(new.iter().map(|p| p.custody))?;
    script.put(
        "insert into program (
             program_id, partner_code, program_code, name, scale, custody, points_expiry_months, created_at, updated_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.len(),
        || program_binds(&new, custody),
    );
    script.put_each(
        "update program set name = new.name, points_expiry_months = new.points_expiry_months, updated_at = new.updated_at
         from unnest($1, $2, $3, $4) as new (id, name, points_expiry_months, updated_at)
         where program.program_id = new.id",
        old.len(),
        "program",
        || {
            vec![
                keys::ids!(old.iter().map(|p| p.program_id)),
                keys::texts(old.iter().map(|p| &p.name)),
                keys::ints(old.iter().map(|p| p.points_expiry_months)),
                keys::ints(old.iter().map(|p| p.updated_at.micros())),
            ]
        },
    )
}

fn program_binds(new: &[&Program], custody: Bind) -> Vec<Bind> {
    vec![
        keys::ids!(new.iter().map(|p| p.program_id)),
        keys::texts(new.iter().map(|p| &p.partner)),
        keys::texts(new.iter().map(|p| &p.code)),
        keys::texts(new.iter().map(|p| &p.name)),
        keys::ints(new.iter().map(|p| p.scale.decimals())),
        custody,
        keys::ints(new.iter().map(|p| p.points_expiry_months)),
        keys::ints(new.iter().map(|p| p.created_at.micros())),
        keys::ints(new.iter().map(|p| p.updated_at.micros())),
    ]
}

fn memberships(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.memberships, |key| known.memberships.contains(key));
    let status = keys::names(new.iter().map(|m| m.status))?;
    script.put(
        "insert into membership (
             membership_id, member_id, program_id, external_reference, reference_salt, status, created_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7)",
        new.len(),
        || {
            vec![
                keys::ids!(new.iter().map(|m| m.membership_id)),
                keys::ids!(new.iter().map(|m| m.member_id)),
                keys::ids!(new.iter().map(|m| m.program_id)),
                keys::texts(new.iter().map(|m| &m.external_reference)),
                keys::bits(new.iter().map(|m| m.reference_salt)),
                status,
                keys::ints(new.iter().map(|m| m.created_at.micros())),
            ]
        },
    );
    let status = keys::names(old.iter().map(|m| m.status))?;
    script.put_each(
        "update membership set member_id = new.member_id, status = new.status
         from unnest($1, $2, $3) as new (id, member_id, status) where membership.membership_id = new.id",
        old.len(),
        "membership",
        || {
            vec![
                keys::ids!(old.iter().map(|m| m.membership_id)),
                keys::ids!(old.iter().map(|m| m.member_id)),
                status,
            ]
        },
    )
}

fn link_codes(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.link_codes, |key| known.link_codes.contains(key));
    let used_by = |id: Option<pointbridge_core::ids::MembershipId>| id.map(|id| id.uuid());
    script.put(
        "insert into link_code (
             link_code_id, code_hash, membership_id, partner_code, expires_at, used_by_membership_id)
         select * from unnest($1, $2, $3, $4, $5, $6)",
        new.len(),
        || {
            vec![
                keys::ids!(new.iter().map(|c| c.link_code_id)),
                keys::hashes(new.iter().map(|c| &c.code_hash)),
                keys::ids!(new.iter().map(|c| c.membership_id)),
                keys::texts(new.iter().map(|c| &c.partner)),
                keys::ints(new.iter().map(|c| c.expires_at.micros())),
                Bind::IdsOrNull(new.iter().map(|c| used_by(c.used_by)).collect()),
            ]
        },
    );
    script.put_each(
        "update link_code set used_by_membership_id = new.used_by
         from unnest($1, $2) as new (id, used_by) where link_code.link_code_id = new.id",
        old.len(),
        "link_code",
        || {
            vec![
                keys::ids!(old.iter().map(|c| c.link_code_id)),
                Bind::IdsOrNull(old.iter().map(|c| used_by(c.used_by)).collect()),
            ]
        },
    )
}

fn agreements(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.agreements, |key| known.agreements.contains(key));
    script.put(
        "insert into agreement (
             agreement_id, latest_version, active_version, active_since, pending_version, low_code, high_code, created_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)",
        new.len(),
        || {
            let mut binds = agreement_binds(&new);
            binds.extend(keys::pairs(new.iter().map(|a| &a.pair)));
            binds.push(keys::ints(new.iter().map(|a| a.created_at.micros())));
            binds
        },
    );
    script.put_each(
        "update agreement set latest_version = new.latest_version, active_version = new.active_version,
             active_since = new.active_since, pending_version = new.pending_version
         from unnest($1, $2, $3, $4, $5) as new (id, latest_version, active_version, active_since, pending_version)
         where agreement.agreement_id = new.id",
        old.len(),
        "agreement",
        || agreement_binds(&old),
    )
}

fn agreement_binds(rows: &[&pointbridge_core::agreement::Agreement]) -> Vec<Bind> {
    vec![
        keys::ids!(rows.iter().map(|a| a.agreement_id)),
        keys::ints(rows.iter().map(|a| a.latest_version)),
        keys::ints_or_null(rows.iter().map(|a| a.active_version)),
        keys::ints_or_null(rows.iter().map(|a| a.active_since.map(Timestamp::micros))),
        keys::ints_or_null(rows.iter().map(|a| a.pending_version)),
    ]
}

fn versions(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let new = &changes.versions;
    let mut sealed = Vec::with_capacity(new.len());
    for version in new {
        sealed.push(version.terms.seal().map_err(|error| StoreError::Broken(error.to_string()))?.0);
    }
    script.put(
        "insert into agreement_version (agreement_id, version, author_code, terms, terms_hash, proposed_at)
         select * from unnest($1, $2, $3, $4, $5, $6)",
        new.len(),
        || {
            vec![
                keys::ids!(new.iter().map(|v| v.agreement_id)),
                keys::ints(new.iter().map(|v| v.version)),
                keys::texts(new.iter().map(|v| &v.author)),
                Bind::Blobs(sealed),
                keys::hashes(new.iter().map(|v| &v.terms_hash)),
                keys::ints(new.iter().map(|v| v.proposed_at.micros())),
            ]
        },
    );
    Ok(())
}

fn consents(script: &mut Script, changes: &Changes) {
    let new = &changes.consents;
    script.put(
        "insert into consent (
             consent_id, membership_id, recipient_code, consent_scope, purpose, notice_version, evidence_hash,
             granted_at, expires_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.len(),
        || {
            vec![
                keys::ids!(new.iter().map(|c| c.consent_id)),
                keys::ids!(new.iter().map(|c| c.membership_id)),
                keys::texts(new.iter().map(|c| &c.recipient)),
                keys::texts(new.iter().map(|c| c.scope.as_str())),
                keys::texts(new.iter().map(|c| &c.purpose)),
                keys::texts(new.iter().map(|c| &c.notice_version)),
                keys::hashes(new.iter().map(|c| &c.evidence_hash)),
                keys::ints(new.iter().map(|c| c.granted_at.micros())),
                keys::ints_or_null(new.iter().map(|c| c.expires_at.map(Timestamp::micros))),
            ]
        },
    );
    let ends = &changes.withdrawals;
    script.put(
        "insert into consent_withdrawal (consent_id, reason, withdrawn_at) select * from unnest($1, $2, $3)",
        ends.len(),
        || {
            vec![
                keys::ids!(ends.iter().map(|w| w.consent_id)),
                keys::texts(ends.iter().map(|w| &w.reason)),
                keys::ints(ends.iter().map(|w| w.withdrawn_at.micros())),
            ]
        },
    );
}

fn consent_keys<'a>(rows: impl Iterator<Item = &'a ConsentKey> + Clone) -> Vec<Bind> {
    vec![
        keys::ids!(rows.clone().map(|key| key.membership_id)),
        keys::texts(rows.clone().map(|key| &key.recipient)),
        keys::texts(rows.map(|key| key.scope.as_str())),
    ]
}

fn consents_in_force(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let all = || changes.consents_in_force.iter();
    let gone: Vec<&ConsentKey> =
        all().filter(|(key, id)| id.is_none() && known.consents.contains(key)).map(|(key, _)| key).collect();
    script.put_each(
        "delete from consent_in_force using unnest($1, $2, $3) as gone (id, recipient, scope)
         where consent_in_force.membership_id = gone.id and consent_in_force.recipient_code = gone.recipient
             and consent_in_force.consent_scope = gone.scope",
        gone.len(),
        "consent_in_force",
        || consent_keys(gone.iter().copied()),
    )?;
    let now = all().filter_map(|(key, id)| Some((key, (*id)?)));
    let (old, new): (Vec<_>, Vec<_>) = now.partition(|(key, _)| known.consents.contains(key));
    let binds = |rows: &[(&ConsentKey, pointbridge_core::ids::ConsentId)]| {
        let mut binds = consent_keys(rows.iter().map(|(key, _)| *key));
        binds.push(keys::ids!(rows.iter().map(|(_, id)| *id)));
        binds
    };
    script.put(
        "insert into consent_in_force (membership_id, recipient_code, consent_scope, consent_id)
         select * from unnest($1, $2, $3, $4)",
        new.len(),
        || binds(&new),
    );
    script.put_each(
        "update consent_in_force set consent_id = new.consent_id
         from unnest($1, $2, $3, $4) as new (id, recipient, scope, consent_id)
         where consent_in_force.membership_id = new.id and consent_in_force.recipient_code = new.recipient
             and consent_in_force.consent_scope = new.scope",
        old.len(),
        "consent_in_force",
        || binds(&old),
    )
}
