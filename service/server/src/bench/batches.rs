//! Batches of commands on a store, without the engine: what the engine does in the middle of a batch, and nothing around it.
//!
//! Made for filling a database quickly and for the rate of the store alone. Absent: lines, fairness, answers to callers.

use std::sync::Arc;

use anyhow::bail;
use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::command::{Answer, Command, Context, Envelope, decide_batch};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::Reason;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{Changes, FactQuery, Footprint, World};
use pointbridge_store::Store;
use uuid::Uuid;

use super::order::SUBJECT;
use crate::hub::draw_seed;

/// How often what was overtaken by its own batch is decided again.
const RERUNS_MAX: usize = 64;

/// A partner's caller.
pub(super) fn till(partner: &PartnerCode) -> Caller {
    let principal = format!("partner/{partner}/partner/{SUBJECT}");
    Caller { party: Party::Partner(partner.clone()), principal }
}

/// The operator.
pub(super) fn operator() -> Caller {
    Caller { party: Party::Operator, principal: "operator/ops-1".to_owned() }
}

/// A caller's command under a request id of its own.
///
/// # Errors
/// Never for commands of the core.
pub(super) fn ask(caller: &Caller, command: impl Command + 'static) -> anyhow::Result<Arc<Envelope>> {
    let context = Context { caller: caller.clone(), seed: draw_seed() };
    Ok(Arc::new(Envelope::new(context, Uuid::now_v7(), false, Box::new(command))?))
}

/// Carries a batch out, in one transaction where no command is overtaken. Answers with a record for each.
///
/// # Errors
/// The store failed, or a command was refused.
pub(super) async fn carry_out<S: Store>(
    store: &S,
    batch: &[Arc<Envelope>],
) -> anyhow::Result<Vec<Arc<Record>>> {
    let mut records: Vec<Option<Arc<Record>>> = vec![None; batch.len()];
    let mut open: Vec<usize> = (0..batch.len()).collect();
    for _ in 0..RERUNS_MAX {
        let envelopes: Vec<Arc<Envelope>> =
            open.iter().filter_map(|place| batch.get(*place)).map(Arc::clone).collect();
        let answers = decide(store, &envelopes).await?;
        let mut again = Vec::new();
        for (place, answer) in open.into_iter().zip(answers) {
            match answer {
                Answer::Done(record) => {
                    if let Some(slot) = records.get_mut(place) {
                        *slot = Some(record);
                    }
                }
                Answer::Rerun => again.push(place),
                Answer::Refused(rejection) => bail!("a command was refused: {rejection}"),
                Answer::Idle => bail!("a caller's command had nothing to do"),
            }
        }
        if again.is_empty() {
            return Ok(records.into_iter().flatten().collect());
        }
        open = again;
    }
    bail!("a command was overtaken without end")
}

async fn decide<S: Store>(store: &S, batch: &[Arc<Envelope>]) -> anyhow::Result<Vec<Answer>> {
    let mut query = FactQuery::default();
    for envelope in batch {
        envelope.command.resolve(&envelope.context, &mut query);
    }
    let facts = store.facts(&query).await?;
    let mut footprint = Footprint::default();
    for envelope in batch {
        envelope.footprint(&facts, &mut footprint);
    }
    let answers = store.transact(&footprint, |mut world: World| {
        world.facts = facts.clone();
        let (changes, answers) = decide_batch(&mut world, batch);
        if answers.iter().any(is_broken) { (Changes::default(), answers) } else { (changes, answers) }
    });
    Ok(answers.await?)
}

fn is_broken(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(rejection) if rejection.reason == Reason::Internal)
}
