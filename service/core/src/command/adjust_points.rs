//! AdjustPoints: the program's owner corrects an account; the operator asks a second person first.

use serde::{Deserialize, Serialize};

use super::accrue_points::{Cause, points};
use super::approvable::{self, Approvable, Carried, Mark};
use super::draft::{Draft, Head, Lines, Moved, overflow};
use super::expire::{Freed, free_up};
use super::{Answer, Command, Context, Decision, named, standing};
use crate::approval::Proposal;
use crate::caller::Party;
use crate::ids::MembershipId;
use crate::ledger::{ChartAccount, LotDelta, LotKey, PickError, UseFor};
use crate::partner::Program;
use crate::points::{AmountError, Entered};
use crate::record::{Body, Outcome, PointsBody, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::{ReasonCode, Reference};
use crate::time::Timestamp;
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Adds or takes points, with a reason. What is held cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustPoints {
    /// Whose.
    pub membership_id: MembershipId,
    /// How many; below zero to take; never zero.
    pub amount: Entered,
    /// Why.
    pub reason: ReasonCode,
    /// The partner's own name for the cause.
    pub reference: Reference,
}

rejections! {
    /// Why points are not adjusted, in order of precedence (after the caller's standing).
    pub enum AdjustPointsRejection {
        NotFound { id: MembershipId } => MembershipNotFound at "membership_id", "there is no membership {id} that you may know of";
        Scale { amount: Entered, decimals: u8 } => AmountScale at "amount", "{amount} has more decimals than the {decimals} that this program's points have";
        OutOfRange => AmountOutOfRange at "amount", "the amount must not be zero and have at most 18 digits";
        Insufficient => InsufficientPoints at "amount", "fewer points are available than are to be taken: points that are held or expired cannot be; GetBalance says how many are available";
        TooManyLots => TooManyLots at "amount", "the points lie in more than 256 lots: take them in smaller amounts";
        Overflow => Overflow at "amount", "the account would hold more points than the hub can count";
    }
}

impl Command for AdjustPoints {
    named!("AdjustPoints");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        Approvable::resolve(self, facts);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        // Nothing more is read for another's membership than for one that does not exist: the work would tell them apart.
        let fact = facts.memberships.get(&self.membership_id);
        if fact.is_some_and(|fact| context.caller.may_read(&fact.partner)) {
            Approvable::footprint(self, facts, needs);
        } else {
            needs.membership(self.membership_id, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        if context.caller.party == Party::Operator {
            return approvable::ask(Proposal::AdjustPoints(self.clone()), context, world);
        }
        if standing::own_membership(&context.caller, world, self.membership_id).is_none() {
            return AdjustPointsRejection::NotFound { id: self.membership_id }.into();
        }
        let mut draft = Draft::new(context, world);
        let mark = Mark { record_id: context.seed.record(), approval_id: None };
        match self.carry_out(&mut draft, mark) {
            Ok(Carried::Done(record, _)) => Decision { changes: draft.changes, answer: Answer::Done(record) },
            Ok(Carried::Later(decision)) => *decision,
            Err(refusal) => Decision::refuse(refusal),
        }
    }
}

impl Approvable for AdjustPoints {
    fn resolve(&self, facts: &mut FactQuery) {
        facts.memberships.insert(self.membership_id);
    }

    fn footprint(&self, facts: &Facts, needs: &mut Footprint) {
        needs.membership(self.membership_id, Lock::Share);
        needs.account(self.membership_id, AccountNeed::Lots);
        if let Some(fact) = facts.memberships.get(&self.membership_id) {
            needs.program(fact.program_id, Lock::Share);
        }
    }

    /// The program: its expiry rule says what becomes of points that are added. The account may change meanwhile; what is
    /// asked for is a difference, and whether it can be taken is decided when it is.
    fn changed_at(&self, world: &World) -> Result<Timestamp, Rejection> {
        Ok(self.check(world)?.0.updated_at)
    }

    fn carry_out(&self, draft: &mut Draft<'_>, mark: Mark) -> Result<Carried, Rejection> {
        let (program, minor) = self.check(draft.world)?;
        let mut lines = Lines::default();
        if let Some(later) = self.move_lots(draft, &mut lines, program, minor)? {
            return Ok(Carried::Later(later));
        }
        draft
            .post_member(&mut lines, self.membership_id, program, minor)
            .map_err(|_| Rejection::from(AdjustPointsRejection::Overflow))?;
        lines.post(program, ChartAccount::Adjustment, minor.checked_neg().ok_or_else(overflow)?);
        let cause =
            Cause { minor, reason: Some(self.reason.clone()), reference: Some(self.reference.clone()) };
        let body = PointsBody {
            approval_id: mark.approval_id,
            ..points(draft, self.membership_id, program, cause)?
        };
        let head = Head {
            record_id: mark.record_id,
            kind: RecordKind::PointsAdjusted,
            parties: vec![program.partner.clone()],
            body: Body::Points(body.clone()),
        };
        Ok(Carried::Done(draft.record(head, lines)?, Outcome::Points(body)))
    }
}

impl AdjustPoints {
    /// What does not depend on who asks.
    fn check<'a>(&self, world: &'a World) -> Result<(&'a Program, i64), AdjustPointsRejection> {
        let found = world.memberships.get(&self.membership_id);
        let program = found.and_then(|membership| world.programs.get(&membership.program_id));
        let program = program.ok_or(AdjustPointsRejection::NotFound { id: self.membership_id })?;
        match self.amount.to_minor(program.scale.decimals()) {
            Ok(minor) if minor != 0 => Ok((program, minor)),
            Err(AmountError::Scale(decimals)) => {
                Err(AdjustPointsRejection::Scale { amount: self.amount, decimals })
            }
            Ok(_) | Err(_) => Err(AdjustPointsRejection::OutOfRange),
        }
    }

    /// Adds the points to their lot, or takes them out of the lots that are spent first. Answers with what to keep where
    /// the lots that are needed are not loaded.
    fn move_lots(
        &self,
        draft: &mut Draft<'_>,
        lines: &mut Lines,
        program: &Program,
        minor: i64,
    ) -> Result<Option<Box<Decision>>, Rejection> {
        let now = draft.world.now;
        if minor > 0 {
            let key = LotKey { expiry: program.expiry(now), origin: now.month(), exchangeable: true };
            let delta = LotDelta { remaining: minor, held: 0 };
            draft.move_lot(lines, self.membership_id, Moved { key, delta, scale: program.scale });
            return Ok(None);
        }
        if let Freed::Partly(decision) = free_up(draft, self.membership_id)? {
            return Ok(Some(decision));
        }
        let wanted = minor.checked_neg().ok_or_else(overflow)?;
        if draft.account(self.membership_id)?.available() < wanted {
            return Err(AdjustPointsRejection::Insufficient.into());
        }
        match self.take(draft, lines, program, wanted) {
            Err(PickError::Stale) => {
                let fresh = Draft::new(draft.context, draft.world);
                Ok(Some(Box::new(super::expire::rerun(std::mem::replace(draft, fresh)))))
            }
            Err(PickError::Insufficient) => Err(AdjustPointsRejection::Insufficient.into()),
            Err(PickError::TooManyLots) => Err(AdjustPointsRejection::TooManyLots.into()),
            Ok(()) => Ok(None),
        }
    }

    fn take(
        &self,
        draft: &mut Draft<'_>,
        lines: &mut Lines,
        program: &Program,
        minor: i64,
    ) -> Result<(), PickError> {
        let now = draft.world.now;
        for (key, taken) in draft.lots(self.membership_id).pick(minor, now, UseFor::Anything)? {
            let delta = LotDelta { remaining: taken.saturating_neg(), held: 0 };
            draft.move_lot(lines, self.membership_id, Moved { key, delta, scale: program.scale });
        }
        Ok(())
    }
}
