//! MemberService: memberships, the proof that two are one person's, and what that person agrees to.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::harness::Folder;
use crate::harness::Hub;
use crate::raw::{refused, refused_at};
use crate::scene::{Scene, grant, link, member};

#[tokio::test]
async fn a_membership_is_registered_once_and_read_by_id_or_reference() {
    let scene = Scene::open().await;
    let mut members = scene.airline.members();
    let registered = members.register_membership(asks::register(&scene.miles, "crane/wang")).await.unwrap();
    let registered = registered.into_inner().membership.unwrap();
    assert_eq!(registered.status(), v1::MembershipStatus::Active);
    assert_eq!(
        (registered.partner_code.as_str(), registered.external_reference.as_str()),
        ("airline", "crane/wang")
    );
    let by_id = members.get_membership(asks::get_membership(&registered.membership_id)).await.unwrap();
    let by_reference =
        members.get_membership(asks::get_membership_by_reference(&scene.miles, "crane/wang")).await;
    assert_eq!(by_id.into_inner().membership.as_ref(), Some(&registered));
    assert_eq!(by_reference.unwrap().into_inner().membership.as_ref(), Some(&registered));
    let audited = scene.hub.auditor().await.members();
    let audited = { audited }.get_membership(asks::get_membership(&registered.membership_id)).await.unwrap();
    assert_eq!(
        audited.into_inner().membership.unwrap().external_reference,
        "",
        "shown to its own partner only"
    );

    let again = members.register_membership(asks::register(&scene.miles, "crane/wang")).await;
    refused(again, Code::AlreadyExists, "MEMBERSHIP_EXISTS");
    for reference in ["", "with space", "-dash", "a@b.example", &"r".repeat(65)] {
        let answer = members.register_membership(asks::register(&scene.miles, reference)).await;
        refused_at(answer, "VALIDATION_FAILED", "external_reference");
    }
    let nameless = members.get_membership(v1::GetMembershipRequest { name: None }).await;
    refused_at(nameless, "VALIDATION_FAILED", "name");
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_link_code_links_once_and_only_for_the_partner_that_it_names() {
    let scene = Scene::open().await;
    let wang_miles = member(&scene.airline, &scene.miles, "crane/wang").await;
    let wang_points = member(&scene.market, &scene.points, "market/wang").await;
    let wang_stars = member(&scene.babycare, &scene.stars, "panda/wang").await;
    let answer = scene.airline.members().issue_link_code(asks::issue_link_code(&wang_miles, "market")).await;
    let code = answer.unwrap().into_inner().link_code;
    assert!((26..=64).contains(&code.len()), "{}", code.len());

    let other = scene.babycare.members().merge_members(asks::merge(&code, &wang_stars)).await;
    refused(other, Code::NotFound, "LINK_CODE_INVALID");
    let invented = scene.market.members().merge_members(asks::merge("00000-0000", &wang_points)).await;
    refused(invented, Code::NotFound, "LINK_CODE_INVALID");
    // As people type it: in lower case, without dashes.
    let typed = code.to_lowercase().replace('-', " ");
    let merged = scene.market.members().merge_members(asks::merge(&typed, &wang_points)).await.unwrap();
    let merged = merged.into_inner().membership.unwrap();
    assert_eq!(merged.membership_id, wang_points);
    let linked: Vec<&str> =
        merged.linked_memberships.iter().map(|other| other.membership_id.as_str()).collect();
    assert_eq!(linked, [wang_miles.as_str()]);
    let seen = scene.airline.members().get_membership(asks::get_membership(&wang_miles)).await.unwrap();
    let seen = seen.into_inner().membership.unwrap().linked_memberships;
    assert_eq!((seen.len(), seen[0].membership_id.as_str()), (1, wang_points.as_str()));

    let spent = scene.market.members().merge_members(asks::merge(&code, &wang_points)).await;
    refused(spent, Code::NotFound, "LINK_CODE_INVALID");
    let own = scene.airline.members().issue_link_code(asks::issue_link_code(&wang_miles, "airline")).await;
    refused(own, Code::FailedPrecondition, "SAME_PARTNER");
    let nobody = scene.airline.members().issue_link_code(asks::issue_link_code(&wang_miles, "nobody")).await;
    refused(nobody, Code::NotFound, "PARTNER_NOT_FOUND");
    // Two people of one program cannot be one.
    let answer =
        scene.airline.members().issue_link_code(asks::issue_link_code(&scene.li_miles, "market")).await;
    let code = answer.unwrap().into_inner().link_code;
    let conflict = scene.market.members().merge_members(asks::merge(&code, &wang_points)).await;
    refused(conflict, Code::FailedPrecondition, "MEMBERS_CONFLICT");
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_link_code_is_over_after_ten_minutes() {
    let hub = Hub::start().await;
    let operator = hub.operator().await;
    for code in ["airline", "market"] {
        operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    }
    let (airline, market) = (hub.partner("airline").await, hub.partner("market").await);
    let miles = crate::scene::program(&airline, asks::create_program("airline", "miles", 0)).await;
    let points = crate::scene::program(&market, asks::create_program("market", "points", 0)).await;
    let there = member(&airline, &miles, "crane/li").await;
    let here = member(&market, &points, "market/li").await;
    let answer = airline.members().issue_link_code(asks::issue_link_code(&there, "market")).await;
    let code = answer.unwrap().into_inner().link_code;
    let later = 601;
    let folder: Folder = hub.stop().await;
    let hub = Hub::start_in(folder, later).await;
    let market = hub.partner("market").await;
    let late = market.members().merge_members(asks::merge(&code, &here)).await;
    refused(late, Code::NotFound, "LINK_CODE_INVALID");
    link(&hub.partner("airline").await, &there, ("market", &market), &here).await;
    hub.settle().await;
}

#[tokio::test]
async fn a_consent_is_given_replaced_and_withdrawn_once() {
    let scene = Scene::open().await;
    let mut market = scene.market.members();
    let second = grant(&scene.market, &scene.li_points, "airline").await;
    assert_ne!(second, scene.consent);
    let withdrawn =
        market.withdraw_consent(asks::withdraw(&second)).await.unwrap().into_inner().consent.unwrap();
    assert_eq!(withdrawn.withdraw_reason_code, "MEMBER_REQUEST");
    assert!(withdrawn.withdraw_time.is_some());
    let again = market.withdraw_consent(asks::withdraw(&second)).await;
    refused(again, Code::FailedPrecondition, "CONSENT_WITHDRAWN");
    let listed =
        market.list_consents(asks::list_consents(&scene.li_points)).await.unwrap().into_inner().consents;
    let told: Vec<_> =
        listed.iter().map(|one| (one.consent_id.as_str(), one.withdraw_time.is_some())).collect();
    assert_eq!(told, [(scene.consent.as_str(), false), (second.as_str(), true)]);
    let quote = asks::quote(&scene.li_points, &scene.li_miles, "6666");
    let missing = scene.market.exchanges().quote_exchange(quote).await;
    refused(missing, Code::FailedPrecondition, "CONSENT_MISSING");

    let own = market.grant_consent(asks::consent(&scene.li_points, "market")).await;
    refused(own, Code::FailedPrecondition, "SAME_PARTNER");
    let nobody = market.grant_consent(asks::consent(&scene.li_points, "nobody")).await;
    refused(nobody, Code::NotFound, "PARTNER_NOT_FOUND");
    let past = v1::GrantConsentRequest {
        expire_time: Some(prost_types::Timestamp { seconds: 1_000_000_000, nanos: 0 }),
        ..asks::consent(&scene.li_points, "airline")
    };
    refused_at(market.grant_consent(past).await, "VALIDATION_FAILED", "expire_time");
    let unknown = v1::GrantConsentRequest { scope: 99, ..asks::consent(&scene.li_points, "airline") };
    refused_at(market.grant_consent(unknown).await, "VALIDATION_FAILED", "scope");
    scene.hub.settle().await;
}
