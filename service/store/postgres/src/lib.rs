//! The store on PostgreSQL: the seam of `pointbridge-store` for any number of hubs on one database.
//!
//! ```text
//! open ──► schema (migrations) · roles (what the hub's own role may do)
//! transact ──► load (footprint → locks → World) ──► decide ──► write (Changes → tables) ──► commit
//! facts · view/<noun> · due · audit       reads, on connections of their own
//! reading · writing                       many nouns, many tables: one statement
//! ```
//!
//! Batches run under READ COMMITTED. What a batch needs is locked row by row in one order before it is read, so that nothing
//! that it decides on changes before its commit; what did not exist and is made by another hub meanwhile makes the batch begin
//! again. Every statement takes arrays: a batch of a thousand costs as many statements as a batch of one, and four ways to the
//! server and back beside the commit. Nothing is kept in memory that another hub would have to know.
//!
//! Absent on purpose: rules. What the schema's constraints refuse was decided wrongly, and ends the process. Advisory locks and
//! notifications, which not every server of this dialect has.

mod audit;
mod columns;
mod due;
mod error;
mod facts;
mod keys;
mod load;
mod numbers;
mod open;
mod options;
mod pool;
mod reading;
mod roles;
mod rows;
mod schema;
mod session;
mod time;
mod transact;
mod view;
mod write;
mod writing;

use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};
use pointbridge_store::{AuditRow, Due, Pulse, Store, StoreError};

use session::read;

pub use open::PostgresStore;
pub use options::{Clock, GivenClock, Migration, Options, StatementHook};

impl Store for PostgresStore {
    async fn facts(&self, query: &FactQuery) -> Result<Facts, StoreError> {
        read!(self.engine_reader, |session| facts::read(&mut session, query))
    }

    async fn transact<T, F>(&self, footprint: &Footprint, decide: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(World) -> (Changes, T) + Send + Sync,
    {
        transact::run(self, footprint, decide).await
    }

    async fn due(&self, limit: u32) -> Result<Vec<Due>, StoreError> {
        read!(self.engine_reader, |session| due::read(&mut session, self.time(), limit))
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        read!(self.reader, |session| due::pulse(&mut session, self.time()))
    }

    async fn audit(&self, visit: &mut (dyn FnMut(AuditRow) + Send)) -> Result<Timestamp, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let shown = audit::show(&mut snapshot.session()?, visit).await;
        snapshot.rollback().await;
        shown
    }
}
