//! Opening and closing: the connections and their settings, and the rows that a new store begins with.

use std::str::FromStr;

use pointbridge_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use crate::due;
use crate::error::{self, Again};
use crate::numbers::Numbers;
use crate::options::{Clock, Migration, Options, StatementHook};
use crate::pool::Pool;
use crate::roles;
use crate::rows::Cells;
use crate::schema;
use crate::session::{Bind, Glance, Session, Transaction, read};
use crate::time::{SLOTS, Time};
use crate::transact::CUTS_MAX;

/// How many read for the engine at a time: the facts of the next batches, and what is due.
const ENGINE_READERS: u32 = 3;

/// Statements that a connection keeps prepared: views have about sixty, batches a text per set of nouns.
const STATEMENTS_KEPT: usize = 256;

/// What every connection is set to, whatever the server's own settings are: what a commit answered is on the disk; a statement
/// ends after 30 s, a wait for a lock after 10 s; a transaction that its hub forgot ends after 15 s, before its locks hurt. A
/// program that is just being compiled costs more than what our statements do.
const SETTINGS: [(&str, &str); 8] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("default_transaction_isolation", "read committed"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("search_path", "public"),
];

/// What the hub's connections are set to beside that. Everything but the check goes by keys: a plan may not read a whole table or
/// lay two arrays side by side because a table was small, or not looked at by the server yet, when it was made.
const BY_KEYS: [(&str, &str); 3] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

/// What batches are set to beside that: their statements are large, and take arrays whose length changes nothing. A plan is made
/// once.
const BATCHES: [(&str, &str); 1] = [("plan_cache_mode", "force_generic_plan")];

/// A store on PostgreSQL. Any number of them may share a database. Cheap to share; closed by [`PostgresStore::close`].
pub struct PostgresStore {
    writers: Pool,
    readers: Pool,
    /// What the engine reads with, so that no caller's long list keeps a batch waiting.
    engine_readers: Pool,
    time: Time,
    numbers: Numbers,
    hook: Option<StatementHook>,
}

impl PostgresStore {
    /// Opens the store, and makes its tables where there are none and `migrate` is set.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the schema is another than this program's. [`StoreError::Unavailable`] where the database
    /// cannot be reached, or does not keep what it has acknowledged.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let Options { url, clock, statement_hook, readers, writers, migrate } = options;
        let common = common(&url)?;
        if migrate {
            make_current(&common, &clock).await?;
        }
        let mut conn = common.connect().await.map_err(error::of)?;
        let checked = require_sound(&mut conn).await;
        let _ = conn.close().await;
        checked?;
        Ok(Self {
            writers: Pool::new(common.clone().options(BY_KEYS).options(BATCHES), writers),
            readers: Pool::new(common.clone().options(BY_KEYS), readers),
            engine_readers: Pool::new(common.options(BY_KEYS).options(BATCHES), ENGINE_READERS),
            time: Time::new(clock),
            numbers: Numbers::default(),
            hook: statement_hook,
        })
    }

    /// Brings the schema of a database up to date as the role that owns it, and grants another role what a hub needs, and no
    /// more.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the database has migrations that this program does not know, or others under the same
    /// numbers, or the role to be granted to is missing or owns the tables.
    pub async fn migrate(migration: &Migration) -> Result<(), StoreError> {
        let common = common(&migration.url)?;
        make_current(&common, &migration.clock).await?;
        let Some(role) = &migration.hub_role else { return Ok(()) };
        let mut conn = common.connect().await.map_err(error::of)?;
        let granted = roles::grant(&mut conn, role).await;
        let _ = conn.close().await;
        granted
    }

    /// The names of the migrations that [`PostgresStore::migrate`] would run, oldest first.
    ///
    /// # Errors
    /// As [`PostgresStore::migrate`].
    pub async fn pending_migrations(url: &str) -> Result<Vec<String>, StoreError> {
        let mut conn = common(url)?.connect().await.map_err(error::of)?;
        let pending = schema::pending(&mut conn).await;
        let _ = conn.close().await;
        pending
    }

    /// The store's epoch: 1 in a new store. Quotes of another epoch are worth nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn epoch(&self) -> Result<u32, StoreError> {
        Ok(read!(self.reader, |session| due::now(&mut session, &self.time))?.1)
    }

    /// Closes the connections. A batch that runs is waited for.
    pub async fn close(self) {
        self.readers.close().await;
        self.engine_readers.close().await;
        self.writers.close().await;
    }

    /// A writer, about to begin a transaction.
    pub(crate) async fn writer(&self) -> Result<Transaction<'_>, (StoreError, Option<Again>)> {
        Ok(Transaction::new(self.writers.acquire().await?, self.hook.as_ref()))
    }

    /// A reader for the engine.
    pub(crate) async fn engine_reader(&self) -> Result<Glance<'_>, (StoreError, Option<Again>)> {
        Ok(Glance::new(self.engine_readers.acquire().await?, self.hook.as_ref()))
    }

    /// A reader whose statements each see what was committed before.
    pub(crate) async fn reader(&self) -> Result<Glance<'_>, (StoreError, Option<Again>)> {
        Ok(Glance::new(self.readers.acquire().await?, self.hook.as_ref()))
    }

    /// A reader all of whose statements see one moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'_>, StoreError> {
        let mut cuts = 0_u32;
        loop {
            let conn = self.readers.acquire().await.map_err(|(error, _)| error)?;
            let mut transaction = Transaction::new(conn, self.hook.as_ref());
            let mut session = transaction.session()?;
            match session.plain("begin isolation level repeatable read, read only").await {
                Ok(_) => return Ok(transaction),
                Err(_) if session.is_cut() && cuts < CUTS_MAX => cuts = cuts.saturating_add(1),
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) const fn time(&self) -> &Time {
        &self.time
    }

    pub(crate) const fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}

fn common(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)
        // The URL may hold a password: what is wrong with it is told without it.
        .map_err(|_| {
            StoreError::Unavailable(
                "the database's URL is not of the form postgres://user@host/database".into(),
            )
        })?;
    Ok(options
        .application_name("pointbridge")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .options(SETTINGS)
        .disable_statement_logging())
}

async fn make_current(options: &PgConnectOptions, clock: &Clock) -> Result<(), StoreError> {
    // A migration may take longer than any statement of a batch.
    let options = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "60s")]);
    let mut conn = options.connect().await.map_err(error::of)?;
    let done = match schema::migrate(&mut conn).await {
        Ok(()) => found(&mut conn, clock).await,
        refused => refused,
    };
    let _ = conn.close().await;
    done
}

/// Refuses a database with another schema, and one that would lose what it has acknowledged.
async fn require_sound(conn: &mut PgConnection) -> Result<(), StoreError> {
    schema::require_current(conn).await?;
    let mut session = Session::new(conn, None);
    let sql =
        "select current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as is_durable,
             pg_is_in_recovery() as is_standby, exists (select 1 from store_state) as is_founded";
    let row = session.row(sql, Vec::new()).await?.ok_or_else(|| error::broken("a select has no row"))?;
    if !row.flag("is_durable")? {
        let text = "the server has fsync or full_page_writes off, and would lose what it has acknowledged: turn them on";
        return Err(StoreError::Unavailable(text.to_owned()));
    }
    if row.flag("is_standby")? {
        let text = "the server is a standby, which takes no writes: name the primary";
        return Err(StoreError::Unavailable(text.to_owned()));
    }
    if !row.flag("is_founded")? {
        let text = "the store has no first rows: run migrate as the role that owns the tables";
        return Err(StoreError::Schema(text.to_owned()));
    }
    Ok(())
}

/// Writes the rows that a new store begins with. They are made here and not by the migration, because an id and a time are
/// in them.
async fn found(conn: &mut PgConnection, clock: &Clock) -> Result<(), StoreError> {
    let mut session = Session::new(conn, None);
    let mut binds = Time::new(clock.clone()).binds();
    binds.extend([Bind::id(uuid::Uuid::now_v7()), Bind::int(i64::from(SLOTS))]);
    session
        .run(
            concat!(
                "with state as (
                     insert into store_state (store_state_id, epoch, created_at) values (1, 1, ",
                crate::time::clock!(),
                ") on conflict do nothing returning created_at
                 ),
                 slots as (
                     insert into clock_slot (clock_slot_id, last_now, hub_id)
                     select slot, 0, '00000000-0000-0000-0000-000000000000' from state cross join generate_series(0, $4 - 1) as slot
                 )
                 insert into settlement_window (window_id, opens_at, closes_at) select $3, created_at, null from state"
            ),
            binds,
        )
        .await?;
    Ok(())
}
