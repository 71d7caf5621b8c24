//! AdjustPoints: the program's owner corrects an account.

use serde::Serialize;

use super::accrue_points::{Cause, points_body};
use super::draft::{Draft, Lines, Moved, overflow};
use super::expire::{Freed, free_up};
use super::{Command, Context, Decision, named, standing};
use crate::ids::MembershipId;
use crate::ledger::{ChartAccount, LotDelta, LotKey, PickError, UseFor};
use crate::partner::Program;
use crate::points::{AmountError, Entered};
use crate::record::RecordKind;
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::{ReasonCode, Reference};
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Adds or takes points, with a reason. What is held cannot be taken.
#[derive(Debug, Clone, Serialize)]
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
        Insufficient => InsufficientPoints at "amount", "fewer points are available than are to be taken: points that are held or expired cannot be";
        TooManyLots => TooManyLots at "amount", "the points lie in more than 256 lots: take them in smaller amounts";
        Overflow => Overflow at "amount", "the account would hold more points than the hub can count";
    }
}

impl Command for AdjustPoints {
    named!("AdjustPoints");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.memberships.insert(self.membership_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.membership(self.membership_id, Lock::Share);
        needs.account(self.membership_id, AccountNeed::Lots);
        // Nothing more is read for another's membership than for one that does not exist: the work would tell them apart.
        let fact = facts.memberships.get(&self.membership_id);
        if let Some(fact) = fact.filter(|fact| context.caller.may_read(&fact.partner)) {
            needs.program(fact.program_id, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        match self.check(context, world) {
            Ok((program, minor)) => {
                self.adjust(context, world, program, minor).unwrap_or_else(Decision::refuse)
            }
            Err(refusal) => refusal.into(),
        }
    }
}

impl AdjustPoints {
    fn check<'a>(
        &self,
        context: &Context,
        world: &'a World,
    ) -> Result<(&'a Program, i64), AdjustPointsRejection> {
        let found = standing::own_membership(&context.caller, world, self.membership_id);
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

    fn adjust(
        &self,
        context: &Context,
        world: &World,
        program: &Program,
        minor: i64,
    ) -> Result<Decision, Rejection> {
        let mut draft = Draft::new(context, world);
        let mut lines = Lines::default();
        if minor < 0 {
            if let Freed::Partly(decision) = free_up(&mut draft, self.membership_id)? {
                return Ok(*decision);
            }
            let wanted = minor.checked_neg().ok_or_else(overflow)?;
            if draft.account(self.membership_id)?.available() < wanted {
                return Err(AdjustPointsRejection::Insufficient.into());
            }
            match self.take(&mut draft, &mut lines, program, wanted) {
                Err(PickError::Stale) => return Ok(super::expire::rerun(draft)),
                Err(PickError::Insufficient) => return Err(AdjustPointsRejection::Insufficient.into()),
                Err(PickError::TooManyLots) => return Err(AdjustPointsRejection::TooManyLots.into()),
                Ok(()) => {}
            }
        } else {
            let key =
                LotKey { expiry: program.expiry(world.now), origin: world.now.month(), exchangeable: true };
            let delta = LotDelta { remaining: minor, held: 0 };
            draft.move_lot(&mut lines, self.membership_id, Moved { key, delta, scale: program.scale });
        }
        draft
            .post_member(&mut lines, self.membership_id, program, minor)
            .map_err(|_| Rejection::from(AdjustPointsRejection::Overflow))?;
        lines.post(program, ChartAccount::Adjustment, minor.checked_neg().ok_or_else(overflow)?);
        let cause =
            Cause { minor, reason: Some(self.reason.clone()), reference: Some(self.reference.clone()) };
        let body = points_body(&draft, self.membership_id, program, cause)?;
        Ok(draft.done(RecordKind::PointsAdjusted, vec![program.partner.clone()], body, lines))
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
