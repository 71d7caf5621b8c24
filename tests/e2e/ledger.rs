//! LedgerService: points that come, are corrected, are counted, and expire.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::harness::{Hub, until};
use crate::raw::{refused, refused_at};
use crate::scene::{Scene, balance, member};

#[tokio::test]
async fn points_are_counted_in_exactly_the_programs_decimals() {
    let scene = Scene::open().await;
    let baby = member(&scene.babycare, &scene.stars, "panda/li").await;
    let mut ledger = scene.babycare.ledger();
    let answer = ledger.accrue_points(asks::accrue(&baby, "150.5")).await.unwrap().into_inner();
    assert!(answer.record_id.starts_with("rec_"), "{answer:?}");
    let after = answer.balance.unwrap();
    assert_eq!(
        (after.posted.as_str(), after.available.as_str(), after.posting_count),
        ("150.50", "150.50", 1)
    );
    let answer = ledger.adjust_points(asks::adjust(&baby, "-0.25")).await.unwrap().into_inner();
    assert_eq!(answer.balance.unwrap().posted, "150.25");
    let answer = ledger.adjust_points(asks::adjust(&baby, "1")).await.unwrap().into_inner();
    assert_eq!(answer.balance.unwrap().posted, "151.25");
    assert_eq!(balance(&scene.babycare, &baby).await, ["151.25", "0.00", "151.25"]);
    assert_eq!(balance(&scene.hub.finance("babycare").await, &baby).await[0], "151.25");
    assert_eq!(balance(&scene.hub.auditor().await, &baby).await[0], "151.25");
    scene.hub.settle().await;
}

#[tokio::test]
async fn amounts_that_do_not_fit_are_refused_with_their_field() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    let mut ledger = scene.market.ledger();
    let cases = [
        ("0.5", "AMOUNT_SCALE"),
        ("0", "AMOUNT_OUT_OF_RANGE"),
        ("9999999999999999999", "AMOUNT_OUT_OF_RANGE"),
        ("", "VALIDATION_FAILED"),
        ("-5", "VALIDATION_FAILED"),
        ("+5", "VALIDATION_FAILED"),
        ("1e3", "VALIDATION_FAILED"),
        ("05", "VALIDATION_FAILED"),
        ("5.", "VALIDATION_FAILED"),
        (" 5", "VALIDATION_FAILED"),
        ("５", "VALIDATION_FAILED"),
        ("NaN", "VALIDATION_FAILED"),
        ("1,000", "VALIDATION_FAILED"),
    ];
    for (amount, reason) in cases {
        refused_at(ledger.accrue_points(asks::accrue(&scene.li_points, amount)).await, reason, "amount");
    }
    for (amount, reason) in
        [("0", "AMOUNT_OUT_OF_RANGE"), ("-0.5", "AMOUNT_SCALE"), ("--5", "VALIDATION_FAILED")]
    {
        refused_at(ledger.adjust_points(asks::adjust(&scene.li_points, amount)).await, reason, "amount");
    }
    let short = ledger.adjust_points(asks::adjust(&scene.li_points, "-101")).await;
    refused(short, Code::FailedPrecondition, "INSUFFICIENT_POINTS");
    let past = v1::AccruePointsRequest {
        expiry: Some(v1::accrue_points_request::Expiry::ExpireTime(prost_types::Timestamp {
            seconds: 1_000_000_000,
            nanos: 0,
        })),
        ..asks::accrue(&scene.li_points, "5")
    };
    refused_at(ledger.accrue_points(past).await, "VALIDATION_FAILED", "expire_time");
    assert_eq!(scene.market_balance().await, ["100", "0", "100"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn what_is_held_cannot_be_taken() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    scene.prepare("66", "SM-1").await;
    let mut ledger = scene.market.ledger();
    let held = ledger.adjust_points(asks::adjust(&scene.li_points, "-35")).await;
    refused(held, Code::FailedPrecondition, "INSUFFICIENT_POINTS");
    ledger.adjust_points(asks::adjust(&scene.li_points, "-34")).await.unwrap();
    assert_eq!(scene.market_balance().await, ["66", "66", "0"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn points_whose_time_is_over_are_written_off_by_themselves() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    let answer = scene.market.ledger().list_postings(asks::list_postings(&scene.li_points)).await.unwrap();
    let mut end = answer.into_inner().postings[0].post_time.unwrap();
    end.seconds += 3600;
    let mortal = v1::AccruePointsRequest {
        expiry: Some(v1::accrue_points_request::Expiry::ExpireTime(end)),
        ..asks::accrue(&scene.li_points, "7")
    };
    scene.market.ledger().accrue_points(mortal).await.unwrap();
    let li_points = scene.li_points.clone();
    let hub = Hub::start_in(scene.hub.stop().await, 3601).await;
    let market = hub.partner("market").await;
    until("the points are written off", async || {
        (balance(&market, &li_points).await[0] == "100").then_some(())
    })
    .await;
    let answer = market.ledger().list_postings(asks::list_postings(&li_points)).await.unwrap();
    let newest = &answer.get_ref().postings[0];
    assert_eq!((newest.kind(), newest.amount.as_str()), (v1::PostingKind::Expiry, "-7"));
    hub.settle().await;
}
