//! The end of a hub that is asked to stop: it says so, serves on for a while, lets calls end, and ends in time whatever its
//! clients do; and nothing that it acknowledged is lost.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointbridge_client::Client;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::asks;
use crate::load::settle_in;
use crate::program::{Serving, bootstrap, issue_partner, run_well};
use crate::scene::balance;

const MARKET: &str = "partner.market.partner.till-7";
/// What a service manager may count on.
const ENDS_WITHIN: Duration = Duration::from_secs(35);

/// A TLS connection of the market's that is HTTP/2 in name only: what it sends is up to the test, and it reads nothing.
async fn raw_connection(hub: &Serving, data: &Path) -> TlsStream<TcpStream> {
    let at = |name: &str| data.join("pki").join(name);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(at("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(at(&format!("{MARKET}.pem"))).unwrap()],
            PrivateKeyDer::from_pem_file(at(&format!("{MARKET}.key"))).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(hub.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

/// A connection that watches health and answers nothing that the hub says afterwards, not even that it goes down.
async fn hung_client(hub: &Serving, data: &Path) -> TlsStream<TcpStream> {
    let mut wire = raw_connection(hub, data).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // `:method POST`, `:scheme https`, then `:path` and the content's type as literals.
    let mut fields = vec![0x83, 0x87];
    for (name, value) in [(&[0x04][..], "/grpc.health.v1.Health/Watch"), (&[0x0f, 0x10], "application/grpc")]
    {
        fields.extend(name);
        fields.push(u8::try_from(value.len()).unwrap());
        fields.extend(value.as_bytes());
    }
    bytes.extend([0, 0, u8::try_from(fields.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend(fields);
    // An empty question in its five bytes of frame, and no end of the stream.
    bytes.extend([0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    wire.write_all(&bytes).await.unwrap();
    wire.flush().await.unwrap();
    // The hub's first words prove that it serves this connection.
    wire.read_exact(&mut [0; 9]).await.unwrap();
    wire
}

/// Credits a point at a time until the hub says no; answers with how often it said yes, and how often nobody knows.
async fn write_until_refused(client: Client, membership: String) -> (u64, u64) {
    let (mut acknowledged, mut unknown) = (0, 0);
    // A refusal before the end is none: the hub has to be gone.
    while unknown < 3 {
        match client.ledger().accrue_points(asks::accrue(&membership, "1")).await {
            Ok(_) => acknowledged += 1,
            Err(_) => unknown += 1,
        }
    }
    (acknowledged, unknown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_under_attack_ends_in_time_with_code_0_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    issue_partner(&data, "market");
    // As it is run by default: with five seconds of lame duck.
    let hub = Serving::start_with(&data, &[]).await;
    let operator = hub.client("operator.wang").await;
    let market = hub.client(MARKET).await;
    let membership = settle_in(&operator, &market, "market").await;

    let mut attackers = Vec::new();
    for _ in 0..5 {
        attackers.push(hung_client(&hub, &data).await);
        attackers.push(raw_connection(&hub, &data).await);
    }
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(hub.address()).await.unwrap());
    }
    let writers: Vec<_> =
        (0..3).map(|_| tokio::spawn(write_until_refused(market.clone(), membership.clone()))).collect();
    let mut health = HealthClient::new(operator.channel());
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    let began = Instant::now();
    hub.signal("TERM");
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    // The lame duck: those who did not look yet are served, on new connections too.
    let late = hub.client(MARKET).await;
    late.ledger().accrue_points(asks::accrue(&membership, "1")).await.unwrap();
    // The watcher's stream ends once the hub drains, and it was told so before.
    while let Ok(Some(_)) = watched.message().await {}

    let ended = hub.ended().await;
    let took = began.elapsed();
    assert_eq!(ended.code(), Some(0));
    assert!(took <= ENDS_WITHIN, "only after {took:?}");
    let (mut acknowledged, mut unknown) = (1, 0);
    for writer in writers {
        let (yes, perhaps) = writer.await.unwrap();
        (acknowledged, unknown) = (acknowledged + yes, unknown + perhaps);
    }
    eprintln!(
        "ended with 0 after {} ms; {acknowledged} writes acknowledged, {unknown} unanswered",
        took.as_millis()
    );
    assert!(acknowledged > 10, "hardly anything was written");

    let again = Serving::start(&data).await;
    let found: u64 = balance(&again.client(MARKET).await, &membership).await[0].parse().unwrap();
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&found),
        "{acknowledged} were acknowledged, {found} are there"
    );
    assert_eq!(again.terminate().await.code(), Some(0));
    run_well(&["check", "--data", data.to_str().unwrap()]);
    drop((attackers, silent));
}

#[tokio::test]
async fn a_hub_without_anybody_ends_when_its_lame_duck_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    let hub = Serving::start_with(&data, &["--lame-duck-seconds", "1"]).await;
    let began = Instant::now();
    assert_eq!(hub.terminate().await.code(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not wait");
}
