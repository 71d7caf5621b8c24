//! Who may call what: one table, asked before a request's body is decoded.
//!
//! A method without a row cannot be called, and a test of the house fails the build for it. Whose object it is, is decided
//! later, in the rules and in the views' scopes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::peer::{PeerInfo, Principal, PrincipalKind, Role};
use crate::status;

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads.
    Read,
    /// Writes, and has a `request_id`.
    Write,
}

/// A method's row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The path of its calls: `/pointbridge.v1.PartnerService/CreatePartner`.
    pub method: &'static str,
    /// Who may call it.
    pub roles: &'static [Role],
    /// What it does.
    pub effect: Effect,
}

const EVERYBODY: &[Role] = &[Role::Operator, Role::Partner, Role::Finance, Role::Auditor];
const OPERATOR: &[Role] = &[Role::Operator];
const PARTNER: &[Role] = &[Role::Partner];
const OPERATOR_PARTNER: &[Role] = &[Role::Operator, Role::Partner];
const PARTNER_AUDITOR: &[Role] = &[Role::Partner, Role::Auditor];
const PARTNER_FINANCE_AUDITOR: &[Role] = &[Role::Partner, Role::Finance, Role::Auditor];

macro_rules! rows {
    ($($service:literal { $($method:literal $effect:ident $roles:ident)* })*) => {
        &[$($(Row { method: concat!("/", $service, "/", $method), roles: $roles, effect: Effect::$effect },)*)*]
    };
}

/// Every method of the hub.
pub const TABLE: &[Row] = rows! {
    "pointbridge.v1.PartnerService" {
        "CreatePartner" Write OPERATOR
        "GetPartner" Read EVERYBODY
        "ListPartners" Read EVERYBODY
        "UpdatePartner" Write OPERATOR_PARTNER
        "CreateProgram" Write OPERATOR_PARTNER
        "UpdateProgram" Write OPERATOR_PARTNER
        "GetProgram" Read EVERYBODY
        "ListPrograms" Read EVERYBODY
    }
    "pointbridge.v1.AgreementService" {
        "ProposeAgreement" Write PARTNER
        "AcceptAgreement" Write PARTNER
        "GetAgreement" Read EVERYBODY
        "ListAgreements" Read EVERYBODY
    }
    "pointbridge.v1.MemberService" {
        "RegisterMembership" Write PARTNER
        "GetMembership" Read PARTNER_AUDITOR
        "IssueLinkCode" Write PARTNER
        "MergeMembers" Write PARTNER
        "GrantConsent" Write PARTNER
        "WithdrawConsent" Write PARTNER
        "ListConsents" Read PARTNER_AUDITOR
    }
    "pointbridge.v1.LedgerService" {
        "AccruePoints" Write PARTNER
        "AdjustPoints" Write PARTNER
        "GetBalance" Read PARTNER_FINANCE_AUDITOR
        "ListPostings" Read PARTNER_FINANCE_AUDITOR
        "ListLots" Read PARTNER_FINANCE_AUDITOR
    }
    "pointbridge.v1.ExchangeService" {
        "QuoteExchange" Read PARTNER
        "PrepareExchange" Write PARTNER
        "CommitExchange" Write PARTNER
        "AbortExchange" Write PARTNER
        "GetExchange" Read PARTNER_FINANCE_AUDITOR
        "ListExchanges" Read PARTNER_FINANCE_AUDITOR
    }
    "grpc.health.v1.Health" {
        "Check" Read EVERYBODY
        "Watch" Read EVERYBODY
    }
    "grpc.reflection.v1.ServerReflection" {
        "ServerReflectionInfo" Read EVERYBODY
    }
    "grpc.reflection.v1alpha.ServerReflection" {
        "ServerReflectionInfo" Read EVERYBODY
    }
};

/// Decides whether a peer may call a method, and as whom.
///
/// # Errors
/// In this order: CERTIFICATE_UNKNOWN, METHOD_UNKNOWN, ROLE_NOT_ALLOWED.
pub fn authorize(peer: Option<&PeerInfo>, path: &str) -> Result<Caller, Rejection> {
    let principal = peer.and_then(|peer| peer.principal.as_ref().ok());
    let principal = principal.ok_or_else(|| {
        let what = "your certificate must carry exactly one URI, a SPIFFE id of this hub's trust domain: have the operator issue one";
        Rejection::new(Reason::CertificateUnknown, what)
    })?;
    let row = TABLE.iter().find(|row| row.method == path).ok_or_else(|| {
        Rejection::new(Reason::MethodUnknown, "the hub has no such method: list its services by reflection")
    })?;
    if !row.roles.contains(&principal.role()) {
        let may: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
        let what =
            format!("the role {} may not call this method: it is for {}", principal.role(), may.join(", "));
        return Err(Rejection::new(Reason::RoleNotAllowed, what));
    }
    caller(principal)
}

fn caller(principal: &Principal) -> Result<Caller, Rejection> {
    let party = match principal.kind() {
        PrincipalKind::Operator => Party::Operator,
        PrincipalKind::Auditor => Party::Auditor,
        PrincipalKind::Partner { code } | PrincipalKind::Finance { code } => {
            let code = PartnerCode::new(code.as_str());
            Party::Partner(code.map_err(|_| {
                Rejection::new(Reason::CertificateUnknown, "your certificate names no partner code")
            })?)
        }
    };
    Ok(Caller { party, principal: principal.to_string() })
}

/// Asks [`authorize`] for every call, and logs what became of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Authorize;

impl<S> Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized { inner }
    }
}

/// A service behind [`Authorize`]. Requests that reach it carry their [`Caller`] as an extension.
#[derive(Debug, Clone)]
pub struct Authorized<S> {
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Authorized<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let started = Instant::now();
        let path = request.uri().path().to_owned();
        match authorize(request.extensions().get::<PeerInfo>(), &path) {
            Ok(caller) => {
                let party = party_name(&caller);
                request.extensions_mut().insert(Arc::new(caller));
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let response = answer.await?;
                    let said = Status::from_header_map(response.headers());
                    let unreadable = said.as_ref().and_then(status::of_unreadable);
                    log(&path, &party, unreadable.as_ref().or(said.as_ref()), started);
                    Ok(unreadable.map_or(response, Status::into_http))
                })
            }
            Err(rejection) => {
                let refused = status::of_rejection(&rejection);
                log(&path, "-", Some(&refused), started);
                Box::pin(async move { Ok(refused.into_http()) })
            }
        }
    }
}

/// The party as logs name it: a partner's code, never a person.
fn party_name(caller: &Caller) -> String {
    caller.request_scope()
}

/// One line per call. Refusals that a caller must see to are information, successes are detail, our own faults are errors.
fn log(path: &str, party: &str, status: Option<&Status>, started: Instant) {
    let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let method = if TABLE.iter().any(|row| row.method == path) { path } else { "unknown" };
    match status.map(Status::code) {
        None | Some(tonic::Code::Ok) => tracing::debug!(method, party, elapsed_us, "served"),
        Some(code @ (tonic::Code::Internal | tonic::Code::Unknown | tonic::Code::DataLoss)) => {
            tracing::error!(method, party, elapsed_us, ?code, "failed");
        }
        Some(code) => tracing::info!(method, party, elapsed_us, ?code, "refused"),
    }
}

/// The caller of a request that came through [`Authorize`].
///
/// # Errors
/// CERTIFICATE_UNKNOWN where it did not.
pub fn caller_of<T>(request: &tonic::Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    caller.ok_or_else(|| {
        status::of_rejection(&Rejection::new(
            Reason::CertificateUnknown,
            "the call did not come over mutual TLS",
        ))
    })
}
