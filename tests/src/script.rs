//! Scripts: envelopes with ids that are the same in every run, and the way of a batch through a store.
//!
//! An engine does the same with queues and time around it; here a batch is exactly what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::command::{Answer, Command, Context, Envelope, decide_batch};
use pointbridge_core::rejection::Reason;
use pointbridge_core::seed::Seed;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{Changes, FactQuery, Footprint, World};
use pointbridge_store::{Store, StoreError};
use uuid::Uuid;

/// How often what answers [`Answer::Rerun`] is decided again before it is given up as endless.
const RERUNS_MAX: u32 = 64;

/// Milliseconds since 1970 in the first id of a script.
const FIRST_ID_MILLIS: u64 = 1_795_334_400_000;

/// Makes envelopes. Two scripts make the same ones from the same calls.
#[derive(Debug, Default)]
pub struct Script {
    drawn: AtomicU64,
}

impl Script {
    /// The next time-ordered id: later ones sort behind earlier ones.
    pub fn id(&self) -> Uuid {
        let number = self.drawn.fetch_add(1, Ordering::SeqCst);
        let mut tail = [0; 10];
        tail.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        let millis = FIRST_ID_MILLIS.saturating_add(number);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    /// The next seed.
    pub fn seed(&self) -> Seed {
        let id = self.id();
        let mut secret = [0; 32];
        secret.iter_mut().zip(id.as_bytes().iter().cycle()).for_each(|(to, from)| *to = *from);
        Seed::new(id, secret)
    }

    /// A caller's command under a request id of its own.
    pub fn ask(&self, caller: &Caller, command: impl Command + 'static) -> Arc<Envelope> {
        self.ask_as(caller, self.id(), command)
    }

    /// A caller's command under this request id.
    pub fn ask_as(
        &self,
        caller: &Caller,
        request_id: Uuid,
        command: impl Command + 'static,
    ) -> Arc<Envelope> {
        self.envelope(caller, request_id, false, Box::new(command))
    }

    /// A caller's command that is decided and not carried out.
    pub fn try_out(&self, caller: &Caller, command: impl Command + 'static) -> Arc<Envelope> {
        self.envelope(caller, self.id(), true, Box::new(command))
    }

    /// What time asks for.
    pub fn from_hub(&self, command: impl Command + 'static) -> Arc<Envelope> {
        Arc::new(Envelope::from_hub(self.seed(), Box::new(command)))
    }

    fn envelope(
        &self,
        caller: &Caller,
        request_id: Uuid,
        validate_only: bool,
        command: Box<dyn Command>,
    ) -> Arc<Envelope> {
        let context = Context { caller: caller.clone(), seed: self.seed() };
        match Envelope::new(context, request_id, validate_only, command) {
            Ok(envelope) => Arc::new(envelope),
            Err(error) => unreachable!("every command has canonical bytes: {error}"),
        }
    }
}

/// The operator.
#[must_use]
pub fn operator() -> Caller {
    Caller { party: Party::Operator, principal: "operator/wang".to_owned() }
}

/// The operator's second person.
#[must_use]
pub fn second_person() -> Caller {
    Caller { party: Party::Operator, principal: "operator/zhao".to_owned() }
}

/// A partner's till.
#[must_use]
pub fn till(partner: &PartnerCode) -> Caller {
    let principal = format!("partner/{partner}/partner/till-7");
    Caller { party: Party::Partner(partner.clone()), principal }
}

/// Runs a batch in one transaction: facts, footprint, decision, changes.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Broken`] also where a command found the hub's own state broken, as in the engine.
pub async fn run_once(store: &impl Store, batch: &[Arc<Envelope>]) -> Result<Vec<Answer>, StoreError> {
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
        let changes = if broken(&answers).is_some() { Changes::default() } else { changes };
        (changes, answers)
    });
    let answers = answers.await?;
    match broken(&answers) {
        Some(what) => Err(StoreError::Broken(what)),
        None => Ok(answers),
    }
}

fn broken(answers: &[Answer]) -> Option<String> {
    answers.iter().find_map(|answer| match answer {
        Answer::Refused(refusal) if refusal.reason == Reason::Internal => Some(refusal.message.clone()),
        _ => None,
    })
}

/// Runs a batch, and what was overtaken by its own batch again, until every command has its answer.
///
/// # Errors
/// As [`run_once`]; [`StoreError::Conflict`] where a command is overtaken without end.
pub async fn run(store: &impl Store, batch: &[Arc<Envelope>]) -> Result<Vec<Answer>, StoreError> {
    let mut answers = run_once(store, batch).await?;
    for _ in 0..RERUNS_MAX {
        let again: Vec<(usize, Arc<Envelope>)> = batch
            .iter()
            .enumerate()
            .filter(|(place, _)| matches!(answers.get(*place), Some(Answer::Rerun)))
            .map(|(place, envelope)| (place, Arc::clone(envelope)))
            .collect();
        if again.is_empty() {
            return Ok(answers);
        }
        let envelopes: Vec<Arc<Envelope>> = again.iter().map(|(_, envelope)| Arc::clone(envelope)).collect();
        let decided = run_once(store, &envelopes).await?;
        for ((place, _), answer) in again.into_iter().zip(decided) {
            if let Some(open) = answers.get_mut(place) {
                *open = answer;
            }
        }
    }
    Err(StoreError::Conflict("a command is overtaken without end".to_owned()))
}
