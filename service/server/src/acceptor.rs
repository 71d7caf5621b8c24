//! Connections from the outside: TCP accepted, TLS shaken, the principal read, and all of it bounded.
//!
//! The gRPC library's own listener sets no limit on half-open handshakes, connections or time; this one does:
//!
//! | bound | default | what happens beyond it |
//! | --- | --- | --- |
//! | handshakes from one address, those that wait included | 32 | the connection is cut |
//! | handshakes under way | 512 | the next ones wait |
//! | time that one waits | 5 s | the connection is cut |
//! | time for a handshake | 5 s | the connection is cut |
//! | connections | 2,000 | the connection is cut |
//! | connections of one partner | 64 | the connection is cut once the partner is known |
//!
//! A handshake waits and runs in a task of its own, so a silent client keeps nobody waiting, and accepting never rests: what an
//! address has too much is cut at once, also while others hold every place there is. A certificate that a known
//! authority signed but that names no principal is let in as nobody: its calls can then be answered with a reason.
//! What a principal may call, and whether the partner is suspended, is decided per request and not here.

mod bound;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use pointbridge_engine::sampled::Sampler;

use self::bound::{KeyedBound, KeyedPermit};
use crate::peer::{PeerCertificate, PeerInfo, Principal, PrincipalError, TrustDomain};
use crate::refusals::{self, Kind, Source};
use crate::telemetry::instruments::{Present, instruments};
use crate::tls::ALPN_HTTP2;
use crate::trust::Trust;

/// Connections that are ready and wait to be served; the server takes them at once, so a few are enough.
const READY_MAX: usize = 16;
/// The words with which every client of HTTP/2 begins (RFC 9113, section 3.4).
const FIRST_WORDS_BYTES: usize = 24;
/// How long accepting rests after the system refused (no more file descriptors, say): doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A system that refuses does so again and again.
static UNACCEPTED: Sampler = Sampler::new();

/// The bounds on connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// Handshakes under way, in all.
    pub handshakes_max: usize,
    /// How long a connection may wait for its handshake to begin.
    pub handshake_wait: Duration,
    /// Handshakes that wait or are under way from one IP address, or one /64 network of IPv6. A sixteenth of all, so that it takes
    /// many sources to use them up; a partner's tills behind one address seldom come back more than so many at once.
    pub handshakes_per_address_max: usize,
    /// Connections open, in all, handshakes included.
    pub connections_max: usize,
    /// Connections open per partner; the operator, the auditors and nobody count as one partner each.
    pub connections_per_partner_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            handshakes_max: 512,
            handshake_wait: Duration::from_secs(5),
            handshakes_per_address_max: 32,
            connections_max: 2_000,
            connections_per_partner_max: 64,
        }
    }
}

/// What connections are accepted with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The hub's certificate and who is trusted, each asked when a handshake begins.
    pub trust: Arc<Trust>,
    /// The trust domain of every principal.
    pub trust_domain: TrustDomain,
    /// The bounds.
    pub limits: Limits,
}

/// Accepts connections until `shutdown` turns true or its sender is gone; the stream then ends, and with it
/// every handshake under way. Connections that were handed out stay open. The items are never errors: what goes
/// wrong with one connection is logged, as often as [`refusals`] lets it, and the next one is served.
///
/// Must be called within a tokio runtime.
pub fn incoming(
    listener: TcpListener,
    options: Options,
    shutdown: watch::Receiver<bool>,
) -> impl Stream<Item = io::Result<Connection>> + Send + Unpin + 'static {
    let (ready, stream) = mpsc::channel(READY_MAX);
    let gate = Arc::new(Gate::new(options));
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = stopped(shutdown.clone()) => {}
            () = ready.closed() => {}
            () = accept_forever(&listener, &gate, &ready, &shutdown) => {}
        }
    });
    ReceiverStream::new(stream)
}

/// A place among the connections.
type Place = (OwnedSemaphorePermit, Present);

/// One connection with a client whose certificate was verified. Its place among the bounded ones is free again
/// when it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerInfo,
    heard: Heard,
    _places: (Place, KeyedPermit<Party>),
}

impl Connection {
    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// Whether the client has begun to speak; goes on telling after the connection was given away.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

/// How much a client has said so far.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<AtomicUsize>);

impl Heard {
    /// Whether it was enough to begin with: the protocol's fixed first words.
    #[must_use]
    pub fn has_words(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= FIRST_WORDS_BYTES
    }

    fn add(&self, bytes: usize) {
        // Counted up to what matters, so that it never turns over and a busy connection writes nothing.
        if !self.has_words() {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.heard.add(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Whose connections are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Party {
    Partner(String),
    /// The operator and the auditors, by role.
    Role(crate::peer::Role),
    /// Certificates that name no principal.
    Nobody,
}

impl Party {
    fn of(principal: &Result<Arc<Principal>, PrincipalError>) -> Self {
        match principal {
            Ok(principal) => match principal.partner_code() {
                Some(code) => Self::Partner(code.to_owned()),
                None => Self::Role(principal.role()),
            },
            Err(_) => Self::Nobody,
        }
    }
}

/// Why a connection was cut.
#[derive(Debug, Error)]
enum Cut {
    #[error("too many handshakes are under way from this address")]
    AddressBusy,
    #[error("too many handshakes are under way, and it waited too long for its own")]
    HandshakesFull,
    #[error("the hub has as many connections as it takes")]
    HubFull,
    #[error("its partner has as many connections as it may")]
    PartnerFull,
    #[error("the handshake took too long")]
    HandshakeSlow,
    #[error("the handshake failed: {0}")]
    HandshakeFailed(io::Error),
    #[error("the client does not speak HTTP/2")]
    ProtocolMissing,
}

impl Cut {
    /// Its name in the log.
    const fn reason(&self) -> &'static str {
        match self {
            Self::AddressBusy => "ADDRESS_BUSY",
            Self::HandshakesFull => "HANDSHAKES_FULL",
            Self::HubFull => "HUB_FULL",
            Self::PartnerFull => "PARTNER_FULL",
            Self::HandshakeSlow => "HANDSHAKE_SLOW",
            Self::HandshakeFailed(_) => "HANDSHAKE_FAILED",
            Self::ProtocolMissing => "PROTOCOL_MISSING",
        }
    }
}

/// The bounds and what is counted against them.
struct Gate {
    trust: Arc<Trust>,
    trust_domain: TrustDomain,
    handshake_timeout: Duration,
    handshake_wait: Duration,
    handshakes: Semaphore,
    addresses: KeyedBound<IpAddr>,
    connections: Arc<Semaphore>,
    parties: KeyedBound<Party>,
}

/// A TCP connection that may wait for its handshake.
struct Admitted {
    tcp: TcpStream,
    remote: SocketAddr,
    place: Place,
    _address: KeyedPermit<IpAddr>,
}

impl Gate {
    fn new(options: Options) -> Self {
        let Options { trust, trust_domain, limits } = options;
        Self {
            trust,
            trust_domain,
            handshake_timeout: limits.handshake_timeout,
            handshake_wait: limits.handshake_wait,
            handshakes: Semaphore::new(limits.handshakes_max),
            addresses: KeyedBound::new(limits.handshakes_per_address_max),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            parties: KeyedBound::new(limits.connections_per_partner_max),
        }
    }

    fn admit(&self, tcp: TcpStream, remote: SocketAddr) -> Result<Admitted, Cut> {
        let address = self.addresses.try_acquire(network(remote.ip())).ok_or(Cut::AddressBusy)?;
        let place = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| Cut::HubFull)?;
        Ok(Admitted { tcp, remote, place: (place, Present::connection()), _address: address })
    }

    /// Waits for a place among the handshakes, in the order of arrival.
    async fn begin(&self) -> Result<SemaphorePermit<'_>, Cut> {
        // The semaphore is never closed, so that it is the time that ran out.
        let begun = timeout(self.handshake_wait, self.handshakes.acquire()).await;
        begun.ok().and_then(Result::ok).ok_or(Cut::HandshakesFull)
    }

    async fn shake(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Cut> {
        tcp.set_nodelay(true).map_err(Cut::HandshakeFailed)?;
        let tls = TlsAcceptor::from(self.trust.tls());
        let shaken = match timeout(self.handshake_timeout, tls.accept(tcp)).await {
            Err(_) => Err(Cut::HandshakeSlow),
            Ok(shaken) => shaken.map_err(Cut::HandshakeFailed).and_then(speaking_http2),
        };
        if let Some(instruments) = instruments() {
            instruments.handshake(shaken.as_ref().err().map_or("OK", Cut::reason));
        }
        shaken
    }

    fn identify(
        &self,
        stream: TlsStream<TcpStream>,
        remote: SocketAddr,
        place: Place,
    ) -> Result<Connection, Cut> {
        // The verifier lets nobody in without a certificate, so an absent one is a malformed one.
        let chain: &[CertificateDer<'_>] = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = chain.first();
        let principal = leaf
            .ok_or(PrincipalError::CertificateMalformed)
            .and_then(|leaf| Principal::from_certificate(leaf, &self.trust_domain))
            .map(Arc::new);
        let certificate = Arc::new(PeerCertificate::trusted(chain, &self.trust));
        let party = self.parties.try_acquire(Party::of(&principal)).ok_or(Cut::PartnerFull)?;
        let peer = PeerInfo { principal, certificate, remote };
        Ok(Connection { stream, peer, heard: Heard::default(), _places: (place, party) })
    }

    fn log(remote: SocketAddr, cut: &Cut) {
        if let Some(instruments) = instruments() {
            instruments.connection_refused(cut.reason());
        }
        let source = Source::at(remote.ip());
        if let Some(left_out) = refusals::admit(source.clone(), cut.reason(), Kind::Cut) {
            tracing::warn!(%source, reason = cut.reason(), what = %cut, left_out, "connection refused");
        }
    }
}

/// A client that offers no protocol at all is let through by TLS.
fn speaking_http2(stream: TlsStream<TcpStream>) -> Result<TlsStream<TcpStream>, Cut> {
    match stream.get_ref().1.alpn_protocol() {
        Some(ALPN_HTTP2) => Ok(stream),
        _ => Err(Cut::ProtocolMissing),
    }
}

/// Accepts, and hands each connection to a task of its own. There are never more of those than connections.
async fn accept_forever(
    listener: &TcpListener,
    gate: &Arc<Gate>,
    ready: &mpsc::Sender<io::Result<Connection>>,
    shutdown: &watch::Receiver<bool>,
) {
    let mut backoff = BACKOFF_MIN;
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                backoff = BACKOFF_MIN;
                match gate.admit(tcp, remote) {
                    Ok(admitted) => {
                        let task = welcome(Arc::clone(gate), admitted, ready.clone());
                        tokio::spawn(until_stopped(shutdown.clone(), task));
                    }
                    Err(cut) => Gate::log(remote, &cut),
                }
            }
            // The client went away between its knock and our answer.
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                if let Some(left_out) = UNACCEPTED.admit() {
                    tracing::warn!(reason = %error, left_out, "connections cannot be accepted");
                }
                sleep(backoff).await;
                backoff = backoff.saturating_mul(2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Shakes hands and hands the connection over. The handshake counts as under way until the server took it.
async fn welcome(gate: Arc<Gate>, admitted: Admitted, ready: mpsc::Sender<io::Result<Connection>>) {
    let Admitted { tcp, remote, place, _address } = admitted;
    let shaken = async {
        let handshake = gate.begin().await?;
        Ok((gate.identify(gate.shake(tcp).await?, remote, place)?, handshake))
    };
    match shaken.await {
        // A server that is gone takes no connection; it is closed by being dropped.
        Ok((connection, _handshake)) => drop(ready.send(Ok(connection)).await),
        Err(cut) => Gate::log(remote, &cut),
    }
}

async fn until_stopped(shutdown: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stopped(shutdown) => {}
        () = task => {}
    }
}

/// Waits for the signal; a sender that is gone counts as one, since nobody could give it any more.
async fn stopped(mut shutdown: watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// The address that counts: of IPv6 the network's half, because whoever has one address there has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        canonical @ IpAddr::V4(_) => canonical,
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
pub(crate) mod tests;
