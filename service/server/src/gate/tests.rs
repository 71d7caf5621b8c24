//! The gate before services that hang, that stream, and that are asked too much.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic_types::StatusExt;

use super::*;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::peer::{Principal, TrustDomain};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
const WRITE: &str = "/pointbridge.v1.ExchangeService/PrepareExchange";
const READ: &str = "/pointbridge.v1.LedgerService/GetBalance";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// Knows everybody or nobody, and counts who asked.
struct Everybody(bool, AtomicUsize);

impl Everybody {
    fn known(known: bool) -> Arc<Self> {
        Arc::new(Self(known, AtomicUsize::new(0)))
    }
}

impl Registry for Everybody {
    async fn require(&self, _caller: &Caller, _certificate: &PeerCertificate) -> Result<(), Status> {
        self.1.fetch_add(1, Ordering::SeqCst);
        if self.0 { Ok(()) } else { Err(Status::unauthenticated("nobody knows you")) }
    }
}

/// Never knows.
struct Undecided;

impl Registry for Undecided {
    async fn require(&self, _caller: &Caller, _certificate: &PeerCertificate) -> Result<(), Status> {
        std::future::pending().await
    }
}

fn request<B>(principal: &str, path: &str, timeout: &str, body: B) -> http::Request<B> {
    let domain = TrustDomain::parse("alliance.example").unwrap();
    let principal = Principal::from_path(principal, &domain).map(Arc::new);
    let certificate = Arc::new(PeerCertificate::of(b"a certificate"));
    let peer = PeerInfo { principal, certificate, remote: "127.0.0.1:1".parse().unwrap() };
    http::Request::builder()
        .method("POST")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .uri(path)
        .header("grpc-timeout", timeout)
        .extension(peer)
        .body(body)
        .unwrap()
}

fn call(path: &str, timeout: &str) -> http::Request<Empty<Bytes>> {
    request("partner/airline/partner/till-7", path, timeout, Empty::new())
}

/// Answers with nothing, at once.
async fn answer(_: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    Ok(http::Response::new(Body::empty()))
}

/// Never answers.
async fn hang(_: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    std::future::pending().await
}

/// The status of a call whose handler never answers.
async fn of_a_call_that_hangs(registry: Arc<impl Registry>, request: http::Request<Empty<Bytes>>) -> Status {
    let mut gated = Gate::new(registry, Allowance::default()).layer(tower::service_fn(hang));
    let Ok(response) = gated.call(request).await;
    Status::from_header_map(response.headers()).unwrap()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn a_call_that_hangs_is_told_that_its_deadline_passed_and_to_ask_again() {
    for timeout in ["1n", "5m", "20m"] {
        let status = of_a_call_that_hangs(Everybody::known(true), call(WRITE, timeout)).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        assert!(status.get_error_details().retry_info().is_some());
    }
    let asking = of_a_call_that_hangs(Arc::new(Undecided), call(WRITE, "20m")).await;
    assert_eq!(asking.code(), Code::DeadlineExceeded, "the deadline counts the question who calls");
    let watching = of_a_call_that_hangs(Everybody::known(true), call(WATCH, "20m")).await;
    assert_eq!(watching.code(), Code::DeadlineExceeded, "a stream must begin in time");
}

#[tokio::test]
async fn who_may_not_call_is_told_so_before_anything_is_read() {
    for (path, known, code) in [
        ("/pointbridge.v1.PartnerService/CreatePartner", true, Code::PermissionDenied),
        ("/pointbridge.v1.PartnerService/Nothing", true, Code::Unimplemented),
        (READ, false, Code::Unauthenticated),
    ] {
        let status = of_a_call_that_hangs(Everybody::known(known), call(path, "1H")).await;
        assert_eq!(status.code(), code, "{path}");
    }
}

/// An answer before the end of what is sent would cost the caller its connection.
#[tokio::test]
async fn who_is_refused_is_told_once_it_has_sent_its_message_and_also_where_that_never_ends() {
    type Piece = Result<http_body::Frame<Bytes>, Infallible>;
    let mut gated = Gate::new(Everybody::known(true), Allowance::default()).layer(tower::service_fn(answer));
    let path = "/pointbridge.v1.PartnerService/CreatePartner";
    for (sizes, ends) in [(vec![5, 5], true), (vec![5], false), (vec![MESSAGE_BYTES_MAX, 5], false)] {
        let (sender, pieces) = mpsc::channel::<Piece>(8);
        for bytes in &sizes {
            sender.send(Ok(http_body::Frame::data(Bytes::from(vec![0; *bytes])))).await.unwrap();
        }
        let still_sending = (!ends).then_some(sender);
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let body = StreamBody::new(tokio_stream::StreamExt::map(ReceiverStream::new(pieces), move |piece| {
            count.fetch_add(1, Ordering::SeqCst);
            piece
        }));
        let Ok(response) = gated.call(request("partner/airline/partner/till-7", path, "5S", body)).await;
        assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::PermissionDenied);
        let of_one_message = if sizes.len() == 2 && !ends { 1 } else { sizes.len() };
        assert_eq!(taken.load(Ordering::SeqCst), of_one_message, "{sizes:?} {ends}");
        drop(still_sending);
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_reason_whatever_the_deadline_leaves_of_the_message() {
    let mut gated = Gate::new(Everybody::known(true), Allowance::default()).layer(tower::service_fn(answer));
    let (_still_sending, pieces) = mpsc::channel::<Result<http_body::Frame<Bytes>, Infallible>>(1);
    let body = StreamBody::new(ReceiverStream::new(pieces));
    let path = "/pointbridge.v1.PartnerService/CreatePartner";
    let Ok(response) = gated.call(request("partner/airline/partner/till-7", path, "50m", body)).await;
    assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn mistakes_cost_what_calls_cost() {
    for path in ["/pointbridge.v1.PartnerService/CreatePartner", "/pointbridge.v1.PartnerService/Nothing"] {
        let allowance = Allowance::of(1, 3, 10);
        let mut gated = Gate::new(Everybody::known(true), allowance).layer(tower::service_fn(answer));
        let Ok(known) = gated.call(call(READ, "1S")).await;
        assert!(Status::from_header_map(known.headers()).is_none(), "served");
        let mut reasons = Vec::new();
        for _ in 0..3 {
            let Ok(response) = gated.call(call(path, "1S")).await;
            reasons.push(reason(&Status::from_header_map(response.headers()).unwrap()));
        }
        assert_eq!(reasons.last().map(String::as_str), Some("RATE_LIMITED"), "{path}: {reasons:?}");
    }
}

#[tokio::test]
async fn a_party_has_its_rate_for_all_its_people_together_and_another_one_its_own() {
    let registry = Everybody::known(true);
    let mut gated = Gate::new(registry, Allowance::of(1, 3, 10)).layer(tower::service_fn(answer));
    let airline =
        ["partner/airline/partner/till-7", "partner/airline/finance/zhou", "partner/airline/partner/till-8"];
    for principal in airline {
        let Ok(response) = gated.call(request(principal, READ, "1S", Empty::<Bytes>::new())).await;
        assert!(Status::from_header_map(response.headers()).is_none());
    }
    let Ok(refused) = gated.call(request(airline[0], READ, "1S", Empty::<Bytes>::new())).await;
    let refused = Status::from_header_map(refused.headers()).unwrap();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    let wait = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    let Ok(other) = gated.call(request("partner/market/partner/a", READ, "1S", Empty::<Bytes>::new())).await;
    assert!(Status::from_header_map(other.headers()).is_none());
}

#[tokio::test]
async fn strangers_cannot_have_the_registry_asked_without_end() {
    let registry = Everybody::known(false);
    let mut gated = Gate::new(Arc::clone(&registry), Allowance::default()).layer(tower::service_fn(answer));
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for number in 0..4_000 {
        let stranger = format!("partner/stranger-{number}/partner/a");
        let Ok(response) = gated.call(request(&stranger, READ, "1S", Empty::<Bytes>::new())).await;
        *seen.entry(reason(&Status::from_header_map(response.headers()).unwrap())).or_default() += 1;
    }
    let asked = registry.1.load(Ordering::SeqCst);
    assert!(seen["RATE_LIMITED"] > 0 && asked < 4_000, "{seen:?}, asked {asked} times");
}

#[tokio::test]
async fn a_handler_that_is_dropped_gives_its_place_back_and_an_answer_does_before_it_is_read() {
    let gate = Gate::new(Everybody::known(true), Allowance::of(1_000, 1_000, 1));
    let mut hanging = gate.layer(tower::service_fn(hang));
    let mut answering = gate.layer(tower::service_fn(answer));
    for _ in 0..3 {
        let Ok(late) = hanging.call(call(READ, "5m")).await;
        assert_eq!(Status::from_header_map(late.headers()).unwrap().code(), Code::DeadlineExceeded);
    }
    let under_way = tokio::spawn(hanging.call(call(READ, "9S")));
    tokio::task::yield_now().await;
    let Ok(refused) = answering.call(call(READ, "1S")).await;
    assert_eq!(reason(&Status::from_header_map(refused.headers()).unwrap()), "CONCURRENCY_LIMITED");
    under_way.abort();
    assert!(under_way.await.unwrap_err().is_cancelled());
    for _ in 0..3 {
        let Ok(response) = answering.call(call(READ, "1S")).await;
        assert!(Status::from_header_map(response.headers()).is_none());
    }
}

/// The status behind a body, and whether there is one.
async fn status_behind(response: http::Response<Body>) -> Option<Status> {
    let collected = tokio::time::timeout(PATIENCE, response.into_body().collect()).await;
    collected.expect("the stream ends").unwrap().trailers().and_then(Status::from_header_map)
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

#[tokio::test]
async fn streams_on_which_nothing_comes_or_goes_end_and_give_their_places_back() {
    let gate =
        Gate::patient(Everybody::known(true), Allowance::of(1_000, 1_000, 1), Duration::from_millis(30));
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let mut health = gate.layer(health);
    let principal = "operator/wang";
    let watch = || request(principal, WATCH, "1H", Full::new(framed(b"")));
    let Ok(watching) = health.call(watch()).await;
    let Ok(refused) = health.call(watch()).await;
    let refused = Status::from_header_map(refused.headers()).unwrap();
    assert_eq!(reason(&refused), "CONCURRENCY_LIMITED", "a stream is a call under way");
    let ended = status_behind(watching).await.unwrap();
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::DeadlineExceeded, "STREAM_IDLE"));
    assert!(ended.get_error_details().retry_info().is_some());

    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .unwrap();
    let mut reflection = gate.layer(reflection);
    let (ask, questions) = mpsc::channel::<Result<http_body::Frame<Bytes>, Infallible>>(1);
    let body = StreamBody::new(ReceiverStream::new(questions));
    let Ok(answers) = reflection.call(request(principal, REFLECTION, "1H", body)).await;
    let ended = status_behind(answers).await.unwrap();
    assert_eq!(reason(&ended), "STREAM_IDLE");
    tokio::time::timeout(PATIENCE, ask.closed()).await.expect("the questions end too");
    let Ok(again) = health.call(watch()).await;
    assert!(Status::from_header_map(again.headers()).is_none(), "the places are free");
}

/// A body of which the test sends the frames.
type Frames = mpsc::Sender<Result<http_body::Frame<Bytes>, Infallible>>;

/// Reads its request to the end, as the library does with a message.
async fn read(request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    Ok(match request.into_body().collect().await {
        Ok(_) => http::Response::new(Body::empty()),
        Err(status) => status.into_http(),
    })
}

#[tokio::test]
async fn slow_messages_take_their_room_when_they_are_announced_and_no_more_than_there_is() {
    let gate = Gate::new(Everybody::known(true), Allowance::default());
    let gated = gate.layer(tower::service_fn(read));
    let announce = |principal: &str, timeout: &str, length: usize| {
        let (frames, body): (Frames, _) = mpsc::channel(2);
        let length = u32::try_from(length).unwrap().to_be_bytes();
        let prefix = Bytes::from([&[0][..], &length].concat());
        frames.try_send(Ok(http_body::Frame::data(prefix))).unwrap();
        let body = StreamBody::new(ReceiverStream::new(body));
        let call = gated.clone().call(request(principal, READ, timeout, body));
        (frames, tokio::spawn(call))
    };
    let refused = |response: Result<http::Response<Body>, Infallible>| {
        let Ok(response) = response;
        Status::from_header_map(response.headers()).map(|status| reason(&status))
    };
    let mut slow = Vec::new();
    for partner in ["aa", "bb", "cc", "dd"] {
        let principal = format!("partner/{partner}/partner/a");
        for _ in 0..64 {
            slow.push(announce(&principal, "9S", MESSAGE_BYTES_MAX));
        }
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let (_frames, one_more) = announce("partner/aa/partner/b", "9S", 1_000);
    assert_eq!(
        refused(one_more.await.unwrap()).as_deref(),
        Some("CONCURRENCY_LIMITED"),
        "its own part is used up"
    );
    let (_frames, other) = announce("partner/ee/partner/a", "9S", 1_000);
    assert_eq!(refused(other.await.unwrap()).as_deref(), Some("OVERLOADED"), "all of it is used up");
    let (frames, huge) = announce("partner/ee/partner/a", "9S", MESSAGE_BYTES_MAX + 1);
    drop(frames);
    assert_eq!(refused(huge.await.unwrap()), None, "what the library will refuse takes no room");
    // One of them sends what it announced: its room is free for another party.
    let (frames, done) = slow.pop().unwrap();
    frames.send(Ok(http_body::Frame::data(vec![0; MESSAGE_BYTES_MAX].into()))).await.unwrap();
    drop(frames);
    assert_eq!(refused(done.await.unwrap()), None);
    let (frames, other) = announce("partner/ee/partner/a", "30m", 1_000);
    assert_eq!(
        refused(other.await.unwrap()).as_deref(),
        Some("DEADLINE_EXCEEDED"),
        "a slow body ends in time"
    );
    drop((frames, slow));
}
