//! The acceptor over real loopback connections, with certificates made on the spot.

mod crowds;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;

use super::*;
use crate::pki::{Ca, Issued, LeafRequest};
use crate::tls::{CrlFile, ServerFiles};

/// Longer than anything here takes; only a broken acceptor waits it out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Hub {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ca: Ca,
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    trust: Arc<Trust>,
    pub(crate) connections: Pin<Box<dyn Stream<Item = io::Result<Connection>> + Send>>,
}

pub(crate) fn home() -> TrustDomain {
    TrustDomain::parse("hub.test").unwrap()
}

fn short() -> Limits {
    Limits { handshake_timeout: Duration::from_secs(1), ..Limits::default() }
}

pub(crate) async fn hub(limits: Limits) -> Hub {
    hub_of(&home(), limits).await
}

/// A hub of the trust domain `hub.test`, whose clients' authority signs for `authority`.
pub(crate) async fn hub_of(authority: &TrustDomain, limits: Limits) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::init(folder.path(), authority).unwrap();
    let server = ca.issue(&LeafRequest::server(&["127.0.0.1"], 1)).unwrap();
    let trust = Trust::load(ServerFiles {
        certificate_pem: server.certificate_pem,
        key_pem: server.key_pem,
        client_ca_pem: server.ca_pem,
        client_crl: CrlFile::Named(folder.path().join("crl.pem")),
        authorities_without_crl: BTreeSet::new(),
    })
    .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let options = Options { trust: Arc::clone(&trust), trust_domain: home(), limits };
    let connections = Box::pin(incoming(listener, options, stopping));
    Hub { folder, ca, address, stop, trust, connections }
}

impl Hub {
    pub(crate) fn issue(&self, path: &str) -> Issued {
        let principal = Principal::from_path(path, self.ca.trust_domain()).unwrap();
        self.ca.issue(&LeafRequest::client(principal, 1)).unwrap()
    }

    /// Another authority takes the place of the one that signed everybody.
    pub(crate) fn distrust_everybody(&self) {
        let other = tempfile::tempdir().unwrap();
        Ca::init(other.path(), &home()).unwrap();
        for file in ["crl.pem", "ca.pem"] {
            std::fs::copy(other.path().join(file), self.folder.path().join(file)).unwrap();
        }
        self.trust.reload_now();
    }

    pub(crate) fn ca_pem(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) async fn next(&mut self) -> Connection {
        let item = timeout(PATIENCE, self.connections.next()).await.expect("a connection in time");
        item.expect("the stream goes on").expect("an item is never an error")
    }

    pub(crate) async fn connect(&self, client: ClientConfig) -> io::Result<Client> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        timeout(PATIENCE, TlsConnector::from(Arc::new(client)).connect(name, tcp)).await.unwrap()
    }
}

pub(crate) type Client = tokio_rustls::client::TlsStream<TcpStream>;

pub(crate) fn client(ca_pem: &Path, identity: Option<&Issued>) -> ClientConfig {
    client_of(rustls::crypto::aws_lc_rs::default_provider(), ca_pem, identity)
}

fn client_of(
    provider: rustls::crypto::CryptoProvider,
    ca_pem: &Path,
    identity: Option<&Issued>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_pem).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(issued) => {
            let chain = vec![CertificateDer::from_pem_file(&issued.certificate_pem).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&issued.key_pem).unwrap())
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    config
}

/// The server's end of the wire is closed: with TLS 1.3 a client learns of a refusal when it reads.
async fn assert_cut(client: io::Result<Client>) {
    if let Ok(mut stream) = client {
        let mut byte = [0];
        let read = timeout(PATIENCE, stream.read(&mut byte)).await.expect("the end in time");
        assert!(!matches!(read, Ok(1..)), "the server goes on speaking");
    }
}

#[tokio::test]
async fn a_good_certificate_shows_its_principal_and_bytes_flow() {
    let mut hub = hub(Limits::default()).await;
    let till = hub.issue("partner/airline/partner/till-7");
    let mut client = hub.connect(client(&hub.ca_pem(), Some(&till))).await.unwrap();
    let mut connection = hub.next().await;
    let info = connection.peer().clone();
    assert_eq!(info.principal.unwrap().to_string(), "partner/airline/partner/till-7");
    assert_eq!(info.remote, client.get_ref().0.local_addr().unwrap());
    assert!(connection.stream.get_ref().0.nodelay().unwrap());
    client.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    connection.read_exact(&mut bytes).await.unwrap();
    connection.write_all(&bytes).await.unwrap();
    connection.flush().await.unwrap();
    client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
}

/// The groups that a client offers, best first, and the one that comes of it.
#[tokio::test]
async fn keys_are_exchanged_against_quantum_computers_too_where_the_client_can() {
    use rustls::NamedGroup::{self, X25519, X25519MLKEM768, secp256r1};
    use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
    let mut hub = hub(Limits::default()).await;
    let alice = hub.issue("operator/alice");
    let cases: [(Vec<&'static dyn rustls::crypto::SupportedKxGroup>, NamedGroup); 4] = [
        (default_provider().kx_groups, X25519MLKEM768),
        (vec![kx_group::X25519, kx_group::X25519MLKEM768], X25519),
        (vec![kx_group::X25519], X25519),
        (vec![kx_group::SECP256R1], secp256r1),
    ];
    for (groups, expected) in cases {
        let mut provider = default_provider();
        provider.kx_groups = groups;
        let config = client_of(provider, &hub.ca_pem(), Some(&alice));
        let client = hub.connect(config).await.unwrap();
        let connection = hub.next().await;
        let (ours, theirs) = (connection.stream.get_ref().1, client.get_ref().1);
        for group in [ours.negotiated_key_exchange_group(), theirs.negotiated_key_exchange_group()] {
            assert_eq!(group.expect("a group").name(), expected);
        }
        assert_eq!(ours.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    }
}

#[tokio::test]
async fn a_session_is_never_resumed() {
    let mut hub = hub(Limits::default()).await;
    let config = client(&hub.ca_pem(), Some(&hub.issue("operator/alice")));
    for _ in 0..2 {
        let mut client = hub.connect(config.clone()).await.unwrap();
        let mut connection = hub.next().await;
        connection.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
        assert_eq!(client.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(client.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_principal_that_does_not_parse_is_let_in_as_nobody() {
    let mut hub = hub_of(&TrustDomain::parse("other.test").unwrap(), Limits::default()).await;
    let stranger = hub.issue("operator/alice");
    let _client = hub.connect(client(&hub.ca_pem(), Some(&stranger))).await.unwrap();
    let found = hub.next().await.peer().principal.clone();
    assert_eq!(found.unwrap_err(), PrincipalError::TrustDomainForeign);
}

/// Each refused client, and after it a good one that is the first to come out of the stream.
#[tokio::test]
async fn clients_without_a_good_certificate_are_cut() {
    let mut hub = hub(Limits::default()).await;
    let other = hub_of(&home(), Limits::default()).await;
    let good = hub.issue("operator/alice");
    let server_leaf = hub.ca.issue(&LeafRequest::server(&["127.0.0.1"], 1).named("twin")).unwrap();
    let ca_pem = hub.ca_pem();
    let mut no_protocol = client(&ca_pem, Some(&good));
    no_protocol.alpn_protocols.clear();
    let mut other_protocol = client(&ca_pem, Some(&good));
    other_protocol.alpn_protocols = vec![b"http/1.1".to_vec()];
    let cases = [
        ("no certificate", client(&ca_pem, None)),
        ("another authority", client(&ca_pem, Some(&other.issue("operator/alice")))),
        ("a server's certificate", client(&ca_pem, Some(&server_leaf))),
        ("no protocol", no_protocol),
        ("another protocol", other_protocol),
    ];
    for (name, config) in cases {
        assert_cut(hub.connect(config).await).await;
        let _client = hub.connect(client(&ca_pem, Some(&good))).await.unwrap();
        let found = hub.next().await.peer().principal.clone().expect(name);
        assert_eq!(found.to_string(), "operator/alice", "{name}");
    }
}

/// A greeting of TLS 1.2, byte by byte: this build has no TLS 1.2 that could be asked for one.
fn tls12_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([0x42; 32]);
    // No session; ECDHE-ECDSA and ECDHE-RSA with AES-128-GCM; no compression.
    body.extend([0x00, 0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f, 0x01, 0x00]);
    // Groups x25519 and P-256; uncompressed points; ECDSA with P-256 and SHA-256.
    let extensions: [&[u8]; 3] = [
        &[0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17],
        &[0x00, 0x0b, 0x00, 0x02, 0x01, 0x00],
        &[0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03],
    ];
    let extensions = extensions.concat();
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u16::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend((length + 4).to_be_bytes());
    record.extend([0x01, 0x00]);
    record.extend(length.to_be_bytes());
    record.extend(body);
    record
}

#[tokio::test]
async fn tls_1_2_is_refused_by_name() {
    let hub = hub(Limits::default()).await;
    let mut tcp = TcpStream::connect(hub.address).await.unwrap();
    tcp.write_all(&tls12_hello()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.unwrap().unwrap();
    // A fatal alert of the kind "protocol version".
    assert_eq!(answer[..1], [0x15]);
    assert_eq!(answer[5..], [0x02, 70]);
}

#[tokio::test]
async fn a_silent_client_keeps_nobody_waiting() {
    let mut hub = hub(Limits { handshake_timeout: PATIENCE, ..Limits::default() }).await;
    let alice = hub.issue("operator/alice");
    let mut silent = TcpStream::connect(hub.address).await.unwrap();
    let _client = hub.connect(client(&hub.ca_pem(), Some(&alice))).await.unwrap();
    assert!(hub.next().await.peer().principal.is_ok());
    let early = timeout(Duration::from_millis(1), silent.read(&mut [0])).await;
    assert!(early.is_err(), "the silent one is still under way");
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_cut() {
    let hub = hub(short()).await;
    let mut silent = TcpStream::connect(hub.address).await.unwrap();
    let read = timeout(PATIENCE, silent.read(&mut [0])).await.expect("the end in time");
    assert!(!matches!(read, Ok(1..)));
}

#[test]
fn an_address_of_ipv6_counts_as_its_network() {
    let of = |text: &str| network(text.parse().unwrap()).to_string();
    for (address, counted) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::9", "2001:db8:1:3::"),
    ] {
        assert_eq!(of(address), counted, "{address}");
    }
}

#[tokio::test]
async fn a_partner_has_so_many_connections_and_others_their_own() {
    let mut hub = hub(Limits { connections_per_partner_max: 1, ..Limits::default() }).await;
    let ca_pem = hub.ca_pem();
    let till = hub.issue("partner/airline/partner/till-7");
    let finance = hub.issue("partner/airline/finance/anna");
    let cinema = hub.issue("partner/cinema/partner/till-1");
    let _first = hub.connect(client(&ca_pem, Some(&till))).await.unwrap();
    let place = hub.next().await;
    assert_cut(hub.connect(client(&ca_pem, Some(&finance))).await).await;
    let _other = hub.connect(client(&ca_pem, Some(&cinema))).await.unwrap();
    let other = hub.next().await;
    assert_eq!(other.peer().principal.as_ref().unwrap().partner_code(), Some("cinema"));
    drop(place);
    let _second = hub.connect(client(&ca_pem, Some(&finance))).await.unwrap();
    let second = hub.next().await;
    assert_eq!(second.peer().principal.as_ref().unwrap().subject(), "anna");
}

#[tokio::test]
async fn the_hub_has_so_many_connections() {
    let mut hub = hub(Limits { connections_max: 1, ..Limits::default() }).await;
    let ca_pem = hub.ca_pem();
    let (alice, till) = (hub.issue("operator/alice"), hub.issue("partner/airline/partner/till-7"));
    let _first = hub.connect(client(&ca_pem, Some(&alice))).await.unwrap();
    let place = hub.next().await;
    assert_cut(hub.connect(client(&ca_pem, Some(&till))).await).await;
    drop(place);
    let _second = hub.connect(client(&ca_pem, Some(&till))).await.unwrap();
    assert_eq!(hub.next().await.peer().principal.as_ref().unwrap().subject(), "till-7");
}

#[tokio::test]
async fn the_stream_ends_on_the_signal_and_open_connections_stay() {
    let mut hub = hub(Limits::default()).await;
    let alice = hub.issue("operator/alice");
    let mut client = hub.connect(client(&hub.ca_pem(), Some(&alice))).await.unwrap();
    let mut connection = hub.next().await;
    // A handshake under way must not hold the end up.
    let _silent = TcpStream::connect(hub.address).await.unwrap();
    hub.stop.send(true).unwrap();
    let ended = timeout(Duration::from_secs(4), hub.connections.next()).await.expect("the end in time");
    assert!(ended.is_none());
    assert!(TcpStream::connect(hub.address).await.is_err(), "the port is closed");
    connection.write_all(b"x").await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
}

/// A service that answers every health check with the caller's principal, or refuses who is nobody.
fn serve_principals(hub: Hub) -> (tempfile::TempDir, watch::Sender<bool>, SocketAddr, Ca) {
    let Hub { folder, ca, address, stop, connections, .. } = hub;
    let (_, health) = tonic_health::server::health_reporter();
    let tell = |request: tonic::Request<()>| {
        let info = request.extensions().get::<PeerInfo>().expect("the connection's peer").clone();
        Err(match info.principal {
            Ok(principal) => tonic::Status::already_exists(principal.to_string()),
            Err(error) => tonic::Status::unauthenticated(error.to_string()),
        })
    };
    let service = tonic::service::interceptor::InterceptedService::new(health, tell);
    let service = tower::ServiceBuilder::new()
        .map_response(|answer: http::Response<_>| answer.map(tonic::body::Body::new))
        .service(service);
    let times = crate::transport::Options::default();
    tokio::spawn(crate::transport::serve(connections, service, times, stop.subscribe()));
    (folder, stop, address, ca)
}

async fn ask(config: &pointbridge_client::Config) -> Result<tonic::Status, String> {
    let client = pointbridge_client::Client::bare(config).await.map_err(|error| error.to_string())?;
    let mut health = tonic_health::pb::health_client::HealthClient::new(client.channel());
    let request = tonic_health::pb::HealthCheckRequest::default();
    Ok(health.check(request).await.expect_err("the service always refuses"))
}

#[tokio::test]
async fn a_service_sees_the_principal_of_the_rust_client() {
    let hub = hub(Limits::default()).await;
    let other = hub_of(&home(), Limits::default()).await;
    let till = hub.issue("partner/airline/partner/till-7");
    let stranger = other.issue("partner/airline/partner/till-7");
    let (_folder, _stop, address, _ca) = serve_principals(hub);
    let config = |identity: &Issued, ca_pem: &Path| pointbridge_client::Config {
        endpoint: format!("https://{address}"),
        ca_pem: ca_pem.to_owned(),
        certificate_pem: identity.certificate_pem.clone(),
        key_pem: identity.key_pem.clone(),
        server_name: None,
    };
    let good = ask(&config(&till, &till.ca_pem)).await.unwrap();
    assert_eq!((good.code(), good.message()), (tonic::Code::AlreadyExists, "partner/airline/partner/till-7"));
    // The client's authority is not the hub's: the client walks away.
    let said = ask(&config(&till, &stranger.ca_pem)).await.unwrap_err();
    assert!(said.contains("certificate"), "{said}");
    // The hub does not know who signed the client: the wire is cut, at once or at the first call.
    match ask(&config(&stranger, &till.ca_pem)).await {
        Ok(status) => assert!(status.code() != tonic::Code::AlreadyExists, "{status}"),
        Err(said) => assert!(said.contains("cannot connect"), "{said}"),
    }
    let misnamed = pointbridge_client::Config {
        server_name: Some("hub.test".to_owned()),
        ..config(&till, &till.ca_pem)
    };
    assert!(ask(&misnamed).await.unwrap_err().contains("certificate"));
}

#[tokio::test]
async fn nobody_is_answered_with_a_reason_and_not_with_a_cut_wire() {
    let hub = hub_of(&TrustDomain::parse("other.test").unwrap(), Limits::default()).await;
    let stranger = hub.issue("operator/alice");
    let (_folder, _stop, address, _ca) = serve_principals(hub);
    let config = pointbridge_client::Config {
        endpoint: format!("https://{address}"),
        ca_pem: stranger.ca_pem,
        certificate_pem: stranger.certificate_pem,
        key_pem: stranger.key_pem,
        server_name: None,
    };
    let status = ask(&config).await.unwrap();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    assert!(status.message().contains("another trust domain"), "{status}");
}
