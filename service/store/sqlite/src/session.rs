//! Sessions: one statement after the other on one connection, the scripts of the writer, and its transactions.
//!
//! **Dropped futures.** A caller may drop a future between any two statements, and a connection that goes on with a
//! transaction half done would spoil the next batch. [`Turn`] therefore notes on the writer, before `begin` is sent, that a
//! transaction may be open, and takes the note off only when the end of it was answered. When it is dropped with the note on, it
//! rolls back at once on a task that keeps the writer's lock until that is done; where there is no runtime left to do it, the
//! next turn does. Readers use sqlx's own transactions, which queue their rollback when they are dropped.
//!
//! The writer's statements `begin` and `commit` are plain text rather than sqlx's transaction, because SQLite ends a
//! transaction itself after some errors, which sqlx's count of nested transactions does not see.

use pointbridge_store::{StoreError, trace};
use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Executor, Sqlite, SqliteConnection};
use tokio::sync::OwnedMutexGuard;
use tokio_stream::StreamExt;
use tracing::{Instrument, Span};

use crate::error;
use crate::keys;
use crate::options::StatementHook;
use crate::readings::{self, Reading, Readings};
use crate::script::{self, Script, Written};

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    Text(String),
    Int(i64),
    Bytes(Vec<u8>),
    Null,
}

impl Bind {
    /// A text, or null.
    pub(crate) fn text_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }
}

/// A connection and who is shown its statements.
pub(crate) struct Session<'c> {
    conn: &'c mut SqliteConnection,
    hook: Option<&'c StatementHook>,
    readings: Readings,
}

impl<'c> Session<'c> {
    pub(crate) fn new(conn: &'c mut SqliteConnection, hook: Option<&'c StatementHook>) -> Self {
        Self { conn, hook, readings: Readings::default() }
    }

    /// From here on [`Session::rows`] only notes what it is asked, and answers with nothing, until [`Session::read_noted`].
    pub(crate) fn note_readings(&mut self) {
        self.readings = Readings::noting();
    }

    /// Runs all statements that were noted in one go. Whoever asks the same again, in the same order, is answered with their
    /// rows; whatever else is asked in between runs as always.
    pub(crate) async fn read_noted(&mut self) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut self.readings).noted();
        let spans: Vec<Span> = noted.iter().map(|asked| self.show(asked.sql)).collect();
        let (text, binds) = readings::text(&noted);
        if noted.is_empty() {
            return Ok(());
        }
        let query = with_values(sqlx::query(AssertSqlSafe(text)), binds);
        let mut results = (&mut *self.conn).fetch_many(query);
        let mut found = Vec::with_capacity(spans.len());
        let mut rows = Vec::new();
        while let Some(result) = results.next().await {
            match result.map_err(error::of)? {
                Either::Right(row) => rows.push(row),
                Either::Left(_) => found.push(std::mem::take(&mut rows)),
            }
        }
        drop(results);
        self.readings = Readings::answering(noted, found)?;
        Ok(())
    }

    /// Runs a statement and answers with its rows.
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        binds: Vec<Bind>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let binds = match self.readings.of(sql, binds) {
            Reading::Noted => return Ok(Vec::new()),
            Reading::Answered(rows) => return Ok(rows),
            Reading::Unknown(binds) => binds,
        };
        let span = self.show(sql);
        bound(sql, binds).fetch_all(&mut *self.conn).instrument(span).await.map_err(error::of)
    }

    /// Runs a statement that takes one array and answers with its rows. An empty array needs no statement.
    pub(crate) async fn found<T: Serialize>(
        &mut self,
        sql: &'static str,
        asked: Vec<T>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let array = keys::array(&asked)?;
        drop(asked);
        self.rows(sql, vec![array]).await
    }

    /// Runs a statement that answers with at most one row.
    pub(crate) async fn row(
        &mut self,
        sql: &'static str,
        binds: Vec<Bind>,
    ) -> Result<Option<SqliteRow>, StoreError> {
        let span = self.show(sql);
        bound(sql, binds).fetch_optional(&mut *self.conn).instrument(span).await.map_err(error::of)
    }

    /// Runs a statement and answers with how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &'static str, binds: Vec<Bind>) -> Result<u64, StoreError> {
        let span = self.show(sql);
        let done = bound(sql, binds).execute(&mut *self.conn).instrument(span).await.map_err(error::of)?;
        Ok(done.rows_affected())
    }

    /// Runs a script. Where it fails or was overtaken, the transaction is left to be rolled back.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::OutcomeUnknown`] where the commit, its last statement, failed or was not answered.
    pub(crate) async fn transaction(&mut self, script: Script) -> Result<Written, StoreError> {
        let spans: Vec<Span> = script.statements().iter().map(|sql| self.show(sql)).collect();
        let before_commit = spans.len().saturating_sub(1);
        let (text, binds) = script.into_text();
        let query = with_values(sqlx::query(AssertSqlSafe(text)), binds);
        let mut results = (&mut *self.conn).fetch_many(query);
        let mut done: usize = 0;
        while let Some(result) = results.next().await {
            match result {
                Ok(Either::Left(_)) => done = done.saturating_add(1),
                Ok(Either::Right(_)) => {}
                Err(error) if done < before_commit => return overtaken(error::of(error)),
                Err(error) => return Err(error::of_commit(error)),
            }
        }
        if done != spans.len() {
            return Err(StoreError::OutcomeUnknown("a transaction did not run to its end".to_owned()));
        }
        Ok(Written::Wholly)
    }

    /// Runs a statement and shows its rows one by one, without keeping them.
    pub(crate) async fn each(
        &mut self,
        sql: &'static str,
        visit: &mut (dyn FnMut(&SqliteRow) -> Result<(), StoreError> + Send),
    ) -> Result<(), StoreError> {
        // Read for the check alone, which nobody traces.
        self.show(sql);
        let mut rows = sqlx::query(sql).fetch(&mut *self.conn);
        while let Some(row) = rows.next().await {
            visit(&row.map_err(error::of)?)?;
        }
        Ok(())
    }

    fn show(&self, sql: &str) -> Span {
        shown(self.hook, sql)
    }
}

/// Shows a statement to the hook, and begins its span where it is traced.
fn shown(hook: Option<&StatementHook>, sql: &str) -> Span {
    if let Some(hook) = hook {
        hook(sql);
    }
    trace::statement("sqlite", sql)
}

/// What a failed script comes to.
fn overtaken(error: StoreError) -> Result<Written, StoreError> {
    if script::is_overtaken(&error) { Ok(Written::Overtaken) } else { Err(error) }
}

fn bound(sql: &'static str, binds: Vec<Bind>) -> Query<'static, Sqlite, SqliteArguments> {
    with_values(sqlx::query(sql), binds)
}

fn with_values(
    query: Query<'static, Sqlite, SqliteArguments>,
    binds: Vec<Bind>,
) -> Query<'static, Sqlite, SqliteArguments> {
    binds.into_iter().fold(query, |query, bind| match bind {
        Bind::Text(text) => query.bind(text),
        Bind::Int(int) => query.bind(int),
        Bind::Bytes(bytes) => query.bind(bytes),
        Bind::Null => query.bind(None::<i64>),
    })
}

/// A read-only connection in a transaction: everything it reads is of one moment.
pub(crate) struct Reader<'c> {
    snapshot: sqlx::Transaction<'static, Sqlite>,
    hook: Option<&'c StatementHook>,
}

impl<'c> Reader<'c> {
    pub(crate) fn new(snapshot: sqlx::Transaction<'static, Sqlite>, hook: Option<&'c StatementHook>) -> Self {
        Self { snapshot, hook }
    }

    pub(crate) fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.snapshot, self.hook)
    }
}

/// A read-only connection without a transaction: each statement sees what was committed before it.
pub(crate) struct Glance<'c> {
    conn: PoolConnection<Sqlite>,
    hook: Option<&'c StatementHook>,
}

impl<'c> Glance<'c> {
    pub(crate) fn new(conn: PoolConnection<Sqlite>, hook: Option<&'c StatementHook>) -> Self {
        Self { conn, hook }
    }

    pub(crate) fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.conn, self.hook)
    }
}

/// The one connection that writes.
pub(crate) struct Writer {
    pub(crate) conn: SqliteConnection,
    /// Whether a transaction may be open.
    may_be_open: bool,
    /// Whether a transaction may have been committed, or not, without anybody having heard of it.
    is_uncertain: bool,
}

impl Writer {
    pub(crate) fn new(conn: SqliteConnection) -> Self {
        Self { conn, may_be_open: false, is_uncertain: false }
    }

    /// Makes sure that no transaction is open.
    async fn settle(&mut self) {
        if self.may_be_open {
            // An error says that there was nothing to roll back, or that the connection is gone; `begin` tells which.
            if let Err(error) = sqlx::query("rollback").execute(&mut self.conn).await {
                tracing::debug!(%error, "rollback");
            }
            self.may_be_open = false;
        }
    }
}

/// A turn of the writer.
pub(crate) struct Turn<'c> {
    /// Taken only when the turn is over.
    writer: Option<OwnedMutexGuard<Writer>>,
    hook: Option<&'c StatementHook>,
}

impl<'c> Turn<'c> {
    /// Takes the writer's turn, without a transaction.
    pub(crate) async fn take(mut writer: OwnedMutexGuard<Writer>, hook: Option<&'c StatementHook>) -> Self {
        writer.settle().await;
        Self { writer: Some(writer), hook }
    }

    /// The same with a transaction, which takes the database's write lock.
    pub(crate) async fn begin(
        writer: OwnedMutexGuard<Writer>,
        hook: Option<&'c StatementHook>,
    ) -> Result<Self, StoreError> {
        let mut turn = Self::take(writer, hook).await;
        turn.writer()?.may_be_open = true;
        turn.session()?.run("begin immediate", Vec::new()).await?;
        Ok(turn)
    }

    pub(crate) fn session(&mut self) -> Result<Session<'_>, StoreError> {
        let hook = self.hook;
        Ok(Session::new(&mut self.writer()?.conn, hook))
    }

    /// Whether a turn before may or may not have written something. Told once.
    pub(crate) fn is_uncertain(&mut self) -> Result<bool, StoreError> {
        Ok(std::mem::take(&mut self.writer()?.is_uncertain))
    }

    /// Runs a script, and rolls back what it may have left open.
    ///
    /// # Errors
    /// As [`Session::transaction`].
    pub(crate) async fn write(&mut self, script: Script) -> Result<Written, StoreError> {
        let hook = self.hook;
        let writer = self.writer()?;
        writer.may_be_open = true;
        writer.is_uncertain = true;
        let written = Session::new(&mut writer.conn, hook).transaction(script).await;
        if written == Ok(Written::Wholly) {
            writer.may_be_open = false;
        }
        writer.settle().await;
        // What breaks a rule does so before the commit.
        writer.is_uncertain = !matches!(written, Ok(_) | Err(StoreError::Broken(_)));
        written
    }

    /// Makes the changes last. Nothing else of the writer is used meanwhile.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let span = shown(self.hook, "commit");
        let writer = self.writer()?;
        sqlx::query("commit").execute(&mut writer.conn).instrument(span).await.map_err(error::of_commit)?;
        writer.may_be_open = false;
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut Writer, StoreError> {
        self.writer.as_deref_mut().ok_or_else(|| error::broken("a turn without the writer"))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take().filter(|writer| writer.may_be_open) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { writer.settle().await });
        }
    }
}
