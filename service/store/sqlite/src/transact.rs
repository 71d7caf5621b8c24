//! One batch: load, decide, write.
//!
//! Nothing is locked while a batch is loaded and decided: as a rule this process has the database to itself, and its batches come
//! one after the other. The write is one script from `begin immediate` to `commit`, which first makes sure that nobody else has written
//! since; where somebody has, what is kept is forgotten and the batch begins anew. Where it is not known what became of a batch,
//! nothing is kept either.

use pointbridge_core::world::{Changes, Footprint, World};
use pointbridge_store::StoreError;

use crate::load;
use crate::open::SqliteStore;
use crate::script::Written;
use crate::write::{self, Place};

/// How often a batch is decided again because somebody else has written.
const TRIES: u32 = 8;

/// What became of a try.
enum Tried<T> {
    /// It is over.
    Done(T),
    /// Somebody else has written.
    Overtaken,
}

pub(crate) async fn run<T, F>(store: &SqliteStore, footprint: &Footprint, decide: F) -> Result<T, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    for _ in 0..TRIES {
        match attempt(store, footprint, &decide).await? {
            Tried::Done(answer) => return Ok(answer),
            Tried::Overtaken => store.kept().forget(),
        }
    }
    Err(StoreError::Unavailable("another process keeps writing to the database".to_owned()))
}

/// One try.
async fn attempt<T, F>(store: &SqliteStore, footprint: &Footprint, decide: &F) -> Result<Tried<T>, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let (kept, time) = (store.kept(), store.time());
    let mut turn = store.turn().await;
    if turn.is_uncertain()? {
        // The batch before was given up in the middle, or failed: what is on the disk is for the database to say.
        kept.forget();
    }
    let mut session = turn.session()?;
    let head = match kept.head() {
        Some(head) => head,
        None => load::head(&mut session).await?,
    };
    kept.keep_head(head);
    let now = time.now(head.last_now);
    let world = load::world(&mut session, footprint, now, &head, kept).await?;
    time.decided(now);
    let (changes, answer) = decide(world);
    // A batch of refusals leaves nothing on the disk, not even its time, and costs no sync. What it was decided on must be so all
    // the same.
    if changes.is_empty() {
        let is_so = load::data_version(&mut session).await? == head.data_version;
        return Ok(if is_so { Tried::Done(answer) } else { Tried::Overtaken });
    }
    let record_number = head.last_record_number.saturating_add(1);
    let script = write::script(&changes, Place { now, record_number, data_version: head.data_version })?;
    match turn.write(script).await {
        Ok(Written::Wholly) => {
            kept.written(&changes, now);
            Ok(Tried::Done(answer))
        }
        Ok(Written::Overtaken) => Ok(Tried::Overtaken),
        Err(error) => Err(error),
    }
}
