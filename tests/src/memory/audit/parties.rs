//! Who there is: partners, programs, members, agreements and consents.

use std::collections::BTreeMap;

use pointbridge_core::member::MembershipStatus;
use pointbridge_core::partner::PartnerStatus;
use pointbridge_core::time::Timestamp;
use pointbridge_store::AuditRow;

use super::{Visit, custody};
use crate::memory::state::State;

/// Shows every row of a party.
pub(super) fn rows(state: &State, visit: Visit<'_>) {
    partners(state, visit);
    members(state, visit);
    agreements(state, visit);
    consents(state, visit);
}

fn partners(state: &State, visit: Visit<'_>) {
    for partner in state.partners.values() {
        visit(AuditRow::Partner {
            partner_code: partner.code.to_string(),
            name: partner.name.to_string(),
            status: match partner.status {
                PartnerStatus::Active => "ACTIVE".to_owned(),
                PartnerStatus::Suspended => "SUSPENDED".to_owned(),
            },
            created_at: partner.created_at.micros(),
            updated_at: partner.updated_at.micros(),
        });
    }
    for program in state.programs.values() {
        visit(AuditRow::Program {
            program_id: program.program_id.to_string(),
            partner_code: program.partner.to_string(),
            program_code: program.code.to_string(),
            name: program.name.to_string(),
            scale: i64::from(program.scale.decimals()),
            custody: custody(program.custody),
            points_expiry_months: i64::from(program.points_expiry_months),
            created_at: program.created_at.micros(),
            updated_at: program.updated_at.micros(),
        });
    }
}

fn members(state: &State, visit: Visit<'_>) {
    for membership in state.memberships.values() {
        visit(AuditRow::Membership {
            membership_id: membership.membership_id.to_string(),
            member_id: membership.member_id.to_string(),
            program_id: membership.program_id.to_string(),
            external_reference: membership.external_reference.to_string(),
            reference_salt: membership.reference_salt.to_vec(),
            status: match membership.status {
                MembershipStatus::Active => "ACTIVE".to_owned(),
                MembershipStatus::Frozen => "FROZEN".to_owned(),
            },
            created_at: membership.created_at.micros(),
        });
    }
    for code in state.link_codes.values() {
        visit(AuditRow::LinkCode {
            link_code_id: code.link_code_id.to_string(),
            membership_id: code.membership_id.to_string(),
            partner_code: code.partner.to_string(),
            expires_at: code.expires_at.micros(),
            used_by_membership_id: code.used_by.map(|id| id.to_string()),
        });
    }
}

fn agreements(state: &State, visit: Visit<'_>) {
    let agreements: BTreeMap<_, _> = state.agreements.values().map(|a| (a.agreement_id, a)).collect();
    for agreement in agreements.values() {
        visit(AuditRow::Agreement {
            agreement_id: agreement.agreement_id.to_string(),
            low_code: agreement.pair.low().to_string(),
            high_code: agreement.pair.high().to_string(),
            latest_version: i64::from(agreement.latest_version),
            active_version: agreement.active_version.map(i64::from),
            active_since: agreement.active_since.map(Timestamp::micros),
            pending_version: agreement.pending_version.map(i64::from),
            created_at: agreement.created_at.micros(),
        });
    }
    for version in state.versions.values() {
        visit(AuditRow::AgreementVersion {
            agreement_id: version.agreement_id.to_string(),
            version: i64::from(version.version),
            author_code: version.author.to_string(),
            terms: version.terms.seal().map(|(bytes, _)| bytes).unwrap_or_default(),
            terms_hash: version.terms_hash.to_vec(),
            proposed_at: version.proposed_at.micros(),
        });
    }
}

fn consents(state: &State, visit: Visit<'_>) {
    for consent in state.consents.values() {
        visit(AuditRow::Consent {
            consent_id: consent.consent_id.to_string(),
            membership_id: consent.membership_id.to_string(),
            recipient_code: consent.recipient.to_string(),
            scope: consent.scope.as_str().to_owned(),
            purpose: consent.purpose.to_string(),
            notice_version: consent.notice_version.to_string(),
            evidence_hash: consent.evidence_hash.to_vec(),
            granted_at: consent.granted_at.micros(),
            expires_at: consent.expires_at.map(Timestamp::micros),
        });
    }
    for withdrawal in state.withdrawals.values() {
        visit(AuditRow::ConsentWithdrawal {
            consent_id: withdrawal.consent_id.to_string(),
            reason: withdrawal.reason.to_string(),
            withdrawn_at: withdrawal.withdrawn_at.micros(),
        });
    }
    // By the scope's text, which is how a database orders it.
    let heads: BTreeMap<_, _> = state
        .consents_in_force
        .iter()
        .map(|(key, consent)| ((key.membership_id, &key.recipient, key.scope.as_str()), consent))
        .collect();
    for ((membership, recipient, scope), consent) in heads {
        visit(AuditRow::ConsentInForce {
            membership_id: membership.to_string(),
            recipient_code: recipient.to_string(),
            scope: scope.to_owned(),
            consent_id: consent.to_string(),
        });
    }
}
