//! Who may call what: one table, asked before a request's body is decoded.
//!
//! A method without a row cannot be called, and a test of the house fails the build for it. Whose object it is, is decided
//! later, in the rules and in the views' scopes.

use std::sync::Arc;

use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use tonic::Status;

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
const OPERATOR_AUDITOR: &[Role] = &[Role::Operator, Role::Auditor];
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
        "SuspendPartner" Write OPERATOR
        "ResumePartner" Write OPERATOR
        "AddCertificate" Write OPERATOR_PARTNER
        "RevokeCertificate" Write OPERATOR_PARTNER
        "ListCertificates" Read EVERYBODY
        "RegisterSigningKey" Write OPERATOR_PARTNER
        "WhoAmI" Read EVERYBODY
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
    "pointbridge.v1.ApprovalService" {
        "ListApprovals" Read OPERATOR_AUDITOR
        "Approve" Write OPERATOR
        "Reject" Write OPERATOR
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
        "AdjustPoints" Write OPERATOR_PARTNER
        "GetBalance" Read PARTNER_FINANCE_AUDITOR
        "ListPostings" Read PARTNER_FINANCE_AUDITOR
        "ListLots" Read PARTNER_FINANCE_AUDITOR
    }
    "pointbridge.v1.ExchangeService" {
        "QuoteExchange" Read PARTNER
        "PrepareExchange" Write PARTNER
        "CommitExchange" Write PARTNER
        "AbortExchange" Write PARTNER
        "ReverseExchange" Write PARTNER
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

/// The connection of a request that came through the gate.
///
/// # Errors
/// CERTIFICATE_UNKNOWN where it did not.
pub fn peer_of<T>(request: &tonic::Request<T>) -> Result<PeerInfo, Status> {
    request.extensions().get::<PeerInfo>().cloned().ok_or_else(without_tls)
}

/// The caller of a request that came through the gate.
///
/// # Errors
/// CERTIFICATE_UNKNOWN where it did not.
pub fn caller_of<T>(request: &tonic::Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    caller.ok_or_else(without_tls)
}

fn without_tls() -> Status {
    let what = "the call did not come over mutual TLS";
    status::of_rejection(&Rejection::new(Reason::CertificateUnknown, what))
}
