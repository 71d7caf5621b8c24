//! Refusals of the two phases of an exchange.

use std::sync::Arc;

use pointbridge_core::command::{
    AbortExchange, AccruePoints, AdjustPoints, Answer, CommitExchange, EnteredDirection, Envelope,
    PrepareExchange,
};
use pointbridge_core::ids::{ExchangeId, ProgramId};
use pointbridge_core::ledger::HOLDS_PER_INITIATOR_MAX;
use pointbridge_core::partner::Custody;
use pointbridge_core::quote::Claims;
use pointbridge_core::rate::Rate;
use pointbridge_core::record::Body;
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::Changes;
use pointbridge_store::{Page, Scope, Store};
use pointbridge_tests::hub::{Hub, accrual, entered, preparation, reason, reference};
use pointbridge_tests::scene::{Scene, direction, hosted};
use pointbridge_tests::script::till;

use super::people::{freeze, thaw};
use super::points::fill;
use super::{Seen, bend, force, refuse};

promises! {
    quotes
    ends
    custody
    amounts
    limits
    second_phases
}

/// Claims as a quote of now would make them, whether or not one would be given.
async fn claims<S: Store>(hub: &Hub<S>, scene: &Scene, source_minor: i64) -> Claims {
    let page = Page { after: None, size: 1 };
    let agreements = hub.store.agreements(&Scope::All, None, &page).await.unwrap();
    let agreement = &agreements.rows[0].agreement;
    Claims {
        exchange_id: ExchangeId::new(hub.script.id()),
        initiator: scene.airline.clone(),
        epoch: 1,
        agreement_id: agreement.agreement_id,
        agreement_version: agreement.latest_version,
        source: scene.flyer,
        destination: scene.shopper,
        source_minor,
        expires_at: hub.clock.now().plus_seconds(120),
    }
}

fn ask<S: Store>(hub: &Hub<S>, claims: Claims) -> Arc<Envelope> {
    let caller = till(&claims.initiator);
    hub.script.ask(&caller, preparation(claims))
}

pub(super) async fn quotes<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let good = claims(hub, &scene, 1).await;
    let used = claims(hub, &scene, 1).await;
    hub.does(&till(&scene.airline), preparation(used.clone())).await;
    let forged = PrepareExchange { claims: None, ..preparation(good.clone()) };
    let stolen = hub.script.ask(&till(&scene.market), preparation(good.clone()));
    let restored = Claims { epoch: 2, ..good.clone() };
    let over = Claims { expires_at: hub.clock.now(), ..good.clone() };
    let nothing = Claims { agreement_version: 9, ..good };
    let lines = [
        ("forged", hub.script.ask(&till(&scene.airline), forged), Reason::QuoteInvalid),
        ("another's", stolen, Reason::QuoteInvalid),
        ("of an epoch before a restore", ask(hub, restored), Reason::EpochChanged),
        ("over", ask(hub, over), Reason::QuoteExpired),
        ("used", ask(hub, used), Reason::QuoteUsed),
        ("no such version", ask(hub, nothing), Reason::AgreementNotActive),
    ];
    refuse(hub, lines).await
}

pub(super) async fn ends<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.strangers().await;
    hub.link(&scene).await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let pending = hub.propose(&scene.airline, &scene.market, vec![scene.direction()]).await;
    let mut seen = Seen::new();
    for (event, step, expected) in [
        ("nothing in force", 0, Reason::AgreementNotActive),
        ("no consent at the source", 1, Reason::ConsentMissing),
        ("no consent at the destination", 2, Reason::ConsentMissing),
        ("source frozen", 3, Reason::MembershipInactive),
        ("destination frozen", 4, Reason::MembershipInactive),
        ("other partner suspended", 5, Reason::PartnerInactive),
    ] {
        match step {
            1 => drop(hub.does(&till(&scene.market), pending.clone()).await),
            2 => drop(hub.consent(&scene.airline, scene.flyer, &scene.market).await),
            3 => {
                hub.consent(&scene.market, scene.shopper, &scene.airline).await;
                freeze(hub, scene.flyer).await;
            }
            4 => {
                thaw(hub, scene.flyer).await;
                freeze(hub, scene.shopper).await;
            }
            5 => hub.suspend(&scene.market).await,
            _ => {}
        }
        let line = (event, ask(hub, claims(hub, &scene, 1).await), expected);
        seen.extend(refuse(hub, [line]).await);
    }
    thaw(hub, scene.shopper).await;
    seen
}

pub(super) async fn custody<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let vault = kept_by_the_partner(hub, &scene).await;
    let keeper = hub.member(&scene.market, vault, "keeper-1").await;
    hub.agree(&scene.airline, &scene.market, vec![direction(scene.miles, vault)]).await;
    let held = Claims { destination: keeper, ..claims(hub, &scene, 1).await };
    let line = ("another member", ask(hub, held.clone()), Reason::MembershipNotFound);
    let mut seen = refuse(hub, [line]).await;
    hub.link(&Scene { shopper: keeper, ..scene }).await;
    seen.extend(refuse(hub, [("kept by the partner", ask(hub, held), Reason::NotServed)]).await);
    seen
}

/// A program whose partner keeps the balances, with its record: no command of today makes one.
async fn kept_by_the_partner<S: Store>(hub: &Hub<S>, scene: &Scene) -> ProgramId {
    let made = hub.script.ask(&till(&scene.market), hosted(&scene.market, "vault", 0, 0));
    bend(hub, made, |body, changes| {
        let Body::Program(program) = body else { panic!("no program: {body:?}") };
        program.custody = Custody::PartnerHeld;
        changes.programs.insert(program.program_id, program.clone());
        program.program_id
    })
    .await
}

pub(super) async fn amounts<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let wide = EnteredDirection {
        minimum: entered("10"),
        maximum: entered("999999999999999990"),
        step: entered("10"),
        rate: Rate::new(1, 1_000_000_000_000).unwrap(),
        fee: entered("20000000000000"),
        ..scene.direction()
    };
    hub.agree(&scene.airline, &scene.market, vec![wide]).await;
    hub.accrue(&scene.airline, scene.flyer, "999999999999999990").await;
    let mut lines = Vec::new();
    for (event, minor, expected) in [
        ("below the minimum", 9, Reason::AmountOutOfRange),
        ("above the maximum", 1_000_000_000_000_000_000, Reason::AmountOutOfRange),
        ("between steps", 15, Reason::AmountStep),
        ("beyond 64 bits", 10_000_000, Reason::Overflow),
        ("eaten up by the fee", 20, Reason::AmountTooSmall),
        ("below zero", -10, Reason::AmountOutOfRange),
    ] {
        lines.push((event, ask(hub, claims(hub, &scene, minor).await), expected));
    }
    refuse(hub, lines).await
}

pub(super) async fn limits<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let limited = EnteredDirection { exposure_limit: entered("3"), ..scene.direction() };
    hub.agree(&scene.airline, &scene.market, vec![limited]).await;
    let caller = till(&scene.airline);
    let lots: Vec<_> = (0..300)
        .map(|n| {
            let expires_at = Some(hub.clock.now().plus_seconds(9000 + n));
            hub.script.ask(&caller, AccruePoints { expires_at, ..accrual(scene.flyer, "1") })
        })
        .collect();
    assert!(hub.run(&lots).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    let mut seen = Seen::new();
    let live = |count| {
        let mut changes = Changes::default();
        changes.live_holds.insert(scene.airline.clone(), count);
        changes
    };
    force(hub, live(HOLDS_PER_INITIATOR_MAX)).await;
    let crowded = ("100,000 holds", ask(hub, claims(hub, &scene, 1).await), Reason::HoldLimit);
    seen.extend(refuse(hub, [crowded]).await);
    force(hub, live(0)).await;
    let lines = [
        ("257 lots", ask(hub, claims(hub, &scene, 257).await), Reason::TooManyLots),
        ("more than there is", ask(hub, claims(hub, &scene, 301).await), Reason::InsufficientPoints),
    ];
    seen.extend(refuse(hub, lines).await);
    hub.accrue(&scene.airline, scene.flyer, "1000").await;
    hub.prepare(&scene.airline, scene.wish("200")).await;
    let beyond = ("3.01 yuan", ask(hub, claims(hub, &scene, 101).await), Reason::ExposureLimit);
    seen.extend(refuse(hub, [beyond]).await);
    hub.prepare(&scene.airline, scene.wish("100")).await;
    seen
}

pub(super) async fn second_phases<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let cinema = hub.partner("cinema").await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(hub.prepare(&scene.airline, scene.wish("1")).await);
    }
    let [open, committed, aborted, expired] = made[..] else { unreachable!("four were made") };
    hub.commit(&scene.airline, committed).await;
    hub.abort(&scene.airline, aborted).await;
    let commit = |who: &_, exchange_id| hub.script.ask(&till(who), CommitExchange { exchange_id });
    let abort = |who: &_, exchange_id| {
        hub.script.ask(&till(who), AbortExchange { exchange_id, reason: reason("CUSTOMER_LEFT") })
    };
    let none = ExchangeId::new(hub.script.id());
    let airline = &scene.airline;
    let lines = [
        ("none", commit(airline, none), Reason::ExchangeNotFound),
        ("another's", commit(&cinema, open), Reason::ExchangeNotFound),
        ("the other party", commit(&scene.market, open), Reason::RoleNotAllowed),
        ("aborted", commit(airline, aborted), Reason::ReservationAborted),
        ("none", abort(airline, none), Reason::ExchangeNotFound),
        ("another's", abort(&cinema, open), Reason::ExchangeNotFound),
        ("committed", abort(airline, committed), Reason::ReservationCommitted),
    ];
    let mut seen = refuse(hub, lines).await;
    let held = hub.store.balance(&Scope::All, scene.shopper).await.unwrap().unwrap().0.posted;
    assert_eq!(held, 1, "of the one that was committed");
    hub.does(&till(&scene.market), taking_all(scene.shopper)).await;
    fill(hub, &scene.market, scene.shopper).await;
    seen.extend(refuse(hub, [("destination full", commit(airline, open), Reason::Overflow)]).await);
    hub.abort(&scene.market, open).await;
    hub.clock.move_by(300);
    let lines = [
        ("over", commit(airline, expired), Reason::HoldExpired),
        ("over", abort(airline, expired), Reason::HoldExpired),
    ];
    seen.extend(refuse(hub, lines).await);
    seen
}

fn taking_all(membership_id: pointbridge_core::ids::MembershipId) -> AdjustPoints {
    AdjustPoints {
        membership_id,
        amount: entered("-1"),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    }
}
