//! The writer: takes batches from the queue, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointbridge_core::command::{Answer, Envelope, decide_batch};
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::{Changes, FactQuery, Footprint, World};
use pointbridge_store::{Store, StoreError, trace};
use tokio::sync::watch;
use tracing::{Instrument, Span};

use crate::observer::{BatchSeen, Noted, Observer, Written};
use crate::queue::Queue;
use crate::sampled::Sampler;
use crate::{Failure, Waiting};

/// How often a command is decided again before its caller is asked to retry. Each time it stands first in its batch, so
/// that only an account with thousands of lots that are over needs more than one.
const RERUNS_MAX: u32 = 64;

/// The part of a batch that commands that are decided again leave to those that wait: one in so many.
const FRESH_PART: usize = 4;

/// A store that fails does so many times a second.
static UNWRITTEN: Sampler = Sampler::new();

/// The one task that writes.
pub(crate) struct Writer<S> {
    pub(crate) store: Arc<S>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) batch_commands_max: usize,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) break_down: watch::Sender<Option<String>>,
}

impl<S: Store> Writer<S> {
    /// Runs until the engine drains and the queue is empty, or an invariant turns out broken.
    pub(crate) async fn run(mut self) {
        let mut again: VecDeque<Waiting> = VecDeque::new();
        while let Some(batch) = self.next(&mut again).await {
            let began = self.begin(&batch);
            let span = span_of(&batch);
            let written = self.write(&batch).instrument(span.clone()).await;
            self.tell(&batch, began.elapsed(), &span, &written);
            match written {
                Ok((answers, _)) => again.extend(answer_all(batch, answers)),
                Err(error) => {
                    if self.fail(batch, &error) {
                        return;
                    }
                }
            }
        }
    }

    /// The next batch, as soon as there is one: what is decided again, then what waits. Once the engine drains, what waits is
    /// the last, and then there is none.
    async fn next(&mut self, again: &mut VecDeque<Waiting>) -> Option<Vec<Waiting>> {
        loop {
            let is_draining = *self.draining.borrow();
            if is_draining {
                self.queue.close();
            }
            // Whoever keeps causing reruns must not have batches to itself: the next ones of the others get in all the same.
            let fresh = self.queue.len().min(self.batch_commands_max.div_ceil(FRESH_PART));
            let repeated = again.len().min(self.batch_commands_max.saturating_sub(fresh).max(1));
            let mut batch: Vec<Waiting> = again.drain(..repeated).collect();
            self.queue.fill(&mut batch, self.batch_commands_max);
            if !batch.is_empty() || is_draining {
                return (!batch.is_empty()).then_some(batch);
            }
            tokio::select! {
                () = self.queue.arrived() => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
            }
        }
    }

    /// Tells how long the commands waited that are in a batch for the first time.
    fn begin(&self, batch: &[Waiting]) -> Instant {
        let now = Instant::now();
        for waiting in batch.iter().filter(|waiting| waiting.reruns == 0) {
            self.observer.waited(now.saturating_duration_since(waiting.since));
        }
        now
    }

    /// Tells of a batch that is over, before anybody has an answer.
    fn tell(&self, batch: &[Waiting], took: Duration, span: &Span, written: &Result<Decided, StoreError>) {
        let (reruns, outcome) = match written {
            Ok((answers, noted)) => {
                let reruns = answers.iter().filter(|answer| **answer == Answer::Rerun).count();
                (reruns, Ok(Written { anything: noted.anything, exchanges: &noted.exchanges }))
            }
            Err(error) => (0, Err(error)),
        };
        span.record("pointbridge.batch.reruns", reruns);
        if outcome.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        self.observer.batch_ended(&BatchSeen { commands: batch.len(), reruns, took, outcome });
    }

    async fn write(&self, batch: &[Waiting]) -> Result<Decided, StoreError> {
        let envelopes: Vec<Arc<Envelope>> =
            batch.iter().map(|waiting| Arc::clone(&waiting.envelope)).collect();
        let mut query = FactQuery::default();
        for envelope in &envelopes {
            envelope.command.resolve(&envelope.context, &mut query);
        }
        let facts = self.store.facts(&query).await?;
        let mut footprint = Footprint::default();
        for envelope in &envelopes {
            envelope.footprint(&facts, &mut footprint);
        }
        let answers = self.store.transact(&footprint, |mut world: World| {
            world.facts = facts.clone();
            let (changes, answers) = decide_batch(&mut world, &envelopes);
            let (changes, answers) = whole(changes, answers);
            let noted = Noted::of(&changes);
            (changes, (answers, noted))
        });
        let (answers, noted) = answers.await?;
        match answers.iter().find(|answer| is_broken(answer)) {
            Some(Answer::Refused(rejection)) => Err(StoreError::Broken(rejection.message.clone())),
            _ => Ok((answers, noted)),
        }
    }

    /// Tells every caller of a batch that it failed. Answers whether the writer must end.
    fn fail(&self, batch: Vec<Waiting>, error: &StoreError) -> bool {
        let broken = match error {
            StoreError::Broken(what) => Some(what.clone()),
            _ => None,
        };
        // A broken invariant is the last line of this kind and always written.
        if let Some(left_out) = UNWRITTEN.admit().or(broken.as_ref().map(|_| 0)) {
            tracing::error!(error = %error, commands = batch.len(), left_out, "a batch was not written");
        }
        let must_end = broken.is_some();
        // Before anybody is answered: whoever waits for the answers must not find the engine sound behind them.
        if must_end {
            self.break_down.send_replace(broken);
        }
        for waiting in batch {
            waiting.answer(Err(Failure::Store(error.clone())));
        }
        must_end
    }
}

/// A batch's answers, and what is told of it.
type Decided = (Vec<Answer>, Noted);

/// A span for a batch that has a traced request, each linked with the other; a disabled one for any other batch. A trace of its
/// own, because no request is more its cause than the next.
fn span_of(batch: &[Waiting]) -> Span {
    if batch.iter().all(|waiting| waiting.span.is_disabled()) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: trace::TARGET,
        parent: None,
        "batch",
        pointbridge.batch.commands = batch.len(),
        pointbridge.batch.reruns = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    for request in batch.iter().map(|waiting| &waiting.span).filter(|span| !span.is_disabled()) {
        span.follows_from(request);
        request.follows_from(&span);
    }
    span
}

impl<S> Drop for Writer<S> {
    /// However the writer ends: what still waits must not wait for ever.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

/// What a batch leaves: nothing at all where one of its decisions turned out broken.
fn whole(changes: Changes, answers: Vec<Answer>) -> (Changes, Vec<Answer>) {
    if answers.iter().any(is_broken) { (Changes::default(), answers) } else { (changes, answers) }
}

/// A refusal that is the hub's own fault: the batch is rolled back, and the process ends.
fn is_broken(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(rejection) if rejection.reason == Reason::Internal)
}

/// Answers a batch's callers, and gives back those to be decided again.
fn answer_all(batch: Vec<Waiting>, answers: Vec<Answer>) -> impl Iterator<Item = Waiting> {
    batch.into_iter().zip(answers).filter_map(|(waiting, answer)| {
        let result = match answer {
            Answer::Rerun if waiting.reruns < RERUNS_MAX => {
                return Some(Waiting { reruns: waiting.reruns.saturating_add(1), ..waiting });
            }
            Answer::Rerun => Err(Failure::Overtaken),
            Answer::Done(record) => Ok(Some(record)),
            Answer::Idle => Ok(None),
            Answer::Refused(rejection) => Err(Failure::Refused(rejection)),
        };
        waiting.answer(result);
        None
    })
}
