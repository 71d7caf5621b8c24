//! Memberships, links between them, and consents.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use pointbridge_client::v1;

use super::{Asking, short_name};
use crate::demo::answer::{Answer, Stop, present};
use crate::demo::book::Kind;

/// Characters of a link code that the table shows: a whole one would let anybody link the membership.
const LINK_CODE_CHARS_SHOWN: usize = 5;
/// What people agreed to.
const PURPOSE: &str = "POINTS_EXCHANGE";
const NOTICE_VERSION: &str = "2026-11";
const WITHDRAWAL_REASON: &str = "MEMBER_REQUEST";

pub(super) async fn register(
    asking: Asking<'_>,
    membership: &'static str,
    program: &str,
    reference: &str,
) -> Result<Answer, Stop> {
    let request = v1::RegisterMembershipRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        program_id: asking.book.find(Kind::Program, program)?,
        external_reference: reference.to_owned(),
    };
    let response = asking.client.members().register_membership(request).await?.into_inner();
    let known = present(response.membership.as_ref(), "membership")?;
    asking.book.note_membership(membership, asking.actor, known.membership_id.clone());
    let status = short_name(known.status().as_str_name(), "MEMBERSHIP_STATUS_");
    let program = asking.book.program_code(&known.program_id);
    Ok(Answer::of(&response)
        .phrase(format!("{} in {program} is {status}", known.external_reference))
        .fact("status", status))
}

pub(super) async fn issue_link_code(
    asking: Asking<'_>,
    membership: &str,
    bringer: &str,
) -> Result<Answer, Stop> {
    let request = v1::IssueLinkCodeRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        membership_id: asking.book.find(Kind::Membership, membership)?,
        partner_code: bringer.to_owned(),
    };
    let response = asking.client.members().issue_link_code(request).await?.into_inner();
    asking.book.note(Kind::LinkCode, membership, response.link_code.clone());
    let shown: String = response.link_code.chars().take(LINK_CODE_CHARS_SHOWN).collect();
    let ends = response.expire_time.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(Answer::of(&response).phrase(format!("code {shown}…, good until {ends}")))
}

pub(super) async fn merge(asking: Asking<'_>, of: &str, membership: &str) -> Result<Answer, Stop> {
    let request = v1::MergeMembersRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        link_code: asking.book.find(Kind::LinkCode, of)?,
        membership_id: asking.book.find(Kind::Membership, membership)?,
    };
    let response = asking.client.members().merge_members(request).await?.into_inner();
    let known = present(response.membership.as_ref(), "membership")?;
    let linked: Vec<String> = known
        .linked_memberships
        .iter()
        .map(|other| format!("{} of {}", asking.book.program_code(&other.program_id), other.partner_code))
        .collect();
    let linked = linked.join(", ");
    let own = asking.book.program_code(&known.program_id);
    Ok(Answer::of(&response)
        .phrase(format!("{own} of {} and {linked} are one person's", known.partner_code))
        .fact("linked", linked))
}

/// The name under which a consent is remembered.
fn consent_name(membership: &str, to: &str) -> String {
    format!("{membership} to {to}")
}

pub(super) async fn consent(asking: Asking<'_>, membership: &str, to: &str) -> Result<Answer, Stop> {
    let form = format!("{NOTICE_VERSION}: {membership} agrees to exchange points with {to}");
    let request = v1::GrantConsentRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        membership_id: asking.book.find(Kind::Membership, membership)?,
        recipient_partner_code: to.to_owned(),
        scope: v1::ConsentScope::Exchange.into(),
        purpose: PURPOSE.to_owned(),
        notice_version: NOTICE_VERSION.to_owned(),
        evidence_hash: HEXLOWER.encode(digest::digest(&digest::SHA256, form.as_bytes()).as_ref()),
        expire_time: None,
    };
    let response = asking.client.members().grant_consent(request).await?.into_inner();
    let consent = present(response.consent.as_ref(), "consent")?;
    asking.book.note(Kind::Consent, consent_name(membership, to), consent.consent_id.clone());
    Ok(told(&response, consent))
}

pub(super) async fn withdraw(asking: Asking<'_>, membership: &str, to: &str) -> Result<Answer, Stop> {
    let request = v1::WithdrawConsentRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        consent_id: asking.book.find(Kind::Consent, &consent_name(membership, to))?,
        reason_code: WITHDRAWAL_REASON.to_owned(),
    };
    let response = asking.client.members().withdraw_consent(request).await?.into_inner();
    let consent = present(response.consent.as_ref(), "consent")?;
    Ok(told(&response, consent))
}

fn told(response: &impl prost::Message, consent: &v1::Consent) -> Answer {
    let scope = short_name(consent.scope().as_str_name(), "CONSENT_SCOPE_");
    let state = if consent.withdraw_time.is_some() { "withdrawn" } else { "given" };
    Answer::of(response)
        .fact("scope", &scope)
        .fact("to", &consent.recipient_partner_code)
        .fact("state", state)
        .phrase(format!("{scope} with {}: {state}", consent.recipient_partner_code))
}
