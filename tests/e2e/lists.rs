//! Lists: in pages of one they give every row once and end, filters narrow them, and a page token of another list or of
//! nobody is refused.

use pointbridge_client::v1;
use tonic::{Response, Status};

use crate::asks;
use crate::raw::refused_at;
use crate::scene::{Scene, grant, program};

/// Reads a list in pages of one row; answers with the rows' names and the tokens.
macro_rules! pages {
    ($call:expr, $rows:ident, $name:expr) => {{
        let mut names: Vec<String> = Vec::new();
        let mut tokens: Vec<String> = Vec::new();
        loop {
            let token = tokens.last().cloned().unwrap_or_default();
            let answer = $call(1, token).await.unwrap().into_inner();
            assert!(answer.$rows.len() <= 1, "a page of one has {} rows", answer.$rows.len());
            names.extend(answer.$rows.iter().map($name));
            if answer.next_page_token.is_empty() {
                break;
            }
            assert!(names.len() < 50, "the list does not end: {names:?}");
            tokens.push(answer.next_page_token);
        }
        (names, tokens)
    }};
}

/// Holds that a list refuses tokens that are not its own, with `page_token` named.
async fn refuses_foreign<T: std::fmt::Debug>(
    mut list: impl AsyncFnMut(u32, String) -> Result<Response<T>, Status>,
    foreign: &[&str],
) {
    assert!(!foreign.is_empty());
    for token in foreign.iter().copied().chain(["x", "AAAA", "é", "cG9zdGluZ3M"]) {
        refused_at(list(1, token.to_owned()).await, "VALIDATION_FAILED", "page_token");
    }
    refused_at(list(1, "A".repeat(513)).await, "VALIDATION_FAILED", "page_token");
    refused_at(list(501, String::new()).await, "VALIDATION_FAILED", "page_size");
}

#[tokio::test]
async fn partners_and_programs_are_listed_in_order_and_by_partner() {
    let scene = Scene::open().await;
    let partners = async |page_size, page_token| {
        scene.operator.partners().list_partners(v1::ListPartnersRequest { page_size, page_token }).await
    };
    let (codes, partner_tokens) = pages!(partners, partners, |one: &v1::Partner| one.code.clone());
    assert_eq!(codes, ["airline", "babycare", "market"]);
    let own = scene.market.partners().list_partners(v1::ListPartnersRequest::default()).await.unwrap();
    assert_eq!(own.into_inner().partners.len(), 1, "a partner sees itself");

    let gold = program(&scene.market, asks::create_program("market", "gold", 0)).await;
    let programs = async |page_size, page_token| {
        let request = v1::ListProgramsRequest { page_size, page_token, partner_code: None };
        scene.operator.partners().list_programs(request).await
    };
    let (mut ids, program_tokens) = pages!(programs, programs, |one: &v1::Program| one.program_id.clone());
    let mut expected = [&scene.miles, &scene.points, &scene.stars, &gold].map(Clone::clone).to_vec();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    let of_market = async |page_size, page_token| {
        let partner_code = Some("market".to_owned());
        let request = v1::ListProgramsRequest { page_size, page_token, partner_code };
        scene.operator.partners().list_programs(request).await
    };
    let (codes, _) = pages!(of_market, programs, |one: &v1::Program| one.code.clone());
    assert_eq!(codes.len(), 2);
    assert!(codes.contains(&"gold".to_owned()) && codes.contains(&"points".to_owned()), "{codes:?}");
    refuses_foreign(partners, &[&program_tokens[0]]).await;
    refuses_foreign(programs, &[&partner_tokens[0]]).await;
    scene.hub.settle().await;
}

#[tokio::test]
async fn programs_are_listed_oldest_first() {
    let scene = Scene::open().await;
    program(&scene.market, asks::create_program("market", "gold", 0)).await;
    let answer = scene.operator.partners().list_programs(v1::ListProgramsRequest::default()).await.unwrap();
    let told: Vec<_> =
        answer.get_ref().programs.iter().map(|one| (one.partner_code.as_str(), one.code.as_str())).collect();
    assert_eq!(told, [("airline", "miles"), ("market", "points"), ("babycare", "stars"), ("market", "gold")]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn agreements_are_listed_oldest_first_and_by_partner() {
    let scene = Scene::open().await;
    let ours = asks::direction(&scene.points, &scene.stars);
    let answer =
        scene.market.agreements().propose_agreement(asks::propose("babycare", vec![ours])).await.unwrap();
    let second = answer.into_inner().agreement.unwrap().agreement_id;
    let list = async |page_size, page_token| {
        let request = v1::ListAgreementsRequest { page_size, page_token, partner_code: None };
        scene.market.agreements().list_agreements(request).await
    };
    let (ids, tokens) = pages!(list, agreements, |one: &v1::Agreement| one.agreement_id.clone());
    assert_eq!(ids, [scene.agreement.clone(), second.clone()]);
    let filtered =
        v1::ListAgreementsRequest { partner_code: Some("babycare".to_owned()), ..Default::default() };
    let filtered = scene.market.agreements().list_agreements(filtered).await.unwrap().into_inner().agreements;
    assert_eq!(filtered.iter().map(|one| one.agreement_id.clone()).collect::<Vec<_>>(), [second]);
    let theirs = scene.airline.agreements().list_agreements(v1::ListAgreementsRequest::default()).await;
    assert_eq!(theirs.unwrap().into_inner().agreements.len(), 1, "the airline is no party of the second");
    assert_eq!(tokens.len(), 1);
    let partners = v1::ListPartnersRequest { page_size: 1, ..Default::default() };
    let foreign =
        scene.operator.partners().list_partners(partners).await.unwrap().into_inner().next_page_token;
    refuses_foreign(list, &[&foreign]).await;
    scene.hub.settle().await;
}

#[tokio::test]
async fn consents_postings_and_lots_are_listed_in_their_order() {
    let scene = Scene::open().await;
    let second = grant(&scene.market, &scene.li_points, "babycare").await;
    let list_consents = async |page_size, page_token| {
        let request =
            v1::ListConsentsRequest { page_size, page_token, ..asks::list_consents(&scene.li_points) };
        scene.market.members().list_consents(request).await
    };
    let (ids, consent_tokens) = pages!(list_consents, consents, |one: &v1::Consent| one.consent_id.clone());
    assert_eq!(ids, [scene.consent.clone(), second]);

    // Two lots: one that ends in an hour is spent before one without an end.
    scene.earn("5").await;
    let answer = scene.market.ledger().list_postings(asks::list_postings(&scene.li_points)).await.unwrap();
    let mut end = answer.into_inner().postings[0].post_time.unwrap();
    end.seconds += 3600;
    let expiry = Some(v1::accrue_points_request::Expiry::ExpireTime(end));
    let request = v1::AccruePointsRequest { expiry, ..asks::accrue(&scene.li_points, "7") };
    scene.market.ledger().accrue_points(request).await.unwrap();
    let postings = async |page_size, page_token| {
        let request =
            v1::ListPostingsRequest { page_size, page_token, ..asks::list_postings(&scene.li_points) };
        scene.market.ledger().list_postings(request).await
    };
    let (amounts, posting_tokens) = pages!(postings, postings, |one: &v1::Posting| one.amount.clone());
    assert_eq!(amounts, ["7", "5"]);
    let lots = async |page_size, page_token| {
        let request = v1::ListLotsRequest { page_size, page_token, ..asks::list_lots(&scene.li_points) };
        scene.market.ledger().list_lots(request).await
    };
    let (remaining, lot_tokens) = pages!(lots, lots, |one: &v1::Lot| one.remaining.clone());
    assert_eq!(remaining, ["7", "5"]);
    refuses_foreign(list_consents, &[&posting_tokens[0], &lot_tokens[0]]).await;
    refuses_foreign(postings, &[&consent_tokens[0], &lot_tokens[0]]).await;
    refuses_foreign(lots, &[&consent_tokens[0], &posting_tokens[0]]).await;
    scene.hub.settle().await;
}

#[tokio::test]
async fn exchanges_are_listed_newest_first_by_state_membership_and_order() {
    let scene = Scene::open().await;
    scene.earn("1000").await;
    let first = scene.prepare("100", "SM-1").await.exchange_id;
    let second = scene.prepare("200", "SM-2").await.exchange_id;
    scene.market.exchanges().commit_exchange(asks::commit(&first)).await.unwrap();
    let list = async |page_size, page_token| {
        let request = v1::ListExchangesRequest { page_size, page_token, ..Default::default() };
        scene.airline.exchanges().list_exchanges(request).await
    };
    let (ids, tokens) = pages!(list, exchanges, |one: &v1::Exchange| one.exchange_id.clone());
    assert_eq!(ids, [second.clone(), first.clone()]);
    assert_eq!(tokens.len(), 1);

    let blank = v1::ListExchangesRequest::default;
    let by_state =
        |state: v1::ExchangeState| v1::ListExchangesRequest { state: Some(state.into()), ..blank() };
    let by_membership = |id: &str| v1::ListExchangesRequest { membership_id: Some(id.to_owned()), ..blank() };
    let by_order =
        |order: &str| v1::ListExchangesRequest { order_reference: Some(order.to_owned()), ..blank() };
    let cases = [
        (by_state(v1::ExchangeState::Committed), vec![&first]),
        (by_state(v1::ExchangeState::Prepared), vec![&second]),
        (by_state(v1::ExchangeState::Aborted), vec![]),
        (by_membership(&scene.li_points), vec![&second, &first]),
        (by_membership(&format!("mbs_{}", "0".repeat(32))), vec![]),
        (by_order("SM-1"), vec![&first]),
        (by_order("SM-3"), vec![]),
        (v1::ListExchangesRequest { state: Some(3), ..by_order("SM-2") }, vec![]),
    ];
    for (request, expected) in cases {
        let answer = scene.market.exchanges().list_exchanges(request.clone()).await.unwrap().into_inner();
        let ids: Vec<&String> = answer.exchanges.iter().map(|one| &one.exchange_id).collect();
        assert_eq!(ids, expected, "{request:?}");
    }
    let unset = v1::ListExchangesRequest { state: Some(0), ..blank() };
    refused_at(scene.market.exchanges().list_exchanges(unset).await, "VALIDATION_FAILED", "state");
    let agreements = v1::ListPartnersRequest { page_size: 1, ..Default::default() };
    let foreign =
        scene.operator.partners().list_partners(agreements).await.unwrap().into_inner().next_page_token;
    refuses_foreign(list, &[&foreign]).await;
    scene.hub.settle().await;
}
