//! One batch: load, decide, write.
//!
//! Nothing is locked while a batch is loaded and decided: as a rule this process has the database to itself, and its batches come
//! one after the other. The write is one script from `begin immediate` to `commit`, which first makes sure that nobody else has written
//! since; where somebody has, what is kept is forgotten and the batch begins anew. Where it is not known what became of a batch,
//! nothing is kept either.
//!
//! Most requests are new, and so is most of what they prepare: a batch first presumes so, which spares a lone caller a way to the
//! database's thread and back. It holds where every command was done and every key could be inserted. Where not, the batch is
//! decided again on what is read, and the next ones presume nothing for a while, so that nobody can make every batch work twice.

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
    /// It was presumed that no request of the batch was answered before and that no exchange exists which is not kept; something
    /// of it may not be so.
    Refuted,
}

pub(crate) async fn run<T, F>(store: &SqliteStore, footprint: &Footprint, decide: F) -> Result<T, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let mut presumes = store.kept().may_presume();
    for _ in 0..TRIES {
        match attempt(store, footprint, &decide, presumes).await? {
            Tried::Done(answer) => return Ok(answer),
            Tried::Overtaken => store.kept().forget(),
            Tried::Refuted => {
                presumes = false;
                store.kept().presume_less();
            }
        }
    }
    Err(StoreError::Unavailable("another process keeps writing to the database".to_owned()))
}

/// One try.
async fn attempt<T, F>(
    store: &SqliteStore,
    footprint: &Footprint,
    decide: &F,
    presumes: bool,
) -> Result<Tried<T>, StoreError>
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
    let reading = load::Reading { head: &head, now, presumes };
    let (world, left_out) = load::world(&mut session, footprint, reading, kept).await?;
    time.decided(now);
    let (changes, answer) = decide(world);
    // What was presumed shows when its key is inserted. What is not inserted may have been refused, or left alone, only because
    // it was presumed not to be there.
    let is_shown = changes.requests.len() == footprint.requests.len()
        && left_out.iter().all(|id| changes.prepared.contains_key(id));
    if presumes && !is_shown {
        return Ok(Tried::Refuted);
    }
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
        // What is there after all has the key of what was to be inserted. Nothing of the script is left.
        Err(StoreError::Broken(_)) if presumes => Ok(Tried::Refuted),
        Err(error) => Err(error),
    }
}
