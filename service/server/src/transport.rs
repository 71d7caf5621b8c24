//! HTTP/2 on accepted connections: every limit of the protocol, the age of a connection, and its end.
//!
//! The gRPC library's own server loop would do most of this. It lacks an end that differs from one connection to the next (a
//! thousand partners that connected together would all come back together), and an end for a client that is trusted no more or
//! that never begins to speak; and its time-out stands outside of every layer and answers CANCELLED. So the loop is ours, and the
//! protocol stays hyper's.
//!
//! | limit | default | beyond it |
//! | --- | --- | --- |
//! | time from the handshake to the client's first words | 10 s | cut |
//! | calls at a time | 100 | refused by the protocol |
//! | what may be sent ahead | 64 KiB a call, 1 MiB a connection | the client waits |
//! | metadata of a call | 8 KiB | refused by the protocol |
//! | calls reset before they were looked at | 20 | GOAWAY |
//! | calls that the hub had to reset | 128 | GOAWAY |
//! | silence, then no answer | 30 s, then 10 s | cut |
//! | age | 15 min ± 10 % | GOAWAY, and a cut after 30 s |
//! | a certificate that is trusted no more | | each call is refused with the reason; GOAWAY after 10 s, cut 30 s later |
//! | any of these ends, or the hub's own, before the client's first words | | cut |

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pointbridge_core::rejection::{Reason, Rejection};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::acceptor::Connection;
use crate::peer::{PeerCertificate, PeerInfo};
use crate::status;

/// Calls at a time on one connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 100;
/// What a client may send ahead on one stream, and on one connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What is kept of one answer for a client that does not read.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Metadata of one call.
const HEADER_BYTES_MAX: u32 = 8 * 1024;
/// Streams that a client may open and reset before they were looked at.
const PENDING_RESETS_MAX: usize = 20;
/// Streams that the hub may have to reset for what a client does wrong.
const LOCAL_RESETS_MAX: usize = 128;
/// How long calls under way may take once their connection has been told to end.
const GRACE: Duration = Duration::from_secs(30);
/// How often a connection's certificate is looked at while nobody calls: so that streams end too.
const TRUST_INTERVAL: Duration = Duration::from_secs(2);
/// What the paths of the hub's own methods begin with.
const OURS: &str = "/pointbridge.";

/// The times of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How old a connection gets, up to a tenth more or less: then the client must make another.
    pub age: Duration,
    /// How long a client may take from the end of its handshake to its first words.
    pub first_words_timeout: Duration,
    /// How long a client whose certificate is trusted no more is told why before its connection ends.
    pub distrusted_grace: Duration,
    /// After how long a silent connection is asked whether it lives.
    pub keepalive_interval: Duration,
    /// How long it may take to say so.
    pub keepalive_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            age: Duration::from_mins(15),
            first_words_timeout: Duration::from_secs(10),
            distrusted_grace: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves connections until there are no more to come, tells them all to end once `draining` turns true, and returns when the
/// last has ended. Dropping the future cuts them.
pub async fn serve<S>(
    mut connections: impl Stream<Item = io::Result<Connection>> + Unpin,
    service: S,
    options: Options,
    draining: watch::Receiver<bool>,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connections.next() => match accepted {
                Some(Ok(connection)) => {
                    open.spawn(serve_one(connection, service.clone(), options, draining.clone()));
                }
                Some(Err(_)) => {}
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    while open.join_next().await.is_some() {}
}

/// Why a connection ends before its client ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client never began to speak.
    Silence,
    Age,
    Distrust,
    Drain,
}

async fn serve_one<S>(connection: Connection, service: S, options: Options, draining: watch::Receiver<bool>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let peer = connection.peer().clone();
    let certificate = Arc::clone(&peer.certificate);
    let heard = connection.heard();
    let silence = async {
        sleep(options.first_words_timeout).await;
        if heard.has_words() {
            std::future::pending::<()>().await;
        }
    };
    let calls = Calls { service, peer, draining: draining.clone() };
    let mut served = pin!(protocol(options).serve_connection(TokioIo::new(connection), calls));
    let end = tokio::select! {
        // How it ended is the client's business, and a flood of broken ones none for the log.
        _ = &mut served => return,
        () = silence => End::Silence,
        () = sleep(jittered(options.age)) => End::Age,
        () = distrusted(&certificate, options.distrusted_grace) => End::Distrust,
        () = is_draining(draining) => End::Drain,
    };
    tracing::debug!(?end, "a connection is ended");
    // Who never spoke would not hear that it ends either, and would hold the hub's own end for all of the grace.
    if end != End::Silence && heard.has_words() {
        served.as_mut().graceful_shutdown();
        let _ = timeout(GRACE, served).await;
    }
}

fn protocol(options: Options) -> http2::Builder<TokioExecutor> {
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout);
    protocol
}

/// Between nine and eleven tenths of a time, at random.
fn jittered(time: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without randomness all connections are of one age, which is no fault of theirs.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let per_mille = 900 + u32::from(u16::from_be_bytes(bytes) % 201);
    time.saturating_mul(per_mille) / 1_000
}

async fn distrusted(certificate: &PeerCertificate, grace: Duration) {
    while certificate.ask().is_ok() {
        sleep(TRUST_INTERVAL).await;
    }
    sleep(grace).await;
}

/// Waits until the hub goes down; a sender that is gone means that it did.
async fn is_draining(mut draining: watch::Receiver<bool>) {
    let _ = draining.wait_for(|down| *down).await;
}

fn refused() -> Status {
    let what = "this hub is going down: retry with the same request_id, on another connection";
    status::of_rejection(&Rejection::new(Reason::Draining, what))
}

/// The calls of one connection: each is told whose it is, and none begins while the hub goes down.
struct Calls<S> {
    service: S,
    peer: PeerInfo,
    draining: watch::Receiver<bool>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> hyper::service::Service<Request<Incoming>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let is_ours = request.uri().path().starts_with(OURS);
        if is_ours && *self.draining.borrow() {
            return Box::pin(std::future::ready(Ok(refused().into_http())));
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        let answer = self.service.clone().oneshot(request);
        if is_ours {
            return Box::pin(answer);
        }
        let drain = Box::pin(is_draining(self.draining.clone()));
        Box::pin(async move {
            answer
                .await
                .map(|response| response.map(|inner| Body::new(UntilDrain { inner, drain: Some(drain) })))
        })
    }
}

/// An answer without an end of its own, as of somebody who watches health: it ends when the hub goes down.
struct UntilDrain {
    inner: Body,
    /// `None` once that has been told.
    drain: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl HttpBody for UntilDrain {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(mut drain) = self.drain.take() else { return Poll::Ready(None) };
        // What there is to say is said first: that the hub goes down, say.
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.drain = Some(drain);
            return Poll::Ready(frame);
        }
        if drain.as_mut().poll(cx).is_pending() {
            self.drain = Some(drain);
            return Poll::Pending;
        }
        let mut trailers = HeaderMap::new();
        Poll::Ready(refused().add_header(&mut trailers).is_ok().then(|| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.drain.is_none() || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
