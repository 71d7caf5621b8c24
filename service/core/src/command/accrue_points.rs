//! AccruePoints: a member earns.

use serde::Serialize;

use super::draft::{Draft, Lines, Moved, overflow};
use super::{Command, Context, Decision, named, standing};
use crate::ids::MembershipId;
use crate::ledger::{ChartAccount, LotDelta, LotKey};
use crate::member::MembershipStatus;
use crate::partner::Program;
use crate::points::{Amount, Entered};
use crate::record::{Body, PointsBody, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::{ReasonCode, Reference};
use crate::time::{Expiry, Timestamp};
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Adds points that a member earned at the program's own partner.
#[derive(Debug, Clone, Serialize)]
pub struct AccruePoints {
    /// How many; above zero.
    pub amount: Entered,
    /// When they are over; absent for the program's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whose.
    pub membership_id: MembershipId,
    /// Why.
    pub reason: ReasonCode,
    /// The partner's own name for the cause.
    pub reference: Reference,
}

rejections! {
    /// Why points are not accrued, in order of precedence (after the caller's standing).
    pub enum AccruePointsRejection {
        NotFound { id: MembershipId } => MembershipNotFound at "membership_id", "there is no membership {id} that you may know of";
        Inactive { id: MembershipId } => MembershipInactive at "membership_id", "membership {id} is not active";
        Scale { amount: Entered, decimals: u8 } => AmountScale at "amount", "{amount} has more decimals than the {decimals} that this program's points have";
        OutOfRange => AmountOutOfRange at "amount", "the amount must be above zero and have at most 18 digits";
        Over => ValidationFailed at "expire_time", "expire_time must lie in the future";
        Overflow => Overflow at "amount", "the account would hold more points than the hub can count";
    }
}

impl Command for AccruePoints {
    named!("AccruePoints");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.memberships.insert(self.membership_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.membership(self.membership_id, Lock::Share);
        // Nothing more is read for another's membership than for one that does not exist: the work would tell them apart.
        let fact = facts.memberships.get(&self.membership_id);
        if let Some(fact) = fact.filter(|fact| context.caller.may_read(&fact.partner)) {
            needs.account(self.membership_id, AccountNeed::Balance);
            needs.program(fact.program_id, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        match self.check(context, world) {
            Ok((program, minor)) => {
                self.accrue(context, world, program, minor).unwrap_or_else(Decision::refuse)
            }
            Err(refusal) => refusal.into(),
        }
    }
}

impl AccruePoints {
    fn check<'a>(
        &self,
        context: &Context,
        world: &'a World,
    ) -> Result<(&'a Program, i64), AccruePointsRejection> {
        let found = standing::own_membership(&context.caller, world, self.membership_id);
        let found = found.and_then(|m| Some((m, world.programs.get(&m.program_id)?)));
        let (membership, program) =
            found.ok_or(AccruePointsRejection::NotFound { id: self.membership_id })?;
        if membership.status != MembershipStatus::Active {
            return Err(AccruePointsRejection::Inactive { id: self.membership_id });
        }
        let minor = match self.amount.to_minor(program.scale.decimals()) {
            Err(crate::points::AmountError::Scale(decimals)) => {
                return Err(AccruePointsRejection::Scale { amount: self.amount, decimals });
            }
            Ok(minor) if minor > 0 => minor,
            Ok(_) | Err(_) => return Err(AccruePointsRejection::OutOfRange),
        };
        if self.expires_at.is_some_and(|end| end <= world.now) {
            return Err(AccruePointsRejection::Over);
        }
        // An account that was not loaded is found out when it is posted to, and told as what it is.
        if world.account(self.membership_id).is_some_and(|account| account.post(minor).is_none()) {
            return Err(AccruePointsRejection::Overflow);
        }
        Ok((program, minor))
    }

    fn accrue(
        &self,
        context: &Context,
        world: &World,
        program: &Program,
        minor: i64,
    ) -> Result<Decision, Rejection> {
        let mut draft = Draft::new(context, world);
        let mut lines = Lines::default();
        draft.post_member(&mut lines, self.membership_id, program, minor)?;
        lines.post(program, ChartAccount::Issuance, minor.checked_neg().ok_or_else(overflow)?);
        let expiry = self.expires_at.map_or_else(|| program.expiry(world.now), Expiry::At);
        let key = LotKey { expiry, origin: world.now.month(), exchangeable: true };
        let delta = LotDelta { remaining: minor, held: 0 };
        draft.move_lot(&mut lines, self.membership_id, Moved { key, delta, scale: program.scale });
        let cause =
            Cause { minor, reason: Some(self.reason.clone()), reference: Some(self.reference.clone()) };
        let body = points_body(&draft, self.membership_id, program, cause)?;
        Ok(draft.done(RecordKind::PointsAccrued, vec![program.partner.clone()], body, lines))
    }
}

/// What changed an account, and why.
pub(super) struct Cause {
    pub(super) minor: i64,
    pub(super) reason: Option<ReasonCode>,
    pub(super) reference: Option<Reference>,
}

/// The body of a record of points, with the account as the draft leaves it.
pub(super) fn points_body(
    draft: &Draft<'_>,
    membership: MembershipId,
    program: &Program,
    cause: Cause,
) -> Result<Body, Rejection> {
    points(draft, membership, program, cause).map(Body::Points)
}

/// The same, to be put into a body.
pub(super) fn points(
    draft: &Draft<'_>,
    membership: MembershipId,
    program: &Program,
    cause: Cause,
) -> Result<PointsBody, Rejection> {
    let account = draft.account(membership)?;
    let amount = |minor| Amount::new(minor, program.scale);
    Ok(PointsBody {
        membership_id: membership,
        program_id: program.program_id,
        amount: amount(cause.minor),
        reason: cause.reason,
        reference: cause.reference,
        posted: amount(account.posted),
        held: amount(account.held),
        postings: account.postings,
        approval_id: None,
    })
}
