//! ReverseExchange: gives a committed exchange back, as a whole or in parts.
//!
//! The destination gives back first, out of the very lot that the commit credited; where that lot has less left, nothing is
//! reversed at all. Giving back asks for no consent, no active membership and no room in an exposure: it undoes what
//! those had allowed.

use serde::Serialize;

use super::draft::{Draft, Lines, Moved, broken, overflow};
use super::expire::{Freed, end_overdue, rerun};
use super::{Command, Context, Decision, named, standing};
use crate::exchange::{Exchange, ReservationState};
use crate::exposure::{ExposureKey, ExposureStep};
use crate::ids::{ExchangeId, ReversalId};
use crate::ledger::{ChartAccount, LotDelta};
use crate::partner::Program;
use crate::points::{Amount, AmountError, Entered};
use crate::record::{Body, Record, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::reversal::{self, Progress, REVERSALS_PER_EXCHANGE_MAX, Reversal, ReversedLeg, Step};
use crate::text::{PartnerCode, ReasonCode, Reference};
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Gives a committed exchange back.
#[derive(Debug, Clone, Serialize)]
pub struct ReverseExchange {
    /// Which.
    pub exchange_id: ExchangeId,
    /// How many source points; absent for all that is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_points: Option<Entered>,
    /// Why.
    pub reason: ReasonCode,
    /// The caller's own name for it.
    pub reference: Reference,
}

rejections! {
    /// Why an exchange is not reversed, in order of precedence (after the caller's standing).
    pub enum ReverseExchangeRejection {
        NotFound { id: ExchangeId } => ExchangeNotFound at "exchange_id", "there is no exchange {id} that you may know of";
        NotCommitted { state: &'static str } => ReservationNotCommitted at "exchange_id", "the exchange is {state}: only one that is COMMITTED can be reversed";
        NotAllowed => ReversalNotAllowed, "only the destination's partner, and the partner that prepared the exchange, may reverse it";
        TermOver { days: u32 } => ReversalTermOver, "the agreed term of {days} days after the commit is over: ask the destination's partner to reverse it";
        Scale { amount: Entered, decimals: u8 } => AmountScale at "source_points", "{amount} has more decimals than the {decimals} that the source program's points have";
        OutOfRange => AmountOutOfRange at "source_points", "the amount must be above zero and have at most 18 digits";
        Exceeds { left: Amount } => ReversalExceeds at "source_points", "{left} source points of the exchange are left to be reversed: ask for no more";
        Parts { most: u32 } => ReversalLimit at "source_points", "an exchange is reversed in at most {most} parts, and this would be the last: leave the amount out to reverse all that is left";
        TooSmall => AmountTooSmall at "source_points", "nothing would be taken back at the destination for so little: reverse more at a time";
        Spent => PointsSpent, "the points that the exchange credited are no longer there to be taken back: they were spent, are held, or have expired";
        Overflow => Overflow, "the account, or what the partners owe each other, would be more than the hub can count";
    }
}

/// A reversal that may be, before it is known whether the points are there.
struct Found<'a> {
    committed: &'a Record,
    exchange: &'a Exchange,
    reverser: &'a PartnerCode,
    progress: Progress,
    whole: i64,
    step: Step,
}

impl Command for ReverseExchange {
    named!("ReverseExchange");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.exchanges.insert(self.exchange_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.exchanges.insert(self.exchange_id);
        // Nothing more is read for a stranger's exchange than for one that does not exist: the work would tell them apart.
        let fact = facts.exchanges.get(&self.exchange_id).filter(|fact| fact.concerns(&context.caller));
        let Some(fact) = fact else { return };
        needs.reversals.insert(self.exchange_id);
        needs.exposures.extend(fact.exposures.iter().cloned());
        for (membership, program) in &fact.memberships {
            needs.account(*membership, AccountNeed::Lots);
            needs.program(*program, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        match self.find(context, world) {
            Ok(found) if !is_loaded(world, &found) => rerun(Draft::new(context, world)),
            Ok(found) => self.reverse(context, world, &found).unwrap_or_else(Decision::refuse),
            Err(refusal) => refusal.into(),
        }
    }
}

/// Whether the footprint knew what the exchange touches. It did not if the exchange was prepared or committed after facts
/// or rows were read: by a neighbour in the batch, or by another batch.
fn is_loaded(world: &World, found: &Found<'_>) -> bool {
    found.exchange.legs.iter().all(|leg| {
        let (source, destination) = (&leg.source, &leg.destination);
        let own = reversal::own_lot(&found.committed.lots, destination.membership_id);
        let has_lot = own.is_none_or(|key| world.lot(destination.membership_id, key).is_some());
        let owes = ExposureKey::of(&leg.obligation).is_some_and(|key| world.exposures.contains_key(&key));
        has_lot
            && owes
            && world.lots.contains_key(&destination.membership_id)
            && [source, destination].iter().all(|side| {
                world.accounts.contains_key(&side.membership_id)
                    && world.programs.contains_key(&side.program_id)
            })
    })
}

impl ReverseExchange {
    /// Everything that comes before the points: the exchange, who asks, when, and how much.
    fn find<'a>(
        &self,
        context: &'a Context,
        world: &'a World,
    ) -> Result<Found<'a>, ReverseExchangeRejection> {
        use ReverseExchangeRejection as Refusal;
        let record = world.exchanges.get(&self.exchange_id);
        let found = record.and_then(|record| Some((record, record.exchange()?, context.caller.partner()?)));
        let mine = found.filter(|(_, exchange, caller)| exchange.is_party(caller));
        let (committed, exchange, reverser) = mine.ok_or(Refusal::NotFound { id: self.exchange_id })?;
        if exchange.state != ReservationState::Committed {
            return Err(Refusal::NotCommitted { state: exchange.state.as_str() });
        }
        may_reverse(exchange, reverser, world)?;
        let progress = world.reversed.get(&self.exchange_id).copied().unwrap_or_default();
        let whole = reversal::whole(exchange);
        let after = self.after(exchange, progress)?;
        let is_last = progress.parts.saturating_add(1) >= REVERSALS_PER_EXCHANGE_MAX;
        if is_last && after < whole {
            return Err(Refusal::Parts { most: REVERSALS_PER_EXCHANGE_MAX });
        }
        let step = Step { before: progress.source, after };
        Ok(Found { committed, exchange, reverser, progress, whole, step })
    }

    /// How many source units are reversed once this part is.
    fn after(&self, exchange: &Exchange, progress: Progress) -> Result<i64, ReverseExchangeRejection> {
        use ReverseExchangeRejection as Refusal;
        let whole = reversal::whole(exchange);
        let scale = exchange.legs.first().map(|leg| leg.source_points.scale());
        let scale = scale.ok_or(Refusal::NotFound { id: self.exchange_id })?;
        let left = whole.saturating_sub(progress.source);
        let minor = match self.source_points.map(|entered| (entered, entered.to_minor(scale.decimals()))) {
            None => left,
            Some((_, Ok(minor))) if minor > 0 => minor,
            Some((amount, Err(AmountError::Scale(decimals)))) => {
                return Err(Refusal::Scale { amount, decimals });
            }
            Some(_) => return Err(Refusal::OutOfRange),
        };
        if minor > left || left <= 0 {
            return Err(Refusal::Exceeds { left: Amount::new(left, scale) });
        }
        Ok(progress.source.saturating_add(minor))
    }

    fn reverse(&self, context: &Context, world: &World, found: &Found<'_>) -> Result<Decision, Rejection> {
        let legs = found.exchange.legs.iter();
        let legs: Option<Vec<ReversedLeg>> =
            legs.map(|leg| ReversedLeg::of(leg, found.step, found.whole)).collect();
        let legs = legs.ok_or_else(|| broken("an exchange that is reversed for more than it was"))?;
        if legs.iter().any(|leg| leg.part.credited_points.minor() <= 0) {
            return Err(ReverseExchangeRejection::TooSmall.into());
        }
        let mut draft = Draft::new(context, world);
        let mut lines = Lines::default();
        for leg in &legs {
            if let Freed::Partly(decision) = end_overdue(&mut draft, leg.destination.membership_id)? {
                return Ok(*decision);
            }
            take_back(&mut draft, &mut lines, leg, found.committed)?;
        }
        for leg in &legs {
            give_back(&mut draft, &mut lines, leg, found)?;
            draft.step_exposure(ExposureStep::Book, &leg.obligation)?;
            lines.owe(leg.obligation.clone(), world.window);
        }
        let reversal = Reversal {
            reversal_id: ReversalId::new(context.seed.id()),
            exchange_id: self.exchange_id,
            number: found.progress.parts.saturating_add(1),
            reverser: found.reverser.clone(),
            legs,
            reason: self.reason.clone(),
            reference: self.reference.clone(),
            reversed_at: world.now,
        };
        let body = Body::Reversal(Box::new(reversal));
        Ok(draft.done(RecordKind::ExchangeReversed, found.exchange.parties(), body, lines))
    }
}

/// The destination's partner may at any time; the initiator within the agreed term.
fn may_reverse(
    exchange: &Exchange,
    caller: &PartnerCode,
    world: &World,
) -> Result<(), ReverseExchangeRejection> {
    if exchange.legs.last().is_some_and(|leg| leg.destination.partner == *caller) {
        return Ok(());
    }
    if exchange.initiator != *caller {
        return Err(ReverseExchangeRejection::NotAllowed);
    }
    match reversal::term(exchange) {
        Some((until, _)) if world.now < until => Ok(()),
        term => Err(ReverseExchangeRejection::TermOver { days: term.map_or(0, |(_, days)| days) }),
    }
}

/// The destination side: points leave the lot that the commit credited, and the fee leaves the program's account.
fn take_back(
    draft: &mut Draft<'_>,
    lines: &mut Lines,
    leg: &ReversedLeg,
    committed: &Record,
) -> Result<(), Rejection> {
    let membership = leg.destination.membership_id;
    let program = program(draft.world, &leg.destination)?;
    let (credited, fee) = (leg.part.credited_points.minor(), leg.part.fee_points.minor());
    let key = reversal::own_lot(&committed.lots, membership);
    let key = key.ok_or_else(|| broken("a commit that credited no lot"))?;
    let lot = draft.lot(membership, key).ok_or_else(|| broken("a lot that was not loaded"))?;
    if key.expiry.is_over(draft.world.now) || lot.free() < credited {
        return Err(ReverseExchangeRejection::Spent.into());
    }
    draft.post_member(lines, membership, program, credited.saturating_neg())?;
    lines.post(program, ChartAccount::Fee, fee.saturating_neg());
    lines.post(program, ChartAccount::ExchangeIn, credited.checked_add(fee).ok_or_else(overflow)?);
    let delta = LotDelta { remaining: credited.saturating_neg(), held: 0 };
    draft.move_lot(lines, membership, Moved { key, delta, scale: program.scale });
    Ok(())
}

/// The source side: points come back into the lots that they had come from.
fn give_back(
    draft: &mut Draft<'_>,
    lines: &mut Lines,
    leg: &ReversedLeg,
    found: &Found<'_>,
) -> Result<(), Rejection> {
    let membership = leg.source.membership_id;
    let program = program(draft.world, &leg.source)?;
    let minor = leg.part.source_points.minor();
    draft.post_member(lines, membership, program, minor)?;
    lines.post(program, ChartAccount::ExchangeOut, minor.saturating_neg());
    let reversed = leg.reversed.source_points.minor();
    let step = Step { before: reversed.saturating_sub(minor), after: reversed };
    for (key, minor) in reversal::given_back(&found.committed.lots, membership, step, draft.world.now) {
        let delta = LotDelta { remaining: minor, held: 0 };
        draft.move_lot(lines, membership, Moved { key, delta, scale: program.scale });
    }
    Ok(())
}

fn program<'a>(world: &'a World, side: &crate::exchange::Side) -> Result<&'a Program, Rejection> {
    world.programs.get(&side.program_id).ok_or_else(|| broken("an exchange without its program"))
}
