//! Requests as a well-behaved client makes them, each with a fresh request id. Tests change one field and send it.

use pointbridge_client::{request_id, v1};

/// SHA-256 of some evidence.
const EVIDENCE: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(crate) fn create_partner(code: &str) -> v1::CreatePartnerRequest {
    v1::CreatePartnerRequest {
        request_id: request_id(),
        validate_only: false,
        code: code.to_owned(),
        name: format!("The {code}"),
    }
}

pub(crate) fn update_partner(code: &str, name: &str) -> v1::UpdatePartnerRequest {
    v1::UpdatePartnerRequest {
        request_id: request_id(),
        validate_only: false,
        code: code.to_owned(),
        name: Some(name.to_owned()),
    }
}

pub(crate) fn create_program(partner: &str, code: &str, scale: u32) -> v1::CreateProgramRequest {
    v1::CreateProgramRequest {
        request_id: request_id(),
        validate_only: false,
        partner_code: partner.to_owned(),
        code: code.to_owned(),
        name: format!("The {code}"),
        scale,
        custody: v1::Custody::Hosted.into(),
        points_expiry_months: 0,
    }
}

pub(crate) fn update_program(program: &str) -> v1::UpdateProgramRequest {
    v1::UpdateProgramRequest {
        request_id: request_id(),
        validate_only: false,
        program_id: program.to_owned(),
        name: Some("New name".to_owned()),
        points_expiry_months: Some(12),
    }
}

/// One direction: 6666 source points become 111 destination points and make a debt of 111 yuan.
pub(crate) fn direction(source: &str, destination: &str) -> v1::DirectionTerms {
    v1::DirectionTerms {
        source_program_id: source.to_owned(),
        destination_program_id: destination.to_owned(),
        rate: Some(v1::Rate { give: 6666, get: 111 }),
        rounding: v1::Rounding::TowardZero.into(),
        residue_owner: v1::ResidueOwner::Nobody.into(),
        minimum_source_points: "1".to_owned(),
        maximum_source_points: "50000".to_owned(),
        step_source_points: "1".to_owned(),
        fee_points: "0".to_owned(),
        basis: v1::SettlementBasis::Source.into(),
        price: Some(v1::Price { money: "111.00".to_owned(), points: "6666".to_owned() }),
        hold_seconds: 300,
        reversal_days: None,
        funding: Some(v1::direction_terms::Funding::Postpaid(v1::Postpaid {
            exposure_limit: "500".to_owned(),
        })),
    }
}

pub(crate) fn propose(partner: &str, directions: Vec<v1::DirectionTerms>) -> v1::ProposeAgreementRequest {
    v1::ProposeAgreementRequest {
        request_id: request_id(),
        validate_only: false,
        partner_code: partner.to_owned(),
        terms: Some(v1::AgreementTerms { settlement_currency: "CNY".to_owned(), directions }),
    }
}

pub(crate) fn accept(agreement: &v1::Agreement) -> v1::AcceptAgreementRequest {
    let pending = agreement.pending.as_ref().expect("a version waits for acceptance");
    v1::AcceptAgreementRequest {
        request_id: request_id(),
        validate_only: false,
        agreement_id: agreement.agreement_id.clone(),
        version: pending.version,
        terms_hash: pending.terms_hash.clone(),
    }
}

pub(crate) fn get_agreement(id: &str) -> v1::GetAgreementRequest {
    v1::GetAgreementRequest { agreement_id: id.to_owned() }
}

pub(crate) fn register(program: &str, reference: &str) -> v1::RegisterMembershipRequest {
    v1::RegisterMembershipRequest {
        request_id: request_id(),
        validate_only: false,
        program_id: program.to_owned(),
        external_reference: reference.to_owned(),
    }
}

pub(crate) fn get_membership(id: &str) -> v1::GetMembershipRequest {
    let name = v1::get_membership_request::Name::MembershipId(id.to_owned());
    v1::GetMembershipRequest { name: Some(name) }
}

pub(crate) fn get_membership_by_reference(program: &str, reference: &str) -> v1::GetMembershipRequest {
    let external =
        v1::ExternalName { program_id: program.to_owned(), external_reference: reference.to_owned() };
    v1::GetMembershipRequest { name: Some(v1::get_membership_request::Name::External(external)) }
}

pub(crate) fn issue_link_code(membership: &str, partner: &str) -> v1::IssueLinkCodeRequest {
    v1::IssueLinkCodeRequest {
        request_id: request_id(),
        validate_only: false,
        membership_id: membership.to_owned(),
        partner_code: partner.to_owned(),
    }
}

pub(crate) fn merge(code: &str, membership: &str) -> v1::MergeMembersRequest {
    v1::MergeMembersRequest {
        request_id: request_id(),
        validate_only: false,
        link_code: code.to_owned(),
        membership_id: membership.to_owned(),
    }
}

pub(crate) fn consent(membership: &str, recipient: &str) -> v1::GrantConsentRequest {
    v1::GrantConsentRequest {
        request_id: request_id(),
        validate_only: false,
        membership_id: membership.to_owned(),
        recipient_partner_code: recipient.to_owned(),
        scope: v1::ConsentScope::Exchange.into(),
        purpose: "POINTS_EXCHANGE".to_owned(),
        notice_version: "2026-11".to_owned(),
        evidence_hash: EVIDENCE.to_owned(),
        expire_time: None,
    }
}

pub(crate) fn withdraw(consent: &str) -> v1::WithdrawConsentRequest {
    v1::WithdrawConsentRequest {
        request_id: request_id(),
        validate_only: false,
        consent_id: consent.to_owned(),
        reason_code: "MEMBER_REQUEST".to_owned(),
    }
}

pub(crate) fn list_consents(membership: &str) -> v1::ListConsentsRequest {
    v1::ListConsentsRequest { membership_id: membership.to_owned(), ..Default::default() }
}

pub(crate) fn accrue(membership: &str, amount: &str) -> v1::AccruePointsRequest {
    v1::AccruePointsRequest {
        request_id: request_id(),
        validate_only: false,
        membership_id: membership.to_owned(),
        amount: amount.to_owned(),
        reason_code: "PURCHASE".to_owned(),
        reference: "sale/100".to_owned(),
        expiry: None,
    }
}

pub(crate) fn adjust(membership: &str, amount: &str) -> v1::AdjustPointsRequest {
    v1::AdjustPointsRequest {
        request_id: request_id(),
        validate_only: false,
        membership_id: membership.to_owned(),
        amount: amount.to_owned(),
        reason_code: "CORRECTION".to_owned(),
        reference: "return/7".to_owned(),
    }
}

pub(crate) fn get_balance(membership: &str) -> v1::GetBalanceRequest {
    v1::GetBalanceRequest { membership_id: membership.to_owned() }
}

pub(crate) fn list_postings(membership: &str) -> v1::ListPostingsRequest {
    v1::ListPostingsRequest { membership_id: membership.to_owned(), ..Default::default() }
}

pub(crate) fn list_lots(membership: &str) -> v1::ListLotsRequest {
    v1::ListLotsRequest { membership_id: membership.to_owned(), ..Default::default() }
}

pub(crate) fn quote(source: &str, destination: &str, points: &str) -> v1::QuoteExchangeRequest {
    use v1::quote_exchange_request::{Amount, Destination};
    v1::QuoteExchangeRequest {
        source_membership_id: source.to_owned(),
        destination: Some(Destination::DestinationMembershipId(destination.to_owned())),
        amount: Some(Amount::SourcePoints(points.to_owned())),
        max_legs: 1,
    }
}

pub(crate) fn prepare(token: &str, order: &str) -> v1::PrepareExchangeRequest {
    v1::PrepareExchangeRequest {
        request_id: request_id(),
        validate_only: false,
        terms: Some(v1::prepare_exchange_request::Terms::QuoteToken(token.to_owned())),
        references: Some(v1::References { order: order.to_owned(), store: None, till: None }),
    }
}

pub(crate) fn commit(exchange: &str) -> v1::CommitExchangeRequest {
    v1::CommitExchangeRequest {
        request_id: request_id(),
        validate_only: false,
        exchange_id: exchange.to_owned(),
    }
}

pub(crate) fn abort(exchange: &str) -> v1::AbortExchangeRequest {
    v1::AbortExchangeRequest {
        request_id: request_id(),
        validate_only: false,
        exchange_id: exchange.to_owned(),
        reason_code: "CUSTOMER_LEFT".to_owned(),
    }
}

/// So many source points, or all that is left.
pub(crate) fn reverse(exchange: &str, points: Option<&str>) -> v1::ReverseExchangeRequest {
    v1::ReverseExchangeRequest {
        request_id: request_id(),
        validate_only: false,
        exchange_id: exchange.to_owned(),
        source_points: points.map(str::to_owned),
        reason_code: "GOODS_RETURNED".to_owned(),
        reference: "return/8".to_owned(),
    }
}

pub(crate) fn get_exchange(exchange: &str) -> v1::GetExchangeRequest {
    v1::GetExchangeRequest { exchange_id: exchange.to_owned() }
}
