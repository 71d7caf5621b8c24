//! Writing partners, programs, members, agreements and consents.
//!
//! An update names only what may change: the rest of a row is as it was when it was made.

use pointbridge_core::member::ConsentKey;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::put;
use crate::keys;
use crate::script::Script;

pub(super) fn write(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    partners(script, changes)?;
    memberships(script, changes)?;
    agreements(script, changes)?;
    consents(script, changes)?;
    consents_in_force(script, changes)
}

fn partners(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes
        .partners
        .values()
        .map(|p| (&p.code, &p.name, p.status, p.created_at.micros(), p.updated_at.micros()));
    put(
        script,
        "insert into partner (partner_code, name, status, created_at, updated_at)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from jsonb_each(?) where true
         on conflict (partner_code) do update set
             name = excluded.name, status = excluded.status, updated_at = excluded.updated_at",
        rows.collect(),
    )?;
    let rows = changes.programs.values().map(|p| {
        (
            keys::id!(p.program_id),
            &p.partner,
            &p.code,
            &p.name,
            p.scale.decimals(),
            p.custody,
            p.points_expiry_months,
            p.created_at.micros(),
            p.updated_at.micros(),
        )
    });
    put(
        script,
        "insert into program (
             program_id, partner_code, program_code, name, scale, custody, points_expiry_months, created_at, updated_at)
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
             value ->> 7, value ->> 8
         from jsonb_each(?) where true
         on conflict (program_id) do update set
             name = excluded.name, points_expiry_months = excluded.points_expiry_months,
             updated_at = excluded.updated_at",
        rows.collect(),
    )
}

fn memberships(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.memberships.values().map(|m| {
        (
            keys::id!(m.membership_id),
            keys::id!(m.member_id),
            keys::id!(m.program_id),
            &m.external_reference,
            keys::bits(m.reference_salt),
            m.status,
            m.created_at.micros(),
        )
    });
    put(
        script,
        "insert into membership (
             membership_id, member_id, program_id, external_reference, reference_salt, status, created_at)
         select unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, unhex(value ->> 4),
             value ->> 5, value ->> 6
         from jsonb_each(?) where true
         on conflict (membership_id) do update set member_id = excluded.member_id, status = excluded.status",
        rows.collect(),
    )?;
    let rows = changes.link_codes.values().map(|c| {
        (
            keys::id!(c.link_code_id),
            keys::hash(&c.code_hash),
            keys::id!(c.membership_id),
            &c.partner,
            c.expires_at.micros(),
            c.used_by.map(|id| keys::id!(id)),
        )
    });
    put(
        script,
        "insert into link_code (
             link_code_id, code_hash, membership_id, partner_code, expires_at, used_by_membership_id)
         select unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4,
             unhex(value ->> 5)
         from jsonb_each(?) where true
         on conflict (link_code_id) do update set used_by_membership_id = excluded.used_by_membership_id",
        rows.collect(),
    )
}

fn agreements(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.agreements.values().map(|a| {
        (
            keys::id!(a.agreement_id),
            a.pair.low(),
            a.pair.high(),
            a.latest_version,
            a.active_version,
            a.active_since.map(Timestamp::micros),
            a.pending_version,
            a.created_at.micros(),
        )
    });
    put(
        script,
        "insert into agreement (
             agreement_id, low_code, high_code, latest_version, active_version, active_since, pending_version,
             created_at)
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
             value ->> 7
         from jsonb_each(?) where true
         on conflict (agreement_id) do update set
             latest_version = excluded.latest_version, active_version = excluded.active_version,
             active_since = excluded.active_since, pending_version = excluded.pending_version",
        rows.collect(),
    )?;
    let mut sealed = Vec::with_capacity(changes.versions.len());
    for version in &changes.versions {
        let (terms, _) = version.terms.seal().map_err(|error| StoreError::Broken(error.to_string()))?;
        sealed.push((version, terms));
    }
    let mut rows = Vec::with_capacity(sealed.len());
    for (version, terms) in &sealed {
        rows.push((
            keys::id!(version.agreement_id),
            version.version,
            &version.author,
            keys::canonical(terms)?,
            keys::hash(&version.terms_hash),
            version.proposed_at.micros(),
        ));
    }
    put(
        script,
        "insert into agreement_version (agreement_id, version, author_code, terms, terms_hash, proposed_at)
         select unhex(value ->> 0), value ->> 1, value ->> 2, cast(value ->> 3 as blob), unhex(value ->> 4),
             value ->> 5
         from jsonb_each(?)",
        rows,
    )
}

fn consents(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.consents.iter().map(|c| {
        (
            keys::id!(c.consent_id),
            keys::id!(c.membership_id),
            &c.recipient,
            c.scope,
            &c.purpose,
            &c.notice_version,
            keys::hash(&c.evidence_hash),
            c.granted_at.micros(),
            c.expires_at.map(Timestamp::micros),
        )
    });
    put(
        script,
        "insert into consent (
             consent_id, membership_id, recipient_code, consent_scope, purpose, notice_version, evidence_hash,
             granted_at, expires_at)
         select unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
             unhex(value ->> 6), value ->> 7, value ->> 8
         from jsonb_each(?)",
        rows.collect(),
    )?;
    let ends = changes.withdrawals.iter();
    put(
        script,
        "insert into consent_withdrawal (consent_id, reason, withdrawn_at)
         select unhex(value ->> 0), value ->> 1, value ->> 2 from jsonb_each(?)",
        ends.map(|w| (keys::id!(w.consent_id), &w.reason, w.withdrawn_at.micros())).collect(),
    )
}

fn consents_in_force(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let key = |key: &ConsentKey| (keys::id!(key.membership_id), key.recipient.clone(), key.scope);
    let gone = changes.consents_in_force.iter().filter(|(_, consent)| consent.is_none());
    put(
        script,
        "delete from consent_in_force where (membership_id, recipient_code, consent_scope) in (
             select unhex(value ->> 0), value ->> 1, value ->> 2 from jsonb_each(?))",
        gone.map(|(consent_key, _)| key(consent_key)).collect(),
    )?;
    let now = changes.consents_in_force.iter();
    let now = now.filter_map(|(consent_key, consent)| Some((key(consent_key), keys::id!((*consent)?))));
    put(
        script,
        "insert into consent_in_force (membership_id, recipient_code, consent_scope, consent_id)
         select unhex(value ->> '$[0][0]'), value ->> '$[0][1]', value ->> '$[0][2]', unhex(value ->> 1)
         from jsonb_each(?) where true
         on conflict (membership_id, recipient_code, consent_scope) do update set consent_id = excluded.consent_id",
        now.collect(),
    )
}
