//! The endpoint for operators: metrics in Prometheus' form, and plain health. HTTP without TLS, on a port of its own.
//!
//! | path | answer |
//! | --- | --- |
//! | `/metrics` | 200, every metric |
//! | `/healthz` | 200 for as long as the process lives |
//! | `/readyz` | 200 while the hub serves; 503 before, and from the moment that it is asked to stop |
//!
//! Anything else is 404, and any method but GET and HEAD 405. Who may reach the port decides what is shown: partners'
//! codes and how much they exchange, and nothing of a person. It is therefore off unless the configuration names an address,
//! which also lets many hubs live on one machine. Bounds: 16 connections (the next ones wait in the system's queue), one request
//! each, 16 KiB of head, 5 s for it and 10 s for all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::instruments::instruments;

const CONNECTIONS_MAX: usize = 16;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long accepting rests after the system refused.
const BACKOFF: Duration = Duration::from_millis(100);

/// Whether the hub serves.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether it does.
    pub fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::Relaxed);
        if let Some(all) = instruments() {
            all.gauges.ready.record(is_ready.into(), &[]);
        }
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The endpoint, bound and not served yet.
pub struct Endpoint {
    listener: TcpListener,
    registry: Registry,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Endpoint {
    /// Takes the port.
    ///
    /// # Errors
    /// Where it is taken already, with what to do.
    pub async fn bind(address: SocketAddr, registry: Registry) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("metrics cannot be served on {address}: does this hub serve already, or is another program there? choose another address with --metrics-listen")
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, registry, address })
    }

    /// Serves for as long as it is run.
    pub async fn serve(self, readiness: Readiness) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((tcp, _)) => {
                    let (registry, readiness) = (self.registry.clone(), readiness.clone());
                    tokio::spawn(async move {
                        let _place = place;
                        // What goes wrong with a connection is its client's affair.
                        let _ = timeout(CONNECTION_TIMEOUT, serve_one(tcp, &registry, &readiness)).await;
                    });
                }
                Err(error) => {
                    tracing::debug!(reason = %error, "a connection for metrics was not accepted");
                    sleep(BACKOFF).await;
                }
            }
        }
    }
}

async fn serve_one(tcp: TcpStream, registry: &Registry, readiness: &Readiness) -> Result<(), hyper::Error> {
    let answer = async |request: Request<_>| Ok::<_, Infallible>(answer(&request, registry, readiness));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(tcp), service_fn(answer))
        .await
}

fn answer<B>(request: &Request<B>, registry: &Registry, readiness: &Readiness) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
    }
    match request.uri().path() {
        "/metrics" => metrics(registry),
        "/healthz" => text(StatusCode::OK, "the process lives\n"),
        "/readyz" if readiness.is_ready() => text(StatusCode::OK, "the hub serves\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "the hub does not serve yet, or is going down\n"),
        _ => text(StatusCode::NOT_FOUND, "there is /metrics, /healthz and /readyz\n"),
    }
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let encoder = TextEncoder::new();
    let mut body = Vec::new();
    if let Err(error) = encoder.encode(&registry.gather(), &mut body) {
        tracing::error!(error = %error, "metrics cannot be written down");
        return text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written down: see the log\n");
    }
    response(StatusCode::OK, prometheus::TEXT_FORMAT, body.into())
}

fn text(status: StatusCode, what: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(what.as_bytes()))
}

fn response(status: StatusCode, form: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(form));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_served() {
        let (registry, readiness) = (Registry::new(), Readiness::default());
        let ask = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            answer(&request, &registry, &readiness).status().as_u16()
        };
        assert_eq!((ask(Method::GET, "/healthz"), ask(Method::GET, "/readyz")), (200, 503));
        readiness.set(true);
        assert_eq!((ask(Method::HEAD, "/readyz"), ask(Method::GET, "/metrics")), (200, 200));
        for path in ["/", "/metrics/", "/debug", "/healthz/../metrics"] {
            assert_eq!(ask(Method::GET, path), 404, "{path}");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(ask(method, "/metrics"), 405);
        }
    }
}
