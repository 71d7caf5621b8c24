//! Calls that are wrong around the message: too large, cut, said to be compressed, without a message or with several, under
//! wrong or enormous headers, with forged metadata, with page tokens of others.
//!
//! What the message holds is not looked at here; see `bytes` and `fields`.

use pointbridge_client::v1;
use prost::Message;
use prost::bytes::{Bytes, BytesMut};
use tonic::Code;
use tonic::codegen::http::{HeaderName, HeaderValue, Method, Request, StatusCode};

use crate::asks;
use crate::judge::assert_fair;
use crate::line::{Answer, Line, framed, prefixed, request};
use crate::stage::{BABYCARE, MARKET, Stage};
use crate::state::Witness;

const ACCRUE: &str = "/pointbridge.v1.LedgerService/AccruePoints";
const BALANCE: &str = "/pointbridge.v1.LedgerService/GetBalance";
/// The largest message that the hub takes.
const MESSAGE_MAX: usize = 256 * 1024;
/// More resident memory than this may no misuse of one connection cost, in MiB; a debug build at rest has about 40.
const PEAK_MIB_MAX: u64 = 256;

/// The same request under one more header.
fn with(mut request: Request<()>, name: &str, value: impl AsRef<[u8]>) -> Request<()> {
    let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
    request.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    request
}

/// Gzip's frame around zeros: a few bytes that would become a thousand times as many.
fn gzip_bomb() -> Vec<u8> {
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bomb.extend([0xec, 0xc1, 0x01, 0x01].iter().chain(std::iter::repeat_n(&0, 4096)));
    bomb
}

/// The message with a field that nobody knows behind it, so that it has this many bytes in all.
fn padded(message: &[u8], bytes: usize) -> Bytes {
    // Two bytes of tag, three of length: enough for any length from 16 KiB to 2 MiB.
    let filler = bytes - message.len() - 5;
    assert!((1 << 14..1 << 21).contains(&filler), "{filler}");
    let length = [filler & 0x7f | 0x80, filler >> 7 & 0x7f | 0x80, filler >> 14].map(|part| part as u8);
    framed(&[message, &[0xc2, 0x3e], &length, &vec![b'x'; filler]].concat())
}

/// Bodies of a write that must be refused, and why.
fn broken_bodies(accrue: &[u8]) -> Vec<(&'static str, Bytes)> {
    let length = accrue.len() as u32;
    vec![
        ("a byte more than 256 KiB", padded(accrue, MESSAGE_MAX + 1)),
        ("300 KiB", padded(accrue, 300 * 1024)),
        ("1 MiB", padded(accrue, 1024 * 1024)),
        ("5 MiB", framed(&vec![0; 5 * 1024 * 1024])),
        ("a length of 4 GiB before a few bytes", prefixed(0, u32::MAX, accrue)),
        ("a length of 2 GiB before a few bytes", prefixed(0, 1 << 31, accrue)),
        ("a length longer than the body", prefixed(0, length + 1, accrue)),
        ("a length shorter than the body", prefixed(0, length - 1, accrue)),
        ("a flag of compression without an encoding", prefixed(1, length, accrue)),
        ("a flag that means nothing", prefixed(2, length, accrue)),
        ("a flag of all bits", prefixed(255, length, accrue)),
        ("half of the five bytes", Bytes::from_static(&[0, 0, 0])),
        ("no message", Bytes::new()),
        ("text", Bytes::from_static(b"{\"membershipId\": \"mbs_0\"}")),
        ("an empty message of another length", Bytes::from_static(&[0, 0, 0, 0, 9])),
    ]
}

async fn answered(line: &Line, what: &str, request: Request<()>, body: Bytes) -> Answer {
    let answer = line.send(request, body).await;
    answer.unwrap_or_else(|error| panic!("{what}: the connection broke: {error}"))
}

#[tokio::test]
async fn a_body_that_is_not_one_whole_message_is_refused_and_costs_little() {
    let mut stage = Stage::open().await;
    let mut witness = Witness::of(&stage.hub.data.database()).await;
    let before = witness.look().await;
    let accrue = asks::accrue(&stage.li, "5").encode_to_vec();
    for (what, body) in broken_bodies(&accrue) {
        let line = stage.identity(MARKET).line().await;
        let answer = answered(&line, what, request(ACCRUE), body).await;
        assert_fair(&|| what.to_owned(), &answer);
        let refusal = answer.refusal();
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            "{what}"
        );
    }
    let line = stage.identity(MARKET).line().await;
    for encoding in ["gzip", "zstd", "deflate", "identity, gzip", "br", "\u{7f}nonsense"] {
        let Ok(value) = HeaderValue::from_bytes(encoding.as_bytes()) else { continue };
        let request = with(request(ACCRUE), "grpc-encoding", value.as_bytes());
        let bomb = gzip_bomb();
        let answer = answered(&line, encoding, request, prefixed(1, bomb.len() as u32, &bomb)).await;
        assert_fair(&|| format!("encoding {encoding}"), &answer);
        assert_eq!(answer.status.code(), Code::Unimplemented, "{encoding}: {answer:?}");
    }
    witness.look().await.assert_unchanged_since(before, "broken bodies");
    // The limit itself is no misuse, whatever fills the message.
    let largest = answered(&line, "256 KiB", request(ACCRUE), padded(&accrue, MESSAGE_MAX)).await;
    assert!(largest.is_ok(), "{largest:?}");
    assert!(stage.hub.peak_mib() < PEAK_MIB_MAX, "{} MiB", stage.hub.peak_mib());
    witness.leave().await;
    stage.hub.assert_sound();
    stage.hub.settle().await;
}

#[tokio::test]
async fn of_several_messages_on_one_call_one_takes_effect_at_most() {
    let stage = Stage::open().await;
    let mut witness = Witness::of(&stage.hub.data.database()).await;
    let line = stage.identity(MARKET).line().await;
    let before = witness.look().await.requests;
    let mut body = BytesMut::new();
    for _ in 0..50 {
        body.extend_from_slice(&framed(&asks::accrue(&stage.li, "5").encode_to_vec()));
    }
    let answer = answered(&line, "fifty messages", request(ACCRUE), body.freeze()).await;
    assert_fair(&|| "fifty messages".to_owned(), &answer);
    assert_eq!(witness.look().await.requests - before, usize::from(answer.is_ok()));
    witness.leave().await;
    stage.hub.settle().await;
}

/// Requests whose head is wrong.
fn broken_heads() -> Vec<(&'static str, Request<()>)> {
    let path = |path: &str| request(path);
    let method = |method: Method| {
        let mut request = request(BALANCE);
        *request.method_mut() = method;
        request
    };
    let without = |name: &str| {
        let mut request = request(BALANCE);
        request.headers_mut().remove(name);
        request
    };
    let content = |kind: &'static str| with(without("content-type"), "content-type", kind);
    vec![
        ("a query behind the path", path("/pointbridge.v1.LedgerService/GetBalance?x=1")),
        ("a slash behind the path", path("/pointbridge.v1.LedgerService/GetBalance/")),
        ("two slashes", path("//pointbridge.v1.LedgerService/GetBalance")),
        ("an encoded path", path("/pointbridge.v1.LedgerService%2fGetBalance")),
        ("dots in the path", path("/x/../pointbridge.v1.LedgerService/GetBalance")),
        ("the root", path("/")),
        ("a long path", path(&format!("/{}", "a".repeat(4000)))),
        ("a GET", method(Method::GET)),
        ("a PUT", method(Method::PUT)),
        ("an OPTIONS", method(Method::OPTIONS)),
        ("no content type", without("content-type")),
        ("JSON", content("application/json")),
        ("gRPC over JSON", content("application/grpc+json")),
        ("gRPC for browsers", content("application/grpc-web")),
        ("a form", content("multipart/form-data; boundary=x")),
        ("no trailers wanted", without("te")),
        ("two deadlines", with(with(path(BALANCE), "grpc-timeout", "5S"), "grpc-timeout", "1n")),
        ("a deadline of letters", with(path(BALANCE), "grpc-timeout", "soonS")),
        ("a deadline of nothing", with(path(BALANCE), "grpc-timeout", "")),
        ("a deadline without end", with(path(BALANCE), "grpc-timeout", "99999999999999999999H")),
        ("a negative deadline", with(path(BALANCE), "grpc-timeout", "-1S")),
        ("binary metadata that is none", with(path(BALANCE), "trace-bin", "!!!not base64!!!")),
        ("bytes above ASCII", with(path(BALANCE), "x-note", [0xff, 0xfe, 0x80])),
        ("a status of its own", with(path(BALANCE), "grpc-status", "0")),
        ("details of its own", with(path(BALANCE), "grpc-status-details-bin", "AAAA")),
        ("encodings without end", with(path(BALANCE), "grpc-accept-encoding", "gzip,".repeat(900))),
    ]
}

#[tokio::test]
async fn a_wrong_head_is_answered_by_the_rules_of_http_or_of_the_hub_and_the_line_lives_on() {
    let mut stage = Stage::open().await;
    let line = stage.identity(MARKET).line().await;
    let ask = asks::get_balance(&stage.li).encode_to_vec();
    for (what, request) in broken_heads() {
        let answer = answered(&line, what, request, framed(&ask)).await;
        let is_https =
            [StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.http);
        if !is_https {
            assert_fair(&|| what.to_owned(), &answer);
        }
        assert!(line.call(BALANCE, &ask).await.unwrap().is_ok(), "after {what}");
    }
    stage.hub.assert_sound();
    stage.hub.settle().await;
}

#[tokio::test]
async fn headers_beyond_8_kib_are_refused_and_cost_little() {
    let mut stage = Stage::open().await;
    let ask = asks::get_balance(&stage.li).encode_to_vec();
    let mut bombs = vec![("one of 9 KiB", with(request(BALANCE), "x-bomb", "b".repeat(9 * 1024)))];
    bombs.push(("one of 200 KiB", with(request(BALANCE), "x-bomb", "b".repeat(200 * 1024))));
    let many =
        (0..10_000).fold(request(BALANCE), |request, number| with(request, &format!("x-{number}"), "b"));
    bombs.push(("10,000 small ones", many));
    let same = (0..10_000).fold(request(BALANCE), |request, _| with(request, "x-a", "b"));
    bombs.push(("one 10,000 times", same));
    for (what, bomb) in bombs {
        let line = stage.identity(MARKET).line().await;
        // The hub may say so under HTTP's own status, or end the connection: what it must not do is serve the call.
        if let Ok(answer) = line.send(bomb, framed(&ask)).await {
            assert!(!answer.is_ok(), "{what}: {answer:?}");
        }
        let line = stage.identity(MARKET).line().await;
        assert!(line.call(BALANCE, &ask).await.unwrap().is_ok(), "after {what}");
    }
    assert!(stage.hub.peak_mib() < PEAK_MIB_MAX, "{} MiB", stage.hub.peak_mib());
    stage.hub.assert_sound();
    stage.hub.settle().await;
}

#[tokio::test]
async fn what_metadata_says_of_its_sender_has_no_effect() {
    let stage = Stage::open().await;
    let babycare = stage.identity(BABYCARE).line().await;
    let ask = asks::get_balance(&stage.li).encode_to_vec();
    let plain = babycare.call(BALANCE, &ask).await.unwrap();
    assert!(plain.refusal().is("MEMBERSHIP_NOT_FOUND"), "{plain:?}");
    let spiffe = "spiffe://alliance.example/partner/market/partner/till-7";
    let forged = [
        ("x-forwarded-client-cert", format!("By=x;URI={spiffe}")),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("forwarded", "for=127.0.0.1;by=market".to_owned()),
        ("x-real-ip", "127.0.0.1".to_owned()),
        ("x-ssl-client-s-dn", "CN=market".to_owned()),
        ("ssl-client-cert", spiffe.to_owned()),
        ("x-spiffe-id", spiffe.to_owned()),
        ("authorization", "Bearer market".to_owned()),
        ("x-partner-code", "market".to_owned()),
        ("pointbridge-partner", "market".to_owned()),
        ("x-role", "operator".to_owned()),
        ("x-user", "root".to_owned()),
        ("host", "market.alliance.example".to_owned()),
        ("grpc-previous-rpc-attempts", "7".to_owned()),
        ("grpc-tags-bin", "AAAA".to_owned()),
        ("cookie", "session=market".to_owned()),
    ];
    for (name, value) in &forged {
        let answer = answered(&babycare, name, with(request(BALANCE), name, value), framed(&ask)).await;
        let (one, other) = (&plain.status, &answer.status);
        assert_eq!((one.code(), one.message()), (other.code(), other.message()), "{name}");
        assert_eq!(one.details(), other.details(), "{name}");
    }
    stage.hub.settle().await;
}

#[tokio::test]
async fn a_page_token_of_another_or_of_nobody_opens_nothing() {
    let stage = Stage::open().await;
    let (market, babycare) = (stage.client(MARKET).await, stage.client(BABYCARE).await);
    let list =
        |page_token: String| v1::ListExchangesRequest { page_size: 1, page_token, ..Default::default() };
    let first = market.exchanges().list_exchanges(list(String::new())).await.unwrap().into_inner();
    let token = first.next_page_token;
    assert!(!token.is_empty() && first.exchanges.len() == 1);
    let theirs = babycare.exchanges().list_exchanges(list(token.clone())).await;
    // A token says where to go on: there is nothing of the stranger's there.
    assert_eq!(theirs.unwrap().into_inner(), v1::ListExchangesResponse::default());

    let (mut refused, mut served) = (0, 0);
    let forged = (0..token.len()).flat_map(|at| {
        ["A", "_", "=", "é", "\0", "%"].map(|by| format!("{}{by}{}", &token[..at], &token[at + 1..]))
    });
    let invented =
        ["A", "AAAA", "null", "0", "' or 1=1 --", "../..", "e30", "ZXhjaGFuZ2Vz", "ZXhjaGFuZ2VzfA"];
    let long = "A".repeat(513);
    for token in forged.chain(invented.map(str::to_owned)).chain([long, token[1..].to_owned()]) {
        match babycare.exchanges().list_exchanges(list(token.clone())).await {
            Ok(answer) => {
                served += 1;
                assert_eq!(answer.into_inner(), v1::ListExchangesResponse::default(), "{token}");
            }
            Err(status) => {
                refused += 1;
                let refusal = pointbridge_client::Refusal::from(&status);
                assert!(refusal.is("VALIDATION_FAILED"), "{token}: {refusal:?}");
                assert_eq!(refusal.violations[0].field, "page_token", "{token}");
            }
        }
    }
    println!("forged page tokens: {refused} refused, {served} led to nothing");
    assert!(refused > served);
    let postings = v1::ListPostingsRequest { page_token: token, ..asks::list_postings(&stage.li) };
    let other_list = market.ledger().list_postings(postings).await.unwrap_err();
    assert!(pointbridge_client::Refusal::from(&other_list).is("VALIDATION_FAILED"));
    stage.hub.settle().await;
}
