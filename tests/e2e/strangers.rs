//! What is another's is refused exactly as what does not exist: same code, same sentence, same details, to the byte.

use pointbridge_client::{Client, v1};
use prost::Message;
use tonic::{Code, Status};

use crate::asks;
use crate::raw::{ask, assert_alike};
use crate::scene::{Scene, member};

/// An id of the same form that the hub never made.
fn missing(id: &str) -> String {
    let (prefix, _) = id.split_once('_').expect("ids have a prefix");
    format!("{prefix}_{}", "0".repeat(32))
}

/// Two calls of one method by one caller: for another's object, and for one that does not exist.
struct Pair {
    method: &'static str,
    theirs: (Vec<u8>, String),
    missing: (Vec<u8>, String),
}

fn pair<M: Message>(method: &'static str, id: &str, none: &str, request: impl Fn(&str) -> M) -> Pair {
    Pair {
        method,
        theirs: (request(id).encode_to_vec(), id.to_owned()),
        missing: (request(none).encode_to_vec(), none.to_owned()),
    }
}

async fn refusal(client: &Client, method: &str, bytes: &[u8]) -> Status {
    let answer = crate::raw::send(client, &crate::raw::full(method), bytes.to_vec()).await;
    answer.expect_err("another's object must not be answered")
}

async fn assert_hidden(client: &Client, pairs: &[Pair]) {
    for Pair { method, theirs: (theirs, id), missing: (missing, none) } in pairs {
        let (one, other) = (refusal(client, method, theirs).await, refusal(client, method, missing).await);
        assert_eq!(one.code(), Code::NotFound, "{method}: {one:?}");
        assert_alike(method, (&one, id), (&other, none));
    }
}

/// Every method that names an object, asked by somebody to whom it does not belong.
fn every_act(scene: &Scene, exchange: &str, own: &str) -> Vec<Pair> {
    let Scene { li_points, points, agreement, consent, .. } = scene;
    let accept = |id: &str| v1::AcceptAgreementRequest {
        agreement_id: id.to_owned(),
        version: 1,
        terms_hash: "0".repeat(64),
        request_id: pointbridge_client::request_id(),
        validate_only: false,
    };
    let by_program = |id: &str| asks::get_membership_by_reference(id, "market/li");
    let code = "00000-0000-0000-0000-0000-00000";
    let on_membership = |method, request: &dyn Fn(&str) -> Vec<u8>| Pair {
        method,
        theirs: (request(li_points), li_points.clone()),
        missing: (request(&missing(li_points)), missing(li_points)),
    };
    let mut pairs = vec![
        pair("PartnerService/UpdatePartner", "airline", "airport", |code| asks::update_partner(code, "Mine")),
        pair("PartnerService/CreateProgram", "airline", "airport", |code| {
            asks::create_program(code, "gold", 0)
        }),
        pair("PartnerService/UpdateProgram", points, &missing(points), asks::update_program),
        pair("AgreementService/AcceptAgreement", agreement, &missing(agreement), accept),
        pair("MemberService/RegisterMembership", points, &missing(points), |id| {
            asks::register(id, "market/li")
        }),
        pair("MemberService/GetMembership", points, &missing(points), by_program),
        pair("MemberService/WithdrawConsent", consent, &missing(consent), asks::withdraw),
        pair("ExchangeService/CommitExchange", exchange, &missing(exchange), asks::commit),
        pair("ExchangeService/AbortExchange", exchange, &missing(exchange), asks::abort),
        pair("ExchangeService/ReverseExchange", exchange, &missing(exchange), |id| asks::reverse(id, None)),
    ];
    pairs.extend([
        on_membership("MemberService/GetMembership", &|id| asks::get_membership(id).encode_to_vec()),
        on_membership("MemberService/IssueLinkCode", &|id| {
            asks::issue_link_code(id, "airline").encode_to_vec()
        }),
        on_membership("MemberService/MergeMembers", &|id| asks::merge(code, id).encode_to_vec()),
        on_membership("MemberService/GrantConsent", &|id| asks::consent(id, "airline").encode_to_vec()),
        on_membership("MemberService/ListConsents", &|id| asks::list_consents(id).encode_to_vec()),
        on_membership("LedgerService/AccruePoints", &|id| asks::accrue(id, "5").encode_to_vec()),
        on_membership("LedgerService/AdjustPoints", &|id| asks::adjust(id, "-5").encode_to_vec()),
        on_membership("ExchangeService/QuoteExchange", &|id| asks::quote(id, own, "5").encode_to_vec()),
        on_membership("ExchangeService/QuoteExchange", &|id| asks::quote(own, id, "5").encode_to_vec()),
    ]);
    pairs
}

/// Every reading method that finance people may call, too.
fn every_read(scene: &Scene, exchange: &str) -> Vec<Pair> {
    let Scene { li_points, points, agreement, .. } = scene;
    let partner = |code: &str| v1::GetPartnerRequest { code: code.to_owned() };
    let program = |id: &str| v1::GetProgramRequest { program_id: id.to_owned() };
    vec![
        pair("PartnerService/GetPartner", "airline", "airport", partner),
        pair("PartnerService/GetProgram", points, &missing(points), program),
        pair("AgreementService/GetAgreement", agreement, &missing(agreement), asks::get_agreement),
        pair("LedgerService/GetBalance", li_points, &missing(li_points), asks::get_balance),
        pair("LedgerService/ListPostings", li_points, &missing(li_points), asks::list_postings),
        pair("LedgerService/ListLots", li_points, &missing(li_points), asks::list_lots),
        pair("ExchangeService/GetExchange", exchange, &missing(exchange), asks::get_exchange),
    ]
}

#[tokio::test]
async fn anothers_objects_are_refused_as_if_they_did_not_exist() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    let exchange = scene.prepare("66", "SM-1").await.exchange_id;
    let own = member(&scene.babycare, &scene.stars, "panda/li").await;
    assert_hidden(&scene.babycare, &every_act(&scene, &exchange, &own)).await;
    assert_hidden(&scene.babycare, &every_read(&scene, &exchange)).await;
    assert_hidden(&scene.hub.finance("babycare").await, &every_read(&scene, &exchange)).await;
    assert_eq!(scene.market_balance().await, ["100", "66", "34"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn the_other_party_of_an_agreement_sees_no_members_of_the_first() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    let exchange = scene.prepare("66", "SM-1").await.exchange_id;
    let all = every_act(&scene, &exchange, &scene.li_miles).into_iter().chain(every_read(&scene, &exchange));
    // What the airline is a party of, it may see and act on.
    let shared = [
        "GetAgreement",
        "AcceptAgreement",
        "GetExchange",
        "CommitExchange",
        "AbortExchange",
        "ReverseExchange",
    ];
    // It is a linked member, to whom points may go.
    let hidden = all.filter(|pair| {
        let names_own = ["airline", scene.li_miles.as_str()].contains(&pair.theirs.1.as_str());
        let is_quote = pair.method.ends_with("QuoteExchange");
        !names_own && !is_quote && !shared.iter().any(|method| pair.method.ends_with(&format!("/{method}")))
    });
    let hidden: Vec<Pair> = hidden.collect();
    assert!(hidden.len() >= 15, "{}", hidden.len());
    assert_hidden(&scene.airline, &hidden).await;
    scene.hub.settle().await;
}

#[tokio::test]
async fn lists_of_a_stranger_hold_nothing_whatever_the_filter() {
    let scene = Scene::open().await;
    scene.earn("100").await;
    scene.prepare("66", "SM-1").await;
    for client in [&scene.babycare, &scene.hub.finance("babycare").await] {
        for partner_code in [None, Some("market".to_owned()), Some("nobody".to_owned())] {
            let request =
                v1::ListAgreementsRequest { partner_code: partner_code.clone(), ..Default::default() };
            let listed = client.agreements().list_agreements(request).await.unwrap().into_inner();
            assert_eq!(listed, v1::ListAgreementsResponse::default());
            let request =
                v1::ListProgramsRequest { partner_code: partner_code.clone(), ..Default::default() };
            let listed = client.partners().list_programs(request).await.unwrap().into_inner().programs;
            assert_eq!(listed.len(), usize::from(partner_code.is_none()), "{listed:?}");
        }
        let filters = [
            v1::ListExchangesRequest::default(),
            v1::ListExchangesRequest { membership_id: Some(scene.li_points.clone()), ..Default::default() },
            v1::ListExchangesRequest { order_reference: Some("SM-1".to_owned()), ..Default::default() },
        ];
        for request in filters {
            let listed = client.exchanges().list_exchanges(request).await.unwrap().into_inner();
            assert_eq!(listed, v1::ListExchangesResponse::default());
        }
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_quote_or_code_of_another_is_refused_as_an_invented_one() {
    let scene = Scene::open().await;
    let token = scene.quote("66").await.quote_token;
    let invented = "A".repeat(token.len());
    let mut statuses = Vec::new();
    for sent in [&token, &invented] {
        let request = asks::prepare(sent, "WEB-1");
        statuses.push(ask(&scene.babycare, "ExchangeService/PrepareExchange", &request).await.unwrap_err());
    }
    assert_alike("quotes", (&statuses[0], &token), (&statuses[1], &invented));

    let own = member(&scene.babycare, &scene.stars, "panda/li").await;
    let answer =
        scene.airline.members().issue_link_code(asks::issue_link_code(&scene.li_miles, "market")).await;
    let code = answer.unwrap().into_inner().link_code;
    let invented = "0".repeat(code.len());
    let mut statuses = Vec::new();
    for sent in [&code, &invented] {
        let request = asks::merge(sent, &own);
        statuses.push(ask(&scene.babycare, "MemberService/MergeMembers", &request).await.unwrap_err());
    }
    assert_alike("link codes", (&statuses[0], &code), (&statuses[1], &invented));
    scene.hub.settle().await;
}
