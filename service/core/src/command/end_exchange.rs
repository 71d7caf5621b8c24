//! CommitExchange and AbortExchange: phase two.

use std::sync::Arc;

use serde::Serialize;

use super::draft::{Draft, Lines, Moved, broken};
use super::expire::{Release, end, release, rerun};
use super::{Answer, Command, Context, Decision, named};
use crate::caller::Caller;
use crate::exchange::{self, Exchange, Leg, Phase, Side};
use crate::exposure::{ExposureKey, ExposureStep};
use crate::ids::ExchangeId;
use crate::ledger::{ChartAccount, LotDelta, LotKey};
use crate::partner::Program;
use crate::record::{Record, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::ReasonCode;
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Spends the hold.
#[derive(Debug, Clone, Serialize)]
pub struct CommitExchange {
    /// Which.
    pub exchange_id: ExchangeId,
}

/// Lets the hold go.
#[derive(Debug, Clone, Serialize)]
pub struct AbortExchange {
    /// Which.
    pub exchange_id: ExchangeId,
    /// Why.
    pub reason: ReasonCode,
}

rejections! {
    /// Why phase two does not begin, in order of precedence; then [`CommitRejection`](exchange::CommitRejection) or
    /// [`AbortRejection`](exchange::AbortRejection).
    pub enum EndExchangeRejection {
        NotFound { id: ExchangeId } => ExchangeNotFound at "exchange_id", "there is no exchange {id} that you may know of";
        NotInitiator => RoleNotAllowed, "only the partner that prepared the exchange may commit it: you may abort it";
    }
}

/// The rows that the end of an exchange needs, whichever end it is.
pub(super) fn footprint(caller: &Caller, id: ExchangeId, facts: &Facts, needs: &mut Footprint) {
    needs.exchanges.insert(id);
    // Nothing more is read for a stranger's exchange than for one that does not exist: the work would tell them apart.
    let Some(fact) = facts.exchanges.get(&id).filter(|fact| fact.concerns(caller)) else { return };
    needs.initiators.insert(fact.initiator.clone());
    needs.exposures.extend(fact.exposures.iter().cloned());
    for (membership, program) in &fact.memberships {
        needs.account(*membership, AccountNeed::Balance);
        needs.program(*program, Lock::Share);
    }
}

impl Command for CommitExchange {
    named!("CommitExchange");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.exchanges.insert(self.exchange_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        footprint(&context.caller, self.exchange_id, facts, needs);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        decide(context, world, self.exchange_id, |exchange, last, draft| {
            if context.caller.partner() != Some(&exchange.initiator) {
                return Err(EndExchangeRejection::NotInitiator.into());
            }
            match exchange::commit(exchange, world.now)? {
                Phase::Already => Ok(Arc::clone(last)),
                Phase::Moves(committed) => commit(draft, last, *committed),
            }
        })
    }
}

impl Command for AbortExchange {
    named!("AbortExchange");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.exchanges.insert(self.exchange_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        footprint(&context.caller, self.exchange_id, facts, needs);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        decide(context, world, self.exchange_id, |exchange, last, draft| {
            match exchange::abort(exchange, &self.reason, world.now)? {
                Phase::Already => Ok(Arc::clone(last)),
                Phase::Moves(aborted) => {
                    let how = Release { record_id: context.seed.record(), kind: RecordKind::ExchangeAborted };
                    release(draft, last, *aborted, how)
                }
            }
        })
    }
}

fn decide<'a>(
    context: &'a Context,
    world: &'a World,
    id: ExchangeId,
    step: impl FnOnce(&Exchange, &Arc<Record>, &mut Draft<'a>) -> Result<Arc<Record>, Rejection>,
) -> Decision {
    let found = world.exchanges.get(&id).and_then(|last| Some((last, last.exchange()?)));
    let mine = found
        .filter(|(_, exchange)| context.caller.partner().is_some_and(|caller| exchange.is_party(caller)));
    let Some((last, exchange)) = mine else {
        return EndExchangeRejection::NotFound { id }.into();
    };
    let mut draft = Draft::new(context, world);
    if !is_loaded(world, exchange) {
        return rerun(draft);
    }
    match step(exchange, last, &mut draft) {
        Ok(record) => Decision { changes: draft.changes, answer: Answer::Done(record) },
        Err(rejection) => Decision::refuse(rejection),
    }
}

/// Whether the footprint knew what the end of the exchange touches. It did not if the exchange came about after the facts
/// were read, even where neighbours in the batch happened to name some of it. What has ended is only read.
fn is_loaded(world: &World, exchange: &Exchange) -> bool {
    let has = |side: &Side| {
        world.accounts.contains_key(&side.membership_id) && world.programs.contains_key(&side.program_id)
    };
    // Its prepare has left a count and an exposure, so that one that is missing was not loaded.
    let counts = world.live_holds.contains_key(&exchange.initiator);
    let owes =
        |leg: &Leg| ExposureKey::of(&leg.obligation).is_some_and(|key| world.exposures.contains_key(&key));
    let is_whole = |leg: &Leg| has(&leg.source) && has(&leg.destination) && owes(leg);
    exchange.state.is_final() || (counts && exchange.legs.iter().all(is_whole))
}

fn commit(draft: &mut Draft<'_>, prepared: &Record, committed: Exchange) -> Result<Arc<Record>, Rejection> {
    let mut lines = Lines::default();
    for leg in &committed.legs {
        spend(draft, &mut lines, leg, prepared)?;
        credit(draft, &mut lines, leg)?;
        draft.step_exposure(ExposureStep::Commit, &leg.obligation)?;
        lines.owe(leg.obligation.clone(), draft.world.window);
    }
    draft.count_hold(&committed.initiator, -1);
    let how = Release { record_id: draft.context.seed.record(), kind: RecordKind::ExchangeCommitted };
    end(draft, committed, lines, how)
}

/// The source side: the hold ends, and its points leave from the lots that were chosen.
fn spend(draft: &mut Draft<'_>, lines: &mut Lines, leg: &Leg, prepared: &Record) -> Result<(), Rejection> {
    let program = program(draft.world, leg.source.program_id)?;
    let source = leg.source.membership_id;
    let minor = leg.source_points.minor();
    let released = draft.account(source)?.release(minor).ok_or_else(|| broken("a hold without points"))?;
    draft.set_account(released);
    draft.post_member(lines, source, program, minor.saturating_neg())?;
    lines.post(program, ChartAccount::ExchangeOut, minor);
    for held in prepared.lots.iter().filter(|held| held.membership_id == source) {
        let taken = held.held.minor().saturating_neg();
        let delta = LotDelta { remaining: taken, held: taken };
        draft.move_lot(lines, source, Moved { key: held.key(), delta, scale: program.scale });
    }
    Ok(())
}

/// The destination side: the points arrive as a lot of this month, and the fee stays with the program.
fn credit(draft: &mut Draft<'_>, lines: &mut Lines, leg: &Leg) -> Result<(), Rejection> {
    let program = program(draft.world, leg.destination.program_id)?;
    let destination = leg.destination.membership_id;
    let credited = leg.credited_points.minor();
    draft.post_member(lines, destination, program, credited)?;
    lines.post(program, ChartAccount::Fee, leg.fee_points.minor());
    lines.post(program, ChartAccount::ExchangeIn, leg.gross_points.minor().saturating_neg());
    let now = draft.world.now;
    let key = LotKey { expiry: program.expiry(now), origin: now.month(), exchangeable: true };
    let delta = LotDelta { remaining: credited, held: 0 };
    draft.move_lot(lines, destination, Moved { key, delta, scale: program.scale });
    Ok(())
}

fn program(world: &World, id: crate::ids::ProgramId) -> Result<&Program, Rejection> {
    world.programs.get(&id).ok_or_else(|| broken("an exchange without its program"))
}
