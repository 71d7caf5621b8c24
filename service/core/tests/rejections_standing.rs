//! Refusals about suspension, approvals, certificates and signing keys: a line per variant, in order of precedence, and any
//! two at once. Read as the tables of `rejections.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use fixture::attempt::Attempt;
use fixture::refusal::{Flaw, STANDING, Table, drain, flaw, reused, scatter, starting, unknown};
use fixture::{code, credentials, id, reason};
use pointbridge_core::approval::ApprovalState;
use pointbridge_core::certificate::{Certificate, CertificateKey, Revocation};
use pointbridge_core::command::{
    AddCertificate, Approve, RegisterSigningKey, Reject, ResumePartner, RevokeCertificate, SuspendPartner,
};
use pointbridge_core::ids::ApprovalId;
use pointbridge_core::partner::PartnerStatus;
use pointbridge_core::rejection::Reason;

fn set_status<C>(attempt: &mut Attempt<C>, partner: &str, status: PartnerStatus) {
    attempt.scene.world.partners.get_mut(&code(partner)).unwrap().status = status;
}

#[test]
fn suspend_partner() {
    let flaws: Vec<Flaw<SuspendPartner>> = vec![
        reused(),
        flaw("not found", Reason::PartnerNotFound, "code", |a| a.command.code = code("nobody")),
        flaw("not active", Reason::PartnerNotActive, "code", |a| {
            set_status(a, "market", PartnerStatus::Suspended);
        }),
    ];
    let fresh = credentials::suspend_partner;
    Table { method: "SuspendPartner", fresh, flaws, apart: &[] }.check();
}

#[test]
fn resume_partner() {
    let flaws: Vec<Flaw<ResumePartner>> = vec![
        reused(),
        flaw("not found", Reason::PartnerNotFound, "code", |a| a.command.code = code("nobody")),
        flaw("not suspended", Reason::PartnerNotSuspended, "code", |a| {
            set_status(a, "market", PartnerStatus::Active);
        }),
    ];
    let fresh = credentials::resume_partner;
    Table { method: "ResumePartner", fresh, flaws, apart: &[] }.check();
}

/// Decides every approval of the scene behind the rules' back.
fn decide_all<C>(attempt: &mut Attempt<C>) {
    let rejected = ApprovalState::Rejected;
    attempt.scene.world.approvals.values_mut().for_each(|approval| approval.state = rejected);
}

/// Takes the approval of the correction instead of that of the resumption.
fn about_points(attempt: &mut Attempt<Approve>) {
    let correct = credentials::approve_correction();
    attempt.command = correct.command;
}

#[test]
fn approve() {
    let flaws: Vec<Flaw<Approve>> = vec![
        reused(),
        flaw("not found", Reason::ApprovalNotFound, "approval_id", |a| {
            a.command.approval_id = ApprovalId::new(id(77));
        }),
        flaw("changed", Reason::ApprovalChanged, "content_hash", |a| a.command.content_hash = [0; 32]),
        flaw("not pending", Reason::ApprovalNotPending, "approval_id", decide_all),
        flaw("expired", Reason::ApprovalExpired, "approval_id", |a| a.scene.tick(7 * 24 * 3600)),
        flaw("same person", Reason::SamePerson, "approval_id", |a| a.caller = a.scene.operator.clone()),
        flaw("not suspended", Reason::PartnerNotSuspended, "approval_id", |a| {
            set_status(a, "market", PartnerStatus::Active);
        }),
        flaw("outdated", Reason::ApprovalOutdated, "approval_id", |a| {
            let now = a.scene.world.now;
            let world = &mut a.scene.world;
            world.partners.values_mut().for_each(|p| p.updated_at = now.after(p.updated_at));
            world.programs.values_mut().for_each(|p| p.updated_at = now.after(p.updated_at));
        }),
        flaw("insufficient", Reason::InsufficientPoints, "approval_id", |a| {
            about_points(a);
            drain(&mut a.scene);
        }),
        flaw("too many lots", Reason::TooManyLots, "approval_id", |a| {
            about_points(a);
            scatter(&mut a.scene);
        }),
        flaw("overflow", Reason::Overflow, "approval_id", overflow),
    ];
    let apart = &[
        ("not pending", "expired", "what was decided is not over by time any more"),
        ("not suspended", "insufficient", "the one is about a partner, the other about points"),
        ("not suspended", "too many lots", "the one is about a partner, the other about points"),
        ("not suspended", "overflow", "the one is about a partner, the other about points"),
        ("insufficient", "too many lots", "lots are counted of points that are there"),
        ("insufficient", "overflow", "the one takes points, the other adds some"),
        ("too many lots", "overflow", "the one takes points, the other adds some"),
    ];
    Table { method: "Approve", fresh: credentials::approve, flaws, apart }.check();
}

/// Asks for a correction upwards, and fills the account to the brim meanwhile.
fn overflow(attempt: &mut Attempt<Approve>) {
    let mut more = credentials::correction(&attempt.scene);
    more.amount = fixture::entered("1");
    let operator = attempt.scene.operator.clone();
    let asked = credentials::approval_of(&attempt.scene.done(&operator, more));
    attempt.command = Approve { approval_id: asked.approval_id, content_hash: asked.content_hash };
    let flyer = attempt.scene.flyer;
    attempt.scene.world.accounts.get_mut(&flyer).unwrap().posted = i64::MAX;
}

#[test]
fn reject() {
    let flaws: Vec<Flaw<Reject>> = vec![
        reused(),
        flaw("not found", Reason::ApprovalNotFound, "approval_id", |a| {
            a.command.approval_id = ApprovalId::new(id(77));
        }),
        flaw("changed", Reason::ApprovalChanged, "content_hash", |a| {
            a.command.content_hash = Some([0; 32]);
        }),
        flaw("not pending", Reason::ApprovalNotPending, "approval_id", decide_all),
        flaw("expired", Reason::ApprovalExpired, "approval_id", |a| a.scene.tick(7 * 24 * 3600)),
    ];
    let apart = &[("not pending", "expired", "what was decided is not over by time any more")];
    Table { method: "Reject", fresh: credentials::reject, flaws, apart }.check();
}

/// Notes that a certificate was revoked, by the partner itself.
fn revoke<C>(attempt: &mut Attempt<C>, fingerprint: [u8; 32]) {
    let owner = Some(code("airline"));
    let key = CertificateKey { fingerprint, owner: owner.clone() };
    let at = attempt.scene.world.now;
    let revocation =
        Revocation { by: "partner/airline/partner/till-1".to_owned(), at, reason: reason("LOST") };
    let known = Certificate { fingerprint, owner, pin: None, revocation: Some(revocation) };
    attempt.scene.world.certificates.insert(key, known);
}

#[test]
fn add_certificate() {
    let flaws: Vec<Flaw<AddCertificate>> = starting(vec![
        flaw("no partner", Reason::PartnerNotFound, "partner_code", |a| a.command.partner = code("market")),
        flaw(
            "another's",
            Reason::CertificateInvalid,
            "certificate_pem",
            |a: &mut Attempt<AddCertificate>| {
                a.command.named_partner = Some(code("baby"));
            },
        )
        .saying("names no principal"),
        flaw(
            "not valid now",
            Reason::CertificateInvalid,
            "certificate_pem",
            |a: &mut Attempt<AddCertificate>| {
                a.command.not_after = a.scene.world.now;
            },
        )
        .saying("is valid from"),
        flaw("revoked", Reason::CertificateAlreadyRevoked, "certificate_pem", |a| {
            revoke(a, a.command.fingerprint);
        }),
        flaw("exists", Reason::CertificateExists, "certificate_pem", |a| {
            let (caller, command) = (a.scene.airline.clone(), a.command.clone());
            let command = AddCertificate { calling_with: Some(command.fingerprint), ..command };
            // Also among as many pins as there may be.
            let pins = a.scene.world.pins.insert(code("airline"), 0).unwrap();
            a.scene.done(&caller, command);
            a.scene.world.pins.insert(code("airline"), pins.max(1));
        }),
        flaw("would lock out", Reason::WouldLockOut, "certificate_pem", |a| {
            a.command.calling_with = Some([8; 32]);
        }),
        flaw("limit", Reason::PinLimit, "partner_code", |a| {
            a.scene.world.pins.insert(code("airline"), 64);
        }),
    ]);
    let apart = &[
        STANDING,
        (
            "revoked",
            "exists",
            "a certificate that is revoked is not pinned again, and its row says which it is",
        ),
        ("exists", "would lock out", "what is pinned already is no first pin"),
        ("would lock out", "limit", "the one is about the first pin, the other about the last"),
    ];
    Table { method: "AddCertificate", fresh: credentials::add_certificate, flaws, apart }.check();
}

#[test]
fn revoke_certificate() {
    let flaws: Vec<Flaw<RevokeCertificate>> = vec![
        reused(),
        unknown(),
        flaw("already", Reason::CertificateAlreadyRevoked, "fingerprint", |a| {
            revoke(a, a.command.fingerprint);
        }),
    ];
    let fresh = credentials::revoke_certificate;
    Table { method: "RevokeCertificate", fresh, flaws, apart: &[] }.check();
}

#[test]
fn register_signing_key() {
    let flaws: Vec<Flaw<RegisterSigningKey>> = starting(vec![
        flaw("not found", Reason::ProgramNotFound, "program_id", |a| a.command.program_id = a.scene.points),
        flaw("exists", Reason::SigningKeyExists, "key_id", |a| {
            let (caller, key) = (a.scene.operator.clone(), credentials::signing_key(&a.scene, "2026-11"));
            if a.scene.world.signing_keys.get(&key.program_id).is_none_or(|keys| keys.len() < 16) {
                a.scene.done(&caller, key);
            }
        }),
        flaw("limit", Reason::SigningKeyLimit, "program_id", |a| {
            let caller = a.scene.operator.clone();
            for number in 0..16 {
                let key = credentials::signing_key(&a.scene, &format!("key-{number}"));
                a.scene.done(&caller, key);
            }
        }),
    ]);
    let apart = &[STANDING, ("exists", "limit", "the table fills the program before it makes the twin")];
    Table { method: "RegisterSigningKey", fresh: credentials::register_signing_key, flaws, apart }.check();
}
