//! Approvals, certificates and signing keys in the reference store: what is read, refused, written and shown.

use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::ids::{ApprovalId, ProgramId};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::{KeyId, PartnerCode};
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};
use pointbridge_store::{
    Admission, AuditApproval, AuditCertificate, AuditPin, AuditRevocation, AuditRow, Page, Paged, Scope,
    StoreError,
};

use super::audit::Visit;
use super::state::State;
use super::views::page;
use super::write::hold;

/// What was asked for, and the query with what carrying it out needs.
pub(super) fn facts(state: &State, query: &FactQuery, facts: &mut Facts) -> FactQuery {
    let mut query = query.clone();
    for known in query.approvals.clone().iter().filter_map(|id| state.approvals.get(id)) {
        known.proposal.resolve(&mut query);
        facts.approvals.insert(known.approval_id, known.proposal.clone());
    }
    for certificate in state.certificates.values().filter(|known| known.pin.is_some()) {
        if query.certificates.contains(&certificate.fingerprint) {
            facts
                .certificates
                .extend(certificate.owner.clone().map(|owner| (certificate.fingerprint, owner)));
        }
    }
    query
}

/// The rows of a footprint.
pub(super) fn world(state: &State, needs: &Footprint, world: &mut World) {
    for id in &needs.approvals {
        world.approvals.extend(state.approvals.get(id).map(|known| (*id, known.clone())));
    }
    for key in &needs.certificates {
        world.certificates.extend(state.certificates.get(key).map(|known| (key.clone(), known.clone())));
    }
    for partner in &needs.pins {
        let pins = pins(state, partner).count();
        world.pins.insert(partner.clone(), i64::try_from(pins).unwrap_or(i64::MAX));
    }
    for program in &needs.signing_keys {
        let keys: std::collections::BTreeMap<KeyId, SigningKey> =
            keys_of(state, *program).map(|key| (key.key_id.clone(), key.clone())).collect();
        if !keys.is_empty() {
            world.signing_keys.insert(*program, keys);
        }
    }
}

fn pins<'a>(state: &'a State, partner: &'a PartnerCode) -> impl Iterator<Item = &'a Certificate> {
    let own = state.certificates.values().filter(move |known| known.owner.as_ref() == Some(partner));
    own.filter(|known| known.is_pin_in_force())
}

fn keys_of(state: &State, program: ProgramId) -> impl Iterator<Item = &SigningKey> {
    state.signing_keys.values().filter(move |key| key.program_id == program)
}

/// Checks what a database's guards check.
///
/// # Errors
/// [`StoreError::Broken`], naming the row.
pub(super) fn check(state: &State, changes: &Changes) -> Result<(), StoreError> {
    for approval in changes.approvals.values() {
        let id = approval.approval_id;
        let known = state.approvals.get(&id);
        let is_open = known.is_none_or(|known| known.state == ApprovalState::Pending);
        hold(is_open, || format!("{id} is decided twice"))?;
        let is_same = known.is_none_or(|known| known.proposal == approval.proposal);
        hold(is_same, || format!("{id} is about something else than before"))?;
        let is_second = approval.state != ApprovalState::Approved
            || approval.verdict.as_ref().is_some_and(|verdict| verdict.by != approval.requested_by);
        hold(is_second, || format!("{id} was approved by who asked for it"))?;
    }
    for (key, certificate) in &changes.certificates {
        let is_open = state.certificates.get(key).is_none_or(|known| known.revocation.is_none());
        hold(is_open, || format!("the certificate {key:?} is revoked twice"))?;
        let is_known = certificate.pin.is_some() || certificate.revocation.is_some();
        hold(is_known, || format!("nothing is known of the certificate {key:?}"))?;
    }
    for key in &changes.signing_keys {
        let is_new = !state.signing_keys.contains_key(&(key.program_id, key.key_id.clone()));
        hold(is_new, || format!("the key {} of {} is made twice", key.key_id, key.program_id))?;
    }
    Ok(())
}

/// Approvals in one state at a moment, the newest first.
pub(super) fn approvals(
    state: &State,
    scope: &Scope,
    (wanted, now): (Option<ApprovalState>, Timestamp),
    of: &Page<ApprovalId>,
) -> Paged<Approval, ApprovalId> {
    let seen = state.approvals.iter().rev().filter(|_| *scope == Scope::All);
    let seen = seen.filter(|(_, known)| wanted.is_none_or(|wanted| known.state_at(now) == wanted));
    page(seen.map(|(id, known)| (*id, known.clone())), of, |a, b| a > b)
}

/// Certificates in scope, by fingerprint.
pub(super) fn certificates(
    state: &State,
    scope: &Scope,
    partner: Option<&PartnerCode>,
    of: &Page<CertificateKey>,
) -> Paged<Certificate, CertificateKey> {
    let is_of = |owner: Option<&PartnerCode>, wanted: Option<&PartnerCode>| {
        wanted.is_none_or(|wanted| owner == Some(wanted))
    };
    let seen = state
        .certificates
        .iter()
        .filter(|(key, _)| is_of(key.owner.as_ref(), scope.partner()) && is_of(key.owner.as_ref(), partner));
    page(seen.map(|(key, known)| (key.clone(), known.clone())), of, |a, b| a < b)
}

/// The keys of a program in scope.
pub(super) fn signing_keys(state: &State, scope: &Scope, program: ProgramId) -> Option<Vec<SigningKey>> {
    state.programs.get(&program).filter(|known| scope.covers(&known.partner))?;
    Some(keys_of(state, program).cloned().collect())
}

/// What is asked about a caller.
pub(super) fn admission(
    state: &State,
    partner: Option<&PartnerCode>,
    fingerprint: &Hash,
    now: Timestamp,
) -> Admission {
    let key =
        |owner: Option<&PartnerCode>| CertificateKey { fingerprint: *fingerprint, owner: owner.cloned() };
    let known = [key(partner), key(None)].map(|key| state.certificates.get(&key));
    let [own, _] = known;
    Admission {
        partner: partner.and_then(|code| state.partners.get(code)).cloned(),
        is_revoked: known.into_iter().flatten().any(|known| known.revocation.is_some()),
        is_pinned: own.is_some_and(Certificate::is_pin_in_force),
        has_pins: partner.is_some_and(|partner| pins(state, partner).next().is_some()),
        now,
    }
}

/// Shows every row.
pub(super) fn rows(state: &State, visit: Visit<'_>) {
    for approval in state.approvals.values() {
        let verdict = approval.verdict.as_ref();
        visit(AuditRow::Approval(Box::new(AuditApproval {
            approval_id: approval.approval_id.to_string(),
            method: approval.proposal.method().to_owned(),
            proposal: approval.proposal.seal().map(|(bytes, _)| bytes).unwrap_or_default(),
            content_hash: approval.content_hash.to_vec(),
            subject_changed_at: approval.subject_changed_at.micros(),
            requested_by: approval.requested_by.clone(),
            requested_at: approval.requested_at.micros(),
            expires_at: approval.expires_at.micros(),
            state: approval.state.as_str().to_owned(),
            decided_by: verdict.map(|verdict| verdict.by.clone()),
            decided_at: verdict.map(|verdict| verdict.at.micros()),
            reason: verdict.and_then(|verdict| verdict.reason.as_ref()).map(ToString::to_string),
        })));
    }
    for certificate in state.certificates.values() {
        visit(certificate_row(certificate));
    }
    for key in state.signing_keys.values() {
        visit(AuditRow::SigningKey {
            program_id: key.program_id.to_string(),
            key_id: key.key_id.to_string(),
            public_key: key.public_key.to_vec(),
            registered_by: key.by.clone(),
            registered_at: key.at.micros(),
        });
    }
}

fn certificate_row(certificate: &Certificate) -> AuditRow {
    let pin = certificate.pin.as_ref().map(|pin| AuditPin {
        principal: pin.principal.clone(),
        serial: pin.serial.clone(),
        not_before: pin.not_before.micros(),
        not_after: pin.not_after.micros(),
        pinned_by: pin.by.clone(),
        pinned_at: pin.at.micros(),
    });
    let revocation = certificate.revocation.as_ref().map(|end| AuditRevocation {
        revoked_by: end.by.clone(),
        revoked_at: end.at.micros(),
        reason: end.reason.to_string(),
    });
    AuditRow::Certificate(Box::new(AuditCertificate {
        fingerprint: certificate.fingerprint.to_vec(),
        owner: certificate.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        pin,
        revocation,
    }))
}
