//! Writing approvals, certificates and signing keys.
//!
//! An update names only how something was decided: what it is about was written once.

use pointbridge_core::approval::Approval;
use pointbridge_core::certificate::Certificate;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::party::split;
use crate::keys;
use crate::load::Known;
use crate::session::Bind;
use crate::writing::Script;

pub(super) fn write(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    approvals(script, changes, known)?;
    certificates(script, changes, known)?;
    let new = &changes.signing_keys;
    script.put(
        "insert into signing_key (program_id, key_id, public_key, registered_by, registered_at)
         select * from unnest($1, $2, $3, $4, $5)",
        new.len(),
        || {
            vec![
                keys::ids!(new.iter().map(|key| key.program_id)),
                keys::texts(new.iter().map(|key| &key.key_id)),
                keys::hashes(new.iter().map(|key| &key.public_key)),
                keys::texts(new.iter().map(|key| &key.by)),
                keys::ints(new.iter().map(|key| key.at.micros())),
            ]
        },
    );
    Ok(())
}

fn approvals(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.approvals, |key| known.approvals.contains(key));
    let mut sealed = Vec::with_capacity(new.len());
    for approval in &new {
        sealed.push(approval.proposal.seal().map_err(|error| StoreError::Broken(error.to_string()))?.0);
    }
    script.put(
        "insert into approval (
             approval_id, state, decided_by, decided_at, reason,
             method, proposal, content_hash, subject_changed_at, requested_by, requested_at, expires_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.len(),
        || {
            let mut binds = verdicts(&new);
            binds.extend([
                keys::texts(new.iter().map(|a| a.proposal.method())),
                Bind::Blobs(sealed),
                keys::hashes(new.iter().map(|a| &a.content_hash)),
                keys::ints(new.iter().map(|a| a.subject_changed_at.micros())),
                keys::texts(new.iter().map(|a| &a.requested_by)),
                keys::ints(new.iter().map(|a| a.requested_at.micros())),
                keys::ints(new.iter().map(|a| a.expires_at.micros())),
            ]);
            binds
        },
    );
    script.put_each(
        "update approval set state = new.state, decided_by = new.decided_by, decided_at = new.decided_at,
             reason = new.reason
         from unnest($1, $2, $3, $4, $5) as new (id, state, decided_by, decided_at, reason)
         where approval.approval_id = new.id",
        old.len(),
        "approval",
        || verdicts(&old),
    )
}

/// How approvals stand: id, state, and who decided when and why.
fn verdicts(rows: &[&Approval]) -> Vec<Bind> {
    let verdicts = || rows.iter().map(|a| a.verdict.as_ref());
    vec![
        keys::ids!(rows.iter().map(|a| a.approval_id)),
        keys::texts(rows.iter().map(|a| a.state.as_str())),
        keys::texts_or_null(verdicts().map(|v| v.map(|v| &v.by))),
        keys::ints_or_null(verdicts().map(|v| v.map(|v| v.at.micros()))),
        keys::texts_or_null(verdicts().map(|v| v.and_then(|v| v.reason.as_ref()))),
    ]
}

fn certificates(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.certificates, |key| known.certificates.contains(key));
    script.put(
        "insert into certificate (
             fingerprint, owner, revoked_by, revoked_at, revocation_reason,
             principal, serial, not_before, not_after, pinned_by, pinned_at)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.len(),
        || {
            let pins = || new.iter().map(|c| c.pin.as_ref());
            let mut binds = ends(&new);
            binds.extend([
                keys::texts_or_null(pins().map(|pin| pin.map(|pin| &pin.principal))),
                keys::texts_or_null(pins().map(|pin| pin.map(|pin| &pin.serial))),
                keys::ints_or_null(pins().map(|pin| pin.map(|pin| pin.not_before.micros()))),
                keys::ints_or_null(pins().map(|pin| pin.map(|pin| pin.not_after.micros()))),
                keys::texts_or_null(pins().map(|pin| pin.map(|pin| &pin.by))),
                keys::ints_or_null(pins().map(|pin| pin.map(|pin| pin.at.micros()))),
            ]);
            binds
        },
    );
    script.put_each(
        "update certificate set revoked_by = new.revoked_by, revoked_at = new.revoked_at,
             revocation_reason = new.revocation_reason
         from unnest($1, $2, $3, $4, $5) as new (fingerprint, owner, revoked_by, revoked_at, revocation_reason)
         where certificate.fingerprint = new.fingerprint and certificate.owner = new.owner",
        old.len(),
        "certificate",
        || ends(&old),
    )
}

/// The keys of certificates and their ends.
fn ends(rows: &[&Certificate]) -> Vec<Bind> {
    let ends = || rows.iter().map(|c| c.revocation.as_ref());
    let owner = |owner: &Option<PartnerCode>| owner.as_ref().map_or_else(String::new, PartnerCode::to_string);
    vec![
        keys::hashes(rows.iter().map(|c| &c.fingerprint)),
        keys::texts(rows.iter().map(|c| owner(&c.owner))),
        keys::texts_or_null(ends().map(|end| end.map(|end| &end.by))),
        keys::ints_or_null(ends().map(|end| end.map(|end| end.at.micros()))),
        keys::texts_or_null(ends().map(|end| end.map(|end| &end.reason))),
    ]
}
