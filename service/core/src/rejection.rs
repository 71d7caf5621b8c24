//! Refusals: why a command was not carried out.
//!
//! Each transition has an enum of its own, made by [`rejections!`](crate::rejections), whose variants stand in the order
//! in which they are checked. At the edge of core every one becomes a [`Rejection`]: a stable reason, a sentence for
//! people, and where it applies the field that is to blame. A refusal changes no value.

/// Whose fault a refusal is and what kind it is; an edge maps it to its protocol's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request itself is wrong, whatever the state of the hub.
    Invalid,
    /// The caller is not known.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing that the caller may know of.
    NotFound,
    /// There is one already.
    Exists,
    /// The state of the hub does not allow it now.
    Precondition,
    /// A limit is reached, and time alone does not help.
    Exhausted,
    /// The caller asks for more than its share at a time; trying again with the same request id is safe.
    Limited,
    /// The hub has no room for more, until its operator makes some; trying again with the same request id is safe.
    NoRoom,
    /// Somebody was faster; trying again with the same request id is safe.
    Conflict,
    /// The hub cannot now; trying again with the same request id is safe.
    Unavailable,
    /// The caller's deadline passed.
    Deadline,
    /// Understood, and not served yet.
    Unserved,
    /// The hub's fault.
    Internal,
}

impl Class {
    /// Whether the same request may succeed later without anybody changing it: such a refusal says when to come back.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Limited
            | Self::NoRoom
            | Self::Conflict
            | Self::Unavailable
            | Self::Deadline
            | Self::Internal => true,
            Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Exists
            | Self::Precondition
            | Self::Exhausted
            | Self::Unserved => false,
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident;)*) => {
        /// The stable name of a refusal. The proto's `ErrorReason` holds the same list with what to do about each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name on the wire: `UPPER_SNAKE`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What kind of refusal it is.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

reasons! {
    /// A field breaks a rule that stands beside it in the proto.
    ValidationFailed = "VALIDATION_FAILED", Invalid;
    /// The bytes are not a message of the expected type.
    MalformedMessage = "MALFORMED_MESSAGE", Invalid;
    /// The request id was used with another body.
    RequestIdReused = "REQUEST_ID_REUSED", Invalid;
    /// More decimals than the program's points have.
    AmountScale = "AMOUNT_SCALE", Invalid;
    /// Not within the allowed minimum and maximum, or above what the hub can count.
    AmountOutOfRange = "AMOUNT_OUT_OF_RANGE", Invalid;
    /// Not a multiple of the agreed step.
    AmountStep = "AMOUNT_STEP", Invalid;
    /// Nothing would be left after rate, rounding and fee.
    AmountTooSmall = "AMOUNT_TOO_SMALL", Invalid;
    /// The quote was not made by this hub for this caller.
    QuoteInvalid = "QUOTE_INVALID", Invalid;
    /// The terms of an agreement contradict themselves or the programs that they name.
    TermsInvalid = "TERMS_INVALID", Invalid;
    /// The certificate names nobody that is registered here.
    CertificateUnknown = "CERTIFICATE_UNKNOWN", Unauthenticated;
    /// The certificate, or that of its authority, is over.
    CertificateExpired = "CERTIFICATE_EXPIRED", Unauthenticated;
    /// The revocation list of the certificate's authority is over, so that nothing tells who is still to be trusted.
    CrlExpired = "CRL_EXPIRED", Unauthenticated;
    /// The caller's role may not call this.
    RoleNotAllowed = "ROLE_NOT_ALLOWED", Forbidden;
    /// The caller's partner is suspended: it may end what is open, and start nothing.
    PartnerSuspended = "PARTNER_SUSPENDED", Forbidden;
    /// There is no such method.
    MethodUnknown = "METHOD_UNKNOWN", Unserved;
    /// No such partner.
    PartnerNotFound = "PARTNER_NOT_FOUND", NotFound;
    /// No such program.
    ProgramNotFound = "PROGRAM_NOT_FOUND", NotFound;
    /// No such agreement.
    AgreementNotFound = "AGREEMENT_NOT_FOUND", NotFound;
    /// No such membership.
    MembershipNotFound = "MEMBERSHIP_NOT_FOUND", NotFound;
    /// No such consent.
    ConsentNotFound = "CONSENT_NOT_FOUND", NotFound;
    /// No such exchange.
    ExchangeNotFound = "EXCHANGE_NOT_FOUND", NotFound;
    /// The link code is unknown, used, over, or made for another partner.
    LinkCodeInvalid = "LINK_CODE_INVALID", NotFound;
    /// The partner code is taken.
    PartnerExists = "PARTNER_EXISTS", Exists;
    /// The partner has a program with this code.
    ProgramExists = "PROGRAM_EXISTS", Exists;
    /// The program has a membership with this external reference.
    MembershipExists = "MEMBERSHIP_EXISTS", Exists;
    /// The consent was withdrawn before.
    ConsentWithdrawn = "CONSENT_WITHDRAWN", Precondition;
    /// The pair has no agreement in force for this direction.
    AgreementNotActive = "AGREEMENT_NOT_ACTIVE", Precondition;
    /// The version is not the one that waits for acceptance.
    AgreementNotPending = "AGREEMENT_NOT_PENDING", Precondition;
    /// The terms are not those that the caller accepts.
    TermsChanged = "TERMS_CHANGED", Precondition;
    /// Two different partners are needed.
    SamePartner = "SAME_PARTNER", Precondition;
    /// A version is accepted by the party that did not write it.
    OwnProposal = "OWN_PROPOSAL", Precondition;
    /// The other partner is not active.
    PartnerInactive = "PARTNER_INACTIVE", Precondition;
    /// A membership is not active.
    MembershipInactive = "MEMBERSHIP_INACTIVE", Precondition;
    /// The two members both have an active membership in one program, so that they cannot be one person.
    MembersConflict = "MEMBERS_CONFLICT", Precondition;
    /// A consent that is needed is missing, withdrawn or over.
    ConsentMissing = "CONSENT_MISSING", Precondition;
    /// Fewer points are available than asked for.
    InsufficientPoints = "INSUFFICIENT_POINTS", Precondition;
    /// The points lie in more lots than one command may touch.
    TooManyLots = "TOO_MANY_LOTS", Precondition;
    /// The membership or the initiator has as many live holds as allowed.
    HoldLimit = "HOLD_LIMIT", Exhausted;
    /// The quote was made before the hub was restored from a backup.
    EpochChanged = "EPOCH_CHANGED", Precondition;
    /// The quote's time is over.
    QuoteExpired = "QUOTE_EXPIRED", Precondition;
    /// The quote has made its exchange.
    QuoteUsed = "QUOTE_USED", Precondition;
    /// The hold's time is over.
    HoldExpired = "HOLD_EXPIRED", Precondition;
    /// The reservation was aborted.
    ReservationAborted = "RESERVATION_ABORTED", Precondition;
    /// The reservation was committed.
    ReservationCommitted = "RESERVATION_COMMITTED", Precondition;
    /// The exchange is not committed.
    ReservationNotCommitted = "RESERVATION_NOT_COMMITTED", Precondition;
    /// The caller's partner is a party of the exchange, and not one that may reverse it.
    ReversalNotAllowed = "REVERSAL_NOT_ALLOWED", Forbidden;
    /// The initiator's term for reversals is over.
    ReversalTermOver = "REVERSAL_TERM_OVER", Precondition;
    /// Less of the exchange is left than asked for.
    ReversalExceeds = "REVERSAL_EXCEEDS", Precondition;
    /// The exchange was reversed in as many parts as allowed but for the last.
    ReversalLimit = "REVERSAL_LIMIT", Precondition;
    /// The exchange's own points were spent, held, or are over.
    PointsSpent = "POINTS_SPENT", Precondition;
    /// One partner would owe the other more than agreed.
    ExposureLimit = "EXPOSURE_LIMIT", Exhausted;
    /// The certificate was revoked: it may do nothing any more.
    CertificateRevoked = "CERTIFICATE_REVOKED", Unauthenticated;
    /// The caller's partner has pinned certificates, and this is none of them.
    CertificateNotPinned = "CERTIFICATE_NOT_PINNED", Unauthenticated;
    /// The certificate is none that could be pinned for this partner.
    CertificateInvalid = "CERTIFICATE_INVALID", Invalid;
    /// The certificate is pinned already.
    CertificateExists = "CERTIFICATE_EXISTS", Exists;
    /// The certificate was revoked before, which is final.
    CertificateAlreadyRevoked = "CERTIFICATE_ALREADY_REVOKED", Precondition;
    /// The first pin would shut the caller itself out.
    WouldLockOut = "WOULD_LOCK_OUT", Precondition;
    /// The partner has as many pinned certificates as allowed.
    PinLimit = "PIN_LIMIT", Exhausted;
    /// The program has a signing key with this name.
    SigningKeyExists = "SIGNING_KEY_EXISTS", Exists;
    /// The program has as many signing keys as allowed.
    SigningKeyLimit = "SIGNING_KEY_LIMIT", Exhausted;
    /// The partner is not active, so that it cannot be suspended.
    PartnerNotActive = "PARTNER_NOT_ACTIVE", Precondition;
    /// The partner is not suspended, so that there is nothing to resume.
    PartnerNotSuspended = "PARTNER_NOT_SUSPENDED", Precondition;
    /// No such approval.
    ApprovalNotFound = "APPROVAL_NOT_FOUND", NotFound;
    /// The approval is about something else than the caller says.
    ApprovalChanged = "APPROVAL_CHANGED", Precondition;
    /// The approval was decided before.
    ApprovalNotPending = "APPROVAL_NOT_PENDING", Precondition;
    /// The approval's time is over.
    ApprovalExpired = "APPROVAL_EXPIRED", Precondition;
    /// A second person is needed.
    SamePerson = "SAME_PERSON", Precondition;
    /// What the approval is about has changed since it was asked for.
    ApprovalOutdated = "APPROVAL_OUTDATED", Precondition;
    /// A sum would not fit into 64 bits.
    Overflow = "OVERFLOW", Precondition;
    /// The caller's party makes more calls in a time than it may.
    RateLimited = "RATE_LIMITED", Limited;
    /// The caller's party has more calls under way than it may.
    ConcurrencyLimited = "CONCURRENCY_LIMITED", Limited;
    /// Too much work waits.
    Overloaded = "OVERLOADED", Unavailable;
    /// The hub is going down.
    Draining = "DRAINING", Unavailable;
    /// The store did not say whether the work was done.
    OutcomeUnknown = "OUTCOME_UNKNOWN", Unavailable;
    /// The decision kept being overtaken.
    ConflictRetry = "CONFLICT_RETRY", Conflict;
    /// The store has no room.
    StorageFull = "STORAGE_FULL", NoRoom;
    /// The caller's deadline passed.
    DeadlineExceeded = "DEADLINE_EXCEEDED", Deadline;
    /// Nothing came or went on a stream for too long.
    StreamIdle = "STREAM_IDLE", Deadline;
    /// The value is part of the interface, and not served yet.
    NotServed = "NOT_SERVED", Unserved;
    /// A fault of the hub.
    Internal = "INTERNAL", Internal;
}

/// A refusal as the edge sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// The stable name.
    pub reason: Reason,
    /// One plain sentence: what is wrong, and what to do.
    pub message: String,
    /// The request's field that is to blame, as the proto spells it.
    pub field: Option<String>,
}

impl Rejection {
    /// A refusal that no field is to blame for.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: None }
    }

    /// The same, with the field that is to blame.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Declares one transition's refusals, in the order in which they are checked.
///
/// A line is `Variant { fields } => Reason, "sentence";`, with `at "field"` behind the reason where a field is to blame. It
/// makes the enum, its `ORDER` of reasons, and its conversion into [`Rejection`].
#[macro_export]
macro_rules! rejections {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $($variant:ident $({ $($field:ident : $type:ty),+ })? => $reason:ident $(at $at:literal)?, $message:literal;)*
        }
    ) => {
        $(#[$doc])*
        // The sentence of each variant documents it.
        #[allow(missing_docs)]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $(#[error($message)] $variant $({ $($field: $type),+ })?,)*
        }

        impl $name {
            /// The reasons in the order in which they are checked.
            pub const ORDER: &'static [$crate::rejection::Reason] = &[$($crate::rejection::Reason::$reason),*];
        }

        impl From<$name> for $crate::rejection::Rejection {
            fn from(refusal: $name) -> Self {
                let message = refusal.to_string();
                match refusal {
                    $($name::$variant { .. } =>
                        $crate::rejection::Rejection::new($crate::rejection::Reason::$reason, message)$(.at($at))?,)*
                }
            }
        }
    };
}
