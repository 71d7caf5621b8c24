//! Collectors that are not there or never answer, and the endpoint's own manners.

use std::path::Path;

use tempfile::tempdir;
use tokio::net::TcpListener;

use super::http::{endpoint, exchange, get};
use crate::asks;
use crate::harness::until;
use crate::program::{Serving, bootstrap};

/// A hub that traces everything to a collector, and what it does.
async fn assert_works(data: &Path, collector: &str) {
    bootstrap(data);
    let arguments =
        ["--otlp-endpoint", collector, "--traces-per-million", "1000000", "--lame-duck-seconds", "0"];
    let hub = Serving::start_with(data, &arguments).await;
    let operator = hub.client("operator.wang").await;
    for number in 0..50 {
        let request = asks::create_partner(&format!("partner-{number}"));
        operator.partners().create_partner(request).await.unwrap();
    }
    assert_eq!(hub.terminate().await.code(), Some(0), "it ends in order, signals or not");
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_calls_nor_the_end() {
    let folder = tempdir().unwrap();
    // Connections come to be in the system's queue, and nobody ever reads them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_works(folder.path(), &format!("http://{}", silent.local_addr().unwrap())).await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_up_neither_calls_nor_the_end() {
    let folder = tempdir().unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    assert_works(folder.path(), &format!("http://{address}")).await;
}

#[tokio::test]
async fn whoever_asks_from_outside_learns_that_the_hub_goes_down_while_it_still_serves() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let arguments = ["--metrics-listen", "127.0.0.1:0", "--lame-duck-seconds", "20"];
    let hub = Serving::start_with(folder.path(), &arguments).await;
    let address = endpoint(&hub).await;
    until("the hub is ready", async || (get(address, "/readyz").await.0 == 200).then_some(())).await;
    assert_eq!(get(address, "/healthz").await.0, 200);
    hub.signal("TERM");
    until("the hub says that it goes down", async || (get(address, "/readyz").await.0 == 503).then_some(()))
        .await;
    assert_eq!(get(address, "/healthz").await.0, 200, "it lives all the same");
    hub.kill().await;
}

#[tokio::test]
async fn the_endpoint_serves_what_it_is_for_and_nothing_else() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let arguments = ["--metrics-listen", "127.0.0.1:0", "--lame-duck-seconds", "0"];
    let hub = Serving::start_with(folder.path(), &arguments).await;
    let address = endpoint(&hub).await;
    assert_eq!(get(address, "/").await.0, 404);
    assert_eq!(get(address, "/metrics?name=canary").await.0, 200);
    let answer = exchange(address, b"POST /metrics HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    let large = format!("GET /metrics HTTP/1.1\r\nHost: hub\r\nX-Large: {}\r\n\r\n", "a".repeat(64 * 1024));
    let answer = exchange(address, large.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "a head without bounds is taken: {answer}");
    // Nobody who is silent keeps the others out for long: each has ten seconds.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(get(address, "/healthz").await.0, 200);
    drop(silent);
    assert_eq!(hub.terminate().await.code(), Some(0));
}
