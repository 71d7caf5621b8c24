//! One batch in one transaction: load, decide, write, commit; and all of it again where others were in the way.
//!
//! | phase | statement | ways there and back | locks |
//! | --- | --- | --- | --- |
//! | begin | `begin`; the open window, epoch | 1 | the window to share |
//! | lock | rows of the footprint in its order | 1 | to share or to change, by key |
//! | read | the time, and all that the footprint names | 1 | none |
//! | decide | | 0 | |
//! | number | a block of numbers for records | 1 in some thousands of records | none |
//! | write | all tables at once; reversals behind them | 1; 2 with reversals | only of rows that are new |
//! | commit | `commit`; a batch of refusals asks for `rollback` instead, and leaves nothing on the disk | 1 | gives all back |
//!
//! Everything up to the commit can be done again, because nothing of it lasts: the decision is pure. A deadlock, a row that
//! another hub made first and a connection that broke lead to another attempt, some milliseconds later and in bounded number.
//! A commit whose answer was lost is not known, and never tried again here.

use std::time::{Duration, Instant};

use pointbridge_core::world::{Changes, Footprint, World};
use pointbridge_store::StoreError;

use crate::error::Again;
use crate::open::PostgresStore;
use crate::session::Session;
use crate::{load, write};

/// How often a batch is begun: with waits of at most 2, 4, 8, 16, 32, 64 and 64 ms between, a fifth of a second in all.
const ATTEMPTS_MAX: u32 = 8;

/// How often a connection that broke leads to another attempt: as many as lie in the pool from before a restart of the database.
pub(crate) const CUTS_MAX: u32 = 4;

/// How often a row that another hub made first leads to another attempt. The second one finds the row; what fails with it in
/// sight was decided wrongly.
const TWINS_MAX: u32 = 3;

/// The longest wait between two attempts is 2 ms doubled so often.
const DOUBLINGS_MAX: u32 = 5;

/// How long attempts go on being begun: one whose locks were waited for in vain has taken 10 s, and another one would keep those
/// behind it waiting.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How an attempt failed, and whether another may do better.
struct Failure {
    error: StoreError,
    again: Option<Again>,
}

pub(crate) async fn run<T, F>(
    store: &PostgresStore,
    footprint: &Footprint,
    decide: F,
) -> Result<T, StoreError>
where
    T: Send,
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let began = Instant::now();
    let (mut cuts, mut twins) = (0_u32, 0_u32);
    let mut attempt = 0_u32;
    loop {
        let failure = match once(store, footprint, &decide).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        attempt = attempt.saturating_add(1);
        let is_worth_it = match failure.again {
            None => matches!(failure.error, StoreError::Conflict(_)),
            Some(Again::Overtaken) => true,
            Some(Again::Twin) => {
                twins = twins.saturating_add(1);
                twins <= TWINS_MAX
            }
            Some(Again::Cut) => {
                cuts = cuts.saturating_add(1);
                cuts <= CUTS_MAX
            }
        };
        if !is_worth_it || attempt >= ATTEMPTS_MAX || began.elapsed() >= TIME_MAX {
            return Err(failure.error);
        }
        tracing::debug!(attempt, error = %failure.error, "a batch begins again");
        tokio::time::sleep(wait(attempt)).await;
    }
}

/// Somewhere within a time that doubles, so that two hubs do not meet again.
fn wait(attempt: u32) -> Duration {
    let most = 2_000_u64 << attempt.saturating_sub(1).min(DOUBLINGS_MAX);
    Duration::from_micros(fastrand::u64(most / 2..=most))
}

async fn once<T, F>(store: &PostgresStore, footprint: &Footprint, decide: &F) -> Result<T, Failure>
where
    T: Send,
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let failed = |(error, again)| Failure { error, again };
    let mut transaction = store.writer().await.map_err(failed)?;
    let mut session = transaction.session().map_err(|error| failed((error, None)))?;
    let done = decided(store, &mut session, footprint, decide).await;
    let again = session.again();
    match done {
        Ok((answer, Lasts::Yes)) => match transaction.commit().await {
            Ok(()) => Ok(answer),
            Err((error, again)) => Err(Failure { error, again }),
        },
        Ok((answer, Lasts::No)) => {
            transaction.rollback().await;
            Ok(answer)
        }
        Err(error) => {
            if again != Some(Again::Cut) {
                transaction.rollback().await;
            }
            Err(Failure { error, again })
        }
    }
}

/// Whether a batch wrote anything.
enum Lasts {
    Yes,
    No,
}

async fn decided<T, F>(
    store: &PostgresStore,
    session: &mut Session<'_>,
    footprint: &Footprint,
    decide: &F,
) -> Result<(T, Lasts), StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let (world, known) = load::world(session, footprint, store.time()).await?;
    let now = world.now;
    store.time().decided(now);
    let (changes, answer) = decide(world);
    if changes.is_empty() {
        return Ok((answer, Lasts::No));
    }
    let record_number = store.numbers().take(session, changes.records.len()).await?;
    let place = write::Place { now, record_number };
    write::changes(session, &changes, &known, &place, store.time()).await?;
    Ok((answer, Lasts::Yes))
}
