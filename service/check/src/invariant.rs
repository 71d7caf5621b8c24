//! The invariants: what each is called, which promise it proves, and what it says.
//!
//! The one list of them. A finding names its invariant by the name here; the promises P1 … P15 are those of the
//! reliability goals (sums, balances, idempotency, two phases, holds, terms, windows, reports, privacy, the log).

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $promise:literal, $sentence:literal;)*) => {
        /// Something that must be true of the stored rows at every moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $(#[doc = $sentence] $name,)*
        }

        impl Invariant {
            /// All of them, in the order of a report.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in reports, `account-posted`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The promise that it proves, `P1`.
            #[must_use]
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$name => $promise,)* }
            }

            /// What is true where it holds, as one plain sentence without a full stop.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

invariants! {
    RecordHash, "record-hash", "P15", "a record's hash is that of its bytes";
    RecordForm, "record-form", "P15", "a record's bytes are canonical and of the schema that they name";
    RecordColumns, "record-columns", "P15", "a record's id, kind, time and window columns repeat its bytes";
    RecordMissing, "record-missing", "P15", "every record that lines are stored of is there";
    RecordLines, "record-lines", "P1", "a record's postings, lots and obligations are those that its body calls for";
    PostingsBalance, "postings-balance", "P1", "the postings of a record sum to zero in every program, and so do a program's";
    PostingProgram, "posting-program", "P1", "a posting counts in its program's decimals, a member's in the membership's own program";
    PostingRows, "posting-rows", "P1", "the stored postings are those of the records, none missing and none extra";
    LotMovementRows, "lot-movement-rows", "P1", "the stored lot movements are those of the records, none missing and none extra";
    ObligationRows, "obligation-rows", "P10", "the stored obligations are those of the records, none missing and none extra";
    AccountSequence, "account-sequence", "P2", "an account's postings count from 1 without gaps, and each leaves the sum that it says, never below zero";
    AccountPosted, "account-posted", "P1", "an account's balance is the sum of its postings";
    AccountPostings, "account-postings", "P2", "an account counts its postings";
    AccountHeld, "account-held", "P5", "what an account holds is the sum of its live holds";
    AccountLiveHolds, "account-live-holds", "P5", "an account counts its live holds";
    AccountAvailable, "account-available", "P2", "posted less held is never below zero, after every posting and every hold";
    LotRows, "lot-rows", "P1", "a lot's remaining and held points are the sums of its movements";
    LotAvailable, "lot-available", "P2", "a lot holds no more than what remains of it, and never less than nothing";
    LotsOfRecord, "lots-of-record", "P1", "in every record an account's lots gain and lose what its postings say";
    ReservationState, "reservation-state", "P4", "a reservation is prepared once, ends at most once, and its row says so, by the initiator's references";
    ReservationOverdue, "reservation-overdue", "P4", "no reservation is open longer than 60 seconds past its hold, by the store's own latest time";
    PhaseTimes, "phase-times", "P4", "a commit or abort comes before the hold is over, an expiry not before, and each names the time of its decision";
    PhasesMatch, "phases-match", "P6", "phase two ends exactly the exchange that phase one prepared";
    LegRows, "leg-rows", "P10", "the stored legs are those of the records, none missing and none extra";
    ReversalRows, "reversal-rows", "P10", "the stored reversals are those of the records, none missing and none extra";
    ReversalSums, "reversal-sums", "P1", "the parts of a reversal follow one another, are shares of what a committed exchange did, by who may reverse it and in time, and never come to more";
    ReversalLots, "reversal-lots", "P1", "a reversal takes points back from the lot that the exchange credited, and gives them back into those that it spent, living no shorter";
    LegTerms, "leg-terms", "P6", "a leg's points, residue and money follow from the terms that it names";
    TermsHash, "terms-hash", "P6", "the stored versions are those that were proposed, by whom and when, and their hashes those of their terms";
    AgreementActive, "agreement-active", "P6", "an agreement's row says what its last record says";
    ExposureRows, "exposure-rows", "P5", "exposure is the sum of what is committed and of what is prepared";
    InitiatorLiveHolds, "initiator-live-holds", "P5", "an initiator's live holds are counted";
    ObligationWindow, "obligation-window", "P9", "a record with an obligation lies in one window, which spans the time of its decision";
    RequestRecord, "request-record", "P3", "a request is stored once and names a record of its own caller and method, and what a caller caused has a request";
    ApprovalContent, "approval-content", "P11", "an approval's hash is that of its content, and no later record changes what it is about";
    ApprovalDecision, "approval-decision", "P11", "an approval is asked for once and decided at most once, before it is over, by who its record says";
    ApprovalTwoPeople, "approval-two-people", "P11", "what was approved was asked for by another person of the same role";
    ApprovalEffect, "approval-effect", "P11", "what was approved was done once, as it was asked for, and is told as it was done, and what needs an approval has one";
    ApprovalRows, "approval-rows", "P11", "an approval's row says what its last record says";
    CertificateRows, "certificate-rows", "P15", "a certificate's row says what its last record says, and a revoked one stays revoked";
    SigningKeyRows, "signing-key-rows", "P15", "the stored signing keys are those of the records, none missing and none extra";
    PartnerRows, "partner-rows", "P15", "a partner's row says what its last record says, and its records change its status only by suspending and resuming it";
    ProgramRows, "program-rows", "P1", "a program's row says what its last record says";
    MembershipRows, "membership-rows", "P15", "a membership's program, status and time are those of its record";
    ReferenceCommitment, "reference-commitment", "P15", "a membership's external reference is the one that its record commits to";
    LinkCodeRows, "link-code-rows", "P15", "a link code's row says what its records say, and each was used for its own membership and once";
    MemberMerges, "member-merges", "P15", "memberships are one member's where merges joined them, and nowhere else";
    ConsentRows, "consent-rows", "P15", "the stored consents and withdrawals are those of the records, none missing and none extra";
    ConsentInForce, "consent-in-force", "P16", "the consent in force is the newest that was given, unless it was withdrawn";
}
