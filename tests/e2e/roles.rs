//! Method × role, walked in full: who may call what, decided before a body is looked at.
//!
//! Two independent sources are held against the running hub: the product's own table, and the list below, which repeats
//! what the interface's files promise to people.

use std::collections::BTreeMap;

use pointbridge::authz::TABLE;
use pointbridge::peer::Role;
use pointbridge_client::{Client, Refusal};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::asks;
use crate::harness::{Folder, Hub};
use crate::raw::{full, refused, send};
use crate::scene::Scene;

/// Who may call what: operator, partner, finance, auditor.
const PROMISED: &[(&str, &str)] = &[
    ("PartnerService/CreatePartner", "o---"),
    ("PartnerService/GetPartner", "opfa"),
    ("PartnerService/ListPartners", "opfa"),
    ("PartnerService/UpdatePartner", "op--"),
    ("PartnerService/CreateProgram", "op--"),
    ("PartnerService/UpdateProgram", "op--"),
    ("PartnerService/GetProgram", "opfa"),
    ("PartnerService/ListPrograms", "opfa"),
    ("AgreementService/ProposeAgreement", "-p--"),
    ("AgreementService/AcceptAgreement", "-p--"),
    ("AgreementService/GetAgreement", "opfa"),
    ("AgreementService/ListAgreements", "opfa"),
    ("MemberService/RegisterMembership", "-p--"),
    ("MemberService/GetMembership", "-p-a"),
    ("MemberService/IssueLinkCode", "-p--"),
    ("MemberService/MergeMembers", "-p--"),
    ("MemberService/GrantConsent", "-p--"),
    ("MemberService/WithdrawConsent", "-p--"),
    ("MemberService/ListConsents", "-p-a"),
    ("LedgerService/AccruePoints", "-p--"),
    ("LedgerService/AdjustPoints", "-p--"),
    ("LedgerService/GetBalance", "-pfa"),
    ("LedgerService/ListPostings", "-pfa"),
    ("LedgerService/ListLots", "-pfa"),
    ("ExchangeService/QuoteExchange", "-p--"),
    ("ExchangeService/PrepareExchange", "-p--"),
    ("ExchangeService/CommitExchange", "-p--"),
    ("ExchangeService/AbortExchange", "-p--"),
    ("ExchangeService/ReverseExchange", "-p--"),
    ("ExchangeService/GetExchange", "-pfa"),
    ("ExchangeService/ListExchanges", "-pfa"),
];

/// No message of any kind: a field number of zero.
const GARBAGE: [u8; 4] = [0x00, 0xff, 0x07, 0x80];

/// The paths of every method of the package.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(pointbridge_proto::FILE_DESCRIPTOR_SET).unwrap();
    let files = set.file.iter().filter(|file| file.package() == "pointbridge.v1");
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            service.method.iter().map(|method| full(&format!("{}/{}", service.name(), method.name())))
        })
        .collect()
}

fn letters(roles: &[Role]) -> String {
    let all = [(Role::Operator, 'o'), (Role::Partner, 'p'), (Role::Finance, 'f'), (Role::Auditor, 'a')];
    all.iter().map(|(role, letter)| if roles.contains(role) { *letter } else { '-' }).collect()
}

#[test]
fn the_table_of_rights_is_what_the_interface_promises() {
    let promised: BTreeMap<String, String> =
        PROMISED.iter().map(|(method, roles)| (full(method), (*roles).to_owned())).collect();
    let rows = TABLE.iter().filter(|row| row.method.starts_with("/pointbridge.v1."));
    let table: BTreeMap<String, String> =
        rows.map(|row| (row.method.to_owned(), letters(row.roles))).collect();
    assert_eq!(table, promised);
    assert_eq!(promised.keys().cloned().collect::<Vec<_>>(), {
        let mut all = methods();
        all.sort();
        all
    });
}

/// Holds that each method answers a body that is no message with `reason` where the role may call it, and refuses the
/// role before it looks at the body where it may not.
async fn walk(client: &Client, letter: Option<char>) {
    for method in methods() {
        let promised =
            PROMISED.iter().find(|(name, _)| full(name) == method).map(|(_, roles)| *roles).unwrap();
        let (code, reason) = match letter {
            None => (Code::Unauthenticated, "CERTIFICATE_UNKNOWN"),
            Some(letter) if promised.contains(letter) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Some(_) => (Code::PermissionDenied, "ROLE_NOT_ALLOWED"),
        };
        let status = send(client, &method, GARBAGE.to_vec()).await.expect_err("garbage is answered");
        let refusal = Refusal::from(&status);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (code, reason),
            "{method} for {letter:?}: {status:?}"
        );
    }
}

#[tokio::test]
async fn every_method_lets_in_exactly_the_roles_that_it_is_for_before_it_looks_at_the_body() {
    let scene = Scene::open().await;
    walk(&scene.operator, Some('o')).await;
    walk(&scene.market, Some('p')).await;
    walk(&scene.hub.finance("market").await, Some('f')).await;
    walk(&scene.hub.auditor().await, Some('a')).await;
    walk(&scene.hub.nobody().await, None).await;
    scene.hub.settle().await;
}

/// A well-formed request of every method, for objects that need not exist.
fn well_formed() -> Vec<(&'static str, Vec<u8>)> {
    let id = |prefix: &str| format!("{prefix}_{}", "0".repeat(32));
    let (program, membership, exchange) = (id("prg"), id("mbs"), id("exc"));
    let accept = pointbridge_client::v1::AcceptAgreementRequest {
        request_id: pointbridge_client::request_id(),
        validate_only: false,
        agreement_id: id("agr"),
        version: 1,
        terms_hash: "0".repeat(64),
    };
    let get_partner = pointbridge_client::v1::GetPartnerRequest { code: "cinema".to_owned() };
    let get_program = pointbridge_client::v1::GetProgramRequest { program_id: program.clone() };
    let terms = vec![asks::direction(&program, &id("prg"))];
    vec![
        ("PartnerService/GetPartner", get_partner.encode_to_vec()),
        ("PartnerService/ListPartners", Vec::new()),
        ("PartnerService/UpdatePartner", asks::update_partner("cinema", "Cinema").encode_to_vec()),
        ("PartnerService/CreateProgram", asks::create_program("cinema", "reels", 0).encode_to_vec()),
        ("PartnerService/UpdateProgram", asks::update_program(&program).encode_to_vec()),
        ("PartnerService/GetProgram", get_program.encode_to_vec()),
        ("PartnerService/ListPrograms", Vec::new()),
        ("AgreementService/ProposeAgreement", asks::propose("market", terms).encode_to_vec()),
        ("AgreementService/AcceptAgreement", accept.encode_to_vec()),
        ("AgreementService/GetAgreement", asks::get_agreement(&id("agr")).encode_to_vec()),
        ("AgreementService/ListAgreements", Vec::new()),
        ("MemberService/RegisterMembership", asks::register(&program, "reel/1").encode_to_vec()),
        ("MemberService/GetMembership", asks::get_membership(&membership).encode_to_vec()),
        ("MemberService/IssueLinkCode", asks::issue_link_code(&membership, "market").encode_to_vec()),
        ("MemberService/MergeMembers", asks::merge("CODE", &membership).encode_to_vec()),
        ("MemberService/GrantConsent", asks::consent(&membership, "market").encode_to_vec()),
        ("MemberService/WithdrawConsent", asks::withdraw(&id("cns")).encode_to_vec()),
        ("MemberService/ListConsents", asks::list_consents(&membership).encode_to_vec()),
        ("LedgerService/AccruePoints", asks::accrue(&membership, "1").encode_to_vec()),
        ("LedgerService/AdjustPoints", asks::adjust(&membership, "1").encode_to_vec()),
        ("LedgerService/GetBalance", asks::get_balance(&membership).encode_to_vec()),
        ("LedgerService/ListPostings", asks::list_postings(&membership).encode_to_vec()),
        ("LedgerService/ListLots", asks::list_lots(&membership).encode_to_vec()),
        ("ExchangeService/QuoteExchange", asks::quote(&membership, &membership, "1").encode_to_vec()),
        ("ExchangeService/PrepareExchange", asks::prepare("TOKEN", "R-1").encode_to_vec()),
        ("ExchangeService/CommitExchange", asks::commit(&exchange).encode_to_vec()),
        ("ExchangeService/AbortExchange", asks::abort(&exchange).encode_to_vec()),
        ("ExchangeService/ReverseExchange", asks::reverse(&exchange, None).encode_to_vec()),
        ("ExchangeService/GetExchange", asks::get_exchange(&exchange).encode_to_vec()),
        ("ExchangeService/ListExchanges", Vec::new()),
    ]
}

#[tokio::test]
async fn a_certificate_of_a_company_that_is_no_partner_may_call_nothing() {
    let scene = Scene::open().await;
    let partner = scene.hub.partner("cinema").await;
    let finance = scene.hub.finance("cinema").await;
    let requests = well_formed();
    for (client, letter) in [(&partner, 'p'), (&finance, 'f')] {
        for (method, _) in PROMISED.iter().filter(|(_, roles)| roles.contains(letter)) {
            let (_, bytes) = requests.iter().find(|(name, _)| name == method).expect(method);
            let answer = send(client, &full(method), bytes.clone()).await;
            refused(answer, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
        }
    }
    // Once the operator has created the partner, the same certificate is somebody's.
    scene.operator.partners().create_partner(asks::create_partner("cinema")).await.unwrap();
    let request = pointbridge_client::v1::GetPartnerRequest { code: "cinema".to_owned() };
    partner.partners().get_partner(request).await.unwrap();
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_gets_no_answer() {
    let hub = Hub::start().await;
    let stranger = Hub::start_in(Folder::fresh(), 0).await;
    let reached = hub.client_of_another(&stranger, "operator/wang").await;
    if let Ok(client) = reached {
        let answer =
            client.partners().list_partners(pointbridge_client::v1::ListPartnersRequest::default()).await;
        let status = answer.expect_err("a stranger is answered");
        assert_eq!(Refusal::from(&status).reason, "", "the hub spoke to a stranger: {status:?}");
    }
    hub.settle().await;
}

#[tokio::test]
async fn the_role_in_a_certificate_counts_and_not_who_the_body_says() {
    let scene = Scene::open().await;
    // The market's system names the airline's program: the certificate decides, so it is another's.
    let answer =
        scene.market.members().register_membership(asks::register(&scene.miles, "market/wang")).await;
    refused(answer, Code::NotFound, "PROGRAM_NOT_FOUND");
    let finance = scene.hub.finance("market").await;
    let answer = finance.ledger().accrue_points(asks::accrue(&scene.li_points, "5")).await;
    let refusal = refused(answer, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    assert!(
        refusal.message.contains("finance") && refusal.message.contains("partner"),
        "{}",
        refusal.message
    );
    scene.hub.settle().await;
}
