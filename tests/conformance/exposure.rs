//! Promises about exposure: the limit is exact, in one batch and over both directions of a pair.

use pointbridge_core::command::EnteredDirection;
use pointbridge_core::rejection::Reason;
use pointbridge_store::{AuditRow, Store};
use pointbridge_tests::hub::{Hub, Wish, entered, preparation};
use pointbridge_tests::scene::{Scene, direction};
use pointbridge_tests::script::{run_once, till};

use crate::bench::count;

promises! {
    the_limit_is_exact_in_one_batch
    what_is_let_go_may_be_owed_again
    committed_debts_of_both_sides_net_out
}

/// A scene in which each side may owe the other 0.60 yuan, for points of a hundredth of a yuan.
async fn limited<S: Store>(hub: &Hub<S>) -> Scene {
    let scene = hub.scene().await;
    let limited = |wanted: EnteredDirection| EnteredDirection { exposure_limit: entered("0.6"), ..wanted };
    let both = vec![limited(scene.direction()), limited(direction(scene.stars, scene.miles))];
    hub.agree(&scene.airline, &scene.market, both).await;
    hub.accrue(&scene.airline, scene.flyer, "1000").await;
    hub.accrue(&scene.market, scene.shopper, "1000").await;
    scene
}

async fn exposure<S: Store>(hub: &Hub<S>) -> Vec<(i64, i64, i64)> {
    let rows = hub.rows().await;
    let figures = rows.iter().filter_map(|row| match row {
        AuditRow::Exposure { committed_low, prepared_low, prepared_high, .. } => {
            Some((*committed_low, *prepared_low, *prepared_high))
        }
        _ => None,
    });
    figures.collect()
}

async fn the_limit_is_exact_in_one_batch<S: Store>(hub: &Hub<S>) {
    let scene = limited(hub).await;
    let mut batch = Vec::new();
    for _ in 0..70 {
        let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
        batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
    }
    let answers = run_once(&hub.store, &batch).await.unwrap();
    assert_eq!(count(&answers, Reason::ExposureLimit), (60, 10));
    assert_eq!(exposure(hub).await, [(0, 600_000, 0)]);
}

async fn what_is_let_go_may_be_owed_again<S: Store>(hub: &Hub<S>) {
    let scene = limited(hub).await;
    let caller = till(&scene.airline);
    let exchange = hub.prepare(&scene.airline, scene.wish("60")).await;
    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    assert_eq!(hub.reason(&caller, preparation(claims.clone())).await, Reason::ExposureLimit);
    hub.abort(&scene.airline, exchange).await;
    hub.does(&caller, preparation(claims)).await;
    assert_eq!(exposure(hub).await, [(0, 10_000, 0)]);
}

async fn committed_debts_of_both_sides_net_out<S: Store>(hub: &Hub<S>) {
    let scene = limited(hub).await;
    let exchange = hub.prepare(&scene.airline, scene.wish("60")).await;
    hub.commit(&scene.airline, exchange).await;
    let back = Wish { source: scene.shopper, destination: scene.flyer, points: "61" };
    let claims = hub.quote(&scene.market, back).await.unwrap();
    let returned = claims.exchange_id;
    hub.does(&till(&scene.market), preparation(claims)).await;
    assert_eq!(exposure(hub).await, [(600_000, 0, 610_000)]);
    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    let reason = hub.reason(&till(&scene.airline), preparation(claims.clone())).await;
    assert_eq!(reason, Reason::ExposureLimit, "what the other side only prepared does not lower the debt");
    hub.commit(&scene.market, returned).await;
    assert_eq!(exposure(hub).await, [(-10_000, 0, 0)]);
    hub.does(&till(&scene.airline), preparation(claims)).await;
}
