//! Suspensions, approvals, certificates and signing keys: what tests ask for.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use pointbridge_core::approval::Approval;
use pointbridge_core::command::{
    AddCertificate, AdjustPoints, Approve, RegisterSigningKey, ResumePartner, SuspendPartner,
};
use pointbridge_core::ids::{MembershipId, ProgramId};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::text::{KeyId, PartnerCode};
use pointbridge_core::time::Timestamp;
use pointbridge_store::Store;

use crate::hub::{Hub, entered, reason, reference};
use crate::script::{operator, second_person};

/// A suspension to be made.
#[must_use]
pub fn suspension(partner: &PartnerCode) -> SuspendPartner {
    SuspendPartner { code: partner.clone(), reason: reason("FRAUD_SUSPECTED") }
}

/// A resumption to be asked for.
#[must_use]
pub fn resumption(partner: &PartnerCode) -> ResumePartner {
    ResumePartner { code: partner.clone(), reason: reason("CLEARED") }
}

/// A correction to be made, or asked for by the operator.
#[must_use]
pub fn correction(membership_id: MembershipId, points: &str) -> AdjustPoints {
    AdjustPoints {
        membership_id,
        amount: entered(points),
        reason: reason("CORRECTION"),
        reference: reference("ticket-1"),
    }
}

/// What a record says of an approval.
///
/// # Panics
/// Where it says nothing of one.
#[must_use]
pub fn approval_of(record: &Arc<Record>) -> Approval {
    match &record.body {
        Body::Approval(body) => body.approval.clone(),
        other => panic!("no approval: {other:?}"),
    }
}

/// Agreeing to exactly what an approval is about.
#[must_use]
pub const fn agreement_to(approval: &Approval) -> Approve {
    Approve { approval_id: approval.approval_id, content_hash: approval.content_hash }
}

/// A certificate of a partner's till, valid for an hour from `now`; the caller calls with it.
#[must_use]
pub fn certificate(partner: &PartnerCode, number: u8, now: Timestamp) -> AddCertificate {
    AddCertificate {
        partner: partner.clone(),
        fingerprint: [number; 32],
        named_partner: Some(partner.clone()),
        principal: format!("partner/{partner}/partner/till-{number}"),
        serial: format!("{number:02x}"),
        not_before: now,
        not_after: now.plus_seconds(3600),
        calling_with: Some([number; 32]),
    }
}

/// A signing key to be registered.
///
/// # Panics
/// Where the name is none.
#[must_use]
pub fn signing_key(program_id: ProgramId, key_id: &str) -> RegisterSigningKey {
    RegisterSigningKey { program_id, key_id: KeyId::new(key_id).unwrap(), public_key: [0x11; 32] }
}

impl<S: Store> Hub<S> {
    /// Suspends a partner.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn suspend(&self, partner: &PartnerCode) {
        self.does(&operator(), suspension(partner)).await;
    }

    /// Resumes a partner with two people.
    ///
    /// # Panics
    /// Where either is refused.
    pub async fn resume(&self, partner: &PartnerCode) {
        let asked = approval_of(&self.does(&operator(), resumption(partner)).await);
        self.does(&second_person(), agreement_to(&asked)).await;
    }
}
