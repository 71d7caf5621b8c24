//! Writing approvals, certificates and signing keys.
//!
//! An update names only how something was decided: what it is about was written once.

use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::put;
use crate::keys;
use crate::script::Script;

pub(super) fn write(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    approvals(script, changes)?;
    certificates(script, changes)?;
    let rows = changes.signing_keys.iter().map(|key| {
        let public_key = keys::hash(&key.public_key);
        (keys::id!(key.program_id), &key.key_id, public_key, &key.by, key.at.micros())
    });
    put(
        script,
        "insert into signing_key (program_id, key_id, public_key, registered_by, registered_at)
         select unhex(value ->> 0), value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4 from jsonb_each(?)",
        rows.collect(),
    )
}

fn approvals(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let mut sealed = Vec::with_capacity(changes.approvals.len());
    for approval in changes.approvals.values() {
        let bytes = approval.proposal.seal().map_err(|error| StoreError::Broken(error.to_string()))?.0;
        sealed.push((approval, bytes));
    }
    let mut rows = Vec::with_capacity(sealed.len());
    for (approval, bytes) in &sealed {
        let verdict = approval.verdict.as_ref();
        rows.push((
            (keys::id!(approval.approval_id), approval.proposal.method(), keys::canonical(bytes)?),
            (keys::hash(&approval.content_hash), approval.subject_changed_at.micros()),
            (&approval.requested_by, approval.requested_at.micros(), approval.expires_at.micros()),
            (approval.state, verdict.map(|v| &v.by), verdict.map(|v| v.at.micros())),
            verdict.and_then(|v| v.reason.as_ref()),
        ));
    }
    put(
        script,
        "insert into approval (
             approval_id, method, proposal, content_hash, subject_changed_at, requested_by, requested_at, expires_at,
             state, decided_by, decided_at, reason)
         select unhex(value ->> '$[0][0]'), value ->> '$[0][1]', cast(value ->> '$[0][2]' as blob),
             unhex(value ->> '$[1][0]'), value ->> '$[1][1]',
             value ->> '$[2][0]', value ->> '$[2][1]', value ->> '$[2][2]',
             value ->> '$[3][0]', value ->> '$[3][1]', value ->> '$[3][2]', value ->> 4
         from jsonb_each(?) where true
         on conflict (approval_id) do update set
             state = excluded.state, decided_by = excluded.decided_by, decided_at = excluded.decided_at,
             reason = excluded.reason",
        rows,
    )
}

fn certificates(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let rows = changes.certificates.values().map(|certificate| {
        let pin = certificate.pin.as_ref();
        let end = certificate.revocation.as_ref();
        let owner = certificate.owner.as_ref().map_or_else(String::new, PartnerCode::to_string);
        (
            (keys::hash(&certificate.fingerprint), owner),
            pin.map(|pin| (&pin.principal, &pin.serial, pin.not_before.micros(), pin.not_after.micros())),
            pin.map(|pin| (&pin.by, pin.at.micros())),
            end.map(|end| (&end.by, end.at.micros(), &end.reason)),
        )
    });
    put(
        script,
        "insert into certificate (
             fingerprint, owner, principal, serial, not_before, not_after, pinned_by, pinned_at,
             revoked_by, revoked_at, revocation_reason)
         select unhex(value ->> '$[0][0]'), value ->> '$[0][1]',
             value ->> '$[1][0]', value ->> '$[1][1]', value ->> '$[1][2]', value ->> '$[1][3]',
             value ->> '$[2][0]', value ->> '$[2][1]',
             value ->> '$[3][0]', value ->> '$[3][1]', value ->> '$[3][2]'
         from jsonb_each(?) where true
         on conflict (fingerprint, owner) do update set
             revoked_by = excluded.revoked_by, revoked_at = excluded.revoked_at,
             revocation_reason = excluded.revocation_reason",
        rows.collect(),
    )
}
