//! What no well-behaved client sends: bytes that are no message, messages that break many rules, methods that are not
//! there. Each gets a reason, none gets the hub's own fault, and the hub serves on.

use pointbridge::authz::{Effect, TABLE};
use pointbridge_client::{Client, Refusal, v1};
use prost::Message;
use tonic::{Code, Status};

use crate::asks;
use crate::raw::{full, refused, refused_at, send, send_nothing};
use crate::scene::Scene;

/// The methods that a partner's systems may call.
fn of_a_partner() -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(|row| row.method.starts_with("/pointbridge.v1."))
        .filter(|row| row.roles.contains(&pointbridge::peer::Role::Partner))
        .map(|row| row.method)
}

#[tokio::test]
async fn bytes_that_are_no_message_are_told_apart_from_messages_that_break_rules() {
    let scene = Scene::open().await;
    let garbage: [&[u8]; 6] = [
        &[0xff; 16],
        b"GET / HTTP/1.1",
        &[0x0a, 0x7f, 0x00],
        // A string that is not UTF-8, in field 1.
        &[0x0a, 0x02, 0xff, 0xfe],
        // A group that never ends.
        &[0x0b],
        // Field 1 as a number of more than ten bytes.
        &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ];
    for method in of_a_partner() {
        for bytes in garbage {
            let answer = send(&scene.market, method, bytes.to_vec()).await;
            // What has no fields passes over every field that is well-formed.
            if method.ends_with("/WhoAmI") && answer.is_ok() {
                continue;
            }
            // A field that a message does not have may be well-formed there.
            let refusal = Refusal::from(&answer.expect_err(method));
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::InvalidArgument, "MALFORMED_MESSAGE"),
                "{method} {bytes:?}"
            );
        }
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn every_broken_field_of_a_request_is_named_at_once() {
    let scene = Scene::open().await;
    let wrong = v1::GrantConsentRequest {
        request_id: "not a uuid".to_owned(),
        validate_only: false,
        membership_id: "mbs_short".to_owned(),
        recipient_partner_code: "UPPER".to_owned(),
        scope: 0,
        purpose: "lower".to_owned(),
        notice_version: String::new(),
        evidence_hash: "F".repeat(64),
        expire_time: None,
    };
    let answer = scene.market.members().grant_consent(wrong).await;
    let refusal = refused(answer, Code::InvalidArgument, "VALIDATION_FAILED");
    let fields: Vec<&str> = refusal.violations.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "request_id",
            "membership_id",
            "recipient_partner_code",
            "scope",
            "purpose",
            "notice_version",
            "evidence_hash"
        ]
    );
    assert_eq!(refusal.metadata.get("violations").map(String::as_str), Some("7"));
    for violation in &refusal.violations {
        assert!(!violation.description.contains("UPPER") && !violation.description.contains("mbs_short"));
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn an_empty_request_names_what_is_required_and_every_writing_one_needs_its_request_id() {
    let scene = Scene::open().await;
    for row in TABLE.iter().filter(|row| row.effect == Effect::Write) {
        let client = if row.roles.contains(&pointbridge::peer::Role::Partner) {
            &scene.market
        } else {
            &scene.operator
        };
        let answer = send(client, row.method, Vec::new()).await;
        let refusal = refused(answer, Code::InvalidArgument, "VALIDATION_FAILED");
        assert_eq!(refusal.violations[0].field, "request_id", "{}", row.method);
    }
    for id in ["", "x", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b8109dad11d180b400c04fd430c8"] {
        let request =
            v1::AccruePointsRequest { request_id: id.to_owned(), ..asks::accrue(&scene.li_points, "1") };
        refused_at(scene.market.ledger().accrue_points(request).await, "VALIDATION_FAILED", "request_id");
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unknown_to_everybody_who_is_somebody() {
    let scene = Scene::open().await;
    let paths = [
        "/pointbridge.v1.PartnerService/DeletePartner",
        "/pointbridge.v1.PartnerService/createPartner",
        "/pointbridge.v1.CouponService/ListTemplates",
        "/pointbridge.v2.PartnerService/GetPartner",
        "/grpc.health.v1.Health/Nothing",
        "/",
        "/favicon.ico",
    ];
    for path in paths {
        for client in [&scene.operator, &scene.market] {
            refused(send(client, path, Vec::new()).await, Code::Unimplemented, "METHOD_UNKNOWN");
        }
        let nobody = send(&scene.hub.nobody().await, path, Vec::new()).await;
        refused(nobody, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
    }
    scene.hub.settle().await;
}

/// Holds that a call was refused as the caller's fault.
fn assert_callers_fault(what: &str, answer: Result<Vec<u8>, Status>) {
    let status = answer.expect_err(what);
    let refusal = Refusal::from(&status);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::InvalidArgument, "MALFORMED_MESSAGE"),
        "{what}: {status:?}"
    );
}

#[tokio::test]
async fn a_call_without_a_message_or_with_an_enormous_one_is_the_callers_fault() {
    let scene = Scene::open().await;
    for method in of_a_partner() {
        assert_callers_fault(method, send_nothing(&scene.market, method).await);
    }
    let enormous =
        v1::AccruePointsRequest { reference: "r".repeat(300 * 1024), ..asks::accrue(&scene.li_points, "1") };
    let answer = send(&scene.market, &full("LedgerService/AccruePoints"), enormous.encode_to_vec()).await;
    assert_callers_fault("300 KiB", answer);
    serves_on(&scene.market, &scene.li_points).await;
    scene.hub.settle().await;
}

async fn serves_on(client: &Client, membership: &str) {
    client.ledger().accrue_points(asks::accrue(membership, "1")).await.unwrap();
}

#[tokio::test]
async fn fields_that_the_hub_does_not_know_change_nothing() {
    let scene = Scene::open().await;
    let mut bytes = asks::accrue(&scene.li_points, "10").encode_to_vec();
    // Field 1000 with three bytes, as a later version of the interface might send.
    bytes.extend([0xc2, 0x3e, 0x03, b'n', b'e', b'w']);
    send(&scene.market, &full("LedgerService/AccruePoints"), bytes).await.unwrap();
    assert_eq!(scene.market_balance().await, ["10", "0", "10"]);
    scene.hub.settle().await;
}
