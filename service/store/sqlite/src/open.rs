//! Opening and closing: the file, the connections, and the rows that a new store begins with.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pointbridge_store::StoreError;
use sqlx::ConnectOptions;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::error;
use crate::files::{self, Mark};
use crate::kept::Kept;
use crate::lock::Lock;
use crate::options::{Clock, Options, StatementHook};
use crate::rows::Cells;
use crate::schema;
use crate::script;
use crate::session::{Bind, Glance, Reader, Session, Turn, Writer};
use crate::time::Time;

/// How long a statement waits for a lock of another process: a backup or a look into a live database, never our own
/// readers.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read waits for one of the readers before the store counts as busy.
const READER_WAIT: Duration = Duration::from_secs(5);

/// How many read for the engine at a time: the facts of the next batch, and what is due.
const ENGINE_READERS: u32 = 2;

/// How many rows a statement may be ahead of who takes them: each hand-over between threads costs more than a row.
const ROWS_AHEAD: usize = 512;

/// The writer's page cache, in SQLite's notation for KiB: 64 MiB. With the default of 2 MiB every batch reads the inner pages
/// of every index again.
const WRITER_CACHE: &str = "-65536";

/// Bytes of a page of a new database. Two phases of an exchange leave 4 KiB of records, of which smaller pages hold one each with
/// much room left; larger ones cost a lone caller more than they gain the many.
const PAGE_BYTES: u32 = 8192;

/// How long the log grows before the writer moves its pages into the database: 64 MiB, and half of it in a database that was made
/// with pages of 4 KiB. Pages that every batch changes are then
/// moved once for many batches, and the two syncs of it come so much less often. A start after a crash reads the log in well
/// under a second.
const LOG_PAGES: &str = "8192";

/// What stays of the log's file when it begins anew: 128 MiB. A long read keeps it from beginning anew, and what it grew to then
/// would stay on the disk for good.
const LOG_BYTES_KEPT: &str = "134217728";

/// Texts that a connection keeps compiled: single statements, and scripts of those that a kind of batch needs together.
const STATEMENTS_KEPT: usize = 128;

/// The first release without the fault that could lose committed pages when a WAL is reset.
const VERSION_MIN: [u32; 3] = [3, 51, 3];

/// A store on SQLite. Cheap to share; closed by [`SqliteStore::close`].
pub struct SqliteStore {
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
    /// What the engine reads with, so that no caller's long list keeps a batch waiting.
    engine_readers: SqlitePool,
    time: Time,
    kept: Kept,
    hook: Option<StatementHook>,
    mark: Mark,
    /// Goes last.
    lock: Option<Lock>,
}

impl SqliteStore {
    /// Opens the store, and makes it where there is none and `migrate` is set.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the schema is another than this program's: pending migrations without `migrate`, or
    /// migrations that this program does not know. [`StoreError::Unavailable`] where the file cannot be opened.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let Options { path, clock, statement_hook, readers, migrate } = options;
        let lock = if migrate { Some(Lock::shared(&path)?) } else { Lock::shared_if_writable(&path)? };
        if migrate {
            files::require_log(&path)?;
            files::require_contents(&path)?;
            create_file(&path)?;
        }
        let foreign = Mark::of_another(&path);
        let mut conn = connect(&path).await?;
        let done = make_current(&mut conn, migrate).await;
        let (mut conn, ()) = kept(conn, done, &path).await?;
        script::enable(&mut conn).await?;
        without_references(&mut conn).await?;
        let mark = if migrate { Mark::leave(&path)? } else { foreign };
        let writer = Arc::new(Mutex::new(Writer::new(conn)));
        found(&writer, &clock).await.map_err(|error| files::explained(&path, error))?;
        let reading = || common(&path).read_only(true);
        let engine_readers = readers_of(reading(), ENGINE_READERS).await?;
        let readers = readers_of(reading(), readers).await?;
        let time = Time::new(clock);
        Ok(Self {
            writer,
            readers,
            engine_readers,
            time,
            kept: Kept::new(),
            hook: statement_hook,
            mark,
            lock,
        })
    }

    /// Opens a copy that nobody writes to, for reading alone: no file is made beside it and no byte of it changes.
    ///
    /// # Errors
    /// As [`SqliteStore::open`] without `migrate`.
    pub async fn open_still(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        let reading = || common(path).read_only(true).immutable(true);
        let mut conn = reading().connect().await.map_err(error::of)?;
        let done = schema::require_current(&mut conn).await;
        let (conn, ()) = kept(conn, done, path).await?;
        let mark = Mark::of_another(path);
        let writer = Arc::new(Mutex::new(Writer::new(conn)));
        let engine_readers = readers_of(reading(), 1).await?;
        let readers = readers_of(reading(), 1).await?;
        let time = Time::new(clock);
        Ok(Self { writer, readers, engine_readers, time, kept: Kept::new(), hook: None, mark, lock: None })
    }

    /// Brings the schema of a database up to date, and makes the database where there is none. Nothing happens where it is
    /// up to date already.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the database has migrations that this program does not know, or others under the same
    /// numbers.
    pub async fn migrate(path: &Path) -> Result<(), StoreError> {
        let _lock = Lock::shared(path)?;
        files::require_log(path)?;
        create_file(path)?;
        let mark = Mark::of_another(path);
        let mut conn = connect(path).await?;
        let done = schema::migrate(&mut conn).await;
        let (conn, ()) = kept(conn, done, path).await?;
        close(conn, mark).await
    }

    /// The names of the migrations that [`SqliteStore::migrate`] would run, oldest first; all of them where there is no
    /// database yet.
    ///
    /// # Errors
    /// As [`SqliteStore::migrate`].
    pub async fn pending_migrations(path: &Path) -> Result<Vec<String>, StoreError> {
        if !path.exists() {
            return Ok(schema::all());
        }
        let _lock = Lock::shared_if_writable(path)?;
        files::require_log(path)?;
        let mark = Mark::of_another(path);
        let mut conn = connect(path).await?;
        let done = schema::pending(&mut conn).await;
        let (conn, pending) = kept(conn, done, path).await?;
        close(conn, mark).await?;
        Ok(pending)
    }

    /// Whether a hub that did not end in order has left no log beside the database, so that what it wrote last is lost.
    #[must_use]
    pub fn lacks_its_log(path: &Path) -> bool {
        files::is_bereft(path)
    }

    /// Whether there is no database, though a log or a mark lies where it was: a hub has served it.
    #[must_use]
    pub fn has_left_only_its_log(path: &Path) -> bool {
        files::is_orphaned(path)
    }

    /// Whether a hub has the database open, or had when it ended without order.
    #[must_use]
    pub fn is_marked_open(path: &Path) -> bool {
        files::mark_of(path).exists()
    }

    /// The store's epoch: 1 in a new store. Quotes of another epoch are worth nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn epoch(&self) -> Result<u32, StoreError> {
        let mut reader = self.reader().await?;
        let row = reader.session().row("select epoch from store_state", Vec::new()).await?;
        row.ok_or_else(|| error::broken("the store has no state"))?.number("epoch")
    }

    /// Closes the connections, the writer's last, which moves the log's pages into the database. A batch that runs is
    /// waited for.
    pub async fn close(self) {
        self.readers.close().await;
        self.engine_readers.close().await;
        // A rollback that a dropped batch left behind holds the lock until it is done.
        drop(self.writer.lock().await);
        let Some(writer) = Arc::into_inner(self.writer) else { return };
        if let Err(error) = writer.into_inner().conn.close().await {
            tracing::warn!(%error, "the write-ahead log stays beside the database");
        }
        drop(self.mark);
        drop(self.lock);
    }

    /// The writer's turn.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn::take(Arc::clone(&self.writer).lock_owned().await, self.hook.as_ref()).await
    }

    /// The writer's turn, in a transaction.
    #[cfg(test)]
    pub(crate) async fn transaction(&self) -> Result<Turn<'_>, StoreError> {
        Turn::begin(Arc::clone(&self.writer).lock_owned().await, self.hook.as_ref()).await
    }

    /// A reader for the engine without a snapshot, for what never changes: a transaction would cost two more ways to the
    /// connection's thread.
    pub(crate) async fn engine_glance(&self) -> Result<Glance<'_>, StoreError> {
        let conn = self.engine_readers.acquire().await.map_err(error::of)?;
        Ok(Glance::new(conn, self.hook.as_ref()))
    }

    /// A reader for the engine, on a snapshot.
    pub(crate) async fn engine_reader(&self) -> Result<Reader<'_>, StoreError> {
        let snapshot = self.engine_readers.begin().await.map_err(error::of)?;
        Ok(Reader::new(snapshot, self.hook.as_ref()))
    }

    /// A reader, on a snapshot.
    pub(crate) async fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let snapshot = self.readers.begin().await.map_err(error::of)?;
        Ok(Reader::new(snapshot, self.hook.as_ref()))
    }

    pub(crate) fn time(&self) -> &Time {
        &self.time
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}

async fn readers_of(options: SqliteConnectOptions, count: u32) -> Result<SqlitePool, StoreError> {
    PoolOptions::<Sqlite>::new()
        .max_connections(count.max(1))
        .acquire_timeout(READER_WAIT)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(error::of)
}

pub(crate) fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        // Without it `replace` deletes rows behind the backs of the guards.
        .pragma("recursive_triggers", "on")
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .thread_name(|number| format!("sqlite-{number}"))
        .disable_statement_logging()
}

pub(crate) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = common(path)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("journal_size_limit", LOG_BYTES_KEPT);
    let mut conn =
        options.connect().await.map_err(error::of).map_err(|error| files::explained(path, error))?;
    let checked = match check_version(&mut conn).await {
        Ok(()) => files::require_durable(&mut conn).await,
        refused => refused,
    };
    kept(conn, checked, path).await.map(|(conn, ())| conn)
}

/// References are not followed for every row that is written: the check compares each row with the records instead, and what
/// following them costs is a fifth of all writing.
async fn without_references(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    Session::new(conn, None).run("pragma foreign_keys = off", Vec::new()).await.map(|_| ())
}

async fn make_current(conn: &mut SqliteConnection, migrate: bool) -> Result<(), StoreError> {
    if migrate { schema::migrate(conn).await } else { schema::require_current(conn).await }
}

/// The connection with what was done on it. Where that failed, the connection is closed before it is told, so that whoever
/// looks at the files next finds the log either there or moved into the database.
pub(crate) async fn kept<T>(
    conn: SqliteConnection,
    done: Result<T, StoreError>,
    path: &Path,
) -> Result<(SqliteConnection, T), StoreError> {
    match done {
        Ok(done) => Ok((conn, done)),
        Err(error) => {
            let _ = conn.close().await;
            Err(files::explained(path, error))
        }
    }
}

/// Closes a connection that may be the last one.
pub(crate) async fn close(conn: SqliteConnection, mark: Mark) -> Result<(), StoreError> {
    conn.close().await.map_err(error::of)?;
    drop(mark);
    Ok(())
}

/// Makes an empty file that only its owner can read, before SQLite would make one that everybody can. The log beside the
/// database takes its rights over.
fn create_file(path: &Path) -> Result<(), StoreError> {
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{} cannot be made: {error}", path.display()));
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The folder's entry must last as well as the file's contents.
            Some(parent) => fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(unavailable),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unavailable(error)),
    }
}

async fn check_version(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut session = Session::new(conn, None);
    let row = session.row("select sqlite_version() as version", Vec::new()).await?;
    let version = row.ok_or_else(|| error::broken("SQLite has no version"))?.text("version")?;
    if is_current(&version) {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "SQLite {version} is linked, but below {}.{}.{} a reset of the log can lose committed pages",
        VERSION_MIN[0], VERSION_MIN[1], VERSION_MIN[2]
    )))
}

fn is_current(version: &str) -> bool {
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts.is_some_and(|parts| parts.as_slice() >= VERSION_MIN.as_slice())
}

/// Writes the rows that a new store begins with. They are made here and not by the migration, because an id and a time are
/// in them.
async fn found(writer: &Arc<Mutex<Writer>>, clock: &Clock) -> Result<(), StoreError> {
    let mut writer = Arc::clone(writer).lock_owned().await;
    // A look first: opening a store that others use waits for none of them.
    if Session::new(&mut writer.conn, None).row("select 1 from store_state", Vec::new()).await?.is_some() {
        return Ok(());
    }
    let mut transaction = Turn::begin(writer, None).await?;
    let now = clock().micros();
    let mut session = transaction.session()?;
    let is_new = session
        .run(
            "insert into store_state (store_state_id, epoch, last_now, created_at) values (1, 1, ?1, ?1)
             on conflict do nothing",
            vec![Bind::Int(now)],
        )
        .await?;
    if is_new > 0 {
        let window_id = uuid::Uuid::now_v7().as_bytes().to_vec();
        session
            .run(
                "insert into settlement_window (window_id, opens_at, closes_at) values (?1, ?2, null)",
                vec![Bind::Bytes(window_id), Bind::Int(now)],
            )
            .await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for good in ["3.51.3", "3.51.10", "3.52.0", "4.0.0"] {
            assert!(is_current(good), "{good}");
        }
        for bad in ["3.51.2", "3.9.9", "3.51", "", "x"] {
            assert!(!is_current(bad), "{bad}");
        }
    }
}
