//! Dashboard, alert rules and the page of metrics, compared with what the real program exports at work.
//!
//! A name that is spelt wrong in a query is no error to Prometheus: the panel stays empty and the alert silent. Here
//! every metric, label and value of a label that a query names must be there. Absent: what the figures are.

mod exported;
mod files;
mod promql;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use pointbridge_client::{Client, v1};
use pointbridge_core::rejection::Reason;
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use self::exported::{Exported, documented};
use self::files::{Alert, Query, alerts, dashboard, queries_shown};
use self::promql::Use;
use crate::asks;
use crate::harness::until;
use crate::program::{Serving, bootstrap, issue_partner};
use crate::scene::{agree, grant, link, member, program};
use crate::signals::http::endpoint;

/// What Prometheus keeps itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];
/// What a scrape adds to every row, and Prometheus to its own.
const ADDED: [&str; 5] = ["job", "instance", "alertname", "alertstate", "severity"];
/// Says who sends signals; the page names it in a sentence.
const SENDER: &str = "target_info";
/// What begins with its first event, and that event is a fault that no test makes here.
const AFTER_FAULTS: [&str; 2] = ["pointbridge_store_errors_total", "pointbridge_queue_shed_total"];
/// More handshakes than one address may have under way.
const SILENT_CONNECTIONS: usize = 40;

#[tokio::test]
async fn dashboard_alerts_and_page_name_what_a_running_hub_exports() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    for code in ["airline", "market"] {
        issue_partner(&data, code);
    }
    let hub =
        Serving::start_with(&data, &["--lame-duck-seconds", "0", "--metrics-listen", "127.0.0.1:0"]).await;
    let metrics = endpoint(&hub).await;
    exchange_and_refuse(&hub).await;
    disturb(hub.address()).await;
    let page = documented();
    let expected = page.keys().filter(|name| !AFTER_FAULTS.contains(&name.as_str()));
    let expected: BTreeSet<&String> = expected.collect();
    let exported = until("every metric of TELEMETRY.md is exported", async || {
        let exported = Exported::scrape(metrics).await;
        let missing: Vec<_> = expected.iter().filter(|name| !exported.0.contains_key(**name)).collect();
        eprintln!("not exported yet: {missing:?}");
        missing.is_empty().then_some(exported)
    })
    .await;
    assert_documented(&exported);
    let shown = queries_shown(&dashboard());
    for query in shown.iter().chain(&alerts().iter().map(Alert::query).collect::<Vec<_>>()) {
        for one in query.reading().uses {
            assert_exported(query, &one, &exported);
        }
    }
    assert_eq!(hub.terminate().await.code(), Some(0));
}

/// An exchange that is committed, one that is called off, and one that the rules refuse.
async fn exchange_and_refuse(hub: &Serving) {
    let operator = hub.client("operator.wang").await;
    for code in ["airline", "market"] {
        operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    }
    let airline = hub.client("partner.airline.partner.till-7").await;
    let market = hub.client("partner.market.partner.till-7").await;
    let miles = program(&airline, asks::create_program("airline", "miles", 0)).await;
    let points = program(&market, asks::create_program("market", "points", 0)).await;
    let at_airline = member(&airline, &miles, "crane/li").await;
    let at_market = member(&market, &points, "market/li").await;
    link(&airline, &at_airline, ("market", &market), &at_market).await;
    grant(&market, &at_market, "airline").await;
    grant(&airline, &at_airline, "market").await;
    agree(&market, ("airline", &airline), vec![asks::direction(&points, &miles)]).await;
    market.ledger().accrue_points(asks::accrue(&at_market, "1000")).await.unwrap();
    let committed = prepare(&market, &at_market, &at_airline, "SM-1").await;
    market.exchanges().commit_exchange(asks::commit(&committed.exchange_id)).await.unwrap();
    let aborted = prepare(&market, &at_market, &at_airline, "SM-2").await;
    market.exchanges().abort_exchange(asks::abort(&aborted.exchange_id)).await.unwrap();
    market.exchanges().commit_exchange(asks::commit(&aborted.exchange_id)).await.unwrap_err();
}

async fn prepare(client: &Client, from: &str, to: &str, order: &str) -> v1::Exchange {
    let quoted = client.exchanges().quote_exchange(asks::quote(from, to, "100")).await.unwrap();
    let request = asks::prepare(&quoted.into_inner().quote.unwrap().quote_token, order);
    let prepared = client.exchanges().prepare_exchange(request).await.unwrap();
    prepared.into_inner().exchange.unwrap()
}

/// A handshake that fails, and more silent connections at once than an address may have.
async fn disturb(hub: SocketAddr) {
    let mut nonsense = TcpStream::connect(hub).await.unwrap();
    nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..SILENT_CONNECTIONS {
        silent.push(TcpStream::connect(hub).await.unwrap());
    }
}

/// Holds that the page says of each metric what it is.
fn assert_documented(exported: &Exported) {
    let page = documented();
    for (name, family) in exported.0.iter().filter(|(name, _)| *name != SENDER) {
        let Some(row) = page.get(name) else {
            panic!("{name} is exported, and TELEMETRY.md does not know it")
        };
        let labels: BTreeSet<String> = family.labels.keys().filter(|label| *label != "le").cloned().collect();
        assert_eq!(
            (&family.kind, &labels),
            (&row.kind, &row.labels),
            "{name}: otherwise than TELEMETRY.md says"
        );
    }
}

/// Holds that a query finds what it names.
fn assert_exported(query: &Query, one: &Use, exported: &Exported) {
    let Use { metric, labels, matched } = one;
    if OF_PROMETHEUS.contains(&metric.as_str()) {
        return;
    }
    let at = &query.at;
    let page = documented();
    let family = exported.of_row(metric);
    let known: BTreeSet<String> = match family {
        Some(family) => family.labels.keys().cloned().collect(),
        None if AFTER_FAULTS.contains(&metric.as_str()) => page[metric].labels.clone(),
        None => panic!("{at}: the hub exports no {metric}"),
    };
    for label in labels.iter().filter(|label| !ADDED.contains(&label.as_str())) {
        assert!(known.contains(label), "{at}: {metric} has no label {label}, only {known:?}");
    }
    let suffixes = ["_bucket", "_sum", "_count"];
    let name =
        suffixes.iter().find_map(|end| metric.strip_suffix(end)).filter(|name| page.contains_key(*name));
    let meaning = &page[name.unwrap_or(metric)].meaning;
    for (label, values) in matched.iter().filter(|(label, _)| !ADDED.contains(&label.as_str())) {
        let seen = family.and_then(|family| family.labels.get(label));
        for value in values {
            let is_seen = seen.is_some_and(|seen| seen.contains(value));
            let is_named =
                meaning.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == value);
            assert!(
                is_seen || is_named || is_of_the_interface(value),
                "{at}: {metric} never has {label} {value}"
            );
        }
    }
}

/// A reason of refusals, or a status of gRPC.
fn is_of_the_interface(value: &str) -> bool {
    let is_status = (0..=16).map(tonic::Code::from_i32).any(|code| {
        let spelt: String = format!("{code:?}")
            .chars()
            .flat_map(|c| [c.is_uppercase().then_some('_'), Some(c.to_ascii_uppercase())])
            .flatten()
            .collect();
        spelt.trim_start_matches('_') == value
    });
    is_status || Reason::ALL.iter().any(|reason| reason.as_str() == value)
}
