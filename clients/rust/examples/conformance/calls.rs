//! The API's methods by their names: a request as JSON in, an answer as JSON out, through the typed services in between.

use std::time::Duration;

use anyhow::bail;
use pointbridge_client::{Client, Refusal, v1};
use serde_json::Value;
use tonic::Request;

use crate::messages;

/// How a call ended, where it could be made at all.
pub(crate) type Outcome<T> = Result<T, Box<Refusal>>;

fn refused<T>(refusal: impl Into<Refusal>) -> Outcome<T> {
    Err(Box::new(refusal.into()))
}

macro_rules! methods {
    ($($name:literal => $service:ident.$method:ident;)*) => {
        /// Makes a unary call.
        ///
        /// # Errors
        /// There is no such method, or the JSON is not its request.
        pub(crate) async fn call(
            client: &Client,
            name: &str,
            json: &Value,
            deadline: Option<Duration>,
        ) -> anyhow::Result<Outcome<Value>> {
            match name {
                $($name => {
                    let mut request = Request::new(messages::read(json)?);
                    if let Some(deadline) = deadline {
                        request.set_timeout(deadline);
                    }
                    match client.$service().$method(request).await {
                        Ok(answer) => Ok(Ok(messages::write(answer.get_ref())?)),
                        Err(status) => Ok(refused(status)),
                    }
                })*
                other => bail!("the client has no method {other}"),
            }
        }
    };
}

macro_rules! lists {
    ($($name:literal => $request:ident;)*) => {
        /// Reads a list to its end.
        ///
        /// # Errors
        /// There is no such list, or the JSON is not its request.
        pub(crate) async fn items(
            client: &Client,
            name: &str,
            json: &Value,
        ) -> anyhow::Result<Outcome<Vec<Value>>> {
            match name {
                $($name => {
                    let request: v1::$request = messages::read(json)?;
                    match client.items(request).all().await {
                        Ok(items) => Ok(Ok(items.iter().map(messages::write).collect::<anyhow::Result<_>>()?)),
                        Err(refusal) => Ok(refused(refusal)),
                    }
                })*
                other => bail!("the client has no list {other}"),
            }
        }
    };
}

methods! {
    "AgreementService/ProposeAgreement" => agreements.propose_agreement;
    "AgreementService/AcceptAgreement" => agreements.accept_agreement;
    "AgreementService/GetAgreement" => agreements.get_agreement;
    "AgreementService/ListAgreements" => agreements.list_agreements;
    "ApprovalService/ListApprovals" => approvals.list_approvals;
    "ApprovalService/Approve" => approvals.approve;
    "ApprovalService/Reject" => approvals.reject;
    "ExchangeService/QuoteExchange" => exchanges.quote_exchange;
    "ExchangeService/PrepareExchange" => exchanges.prepare_exchange;
    "ExchangeService/CommitExchange" => exchanges.commit_exchange;
    "ExchangeService/AbortExchange" => exchanges.abort_exchange;
    "ExchangeService/ReverseExchange" => exchanges.reverse_exchange;
    "ExchangeService/GetExchange" => exchanges.get_exchange;
    "ExchangeService/ListExchanges" => exchanges.list_exchanges;
    "LedgerService/AccruePoints" => ledger.accrue_points;
    "LedgerService/AdjustPoints" => ledger.adjust_points;
    "LedgerService/GetBalance" => ledger.get_balance;
    "LedgerService/ListPostings" => ledger.list_postings;
    "LedgerService/ListLots" => ledger.list_lots;
    "MemberService/RegisterMembership" => members.register_membership;
    "MemberService/GetMembership" => members.get_membership;
    "MemberService/IssueLinkCode" => members.issue_link_code;
    "MemberService/MergeMembers" => members.merge_members;
    "MemberService/GrantConsent" => members.grant_consent;
    "MemberService/WithdrawConsent" => members.withdraw_consent;
    "MemberService/ListConsents" => members.list_consents;
    "PartnerService/CreatePartner" => partners.create_partner;
    "PartnerService/GetPartner" => partners.get_partner;
    "PartnerService/ListPartners" => partners.list_partners;
    "PartnerService/UpdatePartner" => partners.update_partner;
    "PartnerService/SuspendPartner" => partners.suspend_partner;
    "PartnerService/ResumePartner" => partners.resume_partner;
    "PartnerService/AddCertificate" => partners.add_certificate;
    "PartnerService/RevokeCertificate" => partners.revoke_certificate;
    "PartnerService/ListCertificates" => partners.list_certificates;
    "PartnerService/RegisterSigningKey" => partners.register_signing_key;
    "PartnerService/WhoAmI" => partners.who_am_i;
    "PartnerService/CreateProgram" => partners.create_program;
    "PartnerService/UpdateProgram" => partners.update_program;
    "PartnerService/GetProgram" => partners.get_program;
    "PartnerService/ListPrograms" => partners.list_programs;
}

lists! {
    "AgreementService/ListAgreements" => ListAgreementsRequest;
    "ApprovalService/ListApprovals" => ListApprovalsRequest;
    "ExchangeService/ListExchanges" => ListExchangesRequest;
    "LedgerService/ListPostings" => ListPostingsRequest;
    "LedgerService/ListLots" => ListLotsRequest;
    "MemberService/ListConsents" => ListConsentsRequest;
    "PartnerService/ListPartners" => ListPartnersRequest;
    "PartnerService/ListCertificates" => ListCertificatesRequest;
    "PartnerService/ListPrograms" => ListProgramsRequest;
}
