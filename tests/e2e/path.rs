//! The whole path of points: from two companies that agree to the books of both, in exact numbers.

use pointbridge_client::{Client, v1};

use crate::asks;
use crate::scene::{Scene, balance};

async fn read(client: &Client, exchange: &str) -> v1::Exchange {
    let answer = client.exchanges().get_exchange(asks::get_exchange(exchange)).await.unwrap();
    answer.into_inner().exchange.unwrap()
}

fn money(leg: &v1::Leg) -> (&str, &str, &str, &str) {
    let owed = leg.obligation.as_ref().unwrap();
    let money = owed.money.as_ref().unwrap();
    (&owed.debtor_partner_code, &owed.creditor_partner_code, &money.amount, &money.currency_code)
}

fn residue(leg: &v1::Leg) -> (i64, i64, v1::ResidueOwner) {
    let residue = leg.residue.unwrap();
    (residue.numerator, residue.denominator, residue.owner())
}

fn amounts(leg: &v1::Leg) -> [&str; 4] {
    [&leg.source_points, &leg.gross_points, &leg.fee_points, &leg.credited_points]
}

#[tokio::test]
async fn points_become_miles_at_the_agreed_rate_and_both_sides_read_the_same() {
    let scene = Scene::open().await;
    scene.earn("20000").await;
    let quote = scene.quote("6666").await;
    let leg = &quote.legs[0];
    assert_eq!(amounts(leg), ["6666", "111", "0", "111"]);
    assert_eq!(residue(leg), (0, 1, v1::ResidueOwner::Nobody));
    assert_eq!(money(leg), ("market", "airline", "111.000000", "CNY"));
    assert_eq!((leg.agreement_id.as_str(), leg.agreement_version), (scene.agreement.as_str(), 1));
    assert_eq!(scene.market_balance().await, ["20000", "0", "20000"], "a quote holds nothing");

    let mut request = asks::prepare(&quote.quote_token, "SM-1001");
    request.references.as_mut().unwrap().store = Some("store-12".to_owned());
    request.references.as_mut().unwrap().till = Some("till-7".to_owned());
    let answer = scene.market.exchanges().prepare_exchange(request).await.unwrap();
    let prepared = answer.into_inner().exchange.unwrap();
    assert_eq!(prepared.state(), v1::ExchangeState::Prepared);
    assert_eq!(prepared.legs, quote.legs, "what was quoted is what is prepared");
    assert_eq!(prepared.initiator_partner_code, "market");
    assert_eq!((prepared.decide_time, prepared.window_id.as_str()), (None, ""));
    let held_seconds = prepared.hold_expire_time.unwrap().seconds - prepared.prepare_time.unwrap().seconds;
    assert_eq!((held_seconds, quote.hold_seconds), (300, 300));
    assert_eq!(scene.market_balance().await, ["20000", "6666", "13334"]);

    let id = prepared.exchange_id.as_str();
    let answer = scene.market.exchanges().commit_exchange(asks::commit(id)).await.unwrap();
    let committed = answer.into_inner().exchange.unwrap();
    assert_eq!(committed.state(), v1::ExchangeState::Committed);
    assert!(committed.window_id.starts_with("wnd_"), "{committed:?}");
    assert!(committed.decide_time.is_some());
    assert_eq!(committed.references, prepared.references);
    for reader in [&scene.market, &scene.airline, &scene.hub.finance("airline").await] {
        assert_eq!(read(reader, id).await, committed);
    }
    assert_eq!(read(&scene.hub.auditor().await, id).await, committed);
    assert_eq!(scene.market_balance().await, ["13334", "0", "13334"]);
    assert_eq!(balance(&scene.airline, &scene.li_miles).await, ["111", "0", "111"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn the_way_back_takes_its_own_rate_rounding_fee_and_debtor() {
    let scene = Scene::open().await;
    scene.airline.ledger().accrue_points(asks::accrue(&scene.li_miles, "2000")).await.unwrap();
    let request = asks::quote(&scene.li_miles, &scene.li_points, "1001");
    let answer = scene.airline.exchanges().quote_exchange(request).await.unwrap();
    let quote = answer.into_inner().quote.unwrap();
    // 1001 × 5 / 4 = 1251 1/4; ten stay with the market; 1241 × 111.00 / 6666 = 20.664716 471…
    let leg = &quote.legs[0];
    assert_eq!(amounts(leg), ["1001", "1251", "10", "1241"]);
    assert_eq!(residue(leg), (1, 4, v1::ResidueOwner::Destination));
    assert_eq!(money(leg), ("airline", "market", "20.664716", "CNY"));
    let request = asks::prepare(&quote.quote_token, "WEB-1");
    let answer = scene.airline.exchanges().prepare_exchange(request).await.unwrap();
    let id = answer.into_inner().exchange.unwrap().exchange_id;
    scene.airline.exchanges().commit_exchange(asks::commit(&id)).await.unwrap();
    assert_eq!(balance(&scene.airline, &scene.li_miles).await, ["999", "0", "999"]);
    assert_eq!(scene.market_balance().await, ["1241", "0", "1241"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn postings_and_lots_tell_where_the_points_went() {
    let scene = Scene::open().await;
    scene.earn("20000").await;
    let id = scene.prepare("6666", "SM-1001").await.exchange_id;
    let answer = scene.market.ledger().list_lots(asks::list_lots(&scene.li_points)).await.unwrap();
    let lots = answer.into_inner().lots;
    assert_eq!(lots.len(), 1);
    assert_eq!((lots[0].remaining.as_str(), lots[0].held.as_str()), ("20000", "6666"));
    assert!(lots[0].exchangeable && lots[0].expire_time.is_none(), "{lots:?}");

    scene.market.exchanges().commit_exchange(asks::commit(&id)).await.unwrap();
    let answer = scene.market.ledger().list_lots(asks::list_lots(&scene.li_points)).await.unwrap();
    let lots = answer.into_inner().lots;
    assert_eq!((lots[0].remaining.as_str(), lots[0].held.as_str()), ("13334", "0"));
    let answer = scene.market.ledger().list_postings(asks::list_postings(&scene.li_points)).await.unwrap();
    let told: Vec<_> = answer.get_ref().postings.iter().map(told).collect();
    assert_eq!(
        told,
        [
            (2, "-6666", "13334", v1::PostingKind::ExchangeOut, "", id.as_str()),
            (1, "20000", "20000", v1::PostingKind::Accrual, "PURCHASE", ""),
        ]
    );
    let answer = scene.airline.ledger().list_postings(asks::list_postings(&scene.li_miles)).await.unwrap();
    let told: Vec<_> = answer.get_ref().postings.iter().map(self::told).collect();
    assert_eq!(told, [(1, "111", "111", v1::PostingKind::ExchangeIn, "", id.as_str())]);
    scene.hub.settle().await;
}

fn told(posting: &v1::Posting) -> (i64, &str, &str, v1::PostingKind, &str, &str) {
    let v1::Posting { amount, balance_after, reason_code, exchange_id, .. } = posting;
    (posting.account_sequence, amount, balance_after, posting.kind(), reason_code, exchange_id)
}

#[tokio::test]
async fn an_aborted_exchange_leaves_everything_as_it_was() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    let id = scene.prepare("66", "SM-1").await.exchange_id;
    // 66 × 111 / 6666 = 1 and 660 of 6666 over: what lapses is 10 of 101 of a mile.
    let read_leg = read(&scene.airline, &id).await.legs.remove(0);
    assert_eq!(amounts(&read_leg), ["66", "1", "0", "1"]);
    assert_eq!(residue(&read_leg), (10, 101, v1::ResidueOwner::Nobody));
    // Either side may abort; the airline did not prepare it.
    let answer = scene.airline.exchanges().abort_exchange(asks::abort(&id)).await.unwrap();
    let aborted = answer.into_inner().exchange.unwrap();
    assert_eq!(aborted.state(), v1::ExchangeState::Aborted);
    assert_eq!((aborted.abort_reason_code.as_str(), aborted.window_id.as_str()), ("CUSTOMER_LEFT", ""));
    assert_eq!(scene.market_balance().await, ["100", "0", "100"]);
    assert_eq!(balance(&scene.airline, &scene.li_miles).await, ["0", "0", "0"]);
    scene.hub.settle().await;
}
