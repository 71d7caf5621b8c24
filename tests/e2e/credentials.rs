//! Certificates that are pinned and revoked on live connections, signing keys, and who the hub takes a caller for.

use pointbridge_client::{Client, v1};
use tonic::Code;

use crate::asks;
use crate::raw::{refused, refused_at};
use crate::scene::Scene;

async fn who(client: &Client) -> Result<v1::WhoAmIResponse, tonic::Status> {
    client.partners().who_am_i(v1::WhoAmIRequest {}).await.map(tonic::Response::into_inner)
}

async fn certificates(client: &Client, partner: Option<&str>) -> Vec<(String, v1::CertificateStatus)> {
    let partner_code = partner.map(ToOwned::to_owned);
    let request = v1::ListCertificatesRequest { partner_code, ..Default::default() };
    let answer = client.partners().list_certificates(request).await.unwrap().into_inner();
    answer.certificates.iter().map(|found| (found.principal.clone(), found.status())).collect()
}

#[tokio::test]
async fn everybody_is_told_who_they_are() {
    let scene = Scene::open().await;
    let till = who(&scene.airline).await.unwrap();
    assert_eq!((till.principal.as_str(), till.role.as_str()), ("partner/airline/partner/till-7", "partner"));
    assert_eq!(till.partner.as_ref().unwrap().code, "airline");
    assert_eq!((till.certificate_fingerprint.len(), till.certificate_pinned), (64, false));
    assert_eq!(
        (till.environment(), till.server_version.as_str()),
        (v1::Environment::Live, env!("CARGO_PKG_VERSION"))
    );
    let (now, end) = (till.server_time.unwrap(), till.certificate_not_after_time.unwrap());
    assert!(now.seconds < end.seconds, "{now:?} {end:?}");
    for (client, role) in [
        (&scene.operator, "operator"),
        (&scene.hub.finance("airline").await, "finance"),
        (&scene.hub.auditor().await, "auditor"),
    ] {
        let somebody = who(client).await.unwrap();
        assert_eq!((somebody.role.as_str(), somebody.partner.is_some()), (role, role == "finance"));
        assert_ne!(somebody.certificate_fingerprint, till.certificate_fingerprint);
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn from_the_first_pin_on_other_certificates_are_refused_on_open_connections() {
    let scene = Scene::open().await;
    let pem = |subject: &str| scene.hub.certificate_pem(&format!("partner/airline/partner/{subject}"));
    let second = scene.hub.client("partner/airline/partner/till-8").await;
    who(&second).await.unwrap();
    let mut airline = scene.airline.partners();
    let blind = airline.add_certificate(asks::add_certificate("airline", &pem("till-8"))).await;
    refused(blind, Code::FailedPrecondition, "WOULD_LOCK_OUT");
    let pinned = airline.add_certificate(asks::add_certificate("airline", &pem("till-7"))).await.unwrap();
    let pinned = pinned.into_inner().certificate.unwrap();
    assert_eq!(pinned.principal, "partner/airline/partner/till-7");
    assert!(pinned.serial.len() >= 2 && pinned.not_after_time.is_some());
    assert!(who(&scene.airline).await.unwrap().certificate_pinned);
    refused(who(&second).await, Code::Unauthenticated, "CERTIFICATE_NOT_PINNED");
    let again = airline.add_certificate(asks::add_certificate("airline", &pem("till-7"))).await;
    refused(again, Code::AlreadyExists, "CERTIFICATE_EXISTS");

    scene
        .operator
        .partners()
        .add_certificate(asks::add_certificate("airline", &pem("till-8")))
        .await
        .unwrap();
    let fingerprint = who(&second).await.unwrap().certificate_fingerprint;
    airline.revoke_certificate(asks::revoke_certificate(&fingerprint)).await.unwrap();
    refused(who(&second).await, Code::Unauthenticated, "CERTIFICATE_REVOKED");
    let back = airline.add_certificate(asks::add_certificate("airline", &pem("till-8"))).await;
    refused(back, Code::FailedPrecondition, "CERTIFICATE_ALREADY_REVOKED");
    let twice = airline.revoke_certificate(asks::revoke_certificate(&fingerprint)).await;
    refused(twice, Code::FailedPrecondition, "CERTIFICATE_ALREADY_REVOKED");
    let mut seen = certificates(&scene.airline, None).await;
    seen.sort();
    let [pinned, revoked] = [v1::CertificateStatus::Pinned, v1::CertificateStatus::Revoked];
    let name = |subject: &str| format!("partner/airline/partner/{subject}");
    assert_eq!(seen, [(name("till-7"), pinned), (name("till-8"), revoked)]);
    assert_eq!(certificates(&scene.market, Some("airline")).await, []);
    scene.market.partners().list_certificates(v1::ListCertificatesRequest::default()).await.unwrap();

    // Its own, with the last word: after that it is nobody.
    let own = who(&scene.airline).await.unwrap().certificate_fingerprint;
    airline.revoke_certificate(asks::revoke_certificate(&own)).await.unwrap();
    refused(who(&scene.airline).await, Code::Unauthenticated, "CERTIFICATE_REVOKED");
    // Without pins, another certificate that names the partner is let in again.
    who(&scene.hub.client("partner/airline/partner/till-9").await).await.unwrap();
    scene.hub.settle().await;
}

#[tokio::test]
async fn an_operator_who_is_revoked_is_stopped_too() {
    let scene = Scene::open().await;
    let zhao = scene.hub.client("operator/zhao").await;
    let fingerprint = who(&zhao).await.unwrap().certificate_fingerprint;
    // A partner's word does not count for the operator's people.
    scene.airline.partners().revoke_certificate(asks::revoke_certificate(&fingerprint)).await.unwrap();
    who(&zhao).await.unwrap();
    scene.operator.partners().revoke_certificate(asks::revoke_certificate(&fingerprint)).await.unwrap();
    refused(who(&zhao).await, Code::Unauthenticated, "CERTIFICATE_REVOKED");
    who(&scene.operator).await.unwrap();
    scene.hub.settle().await;
}

#[tokio::test]
async fn what_cannot_be_pinned_is_told_why() {
    let scene = Scene::open().await;
    let mut airline = scene.airline.partners();
    let own = scene.hub.certificate_pem("partner/airline/partner/till-7");
    let [foreign, authority] = scene.hub.useless_pems();
    let others = scene.hub.certificate_pem("partner/market/partner/till-7");
    let operators = scene.hub.certificate_pem("operator/wang");
    for (what, pem) in [
        ("no PEM", "hello".to_owned()),
        ("two", format!("{own}{others}")),
        ("an authority's", authority),
        ("of another trust domain", foreign),
        ("another partner's", others),
        ("the operator's", operators),
        ("broken", own.replace('M', "N")),
    ] {
        let answer = airline.add_certificate(asks::add_certificate("airline", &pem)).await;
        let refusal = refused(answer, Code::InvalidArgument, "CERTIFICATE_INVALID");
        assert!(refusal.message.len() > 30, "{what}: {}", refusal.message);
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_signing_key_is_registered_once_and_shown_with_its_program() {
    let scene = Scene::open().await;
    let mut airline = scene.airline.partners();
    let key = airline.register_signing_key(asks::register_key(&scene.miles, "2026-11")).await.unwrap();
    let key = key.into_inner().signing_key.unwrap();
    assert_eq!(
        (key.key_id.as_str(), key.registered_by.as_str()),
        ("2026-11", "partner/airline/partner/till-7")
    );
    let read = v1::GetProgramRequest { program_id: scene.miles.clone() };
    let shown = airline.get_program(read).await.unwrap().into_inner().signing_keys;
    assert_eq!(shown, [key]);
    let again = airline.register_signing_key(asks::register_key(&scene.miles, "2026-11")).await;
    refused(again, Code::AlreadyExists, "SIGNING_KEY_EXISTS");
    // No point of the curve, points of small order, and a sound point in another than its one form.
    let unsound = [
        "0200000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for public_key in unsound {
        let request = v1::RegisterSigningKeyRequest {
            public_key: public_key.to_owned(),
            ..asks::register_key(&scene.miles, "2026-12")
        };
        refused_at(airline.register_signing_key(request).await, "VALIDATION_FAILED", "public_key");
    }
    scene.hub.settle().await;
}
