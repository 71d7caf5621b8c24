//! The sweeper: ends holds and writes off lots when their time is over.
//!
//! Nothing depends on when it runs: a decision that needs the points writes the same records first. It only bounds how
//! long what is over stays on the books.

use std::sync::Arc;

use pointbridge_core::command::{Command, Envelope, ExpireExchange, ExpireLots};
use pointbridge_store::{Due, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sampled::Sampler;
use crate::{Engine, Failure, Options};

/// A store that fails does so many times a second.
static UNREAD: Sampler = Sampler::new();
static UNDONE: Sampler = Sampler::new();

/// Sweeps until the engine drains.
pub(crate) async fn run<S: Store>(
    store: Arc<S>,
    engine: Engine,
    options: Options,
    mut draining: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(options.sweep_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_behind = false;
    loop {
        // What is due in masses must not wait for a tick each time: a hold is to end within a minute of its time.
        if is_behind {
            tokio::task::yield_now().await;
        } else {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = draining.wait_for(|draining| *draining) => {}
            }
        }
        if *draining.borrow() {
            return;
        }
        is_behind = match store.due(options.sweep_items_max).await {
            Ok(due) => {
                let is_full = u32::try_from(due.len()).is_ok_and(|found| found >= options.sweep_items_max);
                sweep(&engine, &options, due).await && is_full
            }
            Err(error) => {
                if let Some(left_out) = UNREAD.admit() {
                    tracing::warn!(error = %error, left_out, "what time asks for could not be read");
                }
                false
            }
        };
    }
}

/// Hands over what is due, and waits until all of it is done, so that nothing is handed over twice. Answers whether
/// something was done.
async fn sweep(engine: &Engine, options: &Options, due: Vec<Due>) -> bool {
    let mut is_done = false;
    let mut pending = JoinSet::new();
    for item in due {
        let command: Box<dyn Command> = match item {
            Due::Hold(exchange_id) => Box::new(ExpireExchange { exchange_id }),
            Due::Lots(membership_id) => Box::new(ExpireLots { membership_id }),
        };
        let envelope = Envelope::from_hub((options.draw_seed)(), command);
        let engine = engine.clone();
        pending.spawn(async move { engine.hand_over(envelope, None).await });
    }
    while let Some(joined) = pending.join_next().await {
        match joined {
            Ok(Ok(record)) => is_done |= record.is_some(),
            Ok(Err(Failure::Draining)) => {}
            Ok(Err(failure)) => {
                if let Some(left_out) = UNDONE.admit() {
                    tracing::warn!(failure = %failure, left_out, "what time asked for could not be done; it is tried again");
                }
            }
            Err(error) => tracing::error!(error = %error, "the sweeper lost a task"),
        }
    }
    is_done
}
