//! ReverseExchange from the outside: parts and the rest, who may, what is seen of it, and what is refused.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::harness::Hub;
use crate::raw::{refused, refused_at};
use crate::scene::{Scene, balance};

/// Posted points of Ms Li at the market and at the airline.
async fn posted(scene: &Scene) -> [String; 2] {
    let [market, ..] = scene.market_balance().await;
    let [airline, ..] = balance(&scene.airline, &scene.li_miles).await;
    [market, airline]
}

async fn committed(scene: &Scene, points: &str, order: &str) -> String {
    let id = scene.prepare(points, order).await.exchange_id;
    scene.market.exchanges().commit_exchange(asks::commit(&id)).await.unwrap();
    id
}

/// 6666 points became 111 miles for 111 yuan.
#[tokio::test]
async fn an_exchange_is_given_back_in_parts_and_both_parties_see_it() {
    let scene = Scene::open().await;
    scene.earn("7000").await;
    let id = committed(&scene, "6666", "SM-1").await;
    assert_eq!(posted(&scene).await, ["334", "111"]);
    // The market prepared it and may within 30 days; the airline is the destination and always may.
    let mut parts = Vec::new();
    for (client, points, [given, taken, money]) in [
        (&scene.market, Some("2000"), ["2000", "33", "33.303330"]),
        (&scene.airline, Some("1000"), ["1000", "16", "16.651665"]),
        (&scene.market, None, ["3666", "62", "61.045005"]),
    ] {
        let answer = client.exchanges().reverse_exchange(asks::reverse(&id, points)).await.unwrap();
        let part = answer.into_inner().reversal.unwrap();
        let leg = &part.legs[0];
        let owed = leg.obligation.clone().unwrap();
        assert_eq!([leg.source_points.as_str(), leg.credited_points.as_str()], [given, taken]);
        assert_eq!(
            (owed.debtor_partner_code.as_str(), owed.creditor_partner_code.as_str()),
            ("airline", "market")
        );
        assert_eq!(owed.money.unwrap().amount, money);
        assert!(part.reversal_id.starts_with("rev_") && part.record_id.starts_with("rec_"), "{part:?}");
        assert!(part.window_id.starts_with("wnd_"), "{part:?}");
        parts.push(part);
    }
    assert_eq!(posted(&scene).await, ["7000", "0"]);
    let sums = parts.iter().map(|part| part.legs[0].reversed_source_points.as_str());
    assert_eq!(sums.collect::<Vec<_>>(), ["2000", "3000", "6666"]);
    let finance = scene.hub.finance("airline").await;
    for client in [&scene.market, &scene.airline, &finance] {
        let told = client.exchanges().get_exchange(asks::get_exchange(&id)).await.unwrap().into_inner();
        assert_eq!(told.reversals, parts);
        let exchange = told.exchange.unwrap();
        assert_eq!(exchange.state(), v1::ExchangeState::Committed, "a final state never changes");
        assert_eq!([exchange.reversed_source_points, exchange.reversed_credited_points], ["6666", "111"]);
    }
    let again = scene.airline.exchanges().reverse_exchange(asks::reverse(&id, None)).await;
    refused(again, Code::FailedPrecondition, "REVERSAL_EXCEEDS");
    scene.hub.settle().await;
}

#[tokio::test]
async fn postings_tell_a_reversal_by_its_kind_exchange_and_reference() {
    let scene = Scene::open().await;
    scene.earn("7000").await;
    let id = committed(&scene, "6666", "SM-1").await;
    scene.airline.exchanges().reverse_exchange(asks::reverse(&id, None)).await.unwrap();
    for (client, membership, kind, amount) in [
        (&scene.market, &scene.li_points, v1::PostingKind::ReversalIn, "6666"),
        (&scene.airline, &scene.li_miles, v1::PostingKind::ReversalOut, "-111"),
    ] {
        let listed = client.ledger().list_postings(asks::list_postings(membership)).await.unwrap();
        let posting = listed.into_inner().postings.remove(0);
        assert_eq!((posting.kind(), posting.amount.as_str()), (kind, amount));
        assert_eq!(posting.exchange_id, id);
        assert_eq!([posting.reason_code, posting.reference], ["GOODS_RETURNED", "return/8"]);
    }
    let listed = scene.market.exchanges().list_exchanges(v1::ListExchangesRequest::default()).await.unwrap();
    let exchange = listed.into_inner().exchanges.remove(0);
    assert_eq!(exchange.reversed_source_points, "6666");
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_reversal_is_refused_with_its_reason_and_changes_nothing() {
    let scene = Scene::open().await;
    scene.earn("20000").await;
    let id = committed(&scene, "6666", "SM-1").await;
    let open = scene.prepare("6666", "SM-2").await.exchange_id;
    let mut market = scene.market.exchanges();
    let prepared = market.reverse_exchange(asks::reverse(&open, None)).await;
    refused(prepared, Code::FailedPrecondition, "RESERVATION_NOT_COMMITTED");
    for (points, reason) in [
        ("0.5", "AMOUNT_SCALE"),
        ("0", "AMOUNT_OUT_OF_RANGE"),
        ("60", "AMOUNT_TOO_SMALL"),
        ("-1", "VALIDATION_FAILED"),
        ("1e3", "VALIDATION_FAILED"),
    ] {
        refused_at(market.reverse_exchange(asks::reverse(&id, Some(points))).await, reason, "source_points");
    }
    let too_much = market.reverse_exchange(asks::reverse(&id, Some("6667"))).await;
    refused(too_much, Code::FailedPrecondition, "REVERSAL_EXCEEDS");
    let nameless = v1::ReverseExchangeRequest { reference: String::new(), ..asks::reverse(&id, None) };
    refused_at(market.reverse_exchange(nameless).await, "VALIDATION_FAILED", "reference");

    // Ms Li spends one of the 111 miles: what is left takes no more than a part.
    scene.airline.ledger().adjust_points(asks::adjust(&scene.li_miles, "-1")).await.unwrap();
    let before = posted(&scene).await;
    let spent = scene.airline.exchanges().reverse_exchange(asks::reverse(&id, None)).await;
    let refusal = refused(spent, Code::FailedPrecondition, "POINTS_SPENT");
    assert!(!refusal.message.contains(|digit: char| digit.is_ascii_digit()), "{}", refusal.message);
    assert_eq!(posted(&scene).await, before);
    let dry = v1::ReverseExchangeRequest { validate_only: true, ..asks::reverse(&id, Some("6600")) };
    market.reverse_exchange(dry).await.unwrap();
    assert_eq!(posted(&scene).await, before, "a dry run writes nothing");
    market.reverse_exchange(asks::reverse(&id, Some("6600"))).await.unwrap();
    market.abort_exchange(asks::abort(&open)).await.unwrap();
    scene.hub.settle().await;
}

#[tokio::test]
async fn the_initiator_may_for_the_agreed_days_and_the_destination_for_ever() {
    let scene = Scene::open_with(|terms| terms.reversal_days = Some(7)).await;
    scene.earn("7000").await;
    let id = committed(&scene, "6666", "SM-1").await;
    let told = scene.market.exchanges().get_exchange(asks::get_exchange(&id)).await.unwrap().into_inner();
    assert_eq!(told.exchange.unwrap().legs[0].reversal_days, 7);
    let agreement = asks::get_agreement(&scene.agreement);
    let agreement = scene.market.agreements().get_agreement(agreement).await.unwrap().into_inner().agreement;
    let days =
        agreement.unwrap().active.unwrap().terms.unwrap().directions.into_iter().map(|d| d.reversal_days);
    assert_eq!(days.collect::<Vec<_>>(), [Some(7), None], "what is not said is left out");

    let hub = Hub::start_in(scene.hub.stop().await, 6 * 86_400).await;
    let (airline, market) = (hub.partner("airline").await, hub.partner("market").await);
    market.exchanges().reverse_exchange(asks::reverse(&id, Some("100"))).await.unwrap();
    let hub = Hub::start_in(hub.stop().await, 7 * 86_400).await;
    let (late, always) = (hub.partner("market").await, hub.partner("airline").await);
    drop((airline, market));
    let over = late.exchanges().reverse_exchange(asks::reverse(&id, Some("100"))).await;
    refused(over, Code::FailedPrecondition, "REVERSAL_TERM_OVER");
    always.exchanges().reverse_exchange(asks::reverse(&id, None)).await.unwrap();
    hub.settle().await;
}
