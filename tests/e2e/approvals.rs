//! Suspending a partner, and what needs two people: asked for by one, done when a second one agrees.

use pointbridge_client::{Client, v1};
use tonic::Code;

use crate::asks;
use crate::harness::until;
use crate::program::{Serving, bootstrap, issue_partner, run_well};
use crate::raw::refused;
use crate::scene::{Scene, balance};

/// The operator's second person.
async fn zhao(scene: &Scene) -> Client {
    scene.hub.client("operator/zhao").await
}

async fn list(client: &Client, state: Option<v1::ApprovalState>) -> Vec<v1::Approval> {
    let request = v1::ListApprovalsRequest { state: state.map(Into::into), ..Default::default() };
    client.approvals().list_approvals(request).await.unwrap().into_inner().approvals
}

#[tokio::test]
async fn a_suspended_partner_ends_what_is_open_and_starts_again_when_two_people_say_so() {
    let scene = Scene::open().await;
    scene.earn("6666").await;
    let open = scene.prepare("6666", "SM-1").await.exchange_id;
    let mut operator = scene.operator.partners();
    let suspended = operator.suspend_partner(asks::suspend("market")).await.unwrap().into_inner();
    assert_eq!(suspended.partner.unwrap().status(), v1::PartnerStatus::Suspended);
    let again = operator.suspend_partner(asks::suspend("market")).await;
    refused(again, Code::FailedPrecondition, "PARTNER_NOT_ACTIVE");

    // Nothing new, neither by it nor with it, on the connections that were open.
    let mut market = scene.market.exchanges();
    let quote = asks::quote(&scene.li_points, &scene.li_miles, "1");
    refused(market.quote_exchange(quote).await, Code::PermissionDenied, "PARTNER_SUSPENDED");
    let back = asks::quote(&scene.li_miles, &scene.li_points, "100");
    let other = scene.airline.exchanges().quote_exchange(back).await;
    refused(other, Code::FailedPrecondition, "PARTNER_INACTIVE");
    let earn = scene.market.ledger().accrue_points(asks::accrue(&scene.li_points, "1")).await;
    refused(earn, Code::PermissionDenied, "PARTNER_SUSPENDED");
    market.commit_exchange(asks::commit(&open)).await.unwrap();
    market.get_exchange(asks::get_exchange(&open)).await.unwrap();

    let asked = operator.resume_partner(asks::resume("market")).await.unwrap().into_inner().approval.unwrap();
    assert_eq!((asked.state(), asked.requested_by.as_str()), (v1::ApprovalState::Pending, "operator/wang"));
    let alone = scene.operator.approvals().approve(asks::approve(&asked)).await;
    refused(alone, Code::FailedPrecondition, "SAME_PERSON");
    let zhao = zhao(&scene).await;
    assert_eq!(list(&zhao, Some(v1::ApprovalState::Pending)).await, std::slice::from_ref(&asked));
    let agree = asks::approve(&asked);
    let done = zhao.approvals().approve(agree.clone()).await.unwrap().into_inner();
    let Some(v1::approve_response::Outcome::Partner(partner)) = &done.outcome else { panic!("{done:?}") };
    assert_eq!(partner.status(), v1::PartnerStatus::Active);
    assert_eq!(done.approval.as_ref().unwrap().decided_by, "operator/zhao");
    assert_eq!(zhao.approvals().approve(agree).await.unwrap().into_inner(), done, "as it was then");
    scene.earn("1").await;
    let again = operator.resume_partner(asks::resume("market")).await;
    refused(again, Code::FailedPrecondition, "PARTNER_NOT_SUSPENDED");
    scene.hub.settle().await;
}

#[tokio::test]
async fn the_operator_corrects_an_account_with_two_people_and_its_partner_alone() {
    let scene = Scene::open().await;
    let mut operator = scene.operator.ledger();
    let answer = operator.adjust_points(asks::adjust(&scene.li_points, "40")).await.unwrap().into_inner();
    assert_eq!((&answer.balance, answer.record_id.as_str()), (&None, ""));
    let asked = answer.approval.unwrap();
    let Some(v1::approval::Content::AdjustPoints(content)) = &asked.content else { panic!("{asked:?}") };
    assert_eq!((content.membership_id.as_str(), content.amount.as_str()), (scene.li_points.as_str(), "40"));
    assert_eq!(scene.market_balance().await[0], "0");

    let zhao = zhao(&scene).await;
    let forged = v1::ApproveRequest { content_hash: "0".repeat(64), ..asks::approve(&asked) };
    let changed = zhao.approvals().approve(forged).await;
    refused(changed, Code::FailedPrecondition, "APPROVAL_CHANGED");
    let dry = v1::ApproveRequest { validate_only: true, ..asks::approve(&asked) };
    assert_eq!(zhao.approvals().approve(dry).await.unwrap().into_inner().record_id, "");
    assert_eq!(scene.market_balance().await[0], "0");
    // Many at once: one effect.
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (zhao, request) = (zhao.clone(), asks::approve(&asked));
        calls.spawn(async move { zhao.approvals().approve(request).await });
    }
    let answers = calls.join_all().await;
    let (done, late): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    for answer in late {
        refused(answer, Code::FailedPrecondition, "APPROVAL_NOT_PENDING");
    }
    assert_eq!(scene.market_balance().await[0], "40");

    let own = scene.market.ledger().adjust_points(asks::adjust(&scene.li_points, "-15")).await.unwrap();
    assert!(own.into_inner().approval.is_none());
    assert_eq!(balance(&scene.market, &scene.li_points).await[0], "25");

    let answer = operator.adjust_points(asks::adjust(&scene.li_points, "-5")).await.unwrap().into_inner();
    let unwanted = answer.approval.unwrap();
    let rejected =
        zhao.approvals().reject(asks::reject(&unwanted)).await.unwrap().into_inner().approval.unwrap();
    assert_eq!((rejected.state(), rejected.reason_code.as_str()), (v1::ApprovalState::Rejected, "NOT_YET"));
    let dead = zhao.approvals().approve(asks::approve(&unwanted)).await;
    refused(dead, Code::FailedPrecondition, "APPROVAL_NOT_PENDING");
    let auditor = scene.hub.auditor().await;
    let seen = list(&auditor, None).await.into_iter().map(|approval| approval.state()).collect::<Vec<_>>();
    assert_eq!(seen, [v1::ApprovalState::Rejected, v1::ApprovalState::Approved]);
    scene.hub.settle().await;
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the figures are what the test is run for")]
async fn the_program_itself_stops_a_suspended_partner_and_a_revoked_certificate_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    issue_partner(&data, "airline");
    issue_partner(&data, "market");
    let pki = data.join("pki").display().to_string();
    run_well(&["pki", "operator", "--dir", &pki, "--subject", "zhao"]);
    let hub = Serving::start(&data).await;
    let operator = hub.client("operator.wang").await;
    let airline = hub.client("partner.airline.partner.till-7").await;
    let market = hub.client("partner.market.partner.till-7").await;
    for code in ["airline", "market"] {
        operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    }
    let who = airline.partners().who_am_i(v1::WhoAmIRequest {}).await.unwrap().into_inner();

    operator.partners().suspend_partner(asks::suspend("airline")).await.unwrap();
    let took = until_refused(
        async |number| {
            let request = asks::create_program("airline", &format!("miles-{number}"), 0);
            airline.partners().create_program(request).await.err()
        },
        "PARTNER_SUSPENDED",
    );
    println!("a suspended partner was stopped after {:?}", took.await);
    airline.partners().who_am_i(v1::WhoAmIRequest {}).await.unwrap();

    operator
        .partners()
        .revoke_certificate(asks::revoke_certificate(&who.certificate_fingerprint))
        .await
        .unwrap();
    let took = until_refused(
        async |_| airline.partners().who_am_i(v1::WhoAmIRequest {}).await.err(),
        "CERTIFICATE_REVOKED",
    );
    println!("a revoked certificate was stopped after {:?}", took.await);
    market.partners().who_am_i(v1::WhoAmIRequest {}).await.unwrap();
    assert_eq!(hub.terminate().await.code(), Some(0));
}

/// Calls until it is refused for this reason, which must be within five seconds, and answers how long that took.
async fn until_refused(
    mut call: impl AsyncFnMut(u32) -> Option<tonic::Status>,
    reason: &str,
) -> std::time::Duration {
    let began = std::time::Instant::now();
    let mut number = 0;
    let refusal = until(reason, async || {
        number += 1;
        call(number).await.map(|status| pointbridge_client::Refusal::from(&status))
    });
    assert_eq!(refusal.await.reason, reason);
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{reason} only after {took:?}");
    took
}
