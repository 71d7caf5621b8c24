//! One batch: load, decide, write.
//!
//! Nothing is locked while a batch is loaded and decided: this process has the database to itself, and its batches come one after
//! the other. The write is one script from `begin immediate` to `commit`, which first makes sure that nobody else has written
//! since; where somebody has, what is kept is forgotten and the batch begins anew. Whatever else goes wrong leaves the
//! transaction to be rolled back before the next batch, which then keeps nothing of what was known either.

use pointbridge_core::world::{Changes, Footprint, World};
use pointbridge_store::StoreError;

use crate::load;
use crate::open::SqliteStore;
use crate::script::Written;
use crate::session::Session;
use crate::write::{self, Place};

/// How often a batch is decided again because somebody else has written.
const TRIES: u32 = 8;

pub(crate) async fn run<T, F>(store: &SqliteStore, footprint: &Footprint, decide: F) -> Result<T, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    for _ in 0..TRIES {
        if let Some(answer) = attempt(store, footprint, &decide).await? {
            return Ok(answer);
        }
        store.kept().forget();
    }
    Err(StoreError::Unavailable("another process keeps writing to the database".to_owned()))
}

/// One try. `None` where somebody else has written.
async fn attempt<T, F>(
    store: &SqliteStore,
    footprint: &Footprint,
    decide: &F,
) -> Result<Option<T>, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let (kept, time) = (store.kept(), store.time());
    let mut writer = store.writer().await;
    if writer.may_be_open {
        // The batch before was given up in the middle, or failed: what is on the disk is for the database to say.
        kept.forget();
        writer.settle().await;
    }
    let mut session = Session::new(&mut writer.conn, store.hook());
    let head = match kept.head() {
        Some(head) => head,
        None => load::head(&mut session).await?,
    };
    kept.keep_head(head);
    let now = time.now(head.last_now);
    let world = load::world(&mut session, footprint, now, &head, kept).await?;
    time.decided(now);
    let (changes, answer) = decide(world);
    // A batch of refusals leaves nothing on the disk, not even its time, and costs no sync.
    if changes.is_empty() {
        return Ok(Some(answer));
    }
    let record_number = head.last_record_number.saturating_add(1);
    let script = write::script(&changes, Place { now, record_number, data_version: head.data_version })?;
    writer.may_be_open = true;
    let written = Session::new(&mut writer.conn, store.hook()).transaction(script).await?;
    if written == Written::Overtaken {
        return Ok(None);
    }
    writer.may_be_open = false;
    kept.written(&changes, now);
    Ok(Some(answer))
}
