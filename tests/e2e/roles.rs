//! Method × role: who may call what is decided before a body is looked at, as it was reviewed.
//!
//! Absent: requests in order, and whose objects they name; the walk of rights has those.

use pointbridge::peer::Role;
use pointbridge_client::{Client, Refusal};
use tonic::Code;

use crate::asks;
use crate::harness::{Folder, Hub};
use crate::raw::{refused, send};
use crate::scene::Scene;

/// No message of any kind: a field number of zero.
const GARBAGE: [u8; 4] = [0x00, 0xff, 0x07, 0x80];

/// The methods of the package and the roles that they are for, as they were reviewed.
fn promised() -> Vec<(&'static str, Vec<&'static str>)> {
    let reviewed = include_str!("golden/rights.txt").lines().filter_map(|line| line.split_once(" | "));
    let rows = reviewed.filter(|(row, _)| row.starts_with("/pointbridge.v1."));
    let split = rows.map(|(row, _)| {
        let mut words = row.split_whitespace();
        (words.next().unwrap(), words.collect())
    });
    let promised: Vec<_> = split.collect();
    assert!(promised.len() >= 30, "{promised:?}");
    promised
}

/// Holds that each method answers a body that is no message with `reason` where the role may call it, and refuses the
/// role before it looks at the body where it may not.
async fn walk(client: &Client, role: Option<Role>) {
    for (method, roles) in promised() {
        let (code, reason) = match role {
            None => (Code::Unauthenticated, "CERTIFICATE_UNKNOWN"),
            Some(role) if roles.contains(&role.as_str()) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Some(_) => (Code::PermissionDenied, "ROLE_NOT_ALLOWED"),
        };
        let status = send(client, method, GARBAGE.to_vec()).await.expect_err("garbage is answered");
        let refusal = Refusal::from(&status);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (code, reason),
            "{method} for {role:?}: {status:?}"
        );
    }
}

#[tokio::test]
async fn every_method_lets_in_exactly_the_roles_that_it_is_for_before_it_looks_at_the_body() {
    let scene = Scene::open().await;
    walk(&scene.operator, Some(Role::Operator)).await;
    walk(&scene.market, Some(Role::Partner)).await;
    walk(&scene.hub.finance("market").await, Some(Role::Finance)).await;
    walk(&scene.hub.auditor().await, Some(Role::Auditor)).await;
    walk(&scene.hub.nobody().await, None).await;
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_certificate_is_somebodys_once_its_partner_is_registered() {
    let scene = Scene::open().await;
    let partner = scene.hub.partner("cinema").await;
    for client in [&partner, &scene.hub.finance("cinema").await] {
        let request = pointbridge_client::v1::GetPartnerRequest { code: "cinema".to_owned() };
        refused(client.partners().get_partner(request).await, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
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
