//! The gate: what every call passes before its body is looked at, and what is logged of it.
//!
//! In order: the principal of the connection, the method's row, the role, and whether the partner is registered.

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
use crate::peer::PeerInfo;
use crate::status;

/// What the paths of the hub's own methods begin with.
const OURS: &str = "/pointbridge.";

/// Knows who is registered.
pub trait Registry: Send + Sync + 'static {
    /// Passes a caller whose partner is registered, and every caller that acts for no partner.
    ///
    /// # Errors
    /// CERTIFICATE_UNKNOWN, or that of a read that failed.
    fn require(&self, caller: &Caller) -> impl Future<Output = Result<(), Status>> + Send;
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
        let asked = authorize(request.extensions().get::<PeerInfo>(), &path);
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
    asked: Result<Caller, Rejection>,
    path: &str,
) -> Result<Caller, Status> {
    let caller = asked.map_err(|rejection| status::of_rejection(&rejection))?;
    if path.starts_with(OURS) {
        registry.require(&caller).await?;
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
    let response = inner.call(request).await?;
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
