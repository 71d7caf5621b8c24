//! Promises about lots: the order in which they are spent, how they merge, when they expire, how many one command takes.

use std::sync::Arc;

use pointbridge_core::command::{AccruePoints, AdjustPoints, Answer, Envelope};
use pointbridge_core::ids::MembershipId;
use pointbridge_core::rejection::Reason;
use pointbridge_store::{AuditRow, Due, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, accrual, entered, preparation, reason, reference};
use pointbridge_tests::scene::Scene;
use pointbridge_tests::script::till;

use crate::bench::count;

promises! {
    points_are_spent_first_expiring_first
    lots_of_one_expiry_and_month_are_one
    lots_that_are_over_are_written_off_before_points_are_taken
    held_lots_do_not_expire
    released_lots_past_their_expiry_go_on_the_next_sweep
    a_command_takes_at_most_256_lots
    accounts_with_many_lots_that_are_over_are_freed_in_parts
    what_a_batch_used_up_is_loaded_again
}

/// An accrual that expires in so many seconds.
fn expiring<S: Store>(hub: &Hub<S>, membership: MembershipId, points: &str, seconds: u32) -> AccruePoints {
    AccruePoints { expires_at: Some(hub.clock.now().plus_seconds(seconds)), ..accrual(membership, points) }
}

fn taking(membership_id: MembershipId, points: &str) -> AdjustPoints {
    AdjustPoints {
        membership_id,
        amount: entered(points),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    }
}

/// What is left in the lots of the flyer, in their order.
async fn left<S: Store>(hub: &Hub<S>, scene: &Scene) -> Vec<(i64, i64)> {
    let page = Page { after: None, size: 500 };
    let (lots, _) = hub.store.lots(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    lots.rows.iter().map(|row| (row.lot.remaining, row.lot.held)).collect()
}

async fn records_of<S: Store>(hub: &Hub<S>, wanted: &str) -> usize {
    let rows = hub.rows().await;
    rows.iter().filter(|row| matches!(row, AuditRow::Record { kind, .. } if kind == wanted)).count()
}

/// Gives the flyer lots of 1 that expire one second after the other.
async fn many_lots<S: Store>(hub: &Hub<S>, scene: &Scene, lots: u32, first_seconds: u32) {
    let caller = till(&scene.airline);
    let batch: Vec<Arc<Envelope>> = (0..lots)
        .map(|n| hub.script.ask(&caller, expiring(hub, scene.flyer, "1", first_seconds + n)))
        .collect();
    let answers = hub.run(&batch).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))));
}

async fn points_are_spent_first_expiring_first<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    hub.accrue(&scene.airline, scene.flyer, "7").await;
    for (points, seconds) in [("5", 5000), ("3", 3000), ("4", 4000)] {
        hub.does(&caller, expiring(hub, scene.flyer, points, seconds)).await;
    }
    assert_eq!(left(hub, &scene).await, [(3, 0), (4, 0), (5, 0), (7, 0)], "what never expires is last");
    hub.prepare(&scene.airline, scene.wish("5")).await;
    assert_eq!(left(hub, &scene).await, [(3, 3), (4, 2), (5, 0), (7, 0)]);
    hub.does(&caller, taking(scene.flyer, "-8")).await;
    assert_eq!(left(hub, &scene).await, [(3, 3), (2, 2), (6, 0)]);
}

async fn lots_of_one_expiry_and_month_are_one<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    let accrual = expiring(hub, scene.flyer, "3", 90 * 24 * 3600);
    hub.does(&caller, accrual.clone()).await;
    hub.clock.move_by(3600);
    hub.does(&caller, accrual.clone()).await;
    assert_eq!(left(hub, &scene).await, [(6, 0)]);
    hub.clock.move_by(30 * 24 * 3600);
    hub.does(&caller, accrual).await;
    assert_eq!(left(hub, &scene).await, [(6, 0), (3, 0)], "another month is another lot");
}

async fn lots_that_are_over_are_written_off_before_points_are_taken<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    hub.does(&caller, expiring(hub, scene.flyer, "50", 10)).await;
    hub.accrue(&scene.airline, scene.flyer, "60").await;
    hub.clock.move_by(10);
    assert_eq!(hub.reason(&caller, taking(scene.flyer, "-61")).await, Reason::InsufficientPoints);
    assert_eq!(records_of(hub, "POINTS_EXPIRED").await, 0, "a refusal changes no value");
    hub.prepare(&scene.airline, scene.wish("60")).await;
    assert_eq!(records_of(hub, "POINTS_EXPIRED").await, 1);
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held, account.postings), (60, 60, 3));
}

async fn held_lots_do_not_expire<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.does(&till(&scene.airline), expiring(hub, scene.flyer, "10", 60)).await;
    let exchange = hub.prepare(&scene.airline, scene.wish("10")).await;
    hub.clock.move_by(100);
    assert_eq!(hub.store.due(10).await.unwrap(), []);
    hub.commit(&scene.airline, exchange).await;
    let (account, _) = hub.store.balance(&Scope::All, scene.shopper).await.unwrap().unwrap();
    assert_eq!(account.posted, 10);
}

async fn released_lots_past_their_expiry_go_on_the_next_sweep<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.does(&till(&scene.airline), expiring(hub, scene.flyer, "10", 60)).await;
    let exchange = hub.prepare(&scene.airline, scene.wish("10")).await;
    hub.clock.move_by(100);
    hub.abort(&scene.airline, exchange).await;
    assert_eq!(left(hub, &scene).await, [(10, 0)]);
    assert_eq!(hub.store.due(10).await.unwrap(), [Due::Lots(scene.flyer)]);
    assert_eq!(hub.sweep().await, 1);
    assert_eq!(left(hub, &scene).await, []);
}

async fn a_command_takes_at_most_256_lots<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    many_lots(hub, &scene, 600, 9000).await;
    let claims = hub.quote(&scene.airline, scene.wish("257")).await.unwrap();
    assert_eq!(hub.reason(&caller, preparation(claims)).await, Reason::TooManyLots);
    assert_eq!(hub.reason(&caller, taking(scene.flyer, "-257")).await, Reason::TooManyLots);
    hub.prepare(&scene.airline, scene.wish("256")).await;
    hub.does(&caller, taking(scene.flyer, "-256")).await;
    let claims = hub.quote(&scene.airline, scene.wish("89")).await.unwrap();
    assert_eq!(hub.reason(&caller, preparation(claims)).await, Reason::InsufficientPoints);
    hub.prepare(&scene.airline, scene.wish("88")).await;
}

async fn accounts_with_many_lots_that_are_over_are_freed_in_parts<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    many_lots(hub, &scene, 600, 10).await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    hub.clock.move_by(1000);
    let claims = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    let tried = hub.script.try_out(&till(&scene.airline), preparation(claims.clone()));
    let tried = hub.try_run(&[tried]).await;
    assert!(tried.is_ok(), "trying it out has an end: {tried:?}");
    hub.does(&till(&scene.airline), preparation(claims)).await;
    assert_eq!(left(hub, &scene).await, [(10, 10)]);
    assert_eq!(records_of(hub, "POINTS_EXPIRED").await, 3, "of 256, 256 and 88 lots");
}

async fn what_a_batch_used_up_is_loaded_again<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    many_lots(hub, &scene, 500, 9000).await;
    let mut batch = Vec::new();
    for points in ["200", "200", "200", "100"] {
        let claims = hub.quote(&scene.airline, scene.wish(points)).await.unwrap();
        batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
    }
    let answers = hub.run(&batch).await;
    assert_eq!(count(&answers, Reason::InsufficientPoints), (3, 1));
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held), (500, 500));
}
