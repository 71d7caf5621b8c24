//! For every method, requests that are in order, so that whoever is refused is refused for what it is.
//!
//! A new method needs its lines here; without them the walk names it and fails.

use pointbridge_client::{request_id, v1};
use prost::Message;

use super::stage::Objects;
use crate::asks;

/// What a request is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// Whose objects it names.
    pub(crate) named: &'a Objects,
    /// The caller's own, where a request needs something of the caller's beside.
    pub(crate) own: &'a Objects,
    /// Whether it is to be decided only.
    pub(crate) dry: bool,
}

/// How a request is made.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    /// It names objects.
    Of(fn(Given<'_>) -> Vec<u8>),
    /// It names none.
    Plain(fn() -> Vec<u8>),
}

/// A request of a method.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) method: &'static str,
    /// By what it names its object, where there are several ways.
    pub(crate) by: &'static str,
    pub(crate) ask: Ask,
}

const fn of(method: &'static str, by: &'static str, ask: fn(Given<'_>) -> Vec<u8>) -> Recipe {
    Recipe { method, by, ask: Ask::Of(ask) }
}

const fn plain(method: &'static str, ask: fn() -> Vec<u8>) -> Recipe {
    Recipe { method, by: "", ask: Ask::Plain(ask) }
}

/// Sets what a writing request has for it, and encodes the request.
macro_rules! dry {
    ($given:ident, $request:expr) => {{
        let mut request = $request;
        request.validate_only = $given.dry;
        request.encode_to_vec()
    }};
}

/// The requests of a method, by its path; none where nobody thought of it.
pub(crate) fn of_method(path: &str) -> Vec<Recipe> {
    let all = [partners(), standing(), agreements(), members(), ledger(), exchanges(), beside()];
    let named = |recipe: &Recipe| {
        path == recipe.method || path.strip_prefix("/pointbridge.v1.") == Some(recipe.method)
    };
    all.into_iter().flatten().filter(named).collect()
}

fn partners() -> Vec<Recipe> {
    vec![
        of("PartnerService/CreatePartner", "", |given| {
            dry!(given, asks::create_partner(&given.named.partner))
        }),
        of("PartnerService/GetPartner", "", |given| {
            v1::GetPartnerRequest { code: given.named.partner.clone() }.encode_to_vec()
        }),
        plain("PartnerService/ListPartners", Vec::new),
        of("PartnerService/UpdatePartner", "", |given| {
            dry!(given, asks::update_partner(&given.named.partner, "Mine"))
        }),
        of("PartnerService/CreateProgram", "", |given| {
            dry!(given, asks::create_program(&given.named.partner, "gold", 0))
        }),
        of("PartnerService/UpdateProgram", "", |given| {
            dry!(given, asks::update_program(&given.named.program))
        }),
        of("PartnerService/GetProgram", "", |given| {
            v1::GetProgramRequest { program_id: given.named.program.clone() }.encode_to_vec()
        }),
        plain("PartnerService/ListPrograms", Vec::new),
        of("PartnerService/ListPrograms", "by partner", |given| {
            let partner_code = Some(given.named.partner.clone());
            v1::ListProgramsRequest { partner_code, ..Default::default() }.encode_to_vec()
        }),
    ]
}

fn standing() -> Vec<Recipe> {
    vec![
        of("PartnerService/SuspendPartner", "", |given| dry!(given, suspend(&given.named.partner))),
        of("PartnerService/ResumePartner", "", |given| dry!(given, resume(&given.named.partner))),
        of("PartnerService/AddCertificate", "", |given| {
            dry!(given, pin(&given.named.partner, &given.named.certificate_pem))
        }),
        plain("PartnerService/RevokeCertificate", || {
            // Of no certificate that anybody has; whoever may revoke one may revoke this one.
            v1::RevokeCertificateRequest { validate_only: true, ..revoke(&"ab".repeat(32)) }.encode_to_vec()
        }),
        plain("PartnerService/ListCertificates", Vec::new),
        of("PartnerService/ListCertificates", "by partner", |given| {
            let partner_code = Some(given.named.partner.clone());
            v1::ListCertificatesRequest { partner_code, ..Default::default() }.encode_to_vec()
        }),
        of("PartnerService/RegisterSigningKey", "", |given| {
            let request = v1::RegisterSigningKeyRequest {
                request_id: request_id(),
                validate_only: false,
                program_id: given.named.program.clone(),
                key_id: "till-key".to_owned(),
                // The first test vector of RFC 8032.
                public_key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned(),
            };
            dry!(given, request)
        }),
        plain("PartnerService/WhoAmI", Vec::new),
        plain("ApprovalService/ListApprovals", Vec::new),
        of("ApprovalService/Approve", "", |given| {
            dry!(given, approve(&given.named.approval, &given.named.approval_hash))
        }),
        of("ApprovalService/Reject", "", |given| {
            let request = v1::RejectRequest {
                request_id: request_id(),
                validate_only: false,
                approval_id: given.named.approval.clone(),
                content_hash: Some(given.named.approval_hash.clone()),
                reason_code: "NOT_AGREED".to_owned(),
            };
            dry!(given, request)
        }),
    ]
}

pub(crate) fn suspend(code: &str) -> v1::SuspendPartnerRequest {
    v1::SuspendPartnerRequest {
        request_id: request_id(),
        validate_only: false,
        code: code.to_owned(),
        reason_code: "COMPLAINT".to_owned(),
    }
}

fn resume(code: &str) -> v1::ResumePartnerRequest {
    v1::ResumePartnerRequest {
        request_id: request_id(),
        validate_only: false,
        code: code.to_owned(),
        reason_code: "CLEARED".to_owned(),
    }
}

pub(crate) fn pin(partner: &str, certificate_pem: &str) -> v1::AddCertificateRequest {
    v1::AddCertificateRequest {
        request_id: request_id(),
        validate_only: false,
        partner_code: partner.to_owned(),
        certificate_pem: certificate_pem.to_owned(),
    }
}

pub(crate) fn revoke(fingerprint: &str) -> v1::RevokeCertificateRequest {
    v1::RevokeCertificateRequest {
        request_id: request_id(),
        validate_only: false,
        fingerprint: fingerprint.to_owned(),
        reason_code: "KEY_LOST".to_owned(),
    }
}

fn approve(approval: &str, content_hash: &str) -> v1::ApproveRequest {
    v1::ApproveRequest {
        request_id: request_id(),
        validate_only: false,
        approval_id: approval.to_owned(),
        content_hash: content_hash.to_owned(),
    }
}

fn agreements() -> Vec<Recipe> {
    vec![
        of("AgreementService/ProposeAgreement", "", |given| {
            let terms = asks::direction(&given.own.program, &given.named.program);
            dry!(given, asks::propose(&given.named.partner, vec![terms]))
        }),
        of("AgreementService/AcceptAgreement", "", |given| {
            v1::AcceptAgreementRequest {
                request_id: request_id(),
                validate_only: given.dry,
                agreement_id: given.named.agreement.clone(),
                version: 2,
                terms_hash: given.named.terms_hash.clone(),
            }
            .encode_to_vec()
        }),
        of("AgreementService/GetAgreement", "", |given| {
            asks::get_agreement(&given.named.agreement).encode_to_vec()
        }),
        plain("AgreementService/ListAgreements", Vec::new),
        of("AgreementService/ListAgreements", "by partner", |given| {
            let partner_code = Some(given.named.partner.clone());
            v1::ListAgreementsRequest { partner_code, ..Default::default() }.encode_to_vec()
        }),
    ]
}

fn members() -> Vec<Recipe> {
    vec![
        of("MemberService/RegisterMembership", "", |given| {
            dry!(given, asks::register(&given.named.program, "card/zhang"))
        }),
        of("MemberService/GetMembership", "by id", |given| {
            asks::get_membership(&given.named.membership).encode_to_vec()
        }),
        of("MemberService/GetMembership", "by reference", |given| {
            asks::get_membership_by_reference(&given.named.program, "card/li").encode_to_vec()
        }),
        of("MemberService/IssueLinkCode", "", |given| {
            dry!(given, asks::issue_link_code(&given.named.unlinked, &given.named.other_party))
        }),
        of("MemberService/MergeMembers", "by both", |given| {
            dry!(given, asks::merge(&given.named.link_code, &given.named.unlinked))
        }),
        of("MemberService/MergeMembers", "by code", |given| {
            dry!(given, asks::merge(&given.named.link_code, &given.own.unlinked))
        }),
        of("MemberService/GrantConsent", "", |given| {
            dry!(given, asks::consent(&given.named.membership, &given.named.other_party))
        }),
        of("MemberService/WithdrawConsent", "", |given| dry!(given, asks::withdraw(&given.named.consent))),
        of("MemberService/ListConsents", "", |given| {
            asks::list_consents(&given.named.membership).encode_to_vec()
        }),
    ]
}

fn ledger() -> Vec<Recipe> {
    vec![
        of("LedgerService/AccruePoints", "", |given| dry!(given, asks::accrue(&given.named.membership, "1"))),
        of("LedgerService/AdjustPoints", "", |given| dry!(given, asks::adjust(&given.named.membership, "1"))),
        of("LedgerService/GetBalance", "", |given| {
            asks::get_balance(&given.named.membership).encode_to_vec()
        }),
        of("LedgerService/ListPostings", "", |given| {
            asks::list_postings(&given.named.membership).encode_to_vec()
        }),
        of("LedgerService/ListLots", "", |given| asks::list_lots(&given.named.membership).encode_to_vec()),
    ]
}

fn exchanges() -> Vec<Recipe> {
    vec![
        of("ExchangeService/QuoteExchange", "by source", |given| {
            asks::quote(&given.named.membership, &given.named.linked, "66").encode_to_vec()
        }),
        of("ExchangeService/QuoteExchange", "by destination", |given| {
            asks::quote(&given.own.membership, &given.named.membership, "66").encode_to_vec()
        }),
        of("ExchangeService/PrepareExchange", "", |given| {
            dry!(given, asks::prepare(&given.named.quote, "SM-2"))
        }),
        of("ExchangeService/CommitExchange", "", |given| dry!(given, asks::commit(&given.named.exchange))),
        of("ExchangeService/AbortExchange", "", |given| dry!(given, asks::abort(&given.named.exchange))),
        of("ExchangeService/ReverseExchange", "", |given| {
            let request = v1::ReverseExchangeRequest {
                request_id: request_id(),
                validate_only: false,
                exchange_id: given.named.committed.clone(),
                source_points: None,
                reason_code: "GOODS_RETURNED".to_owned(),
                reference: "return/7".to_owned(),
            };
            dry!(given, request)
        }),
        of("ExchangeService/GetExchange", "", |given| {
            asks::get_exchange(&given.named.exchange).encode_to_vec()
        }),
        plain("ExchangeService/ListExchanges", Vec::new),
        of("ExchangeService/ListExchanges", "by membership", |given| {
            let membership_id = Some(given.named.membership.clone());
            v1::ListExchangesRequest { membership_id, ..Default::default() }.encode_to_vec()
        }),
    ]
}

fn beside() -> Vec<Recipe> {
    vec![
        plain("/grpc.health.v1.Health/Check", Vec::new),
        plain("/grpc.health.v1.Health/Watch", Vec::new),
        plain("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", || {
            use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
            let message_request = Some(MessageRequest::ListServices(String::new()));
            let host = String::new();
            tonic_reflection::pb::v1::ServerReflectionRequest { host, message_request }.encode_to_vec()
        }),
        plain("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", || {
            use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
            let message_request = Some(MessageRequest::ListServices(String::new()));
            let host = String::new();
            tonic_reflection::pb::v1alpha::ServerReflectionRequest { host, message_request }.encode_to_vec()
        }),
    ]
}
