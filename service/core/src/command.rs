//! Commands: one file per writing method, and what time itself does.
//!
//! A command is decided against a [`World`] and answers with [`Changes`] and a record. [`decide_batch`] runs a whole batch,
//! each command seeing what the earlier ones changed; a refused one changes nothing, and its neighbours go on.

mod accept_agreement;
mod accrue_points;
mod add_certificate;
mod adjust_points;
mod approvable;
mod approve;
mod catalogue;
mod create_partner;
mod create_program;
mod draft;
mod end_exchange;
mod expire;
mod grant_consent;
mod issue_link_code;
mod merge_members;
mod prepare_exchange;
mod propose_agreement;
mod register_membership;
mod register_signing_key;
mod reject;
mod resume_partner;
mod reverse_exchange;
mod revoke_certificate;
mod standing;
mod suspend_partner;
mod update_partner;
mod update_program;
mod withdraw_consent;

use std::fmt;
use std::sync::Arc;

use crate::caller::Caller;
use crate::canonical::{self, Domain, Hash};
use crate::record::Record;
use crate::rejection::Rejection;
use crate::rejections;
use crate::seed::Seed;
use crate::world::{Changes, FactQuery, Facts, Footprint, RequestKey, RequestRow, World};

pub use accept_agreement::{AcceptAgreement, AcceptAgreementRejection};
pub use accrue_points::{AccruePoints, AccruePointsRejection};
pub use add_certificate::{AddCertificate, AddCertificateRejection};
pub use adjust_points::{AdjustPoints, AdjustPointsRejection};
pub(crate) use approvable::Approvable;
pub use approve::{Approve, ApproveRejection};
pub use catalogue::PRECEDENCE;
pub use create_partner::{CreatePartner, CreatePartnerRejection};
pub use create_program::{CreateProgram, CreateProgramRejection};
pub use end_exchange::{AbortExchange, CommitExchange, EndExchangeRejection};
pub use expire::{ExpireExchange, ExpireLots};
pub use grant_consent::{GrantConsent, GrantConsentRejection};
pub use issue_link_code::{IssueLinkCode, IssueLinkCodeRejection};
pub use merge_members::{MergeMembers, MergeMembersRejection};
pub use prepare_exchange::{PrepareExchange, PrepareExchangeRejection};
pub use propose_agreement::{EnteredDirection, ProposeAgreement, ProposeAgreementRejection};
pub use register_membership::{RegisterMembership, RegisterMembershipRejection};
pub use register_signing_key::{RegisterSigningKey, RegisterSigningKeyRejection};
pub use reject::{Reject, RejectRejection};
pub use resume_partner::{ResumePartner, ResumePartnerRejection};
pub use reverse_exchange::{ReverseExchange, ReverseExchangeRejection};
pub use revoke_certificate::{RevokeCertificate, RevokeCertificateRejection};
pub use standing::StandingRejection;
pub use suspend_partner::{SuspendPartner, SuspendPartnerRejection};
pub use update_partner::{UpdatePartner, UpdatePartnerRejection};
pub use update_program::{UpdateProgram, UpdateProgramRejection};
pub use withdraw_consent::{WithdrawConsent, WithdrawConsentRejection};

/// Who asks, and the randomness that the hub drew for the command.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// Where ids and salts come from.
    pub seed: Seed,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was done, or was done before: what the record says.
    Done(Arc<Record>),
    /// It was not done.
    Refused(Rejection),
    /// It was overtaken by what its batch did before: decide it again, ahead of what waits.
    Rerun,
    /// There was nothing to do. Only what time asks for answers so.
    Idle,
}

/// A decision: what to write, and what to answer.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Empty with a refusal.
    pub changes: Changes,
    /// The answer.
    pub answer: Answer,
}

impl Decision {
    /// A refusal.
    #[must_use]
    pub fn refuse(rejection: impl Into<Rejection>) -> Self {
        Self { changes: Changes::default(), answer: Answer::Refused(rejection.into()) }
    }
}

impl<E: Into<Rejection>> From<E> for Decision {
    fn from(rejection: E) -> Self {
        Self::refuse(rejection)
    }
}

/// A writing method, parsed.
pub trait Command: fmt::Debug + Send + Sync {
    /// The method's name, as in the proto.
    fn method(&self) -> &'static str;

    /// The canonical bytes of what the caller asked for, without request id and `validate_only`.
    ///
    /// # Errors
    /// Never for commands that this crate can make; see [`canonical::to_bytes`].
    fn body(&self) -> Result<Vec<u8>, serde_json::Error>;

    /// Names the facts that the footprint and the decision need.
    fn resolve(&self, _context: &Context, _facts: &mut FactQuery) {}

    /// Names the rows that the decision needs.
    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint);

    /// Decides. Pure: the same world gives the same decision.
    fn decide(&self, context: &Context, world: &World) -> Decision;
}

/// A command on its way, with everything that is decided about it before it is.
#[derive(Debug)]
pub struct Envelope {
    /// Who asks, and the seed.
    pub context: Context,
    /// The key to answer it by for ever; absent for what time asks for.
    pub request: Option<(RequestKey, Hash)>,
    /// Decide in full and write nothing.
    pub validate_only: bool,
    /// What is asked for.
    pub command: Box<dyn Command>,
}

impl Envelope {
    /// A caller's command.
    ///
    /// # Errors
    /// Never for commands that this crate can make; see [`canonical::to_bytes`].
    pub fn new(
        context: Context,
        request_id: uuid::Uuid,
        validate_only: bool,
        command: Box<dyn Command>,
    ) -> Result<Self, serde_json::Error> {
        let body_hash = canonical::hash(Domain::Request, &command.body()?);
        let key = RequestKey { scope: context.caller.request_scope(), method: command.method(), request_id };
        Ok(Self { context, request: Some((key, body_hash)), validate_only, command })
    }

    /// What time asks for.
    #[must_use]
    pub fn from_hub(seed: Seed, command: Box<dyn Command>) -> Self {
        let context = Context { caller: Caller::sweeper(), seed };
        Self { context, request: None, validate_only: false, command }
    }

    /// Names the rows that the decision needs.
    pub fn footprint(&self, facts: &Facts, needs: &mut Footprint) {
        if let Some((key, _)) = &self.request {
            needs.requests.insert(key.clone());
        }
        if let Some(partner) = self.context.caller.partner() {
            needs.partner(partner, crate::world::Lock::Share);
        }
        self.command.footprint(&self.context, facts, needs);
    }

    /// Decides: first whether the request was answered before, then the command.
    fn decide(&self, world: &World) -> Decision {
        let known = self.request.as_ref().and_then(|(key, hash)| Some((world.requests.get(key)?, hash)));
        match known {
            Some((known, hash)) if known.body_hash == *hash => {
                Decision { changes: Changes::default(), answer: Answer::Done(Arc::clone(&known.record)) }
            }
            Some(_) => Decision::refuse(RequestRejection::Reused),
            None => self.decide_afresh(world),
        }
    }

    fn decide_afresh(&self, world: &World) -> Decision {
        if let Err(refusal) = standing::of_caller(&self.context.caller, world) {
            return Decision::refuse(refusal);
        }
        let mut decision = self.command.decide(&self.context, world);
        if let (Answer::Done(record), Some((key, body_hash))) = (&decision.answer, &self.request) {
            decision.changes.requests.push(RequestRow {
                key: key.clone(),
                body_hash: *body_hash,
                record: Arc::clone(record),
                answered_at: world.now,
            });
        }
        // What a rerun has done is what time itself asked for; without it the next try would find the same.
        if self.validate_only && decision.answer != Answer::Rerun {
            decision.changes = Changes::default();
        }
        decision
    }
}

rejections! {
    /// What is refused before the command is looked at.
    pub enum RequestRejection {
        Reused => RequestIdReused at "request_id", "this request_id was used with another body: take a new one for a new request, and the same body for a retry";
    }
}

/// Decides a batch in order. Answers are in the order of the batch.
pub fn decide_batch(world: &mut World, batch: &[Arc<Envelope>]) -> (Changes, Vec<Answer>) {
    let mut sum = Changes::default();
    let mut answers = Vec::with_capacity(batch.len());
    for envelope in batch {
        let Decision { changes, answer } = envelope.decide(world);
        if !changes.is_empty() {
            world.apply(&changes);
            sum.absorb(changes);
        }
        answers.push(answer);
    }
    (sum, answers)
}

/// Implements the two methods of [`Command`] that are the same for all: its name, and its body by serde.
macro_rules! named {
    ($name:literal) => {
        fn method(&self) -> &'static str {
            $name
        }

        fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
            crate::canonical::to_bytes(self)
        }
    };
}
use named;
