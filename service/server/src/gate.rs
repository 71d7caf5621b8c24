//! The gate: what every call passes before its body is looked at, and what is logged of it.
//!
//! In order: the principal of the connection, the method's row, the role, whether the partner is registered and the
//! certificate neither revoked nor, where the partner pins, unpinned, the partner's rate, and its calls under way. From its
//! first moment on the call has a deadline, which counts all of that and the reading of its body; of a stream it counts the
//! beginning, and then the time in which nothing comes or goes.
//!
//! Who pays for a call: its party, once that is known to be registered; until then, and where the caller is refused as unknown,
//! the address that it comes from.

mod activity;
mod leftover;
mod request_body;
mod response_body;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use pointbridge_core::caller::Caller;
use pointbridge_core::rejection::{Class, Reason, Rejection};
use tokio::time::timeout_at;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;

use self::activity::Activity;
use self::request_body::Metered;
use self::response_body::Held;
use crate::authz::{authorize, caller};
use crate::deadline;
use crate::limits::{Admission, Allowance, CallLimits};
use crate::peer::{PeerCertificate, PeerInfo};
use crate::refusals::{self, Kind, Source};
use crate::status;
use crate::telemetry::call::Call;

/// What the paths of the hub's own methods begin with.
const OURS: &str = "/pointbridge.";

/// How long nothing may come or go on a stream: health is watched and services are asked for again after that.
const STREAM_IDLE_MAX: Duration = Duration::from_mins(5);

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
pub struct Gate<R> {
    keeper: Arc<Keeper<R>>,
}

/// What the gate knows.
struct Keeper<R> {
    registry: Arc<R>,
    limits: CallLimits,
    stream_idle_max: Duration,
}

impl<R> Gate<R> {
    /// A gate that asks this registry, and lets every party have as much as `allowance`.
    #[must_use]
    pub fn new(registry: Arc<R>, allowance: Allowance) -> Self {
        Self::patient(registry, allowance, STREAM_IDLE_MAX)
    }

    fn patient(registry: Arc<R>, allowance: Allowance, stream_idle_max: Duration) -> Self {
        let limits = CallLimits::new(allowance);
        Self { keeper: Arc::new(Keeper { registry, limits, stream_idle_max }) }
    }
}

// Written by hand, because deriving it would ask the same of `R`, which is shared.
impl<R> Clone for Gate<R> {
    fn clone(&self) -> Self {
        Self { keeper: Arc::clone(&self.keeper) }
    }
}

impl<S, R> Layer<S> for Gate<R> {
    type Service = Gated<S, R>;

    fn layer(&self, inner: S) -> Gated<S, R> {
        Gated { inner, keeper: Arc::clone(&self.keeper) }
    }
}

/// A service behind the gate. Requests that reach it carry as extensions their [`Caller`], and the [`Admission`] that a write
/// hands on to the engine.
pub struct Gated<S, R> {
    inner: S,
    keeper: Arc<Keeper<R>>,
}

impl<S: Clone, R> Clone for Gated<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), keeper: Arc::clone(&self.keeper) }
    }
}

impl<S, R, B> Service<http::Request<B>> for Gated<S, R>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Registry,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let seen = Call::begin(request.uri().path(), request.headers());
        let span = seen.span();
        // The one that was asked whether it is ready must be the one that is called.
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let keeper = Arc::clone(&self.keeper);
        let knock = Knock::of(&request);
        let allowed = deadline::of_call(request.headers());
        let answer = async move {
            let source = knock.source.clone();
            let until = tokio::time::Instant::now() + allowed;
            let answered = match timeout_at(until, keeper.let_in(knock)).await {
                Ok(Ok(let_in)) => {
                    let served = serve(inner, request, let_in, keeper.stream_idle_max);
                    timeout_at(until, served).await.map_err(|_| status::of_deadline())
                }
                Ok(Err(refused)) => {
                    // Its reason is told whatever becomes of the rest.
                    let _ = timeout_at(until, leftover::throw_away(request.into_body())).await;
                    Err(refused)
                }
                Err(_) => Err(status::of_deadline()),
            };
            let response = match answered {
                Ok(response) => response?,
                Err(refused) => refused.into_http(),
            };
            let said = Status::from_header_map(response.headers());
            let unreadable = said.as_ref().and_then(status::of_unreadable);
            let status = unreadable.as_ref().or(said.as_ref());
            log(&seen, &source, status);
            seen.end(status);
            Ok(unreadable.map_or(response, Status::into_http))
        };
        Box::pin(answer.instrument(span))
    }
}

/// What is known of a call when it comes.
struct Knock {
    path: String,
    asked: Result<Caller, Rejection>,
    /// Whoever its certificate names, where it names somebody.
    who: Option<Caller>,
    certificate: Option<Arc<PeerCertificate>>,
    address: IpAddr,
    source: Source,
}

impl Knock {
    fn of<B>(request: &http::Request<B>) -> Self {
        let path = request.uri().path().to_owned();
        let peer = request.extensions().get::<PeerInfo>();
        let asked = authorize(peer, &path);
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.remote.ip());
        let principal = peer.and_then(|peer| peer.principal.as_ref().ok());
        // The party as logs name it: a partner's code or a role, never a person.
        let source = principal.map_or_else(
            || Source::at(address),
            |principal| {
                let role = || format!("@{}", principal.role());
                Source::Party(principal.partner_code().map_or_else(role, str::to_owned))
            },
        );
        let certificate = peer.map(|peer| Arc::clone(&peer.certificate));
        let who = principal.and_then(|principal| caller(principal).ok());
        Self { path, asked, who, certificate, address, source }
    }
}

impl<R: Registry> Keeper<R> {
    /// Passes a call, or refuses it.
    async fn let_in(&self, knock: Knock) -> Result<(Caller, Admission), Status> {
        let Knock { path, asked, who, certificate, address, .. } = knock;
        let caller = match asked {
            Ok(caller) => caller,
            Err(rejection) => {
                // A mistake of somebody known costs what a call costs, and any other one the address that it comes from.
                match who.filter(|who| self.limits.knows(&who.party)) {
                    Some(who) if rejection.reason.class() != Class::Unauthenticated => {
                        drop(self.limits.enter(&who)?);
                    }
                    _ => self.limits.charge(address)?,
                }
                return Err(status::of_rejection(&rejection));
            }
        };
        let is_known = self.limits.knows(&caller.party);
        if !is_known {
            self.limits.charge(address)?;
        }
        let registered = match certificate {
            Some(certificate) => self.registry.require(&caller, &certificate).await,
            None => Ok(()),
        };
        let admitted = match registered {
            Ok(()) => self.limits.enter(&caller)?,
            Err(refused) if is_open(&path, &refused) => self.limits.enter_from(address)?,
            Err(refused) => {
                // Of somebody known only: the others have paid for the question.
                if is_known && refused.code() == Code::Unauthenticated {
                    self.limits.charge(address)?;
                }
                return Err(refused);
            }
        };
        Ok((caller, admitted))
    }
}

/// Whether a call is served although this was said about its caller: health and reflection are for who is not registered yet
/// too, and health tells how the hub is even where the store cannot be asked. Revoked is revoked.
fn is_open(path: &str, refused: &Status) -> bool {
    let is_unregistered = status::reason_of(refused) == Reason::CertificateUnknown.as_str();
    !path.starts_with(OURS) && (is_unregistered || refused.code() != Code::Unauthenticated)
}

async fn serve<S, B>(
    mut inner: S,
    request: http::Request<B>,
    (caller, admission): (Caller, Admission),
    idle_max: Duration,
) -> Result<http::Response<Body>, S::Error>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let activity = Arc::new(Activity::new(idle_max));
    let metered = |body| Body::new(Metered::new(body, admission.clone(), Arc::clone(&activity)));
    let mut request = request.map(metered);
    request.extensions_mut().insert(Arc::new(caller));
    request.extensions_mut().insert(admission.clone());
    let response = inner.call(request).await?;
    // An answer without a body is sent with its head: nothing is left that a place were kept for.
    if response.body().is_end_stream() {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Held::new(body, admission, activity))))
}

/// Successes are detail. Refusals are for callers to see to, and our own faults are errors: both are told as often as
/// [`refusals`] lets them.
fn log(call: &Call, source: &Source, status: Option<&Status>) {
    let elapsed_us = u64::try_from(call.took().as_micros()).unwrap_or(u64::MAX);
    let method = call.method();
    let Some(status) = status.filter(|status| status.code() != Code::Ok) else {
        return tracing::debug!(method, %source, elapsed_us, "served");
    };
    let code = status.code();
    // What is Unknown is a request that its caller cut off.
    let is_ours = matches!(code, Code::Internal | Code::DataLoss);
    let kind = if is_ours { Kind::Fault } else { Kind::Refusal };
    let reason = status::reason_of(status);
    let Some(left_out) = refusals::admit(source.clone(), reason, kind) else { return };
    if is_ours {
        tracing::error!(method, %source, elapsed_us, ?code, reason, left_out, "failed");
    } else {
        tracing::info!(method, %source, elapsed_us, ?code, reason, left_out, "refused");
    }
}
