//! Callers that go away in the middle: what they asked for either happened or did not, and asking again tells which.

use std::time::Duration;

use pointbridge_client::{Refusal, v1};
use tonic::{Code, Request};

use crate::asks;
use crate::scene::Scene;

/// How many calls are cut short, at different moments.
const CALLS: usize = 40;

#[tokio::test]
async fn a_prepare_with_a_short_deadline_happens_in_full_or_not_at_all() {
    let scene = Scene::open().await;
    scene.earn("10000").await;
    let mut cut = 0;
    for number in 0..CALLS {
        let token = scene.quote("100").await.quote_token;
        let request = asks::prepare(&token, &format!("SM-{number}"));
        let mut hurried = Request::new(request.clone());
        hurried.set_timeout(Duration::from_micros(100 * u64::try_from(number).unwrap() + 1));
        let first = scene.market.exchanges().prepare_exchange(hurried).await;
        if let Err(status) = &first {
            let expected = [Code::DeadlineExceeded, Code::Cancelled];
            assert!(expected.contains(&status.code()), "{status:?}");
            cut += 1;
        }
        let again = scene.market.exchanges().prepare_exchange(request.clone()).await.unwrap().into_inner();
        if let Ok(first) = first {
            assert_eq!(first.into_inner(), again, "the answer in time was the answer");
        }
        let once_more = scene.market.exchanges().prepare_exchange(request).await.unwrap().into_inner();
        assert_eq!(again, once_more);
    }
    assert!(cut > 0, "no call was cut short: the test proves nothing");
    assert_eq!(scene.market_balance().await, ["10000", "4000", "6000"], "one hold per call");
    let request = v1::ListExchangesRequest { page_size: 500, ..Default::default() };
    let listed = scene.market.exchanges().list_exchanges(request).await.unwrap().into_inner().exchanges;
    assert_eq!(listed.len(), CALLS);
    scene.hub.settle().await;
}

#[tokio::test]
async fn calls_that_are_dropped_leave_the_hub_serving_and_the_books_in_order() {
    let scene = Scene::open().await;
    let mut requests = Vec::new();
    for number in 0..CALLS {
        let request = asks::accrue(&scene.li_points, "10");
        let (client, sent) = (scene.market.clone(), request.clone());
        let call = tokio::spawn(async move { client.ledger().accrue_points(sent).await });
        // Lets it get somewhere: later ones get further.
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
        call.abort();
        requests.push(request);
    }
    for request in requests {
        scene.market.ledger().accrue_points(request).await.map_err(|status| Refusal::from(&status)).unwrap();
    }
    assert_eq!(scene.market_balance().await, ["400", "0", "400"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn of_a_hundred_prepares_at_once_as_many_pass_as_there_are_points() {
    let scene = Scene::open_with(|terms| terms.rate = Some(v1::Rate { give: 1, get: 1 })).await;
    scene.earn("60").await;
    let mut calls = Vec::new();
    for number in 0..100 {
        let request = asks::prepare(&scene.quote("1").await.quote_token, &format!("SM-{number}"));
        let client = scene.market.clone();
        calls.push(tokio::spawn(async move { client.exchanges().prepare_exchange(request).await }));
    }
    let mut passed = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => passed += 1,
            Err(status) => assert!(Refusal::from(&status).is("INSUFFICIENT_POINTS"), "{status:?}"),
        }
    }
    assert_eq!(passed, 60);
    assert_eq!(scene.market_balance().await, ["60", "60", "0"]);
    scene.hub.settle().await;
}
