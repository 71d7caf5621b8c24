//! Promises about time: a store's moment never goes back, whatever its clock does.

use pointbridge_store::{Page, Scope, Store};
use pointbridge_tests::hub::Hub;

promises! {
    now_never_goes_back_when_the_clock_does
    a_hold_lasts_to_its_last_microsecond
}

async fn now_never_goes_back_when_the_clock_does<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.clock.move_by(1000);
    let before = hub.accrue(&scene.airline, scene.flyer, "1").await.decided_at;
    assert_eq!(before, hub.clock.now());
    hub.clock.move_by(-5000);
    assert_eq!(hub.accrue(&scene.airline, scene.flyer, "1").await.decided_at, before);
    let scope = Scope::Partner(scene.airline.clone());
    let seen = hub.store.quote(&scope, scene.flyer, scene.shopper).await.unwrap();
    assert_eq!(seen.now, before);
    let audited = hub.store.audit(&mut |_| {}).await.unwrap();
    assert_eq!(audited, before);
    hub.clock.move_by(5001);
    let after = hub.accrue(&scene.airline, scene.flyer, "1").await.decided_at;
    assert_eq!(after, before.plus_seconds(1));
    let page = Page { after: None, size: 10 };
    let postings = hub.store.postings(&scope, scene.flyer, &page).await.unwrap().unwrap();
    let times: Vec<_> = postings.rows.iter().map(|row| row.decided_at).collect();
    assert_eq!(times, [after, before, before], "the newest first");
}

async fn a_hold_lasts_to_its_last_microsecond<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "2").await;
    let kept = hub.prepare(&scene.airline, scene.wish("1")).await;
    let lost = hub.prepare(&scene.airline, scene.wish("1")).await;
    let over = hub.clock.now().plus_seconds(300);
    hub.clock.set(pointbridge_core::time::Timestamp::from_micros(over.micros() - 1).unwrap());
    hub.commit(&scene.airline, kept).await;
    hub.clock.set(over);
    let caller = pointbridge_tests::script::till(&scene.airline);
    let commit = pointbridge_core::command::CommitExchange { exchange_id: lost };
    assert_eq!(hub.reason(&caller, commit).await, pointbridge_core::rejection::Reason::HoldExpired);
}
