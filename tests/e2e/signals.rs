//! What a hub tells about itself: that it tells it, and that nothing of a person is in it.
//!
//! One hub with everything on is asked everything that there is to ask, as principals whose names occur nowhere else, with
//! values that occur nowhere else in every field and header that takes a text. Then everything that came out of it is searched
//! for them, to the byte: spans and metrics at a collector, the page of metrics, the log.

mod collector;
mod faults;
pub(crate) mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use pointbridge::telemetry::names;
use pointbridge_client::Client;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, ReflectMessage, Value};
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;
use tonic::Request;

use self::collector::Collector;
use self::http::{endpoint, endpoint_in, get};
use crate::harness::until;
use crate::program::{bootstrap, serve};
use crate::raw;
use crate::rights::methods;
use crate::rights::recipes::{Ask, Given, of_method};
use crate::rights::stage::{Objects, Stage};

/// Stands in every field that takes a text, one after the other.
const FIELD: &str = "canary-field-7f3a";
/// Stands in headers.
const HEADER: &str = "canary-header-51c9";
/// The names of people in certificates.
const PEOPLE: [&str; 2] = ["operator/canary-zhao", "partner/market/partner/canary-zhou"];
/// References of the recipes and of the stage.
const REFERENCES: [&str; 7] =
    ["card/li", "card/wang", "card/zhang", "return/7", "GOODS_RETURNED", "COMPLAINT", "The market"];
/// The trace that one caller says it is in.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// What the page comes to show: the stranger, the stage's exchanges (one committed, one held, per pair), and what is open.
const ROWS: [&str; 5] = [
    "pointbridge_connections_refused_total{pointbridge_reason=\"HANDSHAKE_FAILED\"} ",
    "{pointbridge_destination_partner=\"airline\",pointbridge_outcome=\"committed\",pointbridge_source_partner=\"market\"} 1\n",
    "{pointbridge_destination_partner=\"cinema\",pointbridge_outcome=\"prepared\",pointbridge_source_partner=\"bakery\"} 2\n",
    "pointbridge_holds_open 2\n",
    "pointbridge_certificate_remaining_days{pointbridge_certificate_kind=\"server\",pointbridge_certificate_name=\"the hub\"} ",
];

/// Asks everything, once as it should be and once with a canary in each of its texts.
async fn ask_everything(client: &Client, own: &Objects) {
    let pool = DescriptorPool::decode(pointbridge_proto::FILE_DESCRIPTOR_SET).unwrap();
    for method in methods() {
        for recipe in of_method(&method.path) {
            let bytes = match recipe.ask {
                Ask::Plain(make) => make(),
                Ask::Of(make) => make(Given { named: own, own, dry: true }),
            };
            let mut all = vec![bytes.clone()];
            let (service, name) = method.path[1..].split_once('/').unwrap();
            if let Some(service) = pool.get_service_by_name(service) {
                let input = service.methods().find(|one| one.name() == name).unwrap().input();
                all.extend(with_canaries(&DynamicMessage::decode(input, &bytes[..]).unwrap()));
            }
            for bytes in all {
                let streams = method.descriptor.server_streaming();
                // Most are refused, which is what signals tell of most.
                let _ = raw::first_of(client.channel(), &method.path, request(bytes), streams).await;
            }
        }
    }
}

fn request(bytes: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(bytes);
    let headers = request.metadata_mut();
    headers.insert("x-member", HEADER.parse().unwrap());
    headers.insert("tracestate", format!("vendor={HEADER}").parse().unwrap());
    headers.insert("baggage", format!("member={HEADER}").parse().unwrap());
    headers.insert("traceparent", format!("00-{TRACE}-{PARENT}-01").parse().unwrap());
    request
}

/// The message with a canary in one of its texts, for each of them.
fn with_canaries(message: &DynamicMessage) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for field in message.descriptor().fields() {
        let mut changed = message.clone();
        match (field.kind(), field.is_list()) {
            (Kind::String, false) => {
                changed.set_field(&field, Value::String(FIELD.to_owned()));
                all.push(changed.encode_to_vec());
            }
            (Kind::Message(_), false) if message.has_field(&field) => {
                let inner = message.get_field(&field).as_message().unwrap().clone();
                for bytes in with_canaries(&inner) {
                    let inner = DynamicMessage::decode(inner.descriptor(), &bytes[..]).unwrap();
                    changed.set_field(&field, Value::Message(inner));
                    all.push(changed.encode_to_vec());
                }
            }
            _ => {}
        }
    }
    all
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// What must stand in no signal: all that names a member, a person, an object or a secret. A partner's code may.
fn canaries(objects: &BTreeMap<&'static str, Objects>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        [FIELD, HEADER].into_iter().chain(REFERENCES).map(str::to_owned).collect();
    all.extend(PEOPLE.map(|path| path.rsplit_once('/').unwrap().1.to_owned()));
    for one in objects.values() {
        all.extend(one.names().into_iter().filter(|name| **name != one.partner && !name.is_empty()).cloned());
        all.insert(one.linked.clone());
        all.insert(one.approval_hash.clone());
    }
    assert!(all.len() > 30 && all.iter().all(|one| one.len() > 6), "{all:?}");
    all
}

#[tokio::test]
async fn probes_are_answered_before_the_hub_has_read_everything() {
    let folder = tempdir().unwrap();
    let (data, log) = (folder.path().join("hub"), folder.path().join("log"));
    bootstrap(&data);
    // A file that is never whole: whoever reads it waits for somebody who writes, and nobody does.
    let keys = data.join("keys.json");
    std::fs::remove_file(&keys).unwrap();
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&keys).status().unwrap();
    assert!(made.success());
    let mut command = serve(&data);
    command.args(["--metrics-listen", "127.0.0.1:0"]);
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let _child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let address = endpoint_in(|| std::fs::read_to_string(&log).unwrap()).await;
    for (path, expected) in [("/healthz", 200), ("/readyz", 503), ("/metrics", 200)] {
        assert_eq!(get(address, path).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn everything_is_told_of_every_call_and_nothing_of_anybody() {
    let collector = Collector::start().await;
    let url = collector.url();
    let arguments =
        ["--otlp-endpoint", &url, "--traces-per-million", "1000000", "--metrics-listen", "127.0.0.1:0"];
    let mut stage = Stage::open_with(&arguments).await;
    let objects = stage.quoted().await;
    for path in PEOPLE {
        ask_everything(&stage.client_of(path).await, &objects["market"]).await;
    }
    // Somebody who speaks no TLS.
    let mut stranger = tokio::net::TcpStream::connect(stage.address()).await.unwrap();
    stranger.write_all(HEADER.as_bytes()).await.unwrap();
    let address = endpoint(stage.hub()).await;
    let page = until("what is counted stands on the page", async || {
        let (_, page) = get(address, "/metrics").await;
        ROWS.iter().all(|row| page.contains(row)).then_some(page)
    })
    .await;
    let log = stage.log_after_end().await;

    for canary in canaries(&objects) {
        for (place, bytes) in [
            ("a span or metric", &collector.bytes()),
            ("the page", &page.clone().into_bytes()),
            ("the log", &log.clone().into_bytes()),
        ] {
            assert!(!holds(bytes, canary.as_bytes()), "{canary} stands in {place}");
        }
    }
    assert_metrics(&page, &collector);
    assert_spans(&collector.spans());
    assert_log(&log, &collector.spans());
}

/// The page and the collector have every metric of the table, and no other.
fn assert_metrics(page: &str, collector: &Collector) {
    let kinds: BTreeMap<&str, &str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut expected: BTreeMap<String, &str> =
        names::ALL.iter().map(|metric| (metric.prometheus(), metric.kind.as_str())).collect();
    expected.insert("target_info".to_owned(), "gauge");
    let expected: BTreeMap<&str, &str> = expected.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    assert_eq!(kinds, expected);
    for metric in names::ALL {
        let name = metric.prometheus();
        let rows = page.lines().filter(|line| line.starts_with(&name) && !line.starts_with('#'));
        let labels: BTreeSet<String> = rows.flat_map(labels).filter(|label| label != "le").collect();
        let stated: BTreeSet<String> = metric.attributes.iter().map(|one| one.replace('.', "_")).collect();
        assert_eq!(labels, stated, "{name}");
    }
    let sent: BTreeSet<String> = collector.metrics().into_iter().map(|metric| metric.name).collect();
    let stated: BTreeSet<String> = names::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(sent, stated);
}

/// The names of a row's labels. No value of ours has a comma or an equals sign, but for the names of authorities.
fn labels(row: &str) -> Vec<String> {
    let Some((_, rest)) = row.split_once('{') else { return Vec::new() };
    let inside = rest.rsplit_once('}').unwrap().0;
    inside.split("\",").filter_map(|pair| Some(pair.split_once("=\"")?.0.to_owned())).collect()
}

fn assert_spans(spans: &[Span]) {
    let named = |name: &str| spans.iter().filter(|span| span.name == name).count();
    for method in methods() {
        let calls = named(&method.path[1..]);
        assert!(calls > 0, "no span of {}", method.path);
    }
    assert!(named("batch") > 0 && named("commit") > 0 && named("select reservation") > 0, "{spans:?}");
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&span.span_id[..], span)).collect();
    let is_call = |span: &Span| span.kind == i32::from(SpanKind::Server);
    let linked = |span: &Span| -> Vec<&Span> {
        span.links.iter().filter_map(|link| by_id.get(&link.span_id[..]).copied()).collect()
    };
    for batch in spans.iter().filter(|span| span.name == "batch") {
        let calls = linked(batch);
        assert!(!calls.is_empty() && calls.iter().all(|call| is_call(call)), "{batch:?}");
        for call in calls {
            assert!(linked(call).iter().any(|one| one.span_id == batch.span_id), "{call:?}");
        }
        let beneath = spans.iter().filter(|span| span.parent_span_id == batch.span_id);
        assert!(beneath.filter(|span| span.name.starts_with("select ")).count() > 0, "{batch:?}");
    }
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let children = spans.iter().filter(|span| is_call(span) && hex(&span.parent_span_id) == PARENT);
    assert!(children.filter(|span| hex(&span.trace_id) == TRACE).count() > 100, "callers' traces go on here");
    assert!(spans.iter().all(|span| span.trace_state.is_empty() && span.events.is_empty()));
}

/// Lines of calls say which span they stand in.
fn assert_log(log: &str, spans: &[Span]) {
    let ids: BTreeSet<String> =
        spans.iter().map(|span| data_encoding::HEXLOWER.encode(&span.span_id)).collect();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of_calls: Vec<_> = lines.filter(|line| line["fields"]["message"] == "served").collect();
    assert!(of_calls.len() > 50, "the log is not detailed enough to prove anything");
    for line in of_calls {
        assert!(line["span_id"].as_str().is_some_and(|id| ids.contains(id)), "{line}");
    }
}
