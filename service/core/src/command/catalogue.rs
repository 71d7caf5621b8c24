//! The order in which each method refuses, as the proto prints it.

use super::{
    AcceptAgreementRejection, AccruePointsRejection, AddCertificateRejection, AdjustPointsRejection,
    ApproveRejection, CreatePartnerRejection, CreateProgramRejection, EndExchangeRejection,
    GrantConsentRejection, IssueLinkCodeRejection, MergeMembersRejection, PrepareExchangeRejection,
    ProposeAgreementRejection, RegisterMembershipRejection, RegisterSigningKeyRejection, RejectRejection,
    RequestRejection, ResumePartnerRejection, ReverseExchangeRejection, RevokeCertificateRejection,
    StandingRejection, SuspendPartnerRejection, UpdatePartnerRejection, UpdateProgramRejection,
    WithdrawConsentRejection,
};
use crate::exchange::{AbortRejection, CommitRejection};
use crate::quote::{AmountRejection, EndsRejection};
use crate::rejection::Reason;

/// A prepare's own refusals: those up to the agreement, and those from the live holds on.
const PREPARE: (&[Reason], &[Reason]) = PrepareExchangeRejection::ORDER.split_at(5);

/// What a method that ends something asks of its caller: to be registered. A suspended partner may.
const KNOWN: &[Reason] = StandingRejection::ORDER.split_at(1).0;

/// An abort's own refusal: either party may abort.
const ABORT: &[Reason] = EndExchangeRejection::ORDER.split_at(1).0;

/// An approval's own refusals: those about the approval, and that about what it is about. Between and behind them stand
/// those of what it does that can still come true once it was asked for.
const APPROVE: (&[Reason], &[Reason]) = ApproveRejection::ORDER.split_at(5);

/// For each writing method, what it may be refused with, in the order in which it is checked.
pub const PRECEDENCE: &[(&str, &[&[Reason]])] = &[
    ("CreatePartner", &[RequestRejection::ORDER, CreatePartnerRejection::ORDER]),
    ("UpdatePartner", &[RequestRejection::ORDER, StandingRejection::ORDER, UpdatePartnerRejection::ORDER]),
    ("SuspendPartner", &[RequestRejection::ORDER, SuspendPartnerRejection::ORDER]),
    ("ResumePartner", &[RequestRejection::ORDER, ResumePartnerRejection::ORDER]),
    ("CreateProgram", &[RequestRejection::ORDER, StandingRejection::ORDER, CreateProgramRejection::ORDER]),
    ("UpdateProgram", &[RequestRejection::ORDER, StandingRejection::ORDER, UpdateProgramRejection::ORDER]),
    (
        "ProposeAgreement",
        &[
            RequestRejection::ORDER,
            StandingRejection::ORDER,
            ProposeAgreementRejection::ORDER,
            &[Reason::TermsInvalid],
        ],
    ),
    (
        "AcceptAgreement",
        &[RequestRejection::ORDER, StandingRejection::ORDER, AcceptAgreementRejection::ORDER],
    ),
    (
        "RegisterMembership",
        &[RequestRejection::ORDER, StandingRejection::ORDER, RegisterMembershipRejection::ORDER],
    ),
    ("IssueLinkCode", &[RequestRejection::ORDER, StandingRejection::ORDER, IssueLinkCodeRejection::ORDER]),
    ("MergeMembers", &[RequestRejection::ORDER, StandingRejection::ORDER, MergeMembersRejection::ORDER]),
    ("GrantConsent", &[RequestRejection::ORDER, StandingRejection::ORDER, GrantConsentRejection::ORDER]),
    ("WithdrawConsent", &[RequestRejection::ORDER, KNOWN, WithdrawConsentRejection::ORDER]),
    ("AccruePoints", &[RequestRejection::ORDER, StandingRejection::ORDER, AccruePointsRejection::ORDER]),
    ("AdjustPoints", &[RequestRejection::ORDER, StandingRejection::ORDER, AdjustPointsRejection::ORDER]),
    (
        "PrepareExchange",
        &[
            RequestRejection::ORDER,
            StandingRejection::ORDER,
            PREPARE.0,
            EndsRejection::ORDER,
            AmountRejection::ORDER,
            PREPARE.1,
        ],
    ),
    (
        "CommitExchange",
        &[
            RequestRejection::ORDER,
            KNOWN,
            EndExchangeRejection::ORDER,
            CommitRejection::ORDER,
            &[Reason::Overflow],
        ],
    ),
    ("AbortExchange", &[RequestRejection::ORDER, KNOWN, ABORT, AbortRejection::ORDER]),
    (
        "ReverseExchange",
        &[RequestRejection::ORDER, StandingRejection::ORDER, ReverseExchangeRejection::ORDER],
    ),
    ("AddCertificate", &[RequestRejection::ORDER, StandingRejection::ORDER, AddCertificateRejection::ORDER]),
    ("RevokeCertificate", &[RequestRejection::ORDER, KNOWN, RevokeCertificateRejection::ORDER]),
    (
        "RegisterSigningKey",
        &[RequestRejection::ORDER, StandingRejection::ORDER, RegisterSigningKeyRejection::ORDER],
    ),
    (
        "Approve",
        &[
            RequestRejection::ORDER,
            APPROVE.0,
            ResumePartnerRejection::ORDER.split_at(1).1,
            APPROVE.1,
            AdjustPointsRejection::ORDER.split_at(3).1,
        ],
    ),
    ("Reject", &[RequestRejection::ORDER, RejectRejection::ORDER]),
];
