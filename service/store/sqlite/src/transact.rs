//! One batch in one transaction: load, decide, write, commit.
//!
//! Nothing is retried here: `begin immediate` takes the database's only write lock, so that nobody can overtake the
//! transaction. Whatever goes wrong before the commit drops the transaction, which rolls it back.

use pointbridge_core::world::{Changes, Footprint, World};
use pointbridge_store::StoreError;

use crate::open::SqliteStore;
use crate::{load, write};

pub(crate) async fn run<T, F>(store: &SqliteStore, footprint: &Footprint, decide: F) -> Result<T, StoreError>
where
    F: Fn(World) -> (Changes, T) + Send + Sync,
{
    let mut transaction = store.transaction().await?;
    let mut session = transaction.session()?;
    let (world, place) = load::world(&mut session, footprint, store.time(), store.kept()).await?;
    store.time().decided(world.now);
    let (changes, answer) = decide(world);
    // A batch of refusals leaves nothing on the disk, not even its time, and costs no sync.
    if !changes.is_empty() {
        write::changes(&mut session, &changes, place).await?;
    }
    transaction.commit().await?;
    store.kept().written(&changes);
    Ok(answer)
}
