//! The gate: what every call passes before its body is looked at, and what is logged of it.
//!
//! In order: the principal of the connection, the method's row, the role, and whether the partner is registered and the
//! certificate neither revoked nor, where the partner pins, unpinned. Then the
//! call has its deadline, which counts the reading of its body too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use pointbridge_core::caller::Caller;
use pointbridge_core::rejection::Rejection;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::authz::{TABLE, authorize};
use crate::deadline;
use crate::peer::{PeerCertificate, PeerInfo};
use crate::status;

/// What the paths of the hub's own methods begin with.
const OURS: &str = "/pointbridge.";

/// Knows who is registered.
pub trait Registry: Send + Sync + 'static {
    /// Passes a caller whose certificate is not revoked, and whose partner, if it acts for one, is registered and either pins
    /// no certificate or this one.
    ///
    /// # Errors
    /// CERTIFICATE_UNKNOWN, CERTIFICATE_REVOKED, CERTIFICATE_NOT_PINNED, or that of a read that failed.
    fn require(
        &self,
        caller: &Caller,
        certificate: &PeerCertificate,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// Puts the gate before a service.
#[derive(Debug)]
pub struct Gate<R> {
    registry: Arc<R>,
}

impl<R> Gate<R> {
    /// A gate that asks this registry.
    #[must_use]
    pub const fn new(registry: Arc<R>) -> Self {
        Self { registry }
    }
}

// Written by hand, because deriving it would ask the same of `R`, which is shared.
impl<R> Clone for Gate<R> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry) }
    }
}

impl<S, R> Layer<S> for Gate<R> {
    type Service = Gated<S, R>;

    fn layer(&self, inner: S) -> Gated<S, R> {
        Gated { inner, registry: Arc::clone(&self.registry) }
    }
}

/// A service behind the gate. Requests that reach it carry their [`Caller`] as an extension.
#[derive(Debug)]
pub struct Gated<S, R> {
    inner: S,
    registry: Arc<R>,
}

impl<S: Clone, R> Clone for Gated<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), registry: Arc::clone(&self.registry) }
    }
}

impl<S, R, B> Service<http::Request<B>> for Gated<S, R>
where
    S: Service<http::Request<B>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Registry,
    B: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let started = Instant::now();
        // The one that was asked whether it is ready must be the one that is called.
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let registry = Arc::clone(&self.registry);
        let path = request.uri().path().to_owned();
        let peer = request.extensions().get::<PeerInfo>();
        let certificate = peer.map(|peer| Arc::clone(&peer.certificate));
        let asked = authorize(peer, &path).map(|caller| (caller, certificate));
        Box::pin(async move {
            match pass(&*registry, asked, &path).await {
                Ok(caller) => serve(inner, request, caller, started).await,
                Err(refused) => {
                    log(&path, "-", Some(&refused), started);
                    Ok(refused.into_http())
                }
            }
        })
    }
}

/// Health and reflection are for every principal, registered or not yet.
async fn pass<R: Registry>(
    registry: &R,
    asked: Result<(Caller, Option<Arc<PeerCertificate>>), Rejection>,
    path: &str,
) -> Result<Caller, Status> {
    let (caller, certificate) = asked.map_err(|rejection| status::of_rejection(&rejection))?;
    if let Some(certificate) = certificate.filter(|_| path.starts_with(OURS)) {
        registry.require(&caller, &certificate).await?;
    }
    Ok(caller)
}

async fn serve<S, B>(
    mut inner: S,
    mut request: http::Request<B>,
    caller: Caller,
    started: Instant,
) -> Result<http::Response<Body>, S::Error>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
{
    let path = request.uri().path().to_owned();
    // The party as logs name it: a partner's code, never a person.
    let party = caller.request_scope();
    request.extensions_mut().insert(Arc::new(caller));
    let response = if path.starts_with(OURS) {
        let allowed = deadline::of_call(request.headers());
        match tokio::time::timeout(allowed, inner.call(request)).await {
            Ok(response) => response?,
            Err(_) => status::of_deadline().into_http(),
        }
    } else {
        // Watching health and asking for descriptors are streams: they end with their connection.
        inner.call(request).await?
    };
    let said = Status::from_header_map(response.headers());
    let unreadable = said.as_ref().and_then(status::of_unreadable);
    log(&path, &party, unreadable.as_ref().or(said.as_ref()), started);
    Ok(unreadable.map_or(response, Status::into_http))
}

/// One line per call. Refusals that a caller must see to are information, successes are detail, our own faults are errors.
fn log(path: &str, party: &str, status: Option<&Status>, started: Instant) {
    let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let method = if TABLE.iter().any(|row| row.method == path) { path } else { "unknown" };
    match status.map(Status::code) {
        None | Some(tonic::Code::Ok) => tracing::debug!(method, party, elapsed_us, "served"),
        // What is Unknown is a request that its caller cut off.
        Some(code @ (tonic::Code::Internal | tonic::Code::DataLoss)) => {
            tracing::error!(method, party, elapsed_us, ?code, "failed");
        }
        Some(code) => tracing::info!(method, party, elapsed_us, ?code, "refused"),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;
    use crate::peer::{Principal, TrustDomain};

    /// Knows everybody, or nobody.
    struct Everybody(bool);

    impl Registry for Everybody {
        async fn require(&self, _caller: &Caller, _certificate: &PeerCertificate) -> Result<(), Status> {
            if self.0 { Ok(()) } else { Err(Status::unauthenticated("nobody knows you")) }
        }
    }

    fn call(path: &str, timeout: &str) -> http::Request<()> {
        let domain = TrustDomain::parse("alliance.example").unwrap();
        let principal = Principal::from_path("partner/airline/partner/till-7", &domain).map(Arc::new);
        let certificate = Arc::new(PeerCertificate::of(b"a certificate"));
        let peer = PeerInfo { principal, certificate, remote: "127.0.0.1:1".parse().unwrap() };
        http::Request::builder().uri(path).header("grpc-timeout", timeout).extension(peer).body(()).unwrap()
    }

    /// The status of a call whose handler never answers.
    async fn of_a_call_that_hangs(registry: Everybody, request: http::Request<()>) -> Status {
        let hanging = tower::service_fn(|_: http::Request<()>| {
            std::future::pending::<Result<http::Response<Body>, Infallible>>()
        });
        let mut gated = Gate::new(Arc::new(registry)).layer(hanging);
        let Ok(response) = gated.call(request).await;
        Status::from_header_map(response.headers()).unwrap()
    }

    #[tokio::test]
    async fn a_call_that_hangs_is_told_that_its_deadline_passed_and_to_ask_again() {
        for timeout in ["1n", "5m", "20m"] {
            let request = call("/pointbridge.v1.ExchangeService/PrepareExchange", timeout);
            let status = of_a_call_that_hangs(Everybody(true), request).await;
            assert_eq!(status.code(), Code::DeadlineExceeded, "{timeout}");
            let details = status.get_error_details();
            assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("DEADLINE_EXCEEDED"));
            assert!(details.retry_info().is_some());
        }
    }

    #[tokio::test]
    async fn who_may_not_call_is_told_so_before_anything_is_read() {
        let status =
            of_a_call_that_hangs(Everybody(true), call("/pointbridge.v1.PartnerService/CreatePartner", "1H"))
                .await;
        assert_eq!(status.code(), Code::PermissionDenied);
        let status =
            of_a_call_that_hangs(Everybody(true), call("/pointbridge.v1.PartnerService/Nothing", "1H")).await;
        assert_eq!(status.code(), Code::Unimplemented);
        let status =
            of_a_call_that_hangs(Everybody(false), call("/pointbridge.v1.LedgerService/GetBalance", "1H"))
                .await;
        assert_eq!(status.code(), Code::Unauthenticated);
    }
}
