//! What stands around the interface: health, reflection, and an end in order.

use pointbridge_client::{Client, v1};
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto};
use tokio::sync::oneshot;
use tonic::Code;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::asks;
use crate::harness::{Hub, until};
use crate::raw::{begin, full, refused, send};
use crate::scene::Scene;
use pointbridge::serve::Stopped;

#[tokio::test]
async fn every_role_is_told_that_the_hub_serves_and_nobody_else() {
    let hub = Hub::start().await;
    for client in [
        hub.operator().await,
        hub.auditor().await,
        hub.partner("airline").await,
        hub.finance("airline").await,
    ] {
        let mut health = HealthClient::new(client.channel());
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
        let named = HealthCheckRequest { service: "pointbridge.v1.ExchangeService".to_owned() };
        assert_eq!(health.check(named).await.unwrap().into_inner().status(), ServingStatus::Serving);
        let unknown = health.check(HealthCheckRequest { service: "nobody".to_owned() }).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    }
    let nobody = send(&hub.nobody().await, "/grpc.health.v1.Health/Check", Vec::new()).await;
    refused(nobody, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
    hub.stop().await;
}

#[tokio::test]
async fn a_watcher_is_told_when_the_hub_goes_down() {
    let hub = Hub::start().await;
    let mut health = HealthClient::new(hub.operator().await.channel());
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopping = hub.ask_to_stop();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    // Whoever goes on watching does not hold the hub up.
    assert_eq!(stopping.end().await.0, Stopped::Asked);
    drop((watched, health));
}

/// Asks both versions of reflection and holds that the answers are the same: services, or the files of a symbol.
macro_rules! reflected {
    ($client:expr, $version:ident, $request:ident($argument:expr), $answer:ident) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::$request($argument)),
        };
        let mut reflection = ServerReflectionClient::new($client.channel());
        let answers = reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        let answer = answers.into_inner().next().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::$answer(answer) = answer else { panic!("reflection answers {answer:?}") };
        answer
    }};
}

fn assert_services(mut names: Vec<String>) {
    names.sort();
    let ours = ["Agreement", "Exchange", "Ledger", "Member", "Partner"];
    for name in ours {
        assert!(names.contains(&format!("pointbridge.v1.{name}Service")), "{name} is not among {names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
}

fn assert_has(files: &[Vec<u8>], message: &str) {
    let files: Vec<FileDescriptorProto> =
        files.iter().map(|bytes| FileDescriptorProto::decode(&**bytes).unwrap()).collect();
    let mut names = files.iter().flat_map(|file| &file.message_type).map(DescriptorProto::name);
    assert!(names.any(|name| name == message), "{message} is in none of {} files", files.len());
}

#[tokio::test]
async fn both_versions_of_reflection_list_the_services_and_explain_error_details() {
    let hub = Hub::start().await;
    let client: Client = hub.partner("airline").await;
    let one = reflected!(client, v1, ListServices(String::new()), ListServicesResponse);
    assert_services(one.service.into_iter().map(|service| service.name).collect());
    let alpha = reflected!(client, v1alpha, ListServices(String::new()), ListServicesResponse);
    assert_services(alpha.service.into_iter().map(|service| service.name).collect());
    for (symbol, message) in [
        ("google.rpc.ErrorInfo", "ErrorInfo"),
        ("google.rpc.BadRequest", "BadRequest"),
        ("pointbridge.v1.Exchange", "Exchange"),
    ] {
        let files = reflected!(client, v1, FileContainingSymbol(symbol.to_owned()), FileDescriptorResponse);
        assert_has(&files.file_descriptor_proto, message);
        let files =
            reflected!(client, v1alpha, FileContainingSymbol(symbol.to_owned()), FileDescriptorResponse);
        assert_has(&files.file_descriptor_proto, message);
    }
    hub.stop().await;
}

#[tokio::test]
async fn a_call_under_way_ends_well_when_the_hub_is_asked_to_stop() {
    use prost::Message as _;
    let scene = Scene::open().await;
    let (message, comes_later) = oneshot::channel();
    let call = begin(&scene.market, &full("LedgerService/AccruePoints"), comes_later).await;
    // Answered on the same connection after the call above was begun, so that the hub has seen its beginning.
    until("the call is under way", async || {
        scene.market_balance().await;
        Some(())
    })
    .await;
    let (market, li_points) = (scene.market.clone(), scene.li_points.clone());
    let (address, stopping) = (scene.hub.address, scene.hub.ask_to_stop());
    // The hub takes no new connection from now on; it says so by closing its port.
    until("the port is closed", async || tokio::net::TcpStream::connect(address).await.err()).await;
    message.send(asks::accrue(&li_points, "10").encode_to_vec()).unwrap();
    let answer = v1::AccruePointsResponse::decode(&*call.await.unwrap().unwrap()).unwrap();
    assert_eq!(answer.balance.unwrap().posted, "10");
    let (stopped, folder) = stopping.end().await;
    assert_eq!(stopped, Stopped::Asked);
    let late = market.ledger().get_balance(asks::get_balance(&li_points)).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late:?}");

    folder.assert_books_hold(0).await;
    let hub = Hub::start_in(folder, 0).await;
    assert_eq!(crate::scene::balance(&hub.partner("market").await, &li_points).await[0], "10");
    hub.settle().await;
}
