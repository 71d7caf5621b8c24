//! ExchangeService: what is refused at each phase, and what ends a hold.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::harness::{Hub, until};
use crate::raw::{refused, refused_at};
use crate::scene::{Scene, grant, link, member};

#[tokio::test]
async fn a_quote_is_refused_with_its_reason() {
    let scene = Scene::open_with(|terms| {
        terms.minimum_source_points = "10".to_owned();
        terms.maximum_source_points = "1000".to_owned();
        terms.step_source_points = "5".to_owned();
    })
    .await;
    let ask = |points: &str| asks::quote(&scene.li_points, &scene.li_miles, points);
    let mut market = scene.market.exchanges();
    let cases = [
        ("0.5", "AMOUNT_SCALE"),
        ("5", "AMOUNT_OUT_OF_RANGE"),
        ("1005", "AMOUNT_OUT_OF_RANGE"),
        ("12", "AMOUNT_STEP"),
        ("10", "AMOUNT_TOO_SMALL"),
    ];
    for (points, reason) in cases {
        refused_at(market.quote_exchange(ask(points)).await, reason, "source_points");
    }
    let legs = v1::QuoteExchangeRequest { max_legs: 2, ..ask("100") };
    refused(market.quote_exchange(legs).await, Code::Unimplemented, "NOT_SERVED");
    let nothing = v1::QuoteExchangeRequest { destination: None, amount: None, ..ask("100") };
    let refusal = refused(market.quote_exchange(nothing).await, Code::InvalidArgument, "VALIDATION_FAILED");
    let fields: Vec<&str> = refusal.violations.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(fields, ["destination", "amount"]);

    let baby = member(&scene.babycare, &scene.stars, "panda/li").await;
    link(&scene.babycare, &baby, ("market", &scene.market), &scene.li_points).await;
    let alone = market.quote_exchange(asks::quote(&scene.li_points, &baby, "100")).await;
    refused(alone, Code::FailedPrecondition, "AGREEMENT_NOT_ACTIVE");
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_quote_is_good_once_for_its_own_partner_and_only_as_it_was_sealed() {
    let scene = Scene::open().await;
    scene.earn("1000").await;
    let token = scene.quote("100").await.quote_token;
    let mut market = scene.market.exchanges();
    for at in [0, token.len() / 2, token.len() - 1] {
        let mut forged = token.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let answer = market.prepare_exchange(asks::prepare(&forged, "SM-1")).await;
        refused(answer, Code::InvalidArgument, "QUOTE_INVALID");
    }
    let others = scene.airline.exchanges().prepare_exchange(asks::prepare(&token, "WEB-1")).await;
    refused(others, Code::InvalidArgument, "QUOTE_INVALID");
    let long = market.prepare_exchange(asks::prepare(&"A".repeat(301), "SM-1")).await;
    refused_at(long, "VALIDATION_FAILED", "quote_token");
    let nameless = v1::PrepareExchangeRequest { references: None, ..asks::prepare(&token, "") };
    refused_at(market.prepare_exchange(nameless).await, "VALIDATION_FAILED", "references");
    refused_at(
        market.prepare_exchange(asks::prepare(&token, "")).await,
        "VALIDATION_FAILED",
        "references.order",
    );

    market.prepare_exchange(asks::prepare(&token, "SM-1")).await.unwrap();
    let used = market.prepare_exchange(asks::prepare(&token, "SM-2")).await;
    refused(used, Code::FailedPrecondition, "QUOTE_USED");
    assert_eq!(scene.market_balance().await, ["1000", "100", "900"], "one quote, one hold");
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_prepare_beyond_points_limit_or_consent_holds_nothing() {
    let scene = Scene::open().await;
    scene.earn("50000").await;
    let mut market = scene.market.exchanges();
    // 30000 × 111.00 / 6666 is 499.549550 of the 500 that the market may owe.
    let first = scene.prepare("30000", "SM-1").await;
    let over = scene.quote("100").await.quote_token;
    let refusal = refused(
        market.prepare_exchange(asks::prepare(&over, "SM-2")).await,
        Code::ResourceExhausted,
        "EXPOSURE_LIMIT",
    );
    assert_eq!(refusal.retry_after, None);
    market.abort_exchange(asks::abort(&first.exchange_id)).await.unwrap();
    market.prepare_exchange(asks::prepare(&over, "SM-2")).await.unwrap();

    scene.market.ledger().adjust_points(asks::adjust(&scene.li_points, "-49900")).await.unwrap();
    let short = scene.quote("100").await.quote_token;
    let answer = market.prepare_exchange(asks::prepare(&short, "SM-3")).await;
    let refusal = refused(answer, Code::FailedPrecondition, "INSUFFICIENT_POINTS");
    assert!(!refusal.message.contains(|digit: char| digit.is_ascii_digit()), "{}", refusal.message);

    let unwanted = scene.quote("67").await.quote_token;
    let consents = scene.airline.members().list_consents(asks::list_consents(&scene.li_miles)).await.unwrap();
    let given = consents.into_inner().consents.remove(0).consent_id;
    scene.airline.members().withdraw_consent(asks::withdraw(&given)).await.unwrap();
    let answer = market.prepare_exchange(asks::prepare(&unwanted, "SM-4")).await;
    refused(answer, Code::FailedPrecondition, "CONSENT_MISSING");
    grant(&scene.airline, &scene.li_miles, "market").await;
    assert_eq!(scene.market_balance().await, ["100", "100", "0"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn only_the_initiator_commits_and_an_end_is_final() {
    let scene = Scene::open().await;
    scene.earn("1000").await;
    let (one, other) = (scene.prepare("100", "SM-1").await, scene.prepare("200", "SM-2").await);
    let mut market = scene.market.exchanges();
    let theirs = scene.airline.exchanges().commit_exchange(asks::commit(&one.exchange_id)).await;
    refused(theirs, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    let committed = market.commit_exchange(asks::commit(&one.exchange_id)).await.unwrap().into_inner();
    let again = market.commit_exchange(asks::commit(&one.exchange_id)).await.unwrap().into_inner();
    assert_eq!(committed, again, "committing what is committed answers the same");
    let late = market.abort_exchange(asks::abort(&one.exchange_id)).await;
    refused(late, Code::FailedPrecondition, "RESERVATION_COMMITTED");

    let aborted = market.abort_exchange(asks::abort(&other.exchange_id)).await.unwrap().into_inner();
    let again = scene.airline.exchanges().abort_exchange(asks::abort(&other.exchange_id)).await.unwrap();
    assert_eq!(aborted, again.into_inner(), "aborting what is aborted answers the same");
    let late = market.commit_exchange(asks::commit(&other.exchange_id)).await;
    refused(late, Code::FailedPrecondition, "RESERVATION_ABORTED");
    assert_eq!(scene.market_balance().await, ["900", "0", "900"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_hold_whose_time_is_over_ends_by_itself_and_frees_the_points() {
    let scene = Scene::open_with(|terms| terms.hold_seconds = 1).await;
    scene.earn("1000").await;
    let id = scene.prepare("600", "SM-1").await.exchange_id;
    let expired = until("the hold is swept", async || {
        let answer = scene.market.exchanges().get_exchange(asks::get_exchange(&id)).await.unwrap();
        answer.into_inner().exchange.filter(|exchange| exchange.state() == v1::ExchangeState::Expired)
    })
    .await;
    assert!(expired.decide_time.unwrap().seconds >= expired.hold_expire_time.unwrap().seconds);
    assert_eq!(scene.market_balance().await, ["1000", "0", "1000"]);
    let mut market = scene.market.exchanges();
    refused(market.commit_exchange(asks::commit(&id)).await, Code::FailedPrecondition, "HOLD_EXPIRED");
    refused(market.abort_exchange(asks::abort(&id)).await, Code::FailedPrecondition, "HOLD_EXPIRED");
    let answer = market.list_exchanges(v1::ListExchangesRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().exchanges, [expired]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn holds_and_quotes_end_while_the_hub_is_down() {
    let scene = Scene::open().await;
    scene.earn("1000").await;
    let id = scene.prepare("600", "SM-1").await.exchange_id;
    let token = scene.quote("100").await.quote_token;
    let hub = Hub::start_in(scene.hub.stop().await, 301).await;
    let market = hub.partner("market").await;
    // Whether the sweeper was here already or not, the answer is the same.
    let late = market.exchanges().commit_exchange(asks::commit(&id)).await;
    refused(late, Code::FailedPrecondition, "HOLD_EXPIRED");
    let stale = market.exchanges().prepare_exchange(asks::prepare(&token, "SM-2")).await;
    refused(stale, Code::FailedPrecondition, "QUOTE_EXPIRED");
    until("the hold is swept", async || {
        let answer = market.exchanges().get_exchange(asks::get_exchange(&id)).await.unwrap();
        (answer.into_inner().exchange.unwrap().state() == v1::ExchangeState::Expired).then_some(())
    })
    .await;
    hub.settle().await;
}
