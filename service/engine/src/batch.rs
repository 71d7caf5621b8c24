//! The writer: drains the queue into batches, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use pointbridge_core::command::{Answer, Envelope, decide_batch};
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::{Changes, FactQuery, Footprint, World};
use pointbridge_store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::{Failure, Sampler, Waiting};

/// How often a command is decided again before its caller is asked to retry. Each time it stands first in its batch, so
/// that only an account with thousands of lots that are over needs more than one.
const RERUNS_MAX: u32 = 64;

/// The one task that writes.
pub(crate) struct Writer<S> {
    pub(crate) store: Arc<S>,
    pub(crate) waiting: mpsc::Receiver<Waiting>,
    pub(crate) batch_commands_max: usize,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) break_down: watch::Sender<Option<String>>,
    pub(crate) failures: Sampler,
}

impl<S: Store> Writer<S> {
    /// Runs until the engine drains and the queue is empty, or an invariant turns out broken.
    pub(crate) async fn run(mut self) {
        let mut again: VecDeque<Waiting> = VecDeque::new();
        loop {
            let mut batch: Vec<Waiting> = again.drain(..).collect();
            if batch.is_empty() {
                match self.next().await {
                    Some(first) => batch.push(first),
                    None => return,
                }
            }
            while batch.len() < self.batch_commands_max {
                match self.waiting.try_recv() {
                    Ok(next) => batch.push(next),
                    Err(_) => break,
                }
            }
            match self.write(&batch).await {
                Ok(answers) => again.extend(answer_all(batch, answers)),
                Err(error) => {
                    if self.fail(batch, &error) {
                        return;
                    }
                }
            }
        }
    }

    /// The next command, as soon as there is one. Once the engine drains, what waits is the last.
    async fn next(&mut self) -> Option<Waiting> {
        tokio::select! {
            first = self.waiting.recv() => return first,
            _ = self.draining.wait_for(|draining| *draining) => {}
        }
        self.waiting.close();
        self.waiting.recv().await
    }

    async fn write(&self, batch: &[Waiting]) -> Result<Vec<Answer>, StoreError> {
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
            if answers.iter().any(is_broken) { (Changes::default(), answers) } else { (changes, answers) }
        });
        let answers = answers.await?;
        match answers.iter().find(|answer| is_broken(answer)) {
            Some(Answer::Refused(rejection)) => Err(StoreError::Broken(rejection.message.clone())),
            _ => Ok(answers),
        }
    }

    /// Tells every caller of a batch that it failed. Answers whether the writer must end.
    fn fail(&self, batch: Vec<Waiting>, error: &StoreError) -> bool {
        let broken = match error {
            StoreError::Broken(what) => Some(what.clone()),
            _ => None,
        };
        // A broken invariant is the last line of this kind and always written.
        if let Some(unlogged) = self.failures.admit().or(broken.as_ref().map(|_| 0)) {
            tracing::error!(error = %error, commands = batch.len(), unlogged, "a batch was not written");
        }
        for waiting in batch {
            let _ = waiting.answer.send(Err(Failure::Store(error.clone())));
        }
        if let Some(what) = broken {
            let _ = self.break_down.send(Some(what));
            return true;
        }
        false
    }
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
        let _ = waiting.answer.send(result);
        None
    })
}
