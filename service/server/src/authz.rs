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
use crate::trust::Distrust;

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads.
    Read,
    /// Writes, and has a `request_id`.
    Write,
}

/// Whose objects a method's request may name, and whose its answer shows. The operator and auditors, where a method is for
/// them, reach every partner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody said so yet: a row must not stay like that.
    Unstated,
    /// It names nothing that belongs to a partner.
    Nobodys,
    /// It names any partner that is registered: whether a code is taken is no secret.
    Anybodys,
    /// Those of the caller's partner.
    Own,
    /// Those of the caller's partner, and those that it shares with one other: agreements, exchanges.
    Shared,
}

/// How many people must act until a method has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// The caller.
    One,
    /// The caller and another person of the same role.
    Two,
    /// Two where the operator calls, one where a partner does it with its own.
    TwoOfOperator,
}

/// What a suspended partner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSuspended {
    /// The same as ever: it reads, or ends what is open.
    Served,
    /// PARTNER_SUSPENDED: it would start something.
    Refused,
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
    /// Whose objects it reaches.
    pub reach: Reach,
    /// How many people it takes.
    pub people: People,
    /// What a suspended partner is told, where partners may call it at all.
    pub when_suspended: WhenSuspended,
}

const EVERYBODY: &[Role] = &[Role::Operator, Role::Partner, Role::Finance, Role::Auditor];
const OPERATOR: &[Role] = &[Role::Operator];
const PARTNER: &[Role] = &[Role::Partner];
const OPERATOR_PARTNER: &[Role] = &[Role::Operator, Role::Partner];
const OPERATOR_AUDITOR: &[Role] = &[Role::Operator, Role::Auditor];
const PARTNER_AUDITOR: &[Role] = &[Role::Partner, Role::Auditor];
const PARTNER_FINANCE_AUDITOR: &[Role] = &[Role::Partner, Role::Finance, Role::Auditor];

/// A row reads: method, effect, roles, and in brackets reach, people, what a suspended partner is told. Without brackets it
/// is one that nobody has thought through yet, and a test says so.
macro_rules! rows {
    ($($service:literal { $(
        $method:literal $effect:ident $roles:ident $([$reach:ident $people:ident $when_suspended:ident])?
    )* })*) => {
        &[$($(
            Row::unstated(concat!("/", $service, "/", $method), Effect::$effect, $roles)
                $(.stated(Reach::$reach, People::$people, WhenSuspended::$when_suspended))?,
        )*)*]
    };
}

impl Row {
    const fn unstated(method: &'static str, effect: Effect, roles: &'static [Role]) -> Self {
        let (people, when_suspended) = (People::One, WhenSuspended::Refused);
        Self { method, roles, effect, reach: Reach::Unstated, people, when_suspended }
    }

    const fn stated(self, reach: Reach, people: People, when_suspended: WhenSuspended) -> Self {
        Self { reach, people, when_suspended, ..self }
    }
}

/// Every method of the hub.
pub const TABLE: &[Row] = rows! {
    "pointbridge.v1.PartnerService" {
        "CreatePartner" Write OPERATOR [Nobodys One Served]
        "GetPartner" Read EVERYBODY [Own One Served]
        "ListPartners" Read EVERYBODY [Own One Served]
        "UpdatePartner" Write OPERATOR_PARTNER [Own One Refused]
        "SuspendPartner" Write OPERATOR [Anybodys One Served]
        "ResumePartner" Write OPERATOR [Anybodys Two Served]
        "AddCertificate" Write OPERATOR_PARTNER [Own One Refused]
        "RevokeCertificate" Write OPERATOR_PARTNER [Own One Served]
        "ListCertificates" Read EVERYBODY [Own One Served]
        "RegisterSigningKey" Write OPERATOR_PARTNER [Own One Refused]
        "WhoAmI" Read EVERYBODY [Nobodys One Served]
        "CreateProgram" Write OPERATOR_PARTNER [Own One Refused]
        "UpdateProgram" Write OPERATOR_PARTNER [Own One Refused]
        "GetProgram" Read EVERYBODY [Own One Served]
        "ListPrograms" Read EVERYBODY [Own One Served]
    }
    "pointbridge.v1.AgreementService" {
        "ProposeAgreement" Write PARTNER [Anybodys One Refused]
        "AcceptAgreement" Write PARTNER [Shared One Refused]
        "GetAgreement" Read EVERYBODY [Shared One Served]
        "ListAgreements" Read EVERYBODY [Shared One Served]
    }
    "pointbridge.v1.ApprovalService" {
        "ListApprovals" Read OPERATOR_AUDITOR [Anybodys One Served]
        "Approve" Write OPERATOR [Anybodys One Served]
        "Reject" Write OPERATOR [Anybodys One Served]
    }
    "pointbridge.v1.MemberService" {
        "RegisterMembership" Write PARTNER [Own One Refused]
        "GetMembership" Read PARTNER_AUDITOR [Own One Served]
        "IssueLinkCode" Write PARTNER [Own One Refused]
        "MergeMembers" Write PARTNER [Own One Refused]
        "GrantConsent" Write PARTNER [Own One Refused]
        "WithdrawConsent" Write PARTNER [Own One Served]
        "ListConsents" Read PARTNER_AUDITOR [Own One Served]
    }
    "pointbridge.v1.LedgerService" {
        "AccruePoints" Write PARTNER [Own One Refused]
        "AdjustPoints" Write OPERATOR_PARTNER [Own TwoOfOperator Refused]
        "GetBalance" Read PARTNER_FINANCE_AUDITOR [Own One Served]
        "ListPostings" Read PARTNER_FINANCE_AUDITOR [Own One Served]
        "ListLots" Read PARTNER_FINANCE_AUDITOR [Own One Served]
    }
    "pointbridge.v1.ExchangeService" {
        "QuoteExchange" Read PARTNER [Own One Refused]
        "PrepareExchange" Write PARTNER [Own One Refused]
        "CommitExchange" Write PARTNER [Shared One Served]
        "AbortExchange" Write PARTNER [Shared One Served]
        "ReverseExchange" Write PARTNER [Shared One Refused]
        "GetExchange" Read PARTNER_FINANCE_AUDITOR [Shared One Served]
        "ListExchanges" Read PARTNER_FINANCE_AUDITOR [Shared One Served]
    }
    "grpc.health.v1.Health" {
        "Check" Read EVERYBODY [Nobodys One Served]
        "Watch" Read EVERYBODY [Nobodys One Served]
    }
    "grpc.reflection.v1.ServerReflection" {
        "ServerReflectionInfo" Read EVERYBODY [Nobodys One Served]
    }
    "grpc.reflection.v1alpha.ServerReflection" {
        "ServerReflectionInfo" Read EVERYBODY [Nobodys One Served]
    }
};

/// Decides whether a peer may call a method, and as whom.
///
/// # Errors
/// In this order: CERTIFICATE_REVOKED, CRL_EXPIRED, CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN, METHOD_UNKNOWN,
/// ROLE_NOT_ALLOWED.
pub fn authorize(peer: Option<&PeerInfo>, path: &str) -> Result<Caller, Rejection> {
    // A connection outlives what its handshake found: revocations and ends count from one call to the next.
    peer.map_or(Ok(()), |peer| peer.certificate.ask()).map_err(Distrust::rejection)?;
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

/// Whom a principal acts for.
///
/// # Errors
/// CERTIFICATE_UNKNOWN where it names no partner code.
pub fn caller(principal: &Principal) -> Result<Caller, Rejection> {
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
