//! Promises about request ids: one effect each, the same answer ever after.

use pointbridge_core::command::{Answer, CommitExchange};
use pointbridge_core::rejection::Reason;
use pointbridge_store::Store;
use pointbridge_tests::hub::{Hub, accrual, preparation};
use pointbridge_tests::scene::company;
use pointbridge_tests::script::{operator, run_once, till};

promises! {
    a_replay_answers_the_same_after_other_commands
    a_replay_within_one_batch_has_one_effect
    another_body_under_the_same_id_is_refused
    ids_of_other_partners_and_methods_are_apart
    a_refusal_may_be_decided_afresh
    trying_out_writes_nothing_and_uses_no_id
}

async fn a_replay_answers_the_same_after_other_commands<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    let (accrue, prepare, commit) = (hub.script.id(), hub.script.id(), hub.script.id());
    let claims = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    let exchange_id = claims.exchange_id;
    let ask = || {
        [
            hub.script.ask_as(&caller, accrue, accrual(scene.flyer, "10")),
            hub.script.ask_as(&caller, prepare, preparation(claims.clone())),
            hub.script.ask_as(&caller, commit, CommitExchange { exchange_id }),
        ]
    };
    let mut first = Vec::new();
    for envelope in ask() {
        first.push(hub.done(envelope).await);
    }
    hub.accrue(&scene.airline, scene.flyer, "99").await;
    hub.clock.move_by(400 * 24 * 3600);
    let rows = hub.rows().await;
    for (envelope, record) in ask().into_iter().zip(first) {
        assert_eq!(hub.done(envelope).await, record, "as it was then");
    }
    assert_eq!(hub.rows().await, rows);
}

async fn a_replay_within_one_batch_has_one_effect<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let id = hub.script.id();
    let batch = [(); 3].map(|()| hub.script.ask_as(&till(&scene.airline), id, accrual(scene.flyer, "5")));
    let answers = run_once(&hub.store, &batch).await.unwrap();
    assert!(matches!(answers[0], Answer::Done(_)));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let scope = pointbridge_store::Scope::All;
    let (account, _) = hub.store.balance(&scope, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.postings), (5, 1));
}

async fn another_body_under_the_same_id_is_refused<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let (caller, id) = (till(&scene.airline), hub.script.id());
    hub.done(hub.script.ask_as(&caller, id, accrual(scene.flyer, "5"))).await;
    let other = hub.refused(hub.script.ask_as(&caller, id, accrual(scene.flyer, "6"))).await;
    assert_eq!(other.reason, Reason::RequestIdReused);
    assert_eq!(other.field.as_deref(), Some("request_id"));
    hub.done(hub.script.ask_as(&caller, id, accrual(scene.flyer, "5.00"))).await;
}

async fn ids_of_other_partners_and_methods_are_apart<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let id = hub.script.id();
    hub.done(hub.script.ask_as(&till(&scene.airline), id, accrual(scene.flyer, "5"))).await;
    hub.done(hub.script.ask_as(&till(&scene.market), id, accrual(scene.shopper, "6"))).await;
    hub.done(hub.script.ask_as(&operator(), id, company("cinema"))).await;
    let claims = hub.quote(&scene.airline, scene.wish("5")).await.unwrap();
    hub.done(hub.script.ask_as(&till(&scene.airline), id, preparation(claims))).await;
}

async fn a_refusal_may_be_decided_afresh<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let (caller, id) = (till(&scene.airline), hub.script.id());
    let claims = hub.quote(&scene.airline, scene.wish("5")).await.unwrap();
    let ask = || hub.script.ask_as(&caller, id, preparation(claims.clone()));
    assert_eq!(hub.refused(ask()).await.reason, Reason::InsufficientPoints);
    hub.accrue(&scene.airline, scene.flyer, "5").await;
    hub.done(ask()).await;
}

async fn trying_out_writes_nothing_and_uses_no_id<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "5").await;
    let caller = till(&scene.airline);
    let claims = hub.quote(&scene.airline, scene.wish("5")).await.unwrap();
    let rows = hub.rows().await;
    let tried = hub.done(hub.script.try_out(&caller, preparation(claims.clone()))).await;
    let twice = hub.done(hub.script.try_out(&caller, preparation(claims.clone()))).await;
    assert_eq!(tried.exchange(), twice.exchange());
    assert_eq!(hub.rows().await, rows);
    hub.does(&caller, preparation(claims)).await;
}
