//! Lines to the hub below the gRPC library: a TLS stream under a certificate, and calls over HTTP/2 with any header and any
//! bytes.
//!
//! The source address can be chosen among those of the loopback, because the hub bounds handshakes by address: an attacker
//! has one of its own, as it would in the world.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use h2::client::SendRequest;
use pointbridge_client::Refusal;
use prost::bytes::{BufMut, Bytes, BytesMut};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::http::{HeaderMap, Method, Request, Response, StatusCode};
use tonic::{Code, Status};

/// Where well-behaved clients come from.
pub(crate) const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Where attackers come from.
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// A certificate and whom it trusts, for one hub.
#[derive(Clone)]
pub(crate) struct Identity {
    tls: Arc<ClientConfig>,
    address: SocketAddr,
    source: Ipv4Addr,
}

impl Identity {
    /// Reads the certificate of this name from the folder of the hub's authority.
    pub(crate) fn read(pki: &Path, name: &str, address: SocketAddr) -> Self {
        let mut roots = RootCertStore::empty();
        let chain = |name: &str| -> Vec<CertificateDer<'static>> {
            let pem = std::fs::read(pki.join(name)).unwrap();
            CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect()
        };
        roots.add_parsable_certificates(chain("ca.pem"));
        let key = PrivateKeyDer::from_pem_file(pki.join(format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain(&format!("{name}.pem")), key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Self { tls: Arc::new(tls), address, source: HOME }
    }

    /// The same, from another address.
    pub(crate) fn from(&self, source: Ipv4Addr) -> Self {
        Self { source, ..self.clone() }
    }

    /// Connects without a word.
    pub(crate) async fn tcp(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.source, 0)))?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Connects and shakes hands.
    pub(crate) async fn tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, self.tcp().await?).await
    }

    /// Connects, shakes hands and speaks HTTP/2; holds that the hub takes the connection.
    pub(crate) async fn line(&self) -> Line {
        self.try_line().await.unwrap_or_else(|error| panic!("the hub takes no connection: {error}"))
    }

    /// Connects, shakes hands and speaks HTTP/2.
    pub(crate) async fn try_line(&self) -> Result<Line, Box<dyn std::error::Error + Send + Sync>> {
        let (sender, connection) = h2::client::handshake(self.tls().await?).await?;
        tokio::spawn(async move {
            // Ends with an error where the hub cuts the connection; whoever calls sees it at the call.
            let _ = connection.await;
        });
        Ok(Line { sender })
    }
}

/// One HTTP/2 connection; copies share it.
#[derive(Clone)]
pub(crate) struct Line {
    sender: SendRequest<Bytes>,
}

/// What came back of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status of HTTP.
    pub(crate) http: StatusCode,
    /// The status of gRPC; unknown where none was sent.
    pub(crate) status: Status,
    /// The bytes of the answer, without the five before each message.
    pub(crate) message: Vec<u8>,
}

impl Answer {
    /// The refusal, with its details.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::from(&self.status)
    }

    /// Whether the call was served.
    pub(crate) fn is_ok(&self) -> bool {
        self.http == StatusCode::OK && self.status.code() == Code::Ok
    }
}

/// A gRPC request to a path, with the headers that every client sends.
pub(crate) fn request(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://127.0.0.1{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// A message behind its five bytes: uncompressed, and of its true length.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    prefixed(0, u32::try_from(message.len()).unwrap(), message)
}

/// A message behind five bytes that may lie.
pub(crate) fn prefixed(compressed: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(compressed);
    frame.put_u32(length);
    frame.put_slice(message);
    frame.freeze()
}

impl Line {
    /// Sends a message to a method.
    pub(crate) async fn call(&self, path: &str, message: &[u8]) -> Result<Answer, h2::Error> {
        self.send(request(path), framed(message)).await
    }

    /// Sends a request whose body is these bytes.
    pub(crate) async fn send(&self, request: Request<()>, body: Bytes) -> Result<Answer, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut stream) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            // The hub may answer, and reset, before it has read all: the answer is what counts.
            let _ = stream.send_data(body, true);
        }
        received(answer.await?).await
    }
}

/// Reads an answer to its end.
async fn received(answer: Response<h2::RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let status = status_in(&trailers).or_else(|| status_in(&head.headers));
    let status = status.unwrap_or_else(|| Status::unknown("no gRPC status was sent"));
    let message = bytes.get(5..).unwrap_or_default().to_vec();
    Ok(Answer { http: head.status, status, message })
}

fn status_in(headers: &HeaderMap) -> Option<Status> {
    if headers.get("grpc-status")?.as_bytes() == b"0" {
        return Some(Status::ok(""));
    }
    Status::from_header_map(headers)
}
