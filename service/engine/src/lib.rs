//! The engine: commands from all connections, drained into batches, one transaction per batch.
//!
//! ```text
//! handler --submit--> a line per party (bounded) --in turn--> batch --facts, footprint--> store.transact(decide) --answers--> handlers
//! sweeper --due------>   ^
//! ```
//!
//! There is no waiting for a batch to fill: a lone command is a batch of one, and what arrives while a batch is written is
//! the next batch. A handler only waits for its answer: when its caller goes away or its deadline passes, the write goes on.
//!
//! Absent on purpose: gRPC, SQL, rules.

mod batch;
pub mod observer;
mod queue;
pub mod sampled;
mod sweeper;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointbridge_core::caller::Party;
use pointbridge_core::command::Envelope;
use pointbridge_core::record::Record;
use pointbridge_core::rejection::Rejection;
use pointbridge_core::seed::Seed;
use pointbridge_store::{Store, StoreError, trace};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::Span;

use crate::observer::{Nobody, Observer};
use crate::queue::{Bounds, Queue};

/// Draws the seed of a command: a time-ordered id and 256 random bits.
pub type DrawSeed = Arc<dyn Fn() -> Seed + Send + Sync>;

/// The engine's bounds.
#[derive(Clone)]
pub struct Options {
    /// How many commands may wait; one more is refused with OVERLOADED. At the rate of a slow disk (1,000 commands/s) the
    /// default of 4,096 is about four seconds of work, less than a caller's deadline. A party with fewer waiting than another
    /// takes the place of that one's newest.
    pub queue_commands_max: usize,
    /// How many commands of one party may wait: a quarter of all by default.
    pub queue_commands_per_party_max: usize,
    /// How many commands make a batch at most. A batch of 1,024 prepares that take one lot each is about 3 MiB of rows.
    pub batch_commands_max: usize,
    /// How often the sweeper looks for what time asks for.
    pub sweep_interval: Duration,
    /// How much of each kind it takes at a time.
    pub sweep_items_max: u32,
    /// Where seeds for the sweeper's own commands come from.
    pub draw_seed: DrawSeed,
    /// Who is told of batches and waiting.
    pub observer: Arc<dyn Observer>,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(draw_seed: DrawSeed) -> Self {
        Self {
            queue_commands_max: 4096,
            queue_commands_per_party_max: 1024,
            batch_commands_max: 1024,
            sweep_interval: Duration::from_millis(200),
            sweep_items_max: 512,
            draw_seed,
            observer: Arc::new(Nobody),
        }
    }
}

/// Why a command has no record to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The rules refused it.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// Too many commands wait. Nothing was done.
    #[error("too many commands wait")]
    Overloaded,
    /// The hub is going down. Nothing was done.
    #[error("the hub is going down")]
    Draining,
    /// Its decision kept being overtaken. Nothing of it was done; what was over by time may have been written off.
    #[error("the decision kept being overtaken by others on the same account")]
    Overtaken,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// What becomes of a command: its record, or nothing where time had nothing to do.
type Ending = Result<Option<Arc<Record>>, Failure>;

/// Where a command's answer comes.
type Answered = oneshot::Receiver<Ending>;

/// Something that is kept until a command is answered, and dropped then, whoever still waits for the answer: the place that
/// the command takes among its caller's calls, say.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// A command and where its answer goes.
pub(crate) struct Waiting {
    envelope: Arc<Envelope>,
    answer: oneshot::Sender<Ending>,
    reruns: u32,
    kept: Option<Kept>,
    since: Instant,
    /// The span of the request, where it is traced.
    span: Span,
}

impl Waiting {
    /// Who asks.
    fn party(&self) -> &Party {
        &self.envelope.context.caller.party
    }

    /// Ends the waiting. What was kept goes first, so that a caller who has the answer finds its place free.
    fn answer(self, ending: Ending) {
        let Self { answer, kept, .. } = self;
        drop(kept);
        let _ = answer.send(ending);
    }
}

/// A handle to the engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: Arc<Queue>,
    observer: Arc<dyn Observer>,
    draining: watch::Receiver<bool>,
}

/// The engine's tasks, and what ends them.
pub struct Running {
    drain: watch::Sender<bool>,
    broken: watch::Receiver<Option<String>>,
    writer: JoinHandle<()>,
    sweeper: JoinHandle<()>,
}

/// Starts the engine on a store.
pub fn start<S: Store>(store: Arc<S>, options: Options) -> (Engine, Running) {
    let queue = Arc::new(Queue::new(Bounds {
        commands_max: options.queue_commands_max,
        commands_per_party_max: options.queue_commands_per_party_max,
    }));
    let (drain, draining) = watch::channel(false);
    let (break_down, broken) = watch::channel(None);
    let observer = Arc::clone(&options.observer);
    let engine = Engine { queue: Arc::clone(&queue), observer, draining: draining.clone() };
    let writer = batch::Writer {
        store: Arc::clone(&store),
        queue,
        observer: Arc::clone(&options.observer),
        batch_commands_max: options.batch_commands_max,
        draining: draining.clone(),
        break_down,
    };
    let writer = tokio::spawn(writer.run());
    let sweeper = tokio::spawn(sweeper::run(store, engine.clone(), options, draining));
    (engine, Running { drain, broken, writer, sweeper })
}

impl Engine {
    /// Hands a command over and waits for its answer. Dropping the future ends the waiting, never the command.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn submit(&self, envelope: Envelope) -> Result<Arc<Record>, Failure> {
        self.submit_keeping(envelope, None).await
    }

    /// The same, with something that is to be kept until the command is answered, even where nobody waits any more.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn submit_keeping(
        &self,
        envelope: Envelope,
        kept: Option<Kept>,
    ) -> Result<Arc<Record>, Failure> {
        match self.hand_over(envelope, kept).await? {
            Some(record) => Ok(record),
            None => Err(Failure::Overtaken),
        }
    }

    /// For what time asks for too, which is never shed. `None` where there was nothing to do any more.
    pub(crate) async fn hand_over(&self, envelope: Envelope, kept: Option<Kept>) -> Ending {
        if *self.draining.borrow() {
            return Err(Failure::Draining);
        }
        let (answer, answered) = oneshot::channel();
        let (since, span) = (Instant::now(), trace::current());
        let waiting = Waiting { envelope: Arc::new(envelope), answer, reruns: 0, kept, since, span };
        let pushed = self.queue.push(waiting);
        if !matches!(pushed, Ok(false) | Err(Failure::Draining)) {
            self.observer.shed();
        }
        pushed?;
        self::answer(answered).await
    }

    /// How many commands wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// Without an answer the writer is gone in the middle of its work: what became of the command is not known here.
async fn answer(answered: Answered) -> Ending {
    let lost = || Err(Failure::Store(StoreError::OutcomeUnknown("the writer ended".to_owned())));
    answered.await.unwrap_or_else(|_| lost())
}

impl Running {
    /// Resolves when an invariant turned out broken, with what it was. The process must end then.
    pub async fn broken(&self) -> String {
        let mut broken = self.broken.clone();
        // Taken out of the channel's guard at once: the guard must not live across a wait.
        let what = broken.wait_for(Option::is_some).await.ok().and_then(|what| what.clone());
        match what {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// What turned out broken, as far as it is known; goes on telling after the engine was drained, which may be when it breaks.
    #[must_use]
    pub fn is_broken(&self) -> watch::Receiver<Option<String>> {
        self.broken.clone()
    }

    /// Takes nothing new, finishes what waits, and ends.
    pub async fn drain(self) {
        let _ = self.drain.send(true);
        let _ = self.sweeper.await;
        let _ = self.writer.await;
    }
}
