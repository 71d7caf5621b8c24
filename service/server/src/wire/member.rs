//! Memberships, link codes and consents on the wire.

use pointbridge_core::canonical::{hex, parse_hash};
use pointbridge_core::command::{
    GrantConsent, IssueLinkCode, MergeMembers, RegisterMembership, WithdrawConsent,
};
use pointbridge_core::ids::LinkCodeId;
use pointbridge_core::member::{Consent, ConsentScope, MembershipStatus, Withdrawal};
use pointbridge_core::record::{Body, MembershipBody, Record};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::{NoticeVersion, PartnerCode, ReasonCode, Reference};
use pointbridge_proto::v1;
use pointbridge_store::{ConsentView, MembershipName, MembershipView};
use tonic::Status;
use uuid::Uuid;

use super::{id, invalid, moment, text, time, unexpected};
use crate::keys::{KeyRing, link_code_hash, parse_link_code};

pub(crate) fn register(request: v1::RegisterMembershipRequest) -> Result<RegisterMembership, Rejection> {
    Ok(RegisterMembership {
        program_id: id(&request.program_id, "program_id")?,
        external_reference: text(Reference::new(request.external_reference), "external_reference")?,
    })
}

pub(crate) fn name(request: v1::GetMembershipRequest) -> Result<MembershipName, Rejection> {
    match request.name {
        Some(v1::get_membership_request::Name::MembershipId(text)) => {
            Ok(MembershipName::Id(id(&text, "membership_id")?))
        }
        Some(v1::get_membership_request::Name::External(external)) => Ok(MembershipName::External(
            id(&external.program_id, "external.program_id")?,
            text(Reference::new(external.external_reference), "external.external_reference")?,
        )),
        None => Err(invalid("name", "must be given: membership_id, or external")),
    }
}

pub(crate) fn issue_link_code(
    request: v1::IssueLinkCodeRequest,
    keys: &KeyRing,
) -> Result<IssueLinkCode, Rejection> {
    let link_code_id = LinkCodeId::new(Uuid::new_v4());
    let code = parse_link_code(&keys.link_code(link_code_id.uuid().into_bytes()));
    let code =
        code.ok_or_else(|| Rejection::new(Reason::Internal, "the hub cannot read its own link code"))?;
    Ok(IssueLinkCode {
        membership_id: id(&request.membership_id, "membership_id")?,
        partner: text(PartnerCode::new(request.partner_code), "partner_code")?,
        link_code_id,
        code_hash: link_code_hash(code),
    })
}

/// A text that is no link code at all has the hash of none, and is refused like an unknown one.
pub(crate) fn merge(request: v1::MergeMembersRequest) -> Result<MergeMembers, Rejection> {
    Ok(MergeMembers {
        code_hash: parse_link_code(&request.link_code).map(link_code_hash).unwrap_or_default(),
        membership_id: id(&request.membership_id, "membership_id")?,
    })
}

pub(crate) fn grant(request: v1::GrantConsentRequest) -> Result<GrantConsent, Rejection> {
    let scope = match request.scope() {
        v1::ConsentScope::Recognize => ConsentScope::Recognize,
        v1::ConsentScope::Enroll => ConsentScope::Enroll,
        v1::ConsentScope::Exchange => ConsentScope::Exchange,
        v1::ConsentScope::Coupon => ConsentScope::Coupon,
        v1::ConsentScope::Unspecified => return Err(invalid("scope", "must be given")),
    };
    let evidence = parse_hash(&request.evidence_hash);
    Ok(GrantConsent {
        membership_id: id(&request.membership_id, "membership_id")?,
        recipient: text(PartnerCode::new(request.recipient_partner_code), "recipient_partner_code")?,
        scope,
        purpose: text(ReasonCode::new(request.purpose), "purpose")?,
        notice_version: text(NoticeVersion::new(request.notice_version), "notice_version")?,
        evidence_hash: evidence
            .ok_or_else(|| invalid("evidence_hash", "must be 64 lower-case hexadecimal digits"))?,
        expires_at: request.expire_time.map(|time| moment(time, "expire_time")).transpose()?,
    })
}

pub(crate) fn withdraw(request: v1::WithdrawConsentRequest) -> Result<WithdrawConsent, Rejection> {
    Ok(WithdrawConsent {
        consent_id: id(&request.consent_id, "consent_id")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

/// The membership of a record. The external reference is the request's own: records hold none in clear, and a replay has
/// the same body.
pub(crate) fn of_record(record: &Record, external_reference: String) -> Result<v1::Membership, Status> {
    match &record.body {
        Body::Membership(body) => Ok(v1::Membership { external_reference, ..membership(body) }),
        _ => Err(unexpected(record)),
    }
}

/// The caller's membership after a merge, with the one that it is linked with.
pub(crate) fn merged(record: &Record) -> Result<v1::Membership, Status> {
    let Body::Merge(body) = &record.body else { return Err(unexpected(record)) };
    let linked = v1::LinkedMembership {
        membership_id: body.linked_membership_id.to_string(),
        program_id: body.linked_program_id.to_string(),
        partner_code: body.linked_partner.to_string(),
    };
    Ok(v1::Membership { linked_memberships: vec![linked], ..membership(&body.membership) })
}

pub(crate) fn link_code(
    record: &Record,
    keys: &KeyRing,
    validate_only: bool,
) -> Result<v1::IssueLinkCodeResponse, Status> {
    let Body::LinkCode(body) = &record.body else { return Err(unexpected(record)) };
    let code = keys.link_code(body.link_code_id.uuid().into_bytes());
    let link_code = if validate_only { String::new() } else { code };
    Ok(v1::IssueLinkCodeResponse { link_code, expire_time: time(body.expires_at) })
}

fn membership(body: &MembershipBody) -> v1::Membership {
    v1::Membership {
        membership_id: body.membership_id.to_string(),
        program_id: body.program_id.to_string(),
        partner_code: body.partner.to_string(),
        external_reference: String::new(),
        status: status(body.status).into(),
        create_time: time(body.created_at),
        linked_memberships: Vec::new(),
    }
}

const fn status(status: MembershipStatus) -> v1::MembershipStatus {
    match status {
        MembershipStatus::Active => v1::MembershipStatus::Active,
        MembershipStatus::Frozen => v1::MembershipStatus::Frozen,
    }
}

/// A membership as a caller sees it: the external reference only if it is the caller's own.
pub(crate) fn of_view(view: &MembershipView, is_own: bool) -> v1::Membership {
    let membership = &view.membership;
    let linked = view.linked.iter().map(|linked| v1::LinkedMembership {
        membership_id: linked.membership_id.to_string(),
        program_id: linked.program_id.to_string(),
        partner_code: linked.partner.to_string(),
    });
    v1::Membership {
        membership_id: membership.membership_id.to_string(),
        program_id: membership.program_id.to_string(),
        partner_code: membership.partner.to_string(),
        external_reference: if is_own { membership.external_reference.to_string() } else { String::new() },
        status: status(membership.status).into(),
        create_time: time(membership.created_at),
        linked_memberships: linked.collect(),
    }
}

pub(crate) fn consent_of_record(record: &Record) -> Result<v1::Consent, Status> {
    match &record.body {
        Body::Consent(granted) => Ok(consent(granted, None)),
        Body::Withdrawal { consent: granted, withdrawal } => Ok(consent(granted, Some(withdrawal))),
        _ => Err(unexpected(record)),
    }
}

pub(crate) fn consent_of_view(view: &ConsentView) -> v1::Consent {
    consent(&view.consent, view.withdrawal.as_ref())
}

fn consent(consent: &Consent, withdrawal: Option<&Withdrawal>) -> v1::Consent {
    let scope = match consent.scope {
        ConsentScope::Recognize => v1::ConsentScope::Recognize,
        ConsentScope::Enroll => v1::ConsentScope::Enroll,
        ConsentScope::Exchange => v1::ConsentScope::Exchange,
        ConsentScope::Coupon => v1::ConsentScope::Coupon,
    };
    v1::Consent {
        consent_id: consent.consent_id.to_string(),
        membership_id: consent.membership_id.to_string(),
        recipient_partner_code: consent.recipient.to_string(),
        scope: scope.into(),
        purpose: consent.purpose.to_string(),
        notice_version: consent.notice_version.to_string(),
        evidence_hash: hex(&consent.evidence_hash),
        grant_time: time(consent.granted_at),
        expire_time: consent.expires_at.and_then(time),
        withdraw_time: withdrawal.and_then(|end| time(end.withdrawn_at)),
        withdraw_reason_code: withdrawal.map(|end| end.reason.to_string()).unwrap_or_default(),
    }
}
