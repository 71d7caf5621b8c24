//! Promises about members: what a link code proves, what merging moves, and which consent is in force.

use pointbridge_core::command::{GrantConsent, MergeMembers, WithdrawConsent};
use pointbridge_core::rejection::Reason;
use pointbridge_store::{MembershipName, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, preparation, reason};
use pointbridge_tests::scene::{consent, hosted};
use pointbridge_tests::script::till;

promises! {
    a_link_code_makes_two_members_one_once
    merging_moves_all_memberships_of_a_member
    members_with_memberships_in_one_program_do_not_merge
    an_exchange_needs_both_consents_in_force
    a_newer_consent_takes_the_place_of_the_older_one
}

async fn a_link_code_makes_two_members_one_once<S: Store>(hub: &Hub<S>) {
    let scene = hub.strangers().await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let stranger = hub.store.quote(&Scope::Partner(scene.airline.clone()), scene.flyer, scene.shopper).await;
    assert!(stranger.unwrap().destination.is_none(), "another member's membership is not known");
    let code = hub.link_code(scene.flyer, &scene.market);
    hub.does(&airline, code.clone()).await;
    let merge = MergeMembers { code_hash: code.code_hash, membership_id: scene.shopper };
    hub.does(&market, merge.clone()).await;
    assert_eq!(hub.reason(&market, merge).await, Reason::LinkCodeInvalid, "used");
    for (partner, here, there) in
        [(&scene.airline, scene.flyer, scene.shopper), (&scene.market, scene.shopper, scene.flyer)]
    {
        let scope = Scope::Partner(partner.clone());
        let seen = hub.store.membership(&scope, &MembershipName::Id(here)).await.unwrap().unwrap();
        let linked: Vec<_> = seen.linked.iter().map(|other| other.membership_id).collect();
        assert_eq!(linked, [there]);
    }
    let known = hub.store.quote(&Scope::Partner(scene.airline.clone()), scene.flyer, scene.shopper).await;
    assert!(known.unwrap().destination.is_some());
}

async fn merging_moves_all_memberships_of_a_member<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let cinema = hub.partner("cinema").await;
    let seats = hub.program(hosted(&cinema, "seats", 2, 0)).await;
    let viewer = hub.member(&cinema, seats, "viewer-1").await;
    let code = hub.link_code(viewer, &scene.market);
    hub.does(&till(&cinema), code.clone()).await;
    let merge = MergeMembers { code_hash: code.code_hash, membership_id: scene.shopper };
    hub.does(&till(&scene.market), merge).await;
    let mut members = Vec::new();
    for id in [scene.flyer, scene.shopper, viewer] {
        let seen = hub.store.membership(&Scope::All, &MembershipName::Id(id)).await.unwrap().unwrap();
        members.push(seen.membership.member_id);
    }
    members.dedup();
    assert_eq!(members.len(), 1, "the flyer went along with the shopper");
}

async fn members_with_memberships_in_one_program_do_not_merge<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let other = hub.member(&scene.market, scene.stars, "shopper-2").await;
    let code = hub.link_code(scene.flyer, &scene.market);
    hub.does(&till(&scene.airline), code.clone()).await;
    let merge = MergeMembers { code_hash: code.code_hash, membership_id: other };
    assert_eq!(hub.reason(&till(&scene.market), merge).await, Reason::MembersConflict);
    let again = MergeMembers { code_hash: code.code_hash, membership_id: scene.shopper };
    hub.does(&till(&scene.market), again).await;
}

async fn an_exchange_needs_both_consents_in_force<S: Store>(hub: &Hub<S>) {
    let scene = hub.strangers().await;
    hub.link(&scene).await;
    hub.agree(&scene.airline, &scene.market, vec![scene.direction()]).await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let caller = till(&scene.airline);
    let refused = async || hub.quote(&scene.airline, scene.wish("1")).await.unwrap_err().reason;
    assert_eq!(refused().await, Reason::ConsentMissing);
    let given = hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    assert_eq!(refused().await, Reason::ConsentMissing, "only one of two");
    let until = hub.clock.now().plus_seconds(60);
    let short = GrantConsent { expires_at: Some(until), ..consent(scene.shopper, &scene.airline) };
    hub.does(&till(&scene.market), short).await;
    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    hub.does(&caller, preparation(claims)).await;

    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    hub.clock.move_by(60);
    assert_eq!(hub.reason(&caller, preparation(claims.clone())).await, Reason::ConsentMissing, "over");
    hub.consent(&scene.market, scene.shopper, &scene.airline).await;
    let withdraw = WithdrawConsent { consent_id: given, reason: reason("MEMBER_ASKED") };
    hub.does(&caller, withdraw).await;
    assert_eq!(hub.reason(&caller, preparation(claims.clone())).await, Reason::ConsentMissing, "withdrawn");
    hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    hub.does(&caller, preparation(claims)).await;
}

async fn a_newer_consent_takes_the_place_of_the_older_one<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let page = Page { after: None, size: 10 };
    let all = hub.store.consents(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    let older = all.rows[0].consent.consent_id;
    hub.clock.move_by(1);
    let newer = hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    let withdraw = |consent_id| WithdrawConsent { consent_id, reason: reason("MEMBER_ASKED") };
    hub.does(&till(&scene.airline), withdraw(older)).await;
    hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    hub.does(&till(&scene.airline), withdraw(newer)).await;
    assert!(hub.quote(&scene.airline, scene.wish("1")).await.is_err());
    let all = hub.store.consents(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    assert_eq!(all.rows.len(), 2);
    assert!(all.rows.iter().all(|row| row.withdrawal.is_some()), "both stay, with their ends");
}
