//! Refusals about memberships, link codes, merging and consents.

use pointbridge_core::command::{GrantConsent, MergeMembers, RegisterMembership, WithdrawConsent};
use pointbridge_core::ids::{ConsentId, MembershipId, ProgramId};
use pointbridge_core::member::{Membership, MembershipStatus};
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::Changes;
use pointbridge_store::{MembershipName, Scope, Store};
use pointbridge_tests::hub::{Hub, code, reason, reference};
use pointbridge_tests::scene::consent;
use pointbridge_tests::script::till;

use super::{Seen, force, refuse};

promises! {
    memberships_and_links
    consents
}

/// Freezes a membership, which no command of today does.
pub(super) async fn freeze<S: Store>(hub: &Hub<S>, id: MembershipId) {
    set_status(hub, id, MembershipStatus::Frozen).await;
}

/// Undoes that: the membership's record knows of no other status.
pub(super) async fn thaw<S: Store>(hub: &Hub<S>, id: MembershipId) {
    set_status(hub, id, MembershipStatus::Active).await;
}

async fn set_status<S: Store>(hub: &Hub<S>, id: MembershipId, status: MembershipStatus) {
    let known = hub.store.membership(&Scope::All, &MembershipName::Id(id)).await.unwrap().unwrap();
    let mut changes = Changes::default();
    changes.memberships.insert(id, Membership { status, ..known.membership });
    force(hub, changes).await;
}

pub(super) async fn memberships_and_links<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let frozen = hub.member(&scene.market, scene.stars, "frozen").await;
    let other = hub.member(&scene.market, scene.stars, "other").await;
    freeze(hub, frozen).await;
    let cinema = hub.partner("cinema").await;
    let made = [(); 4].map(|()| hub.link_code(scene.flyer, &scene.market));
    let for_cinema = hub.link_code(scene.flyer, &cinema);
    for code in made.iter().chain([&for_cinema]) {
        hub.does(&airline, code.clone()).await;
    }
    let brought = |hash, id| MergeMembers { code_hash: hash, membership_id: id };
    hub.does(&market, brought(made[0].code_hash, scene.shopper)).await;
    let enrol = |program_id, name| RegisterMembership { program_id, external_reference: reference(name) };
    let nowhere = ProgramId::new(hub.script.id());
    let nobody = MembershipId::new(hub.script.id());
    let fresh = made[1].code_hash;
    let ask = &hub.script;
    let lines = [
        ("no such program", ask.ask(&airline, enrol(nowhere, "x")), Reason::ProgramNotFound),
        ("another's program", ask.ask(&airline, enrol(scene.stars, "x")), Reason::ProgramNotFound),
        ("name is taken", ask.ask(&airline, enrol(scene.miles, "flyer-1")), Reason::MembershipExists),
        ("none", ask.ask(&airline, hub.link_code(nobody, &cinema)), Reason::MembershipNotFound),
        ("another's", ask.ask(&airline, hub.link_code(other, &cinema)), Reason::MembershipNotFound),
        ("frozen", ask.ask(&market, hub.link_code(frozen, &cinema)), Reason::MembershipInactive),
        ("oneself", ask.ask(&market, hub.link_code(other, &scene.market)), Reason::SamePartner),
        ("nobody", ask.ask(&market, hub.link_code(other, &code("nobody"))), Reason::PartnerNotFound),
        ("none", ask.ask(&market, brought(fresh, nobody)), Reason::MembershipNotFound),
        ("another's", ask.ask(&market, brought(fresh, scene.flyer)), Reason::MembershipNotFound),
        ("frozen", ask.ask(&market, brought(fresh, frozen)), Reason::MembershipInactive),
        ("unknown", ask.ask(&market, brought([3; 32], other)), Reason::LinkCodeInvalid),
        ("used", ask.ask(&market, brought(made[0].code_hash, other)), Reason::LinkCodeInvalid),
        ("another's code", ask.ask(&market, brought(for_cinema.code_hash, other)), Reason::LinkCodeInvalid),
        ("one program", ask.ask(&market, brought(fresh, other)), Reason::MembersConflict),
    ];
    let seen = refuse(hub, lines).await;
    hub.clock.move_by(600);
    refuse(hub, [("over", ask.ask(&market, brought(fresh, scene.shopper)), Reason::LinkCodeInvalid)]).await;
    thaw(hub, frozen).await;
    seen
}

pub(super) async fn consents<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let frozen = hub.member(&scene.airline, scene.miles, "frozen").await;
    freeze(hub, frozen).await;
    let given = hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    let withdraw = |consent_id| WithdrawConsent { consent_id, reason: reason("MEMBER_ASKED") };
    let over = GrantConsent { expires_at: Some(hub.clock.now()), ..consent(scene.flyer, &scene.market) };
    let nobody = MembershipId::new(hub.script.id());
    let none = ConsentId::new(hub.script.id());
    let ask = &hub.script;
    let to = &scene.market;
    let lines = [
        ("none", ask.ask(&airline, consent(nobody, to)), Reason::MembershipNotFound),
        ("another's", ask.ask(&airline, consent(scene.shopper, to)), Reason::MembershipNotFound),
        ("frozen", ask.ask(&airline, consent(frozen, to)), Reason::MembershipInactive),
        ("oneself", ask.ask(&airline, consent(scene.flyer, &scene.airline)), Reason::SamePartner),
        ("nobody", ask.ask(&airline, consent(scene.flyer, &code("nobody"))), Reason::PartnerNotFound),
        ("over", ask.ask(&airline, over), Reason::ValidationFailed),
        ("none", ask.ask(&airline, withdraw(none)), Reason::ConsentNotFound),
        ("another's", ask.ask(&market, withdraw(given)), Reason::ConsentNotFound),
    ];
    let mut seen = refuse(hub, lines).await;
    hub.does(&airline, withdraw(given)).await;
    let again = ask.ask(&airline, withdraw(given));
    seen.extend(refuse(hub, [("again", again, Reason::ConsentWithdrawn)]).await);
    thaw(hub, frozen).await;
    seen
}
