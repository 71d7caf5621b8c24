//! The protocol's limits as a client meets them, frame by frame; and how connections end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::*;
use crate::acceptor::Limits;
use crate::acceptor::tests::{Client, Hub, PATIENCE, client, hub};
use crate::pki::Issued;

/// Frames of HTTP/2 (RFC 9113, section 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;
/// `:method POST`, `:scheme https`, `:path /` as one byte each.
const FIELDS: [u8; 3] = [0x83, 0x87, 0x84];

/// A hub whose service never answers, and counts who asked.
struct Served {
    hub: Hub,
    identity: Issued,
    asked: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

fn options() -> Options {
    Options {
        age: Duration::from_hours(1),
        first_words_timeout: PATIENCE,
        distrusted_grace: PATIENCE,
        ..Options::default()
    }
}

async fn serve_silence(options: Options) -> Served {
    let mut hub = hub(Limits::default()).await;
    let identity = hub.issue("partner/airline/partner/till-7");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let silent = tower::service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    let connections = std::mem::replace(&mut hub.connections, Box::pin(tokio_stream::empty()));
    let serving = tokio::spawn(serve(connections, silent, options, hub.stop.subscribe()));
    Served { hub, identity, asked, serving }
}

/// A client that speaks in frames.
struct Raw(Client);

struct Seen {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Raw {
    async fn open(served: &Served) -> Self {
        let config = client(&served.hub.ca_pem(), Some(&served.identity));
        let mut raw = Self(served.hub.connect(config).await.unwrap());
        raw.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
        raw
    }

    async fn send(&mut self, bytes: &[u8]) {
        // A hub that has heard enough hangs up, which is what some of these tests are about.
        let _ = self.0.write_all(bytes).await;
        let _ = self.0.flush().await;
    }

    /// The next frame; `None` once the hub has hung up.
    async fn next(&mut self) -> Option<Seen> {
        let mut head = [0; 9];
        let read = timeout(PATIENCE, self.0.read_exact(&mut head)).await.expect("a frame in time");
        read.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length.try_into().unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut payload)).await.expect("its rest in time").ok()?;
        Some(Seen { kind: head[3], stream: number(&head[5..9]), payload })
    }

    /// Everything up to the first frame of a kind, that included.
    async fn until(&mut self, kind: u8) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(frame) = self.next().await {
            let is_last = frame.kind == kind;
            seen.push(frame);
            if is_last {
                return seen;
            }
        }
        panic!("the hub hung up before a frame of kind {kind}; frames before: {}", seen.len());
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The numbers that clients give their streams.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

#[tokio::test]
async fn the_hub_names_its_limits_at_once() {
    let served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    let seen = raw.until(WINDOW_UPDATE).await;
    let settings =
        &seen.iter().find(|frame| frame.kind == SETTINGS && !frame.payload.is_empty()).unwrap().payload;
    let setting = |name: u16| {
        let found = settings.chunks(6).find(|entry| entry[..2] == name.to_be_bytes());
        found.map(|entry| number(&entry[2..]))
    };
    assert_eq!(setting(3), Some(100), "streams at a time");
    // 65,535 is what a stream has where nothing is said.
    assert_eq!(setting(4), Some(64 * 1024), "the window of a stream");
    assert_eq!(setting(6), Some(8 * 1024), "the size of headers");
    let window = seen.last().unwrap();
    assert_eq!((window.stream, number(&window.payload)), (0, 1024 * 1024 - 65_535));
}

#[tokio::test]
async fn a_stream_beyond_the_hundredth_is_refused_and_the_others_stay() {
    let served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    let opened: Vec<u8> =
        streams(101).flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &FIELDS)).collect();
    raw.send(&opened).await;
    let refused = raw.until(RST_STREAM).await.pop().unwrap();
    // REFUSED_STREAM: it may be tried again.
    assert_eq!((refused.stream, number(&refused.payload)), (201, 7));
    while served.asked.load(Ordering::Relaxed) < 100 {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_in_masses_end_the_connection() {
    let served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    let flood: Vec<u8> = streams(2_000)
        .flat_map(|stream| {
            let mut bytes = frame(HEADERS, END_HEADERS, stream, &FIELDS);
            bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            bytes
        })
        .collect();
    raw.send(&flood).await;
    let goaway = raw.until(GOAWAY).await.pop().unwrap();
    assert_eq!(number(&goaway.payload[4..]), ENHANCE_YOUR_CALM);
    assert!(served.asked.load(Ordering::Relaxed) < 2_000, "all were served");
}

#[tokio::test]
async fn streams_that_the_hub_must_reset_in_masses_end_the_connection() {
    let served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    // Requests without a method.
    let flood: Vec<u8> =
        streams(400).flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &FIELDS[1..])).collect();
    raw.send(&flood).await;
    let seen = raw.until(GOAWAY).await;
    assert_eq!(number(&seen.last().unwrap().payload[4..]), ENHANCE_YOUR_CALM);
    let resets = seen.iter().filter(|frame| frame.kind == RST_STREAM).count();
    assert!(resets <= LOCAL_RESETS_MAX, "{resets} were reset first");
    assert_eq!(served.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn metadata_beyond_its_bound_reaches_no_service() {
    let served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    let mut fields = FIELDS.to_vec();
    // Two literal fields, `a` with 5,000 bytes each, of 127 and 4,873 in the length's form.
    for _ in 0..2 {
        fields.extend([0x00, 1, b'a', 0x7f, 0x89, 0x26]);
        fields.extend([b'x'; 5_000]);
    }
    raw.send(&frame(HEADERS, END_HEADERS, 1, &fields)).await;
    let answer = raw.until(HEADERS).await.pop().unwrap();
    // `:status 431` as a literal behind the indexed name.
    assert!(
        answer.payload.windows(3).any(|bytes| bytes == b"431") || answer.payload[0] == 0x48,
        "{:?}",
        answer.payload
    );
    assert_eq!(served.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_client_that_never_begins_to_speak_is_cut() {
    let served =
        serve_silence(Options { first_words_timeout: Duration::from_millis(300), ..options() }).await;
    let config = client(&served.hub.ca_pem(), Some(&served.identity));
    let mut silent = served.hub.connect(config.clone()).await.unwrap();
    let mut half = served.hub.connect(config).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r").await.unwrap();
    let mut speaking = Raw::open(&served).await;
    let began = Instant::now();
    for mute in [&mut silent, &mut half] {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, mute.read_to_end(&mut bytes)).await.expect("the end in time");
    }
    // Whoever spoke is served as long as it likes.
    sleep(Duration::from_secs(1).saturating_sub(began.elapsed())).await;
    speaking.send(&frame(HEADERS, END_HEADERS, 1, &FIELDS)).await;
    while served.asked.load(Ordering::Relaxed) == 0 {
        assert!(began.elapsed() < PATIENCE, "the one that spoke is not served");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_say_that_it_lives_is_cut() {
    let served = serve_silence(Options {
        keepalive_interval: Duration::from_millis(100),
        keepalive_timeout: Duration::from_millis(200),
        ..options()
    })
    .await;
    let mut dead = Raw::open(&served).await;
    dead.send(&frame(HEADERS, END_HEADERS, 1, &FIELDS)).await;
    let asked = dead.until(PING).await.pop().unwrap();
    assert_eq!(asked.payload.len(), 8);
    // Not a word of an answer; a call under way is none either.
    while dead.next().await.is_some() {}

    let mut alive = Raw::open(&served).await;
    for _ in 0..5 {
        let asked = alive.until(PING).await.pop().unwrap();
        alive.send(&frame(PING, ACK, 0, &asked.payload)).await;
    }
    let defaults = Options::default();
    let seconds = (defaults.keepalive_interval.as_secs(), defaults.keepalive_timeout.as_secs());
    assert_eq!(seconds, (30, 10));
}

#[test]
fn ages_differ_by_a_tenth_at_most() {
    let age = Duration::from_mins(15);
    let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|_| jittered(age)).collect();
    let (first, last) = (*drawn.first().unwrap(), *drawn.last().unwrap());
    assert!(first >= age * 9 / 10 && last <= age * 11 / 10, "{first:?} to {last:?}");
    assert!(first < age * 94 / 100 && last > age * 106 / 100 && drawn.len() > 100, "{first:?} to {last:?}");
}

/// A health service on a hub, and a client of it.
async fn serve_health(options: Options) -> (Hub, HealthClient<tonic::transport::Channel>, Arc<AtomicUsize>) {
    let mut hub = hub(Limits::default()).await;
    let identity = hub.issue("partner/airline/partner/till-7");
    let (_, health) = tonic_health::server::health_reporter();
    let connections = std::mem::replace(&mut hub.connections, Box::pin(tokio_stream::empty()));
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    let connections = connections.map(move |connection| {
        counted.fetch_add(1, Ordering::Relaxed);
        connection
    });
    tokio::spawn(serve(Box::pin(connections), health, options, hub.stop.subscribe()));
    let config = pointbridge_client::Config {
        endpoint: format!("https://{}", hub.address),
        ca_pem: identity.ca_pem,
        certificate_pem: identity.certificate_pem,
        key_pem: identity.key_pem,
        server_name: None,
    };
    let client = pointbridge_client::Client::bare(&config).await.unwrap();
    (hub, HealthClient::new(client.channel()), accepted)
}

/// A call that its client's library had not sent yet when the connection ended is the library's to send again, and ours does
/// not: so once more is allowed, and the hub itself refuses none.
#[tokio::test]
async fn an_old_connection_is_followed_by_another_and_no_call_is_refused() {
    let (_hub, health, accepted) =
        serve_health(Options { age: Duration::from_millis(300), ..options() }).await;
    let (began, mut calls, mut repeated) = (Instant::now(), 0, 0);
    let ask = async || health.clone().check(HealthCheckRequest::default()).await;
    while accepted.load(Ordering::Relaxed) < 4 {
        assert!(began.elapsed() < PATIENCE, "connections do not age");
        if let Err(unsent) = ask().await {
            assert!(unsent.details().is_empty(), "refused by the hub: {unsent:?}");
            repeated += 1;
            ask().await.unwrap_or_else(|failed| panic!("call {calls}, again: {failed}"));
        }
        calls += 1;
    }
    let connections = accepted.load(Ordering::Relaxed);
    eprintln!("{calls} calls over {connections} connections, {repeated} of them sent twice");
}

#[tokio::test]
async fn a_call_under_way_outlives_the_age_of_its_connection() {
    let served = serve_silence(Options { age: Duration::from_millis(100), ..options() }).await;
    let mut raw = Raw::open(&served).await;
    raw.send(&frame(HEADERS, END_HEADERS, 1, &FIELDS)).await;
    let goaway = raw.until(GOAWAY).await.pop().unwrap();
    assert_eq!(number(&goaway.payload[4..]), 0, "an orderly end");
    // It is not cut; what it waits for is its own business.
    let cut = timeout(Duration::from_millis(300), async { while raw.next().await.is_some() {} }).await;
    assert!(cut.is_err() && served.asked.load(Ordering::Relaxed) == 1);
}

#[tokio::test]
async fn streams_end_with_a_reason_when_the_hub_goes_down() {
    let (hub, mut health, _) = serve_health(options()).await;
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watched.message().await.unwrap().is_some());
    hub.stop.send(true).unwrap();
    let ended = timeout(PATIENCE, watched.message()).await.expect("the end in time").unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    let details = ended.get_error_details();
    assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("DRAINING"));
    assert!(details.retry_info().is_some());
}

#[tokio::test]
async fn a_call_that_comes_too_late_is_told_so_and_one_under_way_may_end() {
    let mut served = serve_silence(options()).await;
    let mut raw = Raw::open(&served).await;
    raw.send(&frame(HEADERS, END_HEADERS, 1, &FIELDS)).await;
    while served.asked.load(Ordering::Relaxed) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    served.hub.stop.send(true).unwrap();
    let goaway = raw.until(GOAWAY).await.pop().unwrap();
    assert_eq!(number(&goaway.payload[4..]), 0, "an orderly end");
    // Begun before the hub's last word on which calls it takes.
    let mut late = vec![0x83, 0x87, 0x04, 16];
    late.extend(b"/pointbridge.v1/");
    raw.send(&frame(HEADERS, END_HEADERS, 3, &late)).await;
    let answer = raw.until(HEADERS).await.pop().unwrap();
    assert_eq!(answer.stream, 3);
    assert_eq!(served.asked.load(Ordering::Relaxed), 1, "it was begun");
    // The first call goes on, and holds its connection open, until it is given up.
    assert!(timeout(Duration::from_millis(100), &mut served.serving).await.is_err());
    raw.send(&frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())).await;
    drop(raw);
    timeout(PATIENCE, &mut served.serving).await.expect("the end in time").unwrap();
}

#[tokio::test]
async fn a_client_that_never_speaks_does_not_hold_up_the_end_of_the_hub() {
    let mut served = serve_silence(options()).await;
    let config = client(&served.hub.ca_pem(), Some(&served.identity));
    let mut silent = served.hub.connect(config.clone()).await.unwrap();
    let mut half = served.hub.connect(config).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r").await.unwrap();
    // A third one is served, so that the first two are being served too.
    let mut raw = Raw::open(&served).await;
    raw.until(WINDOW_UPDATE).await;
    served.hub.stop.send(true).unwrap();
    raw.until(GOAWAY).await;
    drop(raw);
    // Sooner than the grace and than the time for first words, which is as long as the test's patience.
    timeout(PATIENCE * 3 / 4, &mut served.serving).await.expect("the end in time").unwrap();
    for mute in [&mut silent, &mut half] {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, mute.read_to_end(&mut bytes)).await.expect("the end in time");
    }
}

#[tokio::test]
async fn a_connection_that_is_trusted_no_more_ends() {
    let served = serve_silence(Options { distrusted_grace: Duration::from_millis(100), ..options() }).await;
    let mut raw = Raw::open(&served).await;
    raw.until(WINDOW_UPDATE).await;
    served.hub.distrust_everybody();
    let goaway = raw.until(GOAWAY).await.pop().unwrap();
    assert_eq!(number(&goaway.payload[4..]), 0);
    assert!(raw.next().await.is_none_or(|frame| frame.kind != HEADERS));
}
