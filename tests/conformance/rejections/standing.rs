//! Refusals that come before a command is looked at: who asks.

use pointbridge_core::caller::Caller;
use pointbridge_core::command::{
    AbortExchange, AdjustPoints, CommitExchange, MergeMembers, ProposeAgreement, RegisterMembership,
    RevokeCertificate, UpdatePartner, UpdateProgram, WithdrawConsent,
};
use pointbridge_core::rejection::Reason;
use pointbridge_store::{Page, Scope, Store};
use pointbridge_tests::hub::{Hub, accrual, code, entered, preparation, reason, reference};
use pointbridge_tests::scene::{Scene, consent, hosted};
use pointbridge_tests::script::till;
use pointbridge_tests::standing::{certificate, signing_key};

use super::{Line, refuse};

promises! {
    whoever_is_not_registered_is_refused_everywhere
    a_suspended_partner_starts_nothing
    a_suspended_partner_ends_what_is_open
}

/// One of each command that a partner may send, all of which would pass but for who sends it.
async fn one_of_each<S: Store>(hub: &Hub<S>, scene: &Scene, caller: &Caller, why: Reason) -> Vec<Line> {
    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    let accept = hub.propose(&scene.market, &scene.airline, vec![scene.direction()]).await;
    let propose = ProposeAgreement {
        partner: scene.market.clone(),
        settlement_currency: "CNY".parse().unwrap(),
        directions: vec![scene.direction()],
    };
    let register = RegisterMembership { program_id: scene.miles, external_reference: reference("new") };
    let merge = MergeMembers { code_hash: [1; 32], membership_id: scene.flyer };
    let adjust = AdjustPoints {
        membership_id: scene.flyer,
        amount: entered("1"),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    };
    let update = UpdateProgram { program_id: scene.miles, name: None, points_expiry_months: None };
    let ask = &hub.script;
    let event = "the caller's standing";
    vec![
        (event, ask.ask(caller, UpdatePartner { code: scene.airline.clone(), name: None }), why),
        (event, ask.ask(caller, hosted(&scene.airline, "club", 0, 0)), why),
        (event, ask.ask(caller, update), why),
        (event, ask.ask(caller, propose), why),
        (event, ask.ask(caller, accept), why),
        (event, ask.ask(caller, register), why),
        (event, ask.ask(caller, hub.link_code(scene.flyer, &scene.market)), why),
        (event, ask.ask(caller, merge), why),
        (event, ask.ask(caller, consent(scene.flyer, &scene.market)), why),
        (event, ask.ask(caller, accrual(scene.flyer, "1")), why),
        (event, ask.ask(caller, adjust), why),
        (event, ask.ask(caller, preparation(claims)), why),
        (event, ask.ask(caller, certificate(&scene.airline, 7, hub.clock.now())), why),
        (event, ask.ask(caller, signing_key(scene.miles, "2026-11")), why),
    ]
}

async fn whoever_is_not_registered_is_refused_everywhere<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let exchange_id = hub.prepare(&scene.airline, scene.wish("1")).await;
    let nobody = till(&code("nobody"));
    let why = Reason::CertificateUnknown;
    let mut lines = one_of_each(hub, &scene, &nobody, why).await;
    let given = hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    let withdraw = WithdrawConsent { consent_id: given, reason: reason("MEMBER_ASKED") };
    let abort = AbortExchange { exchange_id, reason: reason("CUSTOMER_LEFT") };
    lines.push(("ends something", hub.script.ask(&nobody, withdraw), why));
    lines.push(("ends something", hub.script.ask(&nobody, CommitExchange { exchange_id }), why));
    lines.push(("ends something", hub.script.ask(&nobody, abort), why));
    refuse(hub, lines).await;
}

async fn a_suspended_partner_starts_nothing<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let lines = one_of_each(hub, &scene, &till(&scene.airline), Reason::PartnerSuspended).await;
    hub.suspend(&scene.airline).await;
    refuse(hub, lines).await;
}

async fn a_suspended_partner_ends_what_is_open<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let open = [
        hub.prepare(&scene.airline, scene.wish("1")).await,
        hub.prepare(&scene.airline, scene.wish("1")).await,
    ];
    hub.suspend(&scene.airline).await;
    hub.commit(&scene.airline, open[0]).await;
    hub.abort(&scene.airline, open[1]).await;
    let page = Page { after: None, size: 10 };
    let given = hub.store.consents(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    let consent_id = given.rows[0].consent.consent_id;
    let withdraw = WithdrawConsent { consent_id, reason: reason("MEMBER_ASKED") };
    hub.does(&till(&scene.airline), withdraw).await;
    let revoke = RevokeCertificate { fingerprint: [7; 32], reason: reason("KEY_LOST") };
    hub.does(&till(&scene.airline), revoke).await;
    hub.resume(&scene.airline).await;
    hub.accrue(&scene.airline, scene.flyer, "1").await;
}
