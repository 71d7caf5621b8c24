//! `validate_only`: decided in full, answered in full, and nothing written.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::raw::refused;
use crate::scene::Scene;

/// Everything that the interface shows of the alliance.
#[derive(Debug, PartialEq)]
struct Seen {
    partners: v1::ListPartnersResponse,
    programs: v1::ListProgramsResponse,
    agreements: v1::ListAgreementsResponse,
    membership: v1::GetMembershipResponse,
    consents: v1::ListConsentsResponse,
    balance: v1::GetBalanceResponse,
    postings: v1::ListPostingsResponse,
    lots: v1::ListLotsResponse,
    exchanges: v1::ListExchangesResponse,
}

async fn look(scene: &Scene) -> Seen {
    let auditor = scene.hub.auditor().await;
    let id = scene.li_points.as_str();
    let (mut partners, mut members, mut ledger) = (auditor.partners(), auditor.members(), auditor.ledger());
    Seen {
        partners: partners.list_partners(v1::ListPartnersRequest::default()).await.unwrap().into_inner(),
        programs: partners.list_programs(v1::ListProgramsRequest::default()).await.unwrap().into_inner(),
        agreements: auditor
            .agreements()
            .list_agreements(v1::ListAgreementsRequest::default())
            .await
            .unwrap()
            .into_inner(),
        membership: members.get_membership(asks::get_membership(id)).await.unwrap().into_inner(),
        consents: members.list_consents(asks::list_consents(id)).await.unwrap().into_inner(),
        balance: ledger.get_balance(asks::get_balance(id)).await.unwrap().into_inner(),
        postings: ledger.list_postings(asks::list_postings(id)).await.unwrap().into_inner(),
        lots: ledger.list_lots(asks::list_lots(id)).await.unwrap().into_inner(),
        exchanges: auditor
            .exchanges()
            .list_exchanges(v1::ListExchangesRequest::default())
            .await
            .unwrap()
            .into_inner(),
    }
}

#[tokio::test]
async fn a_dry_run_answers_like_the_real_one_and_writes_nothing() {
    let scene = Scene::open().await;
    scene.earn("1000").await;
    let held = scene.prepare("100", "SM-1").await.exchange_id;
    let token = scene.quote("200").await.quote_token;
    let before = look(&scene).await;
    let Scene { market, airline, operator, .. } = &scene;

    /// The request as a dry run.
    macro_rules! dry {
        ($request:expr) => {{
            let mut request = $request;
            request.validate_only = true;
            request
        }};
    }
    let created = operator.partners().create_partner(dry!(asks::create_partner("cinema"))).await.unwrap();
    assert_eq!(created.into_inner().partner.unwrap().code, "cinema");
    market.partners().update_partner(dry!(asks::update_partner("market", "Other"))).await.unwrap();
    market.partners().create_program(dry!(asks::create_program("market", "gold", 0))).await.unwrap();
    market.partners().update_program(dry!(asks::update_program(&scene.points))).await.unwrap();
    let terms = vec![asks::direction(&scene.points, &scene.stars)];
    market.agreements().propose_agreement(dry!(asks::propose("babycare", terms))).await.unwrap();
    market.members().register_membership(dry!(asks::register(&scene.points, "market/wang"))).await.unwrap();
    let code =
        airline.members().issue_link_code(dry!(asks::issue_link_code(&scene.li_miles, "market"))).await;
    assert_eq!(code.unwrap().into_inner().link_code, "", "no code that does not exist");
    market.members().grant_consent(dry!(asks::consent(&scene.li_points, "babycare"))).await.unwrap();
    market.members().withdraw_consent(dry!(asks::withdraw(&scene.consent))).await.unwrap();
    let accrued = market.ledger().accrue_points(dry!(asks::accrue(&scene.li_points, "5"))).await.unwrap();
    assert_eq!(accrued.get_ref().record_id, "");
    assert_eq!(accrued.into_inner().balance.unwrap().posted, "1005");
    let adjusted = market.ledger().adjust_points(dry!(asks::adjust(&scene.li_points, "-5"))).await.unwrap();
    assert_eq!(adjusted.into_inner().balance.unwrap().posted, "995");
    let prepared = market.exchanges().prepare_exchange(dry!(asks::prepare(&token, "SM-2"))).await.unwrap();
    assert_eq!(prepared.into_inner().exchange.unwrap().state(), v1::ExchangeState::Prepared);
    market.exchanges().commit_exchange(dry!(asks::commit(&held))).await.unwrap();
    airline.exchanges().abort_exchange(dry!(asks::abort(&held))).await.unwrap();
    let short = dry!(asks::adjust(&scene.li_points, "-901"));
    refused(market.ledger().adjust_points(short).await, Code::FailedPrecondition, "INSUFFICIENT_POINTS");

    assert_eq!(look(&scene).await, before);
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_request_id_is_still_free_after_its_dry_run() {
    let scene = Scene::open().await;
    let real = asks::accrue(&scene.li_points, "10");
    let dry = v1::AccruePointsRequest { validate_only: true, ..real.clone() };
    scene.market.ledger().accrue_points(dry).await.unwrap();
    scene.market.ledger().accrue_points(real.clone()).await.unwrap();
    scene.market.ledger().accrue_points(real).await.unwrap();
    assert_eq!(scene.market_balance().await, ["10", "0", "10"]);
    scene.hub.settle().await;
}
