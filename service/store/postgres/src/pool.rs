//! Connections that are kept: as many as are allowed, the one that was used last going out first.
//!
//! The library's own pool asks the server for a sign of life each time that a connection comes back, which is a way there and
//! back for every batch and every read. Here a connection comes back as it is, unless it may be in the middle of something:
//! then it is closed, and the server undoes what was open. One that died meanwhile shows when it is used, and whoever reads or
//! writes begins again on another.
//!
//! Absent: connections in store for a load that is not there yet; what is too many goes away with its life's end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pointbridge_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{self, Again};

/// How long somebody waits for a connection before the store counts as busy.
const WAIT: Duration = Duration::from_secs(5);

/// How long a connection lives at most, so that a server's memory of many plans is given back now and then.
const LIFE: Duration = Duration::from_mins(30);

/// Connections to one database with the same settings.
pub(crate) struct Pool {
    options: PgConnectOptions,
    places: Arc<Semaphore>,
    count: u32,
    idle: Idle,
}

type Idle = Arc<Mutex<Vec<Kept>>>;

struct Kept {
    conn: PgConnection,
    born: Instant,
}

/// A connection out of a pool, to which it goes back.
pub(crate) struct Pooled {
    /// Taken only when it is dropped.
    kept: Option<Kept>,
    /// Whether it is between statements, with no transaction open.
    is_at_rest: bool,
    idle: Idle,
    /// Goes last: who waits for a place finds the connection.
    _place: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of at most so many connections, at least 1.
    pub(crate) fn new(options: PgConnectOptions, count: u32) -> Self {
        let count = count.max(1);
        let places = usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS);
        Self { options, places: Arc::new(Semaphore::new(places)), count, idle: Idle::default() }
    }

    /// A connection, a new one where none is idle.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where all are taken for too long, or the database cannot be reached; with the latter
    /// whether trying again makes sense.
    pub(crate) async fn acquire(&self) -> Result<Pooled, (StoreError, Option<Again>)> {
        let busy =
            |_| (StoreError::Unavailable("all connections to the database are taken".to_owned()), None);
        let place =
            tokio::time::timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await.map_err(busy)?;
        let place =
            place.map_err(|_| (StoreError::Unavailable("the store is being closed".to_owned()), None))?;
        let kept = match self.newest() {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        Ok(Pooled { kept: Some(kept), is_at_rest: true, idle: Arc::clone(&self.idle), _place: place })
    }

    /// Closes what is idle, once all that is out has come back.
    pub(crate) async fn close(&self) {
        let all = Arc::clone(&self.places).acquire_many_owned(self.count).await;
        self.places.close();
        drop(all);
        while let Some(kept) = self.newest() {
            let _ = kept.conn.close().await;
        }
    }

    fn newest(&self) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.born.elapsed() < LIFE);
        idle.pop()
    }

    async fn connect(&self) -> Result<Kept, (StoreError, Option<Again>)> {
        let slow = |_| (StoreError::Unavailable("the database does not answer".to_owned()), None);
        let conn = tokio::time::timeout(WAIT, self.options.connect()).await.map_err(slow)?;
        let conn = conn.map_err(|error| error::judge(&error))?;
        Ok(Kept { conn, born: Instant::now() })
    }
}

impl Pooled {
    /// The connection.
    ///
    /// # Errors
    /// [`StoreError::Broken`] never: it is there until this is dropped.
    pub(crate) fn conn(&mut self) -> Result<&mut PgConnection, StoreError> {
        let kept = self.kept.as_mut().ok_or_else(|| error::broken("a place without a connection"))?;
        Ok(&mut kept.conn)
    }

    /// Notes that something begins which must be brought to its end before the connection can be used again.
    pub(crate) const fn begins(&mut self) {
        self.is_at_rest = false;
    }

    /// Notes that it was brought to its end.
    pub(crate) const fn ends(&mut self) {
        self.is_at_rest = true;
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take().filter(|_| self.is_at_rest) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
    }
}
