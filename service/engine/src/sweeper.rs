//! The sweeper: ends holds and writes off lots when their time is over.
//!
//! Nothing depends on when it runs: a decision that needs the points writes the same records first. It only bounds how
//! long what is over stays on the books.

use std::sync::Arc;

use pointbridge_core::command::{Command, Envelope, ExpireExchange, ExpireLots};
use pointbridge_store::{Due, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Engine, Failure, Options};

/// Sweeps until the engine drains.
pub(crate) async fn run<S: Store>(
    store: Arc<S>,
    engine: Engine,
    options: Options,
    mut draining: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(options.sweep_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        match store.due(options.sweep_items_max).await {
            Ok(due) => sweep(&engine, &options, due).await,
            Err(error) => tracing::warn!(error = %error, "what time asks for could not be read"),
        }
    }
}

/// Hands over what is due, and waits until all of it is done, so that nothing is handed over twice.
async fn sweep(engine: &Engine, options: &Options, due: Vec<Due>) {
    let mut pending = JoinSet::new();
    for item in due {
        let command: Box<dyn Command> = match item {
            Due::Hold(exchange_id) => Box::new(ExpireExchange { exchange_id }),
            Due::Lots(membership_id) => Box::new(ExpireLots { membership_id }),
        };
        let envelope = Envelope::from_hub((options.draw_seed)(), command);
        let engine = engine.clone();
        pending.spawn(async move { engine.hand_over(envelope).await });
    }
    while let Some(joined) = pending.join_next().await {
        match joined {
            Ok(Ok(_) | Err(Failure::Overloaded | Failure::Draining)) => {}
            Ok(Err(failure)) => {
                tracing::warn!(failure = %failure, "what time asked for could not be done; it is tried again");
            }
            Err(error) => tracing::error!(error = %error, "the sweeper lost a task"),
        }
    }
}
