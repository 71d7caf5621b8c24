//! Refusals about suspension, approvals, certificates and signing keys.

use pointbridge_core::approval::Approval;
use pointbridge_core::command::{AddCertificate, AdjustPoints, Reject, RevokeCertificate, UpdateProgram};
use pointbridge_core::ids::{ApprovalId, MembershipId};
use pointbridge_core::rejection::Reason;
use pointbridge_store::Store;
use pointbridge_tests::hub::{Hub, accrual, code, reason};
use pointbridge_tests::scene::Scene;
use pointbridge_tests::script::{operator, second_person, till};
use pointbridge_tests::standing::{
    agreement_to, approval_of, certificate, correction, resumption, signing_key, suspension,
};

use super::{Seen, refuse};

promises! {
    two_people
    credentials
}

fn rejection_of(approval: &Approval) -> Reject {
    let content_hash = Some(approval.content_hash);
    Reject { approval_id: approval.approval_id, content_hash, reason: reason("NOT_YET") }
}

async fn ask<S: Store>(hub: &Hub<S>, correction: AdjustPoints) -> Approval {
    approval_of(&hub.does(&operator(), correction).await)
}

pub(super) async fn two_people<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (wang, zhao, airline) = (operator(), second_person(), till(&scene.airline));
    let nobody = MembershipId::new(hub.script.id());
    let lines = [
        ("none", hub.script.ask(&wang, suspension(&code("nobody"))), Reason::PartnerNotFound),
        ("none", hub.script.ask(&wang, resumption(&code("nobody"))), Reason::PartnerNotFound),
        ("active", hub.script.ask(&wang, resumption(&scene.market)), Reason::PartnerNotSuspended),
        ("no account", hub.script.ask(&wang, correction(nobody, "1")), Reason::MembershipNotFound),
        ("not now", hub.script.ask(&wang, correction(scene.flyer, "-1")), Reason::InsufficientPoints),
    ];
    let mut seen = refuse(hub, lines).await;
    hub.accrue(&scene.airline, scene.flyer, "300").await;
    hub.suspend(&scene.market).await;
    let resume = approval_of(&hub.does(&wang, resumption(&scene.market)).await);
    let take = ask(hub, correction(scene.flyer, "-300")).await;
    let rejected = ask(hub, correction(scene.flyer, "-1")).await;
    hub.does(&wang, rejection_of(&rejected)).await;
    let unknown = Approval { approval_id: ApprovalId::new(hub.script.id()), ..resume.clone() };
    let other = Approval { content_hash: take.content_hash, ..resume.clone() };
    let say = &hub.script;
    let mut lines = vec![
        ("suspended", say.ask(&wang, suspension(&scene.market)), Reason::PartnerNotActive),
        ("the one who asked", say.ask(&wang, agreement_to(&resume)), Reason::SamePerson),
    ];
    for (event, approval, why) in [
        ("none", &unknown, Reason::ApprovalNotFound),
        ("another content", &other, Reason::ApprovalChanged),
        ("rejected", &rejected, Reason::ApprovalNotPending),
    ] {
        lines.push((event, say.ask(&zhao, agreement_to(approval)), why));
        lines.push((event, say.ask(&zhao, rejection_of(approval)), why));
    }
    // Not the operator's people, who may not even know.
    lines.push(("a partner", say.ask(&airline, agreement_to(&resume)), Reason::ApprovalNotFound));
    seen.extend(refuse(hub, lines).await);
    seen.extend(dead(hub, &scene, [&resume, &take]).await);
    seen
}

/// Approvals of what can no longer be done, and of what is no longer the same.
async fn dead<S: Store>(hub: &Hub<S>, scene: &Scene, [resume, take]: [&Approval; 2]) -> Seen {
    let (wang, zhao, airline) = (operator(), second_person(), till(&scene.airline));
    let rich = hub.member(&scene.airline, scene.miles, "many-lots").await;
    hub.accrue(&scene.airline, rich, "300").await;
    let scattered = ask(hub, correction(rich, "-257")).await;
    hub.does(&airline, correction(rich, "-300")).await;
    let lots: Vec<_> = (0..300)
        .map(|n| {
            let expires_at = Some(hub.clock.now().plus_seconds(90_000_000 + n));
            let accrual = pointbridge_core::command::AccruePoints { expires_at, ..accrual(rich, "1") };
            hub.script.ask(&airline, accrual)
        })
        .collect();
    hub.run(&lots).await;
    let full = hub.member(&scene.airline, scene.miles, "full").await;
    let over = ask(hub, correction(full, "1")).await;
    super::points::fill(hub, &scene.airline, full).await;
    hub.does(&airline, correction(scene.flyer, "-1")).await;
    let say = |approval: &Approval| hub.script.ask(&zhao, agreement_to(approval));
    let lines = [
        ("fewer points than then", say(take), Reason::InsufficientPoints),
        ("257 lots", say(&scattered), Reason::TooManyLots),
        ("too many", say(&over), Reason::Overflow),
    ];
    let mut seen = refuse(hub, lines).await;
    let update = UpdateProgram { program_id: scene.miles, name: None, points_expiry_months: Some(24) };
    hub.does(&airline, update).await;
    seen.extend(refuse(hub, [("the program changed", say(take), Reason::ApprovalOutdated)]).await);
    hub.resume(&scene.market).await;
    seen.extend(refuse(hub, [("resumed by another", say(resume), Reason::PartnerNotSuspended)]).await);
    hub.suspend(&scene.market).await;
    seen.extend(refuse(hub, [("suspended anew", say(resume), Reason::ApprovalOutdated)]).await);
    hub.clock.move_by(7 * 24 * 3600);
    let late = hub.script.ask(&wang, rejection_of(resume));
    let lines = [
        ("after seven days", say(resume), Reason::ApprovalExpired),
        ("after seven days", late, Reason::ApprovalExpired),
    ];
    seen.extend(refuse(hub, lines).await);
    seen
}

pub(super) async fn credentials<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (wang, airline, now) = (operator(), till(&scene.airline), hub.clock.now());
    let pin = |number| certificate(&scene.airline, number, now);
    let revoke = |number| RevokeCertificate { fingerprint: [number; 32], reason: reason("KEY_LOST") };
    let say = &hub.script;
    let foreign = AddCertificate { named_partner: None, ..pin(7) };
    let over = AddCertificate { not_after: now, ..pin(7) };
    let another = AddCertificate { calling_with: Some([8; 32]), ..pin(7) };
    let lines = [
        ("none", say.ask(&wang, certificate(&code("nobody"), 7, now)), Reason::PartnerNotFound),
        ("another's", say.ask(&airline, certificate(&scene.market, 7, now)), Reason::PartnerNotFound),
        ("names nobody", say.ask(&airline, foreign), Reason::CertificateInvalid),
        ("over", say.ask(&airline, over), Reason::CertificateInvalid),
        ("locks out", say.ask(&airline, another.clone()), Reason::WouldLockOut),
        ("another's program", say.ask(&airline, signing_key(scene.stars, "a")), Reason::ProgramNotFound),
    ];
    let mut seen = refuse(hub, lines).await;
    hub.does(&wang, another).await;
    hub.does(&airline, AddCertificate { calling_with: Some([7; 32]), ..pin(9) }).await;
    hub.does(&airline, revoke(9)).await;
    hub.does(&wang, revoke(10)).await;
    for number in 0..16 {
        hub.does(&airline, signing_key(scene.miles, &format!("key-{number}"))).await;
    }
    // With the first one there are 64, as the revoked ones do not count.
    for number in 100..163 {
        hub.does(&airline, pin(number)).await;
    }
    let lines = [
        ("pinned", say.ask(&airline, pin(7)), Reason::CertificateExists),
        ("revoked by itself", say.ask(&wang, pin(9)), Reason::CertificateAlreadyRevoked),
        ("revoked by the operator", say.ask(&airline, pin(10)), Reason::CertificateAlreadyRevoked),
        ("revoked", say.ask(&airline, revoke(9)), Reason::CertificateAlreadyRevoked),
        ("revoked", say.ask(&wang, revoke(9)), Reason::CertificateAlreadyRevoked),
        ("the name is taken", say.ask(&wang, signing_key(scene.miles, "key-3")), Reason::SigningKeyExists),
        ("16 keys", say.ask(&airline, signing_key(scene.miles, "key-16")), Reason::SigningKeyLimit),
        ("64 pins", say.ask(&airline, pin(163)), Reason::PinLimit),
        ("64 pins", say.ask(&wang, pin(163)), Reason::PinLimit),
    ];
    seen.extend(refuse(hub, lines).await);
    hub.does(&airline, revoke(100)).await;
    hub.does(&airline, pin(163)).await;
    seen
}
