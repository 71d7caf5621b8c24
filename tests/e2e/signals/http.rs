//! Plain HTTP, as a scraper speaks it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::until;
use crate::program::Serving;

/// Sends bytes, and answers with all that comes back until the other end closes.
pub(crate) async fn exchange(address: SocketAddr, sent: &[u8]) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // The other end may close before it has read everything.
    let _ = tcp.write_all(sent).await;
    let mut all = Vec::new();
    let _ = tcp.read_to_end(&mut all).await;
    String::from_utf8(all).unwrap()
}

/// The status and the body of a path.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = exchange(address, format!("GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Where a hub serves metrics, as it logged.
pub(crate) async fn endpoint(hub: &Serving) -> SocketAddr {
    endpoint_in(|| hub.logged()).await
}

/// The same, by what a program logged so far.
pub(crate) async fn endpoint_in(logged: impl Fn() -> String) -> SocketAddr {
    until("the endpoint is told", async || {
        let log = logged();
        let line = log.lines().find(|line| line.contains("metrics and plain health are served"))?;
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fields"]["address"].as_str()?.parse().ok()
    })
    .await
}
