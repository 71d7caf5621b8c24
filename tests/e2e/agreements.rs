//! AgreementService: terms that one side writes and the other accepts by their hash.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::raw::{refused, refused_at};
use crate::scene::Scene;

#[tokio::test]
async fn terms_come_into_force_when_the_other_side_accepts_them_by_their_hash() {
    let scene = Scene::open().await;
    let read = |answer: tonic::Response<v1::GetAgreementResponse>| answer.into_inner().agreement.unwrap();
    let before = scene.airline.agreements().get_agreement(asks::get_agreement(&scene.agreement)).await;
    let before = read(before.unwrap());
    let active = before.active.clone().unwrap();
    assert_eq!((active.version, active.state()), (1, v1::AgreementVersionState::Active));
    assert_eq!((before.low_partner_code.as_str(), before.high_partner_code.as_str()), ("airline", "market"));
    assert!(before.pending.is_none() && active.accept_time.is_some());

    let mut better = asks::direction(&scene.points, &scene.miles);
    better.rate = Some(v1::Rate { give: 60, get: 1 });
    let proposed = scene.airline.agreements().propose_agreement(asks::propose("market", vec![better])).await;
    let proposed = proposed.unwrap().into_inner().agreement.unwrap();
    let pending = proposed.pending.clone().unwrap();
    assert_eq!((pending.version, pending.state()), (2, v1::AgreementVersionState::Proposed));
    assert_eq!(pending.author_partner_code, "airline");
    assert_ne!(pending.terms_hash, active.terms_hash);
    assert_eq!(scene.quote("6666").await.legs[0].credited_points, "111", "what is in force stays in force");

    let own = scene.airline.agreements().accept_agreement(asks::accept(&proposed)).await;
    refused(own, Code::FailedPrecondition, "OWN_PROPOSAL");
    let accept = asks::accept(&proposed);
    let other_terms = v1::AcceptAgreementRequest { terms_hash: active.terms_hash, ..accept.clone() };
    let changed = scene.market.agreements().accept_agreement(other_terms).await;
    refused(changed, Code::FailedPrecondition, "TERMS_CHANGED");
    let other_version = v1::AcceptAgreementRequest { version: 1, ..accept.clone() };
    let settled = scene.market.agreements().accept_agreement(other_version).await;
    refused(settled, Code::FailedPrecondition, "AGREEMENT_NOT_PENDING");
    let accepted = scene.market.agreements().accept_agreement(accept).await.unwrap().into_inner().agreement;
    assert_eq!(accepted.unwrap().active.unwrap().version, 2);
    assert_eq!(scene.quote("6666").await.legs[0].credited_points, "111", "6666 / 60 is 111.1");
    assert_eq!(scene.quote("6660").await.legs[0].agreement_version, 2);
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_quote_keeps_the_terms_that_it_names() {
    let scene = Scene::open().await;
    scene.earn("6666").await;
    let quote = scene.quote("6666").await;
    let mut worse = asks::direction(&scene.points, &scene.miles);
    worse.rate = Some(v1::Rate { give: 6666, get: 1 });
    crate::scene::agree(&scene.airline, ("market", &scene.market), vec![worse]).await;
    let request = asks::prepare(&quote.quote_token, "SM-1");
    let prepared = scene.market.exchanges().prepare_exchange(request).await.unwrap().into_inner().exchange;
    assert_eq!(prepared.unwrap().legs, quote.legs);
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_proposal_is_refused_with_its_reason_and_field() {
    let scene = Scene::open().await;
    let good = || asks::direction(&scene.points, &scene.miles);
    let mut market = scene.market.agreements();
    let own = market.propose_agreement(asks::propose("market", vec![good()])).await;
    refused(own, Code::FailedPrecondition, "SAME_PARTNER");
    let nobody = market.propose_agreement(asks::propose("nobody", vec![good()])).await;
    refused(nobody, Code::NotFound, "PARTNER_NOT_FOUND");

    let third = asks::direction(&scene.points, &scene.stars);
    let third = market.propose_agreement(asks::propose("airline", vec![third])).await;
    refused(third, Code::InvalidArgument, "TERMS_INVALID");
    let twice = market.propose_agreement(asks::propose("airline", vec![good(), good()])).await;
    refused(twice, Code::InvalidArgument, "TERMS_INVALID");
    let mut upside_down = good();
    upside_down.minimum_source_points = "50001".to_owned();
    let upside_down = market.propose_agreement(asks::propose("airline", vec![upside_down])).await;
    refused(upside_down, Code::InvalidArgument, "TERMS_INVALID");

    let none = market.propose_agreement(asks::propose("airline", vec![])).await;
    refused_at(none, "VALIDATION_FAILED", "terms.directions");
    let mut many = good();
    many.rate = Some(v1::Rate { give: 0, get: 1 });
    let many = market.propose_agreement(asks::propose("airline", vec![good(), many])).await;
    refused_at(many, "VALIDATION_FAILED", "terms.directions[1].rate.give");
    let mut currency = asks::propose("airline", vec![good()]);
    currency.terms.as_mut().unwrap().settlement_currency = "XXQ".to_owned();
    refused_at(market.propose_agreement(currency).await, "VALIDATION_FAILED", "terms.settlement_currency");

    let request = v1::ListAgreementsRequest::default();
    let listed = market.list_agreements(request).await.unwrap().into_inner().agreements;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].pending.is_none(), "a refused proposal leaves no trace");
    scene.hub.settle().await;
}
