//! The embedded store: the seam of `pointbridge-store` on SQLite.
//!
//! ```text
//! open ──► schema (migrations)            session  statements and scripts, with their texts shown to the hook
//! transact ──► kept, load (footprint → World) ──► decide ──► write (Changes → one script, from begin to commit)
//! facts · view/<noun> · due · audit       reads, on connections of their own
//! copies (of a live database) · replacing (it by one of them) · lock (who replaces is alone)
//! ```
//!
//! The database is in WAL mode with `synchronous = full`: what a commit answered is on the disk, and readers never wait for
//! the writer. There is one writer connection, behind a lock, and a pool of read-only ones. Every statement takes arrays, as
//! one JSON parameter that `jsonb_each` unfolds, so that a batch of a thousand costs as many statements as a batch of one.
//!
//! Absent on purpose: rules. What the schema's constraints refuse was decided wrongly, and ends the process.

mod audit;
mod columns;
mod copies;
mod due;
mod error;
mod facts;
mod files;
mod kept;
mod keys;
mod load;
mod lock;
mod open;
mod options;
mod readings;
mod replacing;
mod rows;
mod schema;
mod script;
mod session;
mod time;
mod transact;
mod view;
mod write;

#[cfg(test)]
mod tests;

use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};
use pointbridge_store::{AuditRow, Due, Pulse, Store, StoreError};

pub use copies::{Contents, Extent, LinkCodeMade, Still, contents, copy, extent};
pub use lock::Lock;
pub use open::SqliteStore;
pub use options::{Clock, Options, StatementHook, system_clock};
pub use replacing::{Ending, Missing, Tail, begin_epoch, replace, settle};

impl Store for SqliteStore {
    async fn facts(&self, query: &FactQuery) -> Result<Facts, StoreError> {
        facts::read(&mut self.engine_glance().await?.session(), query).await
    }

    async fn transact<T, F>(&self, footprint: &Footprint, decide: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(World) -> (Changes, T) + Send + Sync,
    {
        transact::run(self, footprint, decide).await
    }

    async fn due(&self, limit: u32) -> Result<Vec<Due>, StoreError> {
        let mut reader = self.engine_reader().await?;
        due::read(&mut reader.session(), self.time(), limit).await
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        let mut reader = self.reader().await?;
        due::pulse(&mut reader.session(), self.time()).await
    }

    async fn audit(&self, visit: &mut (dyn FnMut(AuditRow) + Send)) -> Result<Timestamp, StoreError> {
        let mut reader = self.reader().await?;
        audit::show(&mut reader.session(), visit).await
    }
}
