//! Sessions: statements on one connection, and the transaction of a batch.
//!
//! **Dropped futures.** A caller may drop a future between any two statements, also between `begin` and its answer. A connection
//! on which a transaction or a statement may be open therefore never goes back to its pool: whoever is dropped before the end was
//! answered closes the connection, which rolls back.
//!
//! **Groups.** Each way to the server and back costs more than most statements do, and statements cannot be sent ahead.
//! [`crate::reading`] and [`crate::writing`] put what belongs together into one.

use pointbridge_store::{StoreError, trace};
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use tokio_stream::StreamExt;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::error::{self, Again};
use crate::options::StatementHook;
use crate::pool::Pooled;

/// A parameter's value. Arrays are one parameter, whatever their length.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    Text(Option<String>),
    Int(Option<i64>),
    Id(Option<Uuid>),
    Bytes(Vec<u8>),
    Flag(Option<bool>),
    Ids(Vec<Uuid>),
    IdsOrNull(Vec<Option<Uuid>>),
    Texts(Vec<String>),
    TextsOrNull(Vec<Option<String>>),
    Ints(Vec<i64>),
    IntsOrNull(Vec<Option<i64>>),
    Blobs(Vec<Vec<u8>>),
    Flags(Vec<bool>),
}

impl Bind {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// A text, or null.
    pub(crate) fn text_or_null(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }

    pub(crate) const fn int(int: i64) -> Self {
        Self::Int(Some(int))
    }

    pub(crate) const fn id(id: Uuid) -> Self {
        Self::Id(Some(id))
    }
}

/// A connection, and who is shown its statements.
pub(crate) struct Session<'c> {
    conn: &'c mut PgConnection,
    hook: Option<&'c StatementHook>,
    again: Option<Again>,
}

impl<'c> Session<'c> {
    pub(crate) fn new(conn: &'c mut PgConnection, hook: Option<&'c StatementHook>) -> Self {
        Self { conn, hook, again: None }
    }

    /// Whether what failed last may be tried again in a new transaction.
    pub(crate) const fn again(&self) -> Option<Again> {
        self.again
    }

    /// Whether the connection broke.
    pub(crate) fn is_cut(&self) -> bool {
        self.again == Some(Again::Cut)
    }

    /// Runs a statement and answers with its rows.
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        binds: Vec<Bind>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let span = shown(self.hook, sql);
        let found = bound(sqlx::query(sql), binds).fetch_all(&mut *self.conn).instrument(span).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Runs a statement that was put together of ours, and answers with its rows.
    pub(crate) async fn group(&mut self, sql: String, binds: Vec<Bind>) -> Result<Vec<PgRow>, StoreError> {
        let span = shown(self.hook, &sql);
        let query = bound(sqlx::query(AssertSqlSafe(sql)), binds);
        let found = query.fetch_all(&mut *self.conn).instrument(span).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Runs a statement that answers with at most one row.
    pub(crate) async fn row(
        &mut self,
        sql: &'static str,
        binds: Vec<Bind>,
    ) -> Result<Option<PgRow>, StoreError> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    /// Runs statements without values, in one way there and back, and answers with the rows of all of them.
    pub(crate) async fn plain(&mut self, sql: &'static str) -> Result<Vec<PgRow>, StoreError> {
        let span = shown(self.hook, sql);
        let found = sqlx::raw_sql(sql).fetch_all(&mut *self.conn).instrument(span).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Runs a statement and answers with how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &'static str, binds: Vec<Bind>) -> Result<u64, StoreError> {
        let span = shown(self.hook, sql);
        let done = bound(sqlx::query(sql), binds).execute(&mut *self.conn).instrument(span).await;
        done.map(|done: PgQueryResult| done.rows_affected()).map_err(|error| self.failed(&error))
    }

    /// Runs a statement and shows its rows one by one, without keeping them.
    pub(crate) async fn each(
        &mut self,
        sql: &'static str,
        visit: &mut (dyn FnMut(&PgRow) -> Result<(), StoreError> + Send),
    ) -> Result<(), StoreError> {
        // Read for the check alone, which nobody traces.
        shown(self.hook, sql);
        let mut rows = sqlx::query(sql).fetch(&mut *self.conn);
        while let Some(row) = rows.next().await {
            visit(&row.map_err(error::of)?)?;
        }
        Ok(())
    }

    fn failed(&mut self, error: &sqlx::Error) -> StoreError {
        let (error, again) = error::judge(error);
        self.again = again;
        error
    }
}

/// Shows a statement to the hook, and begins its span where it is traced.
fn shown(hook: Option<&StatementHook>, sql: &str) -> Span {
    if let Some(hook) = hook {
        hook(sql);
    }
    trace::statement("postgresql", sql)
}

fn bound(query: Query<'_, Postgres, PgArguments>, binds: Vec<Bind>) -> Query<'_, Postgres, PgArguments> {
    binds.into_iter().fold(query, |query, bind| match bind {
        Bind::Text(value) => query.bind(value),
        Bind::Int(value) => query.bind(value),
        Bind::Id(value) => query.bind(value),
        Bind::Bytes(value) => query.bind(value),
        Bind::Flag(value) => query.bind(value),
        Bind::Ids(value) => query.bind(value),
        Bind::IdsOrNull(value) => query.bind(value),
        Bind::Texts(value) => query.bind(value),
        Bind::TextsOrNull(value) => query.bind(value),
        Bind::Ints(value) => query.bind(value),
        Bind::IntsOrNull(value) => query.bind(value),
        Bind::Blobs(value) => query.bind(value),
        Bind::Flags(value) => query.bind(value),
    })
}

/// A connection without a transaction: each statement sees what was committed before it.
pub(crate) struct Glance<'c> {
    conn: Pooled,
    hook: Option<&'c StatementHook>,
}

impl<'c> Glance<'c> {
    /// A connection on which statements are about to run.
    pub(crate) const fn new(mut conn: Pooled, hook: Option<&'c StatementHook>) -> Self {
        conn.begins();
        Self { conn, hook }
    }

    pub(crate) fn session(&mut self) -> Result<Session<'_>, StoreError> {
        Ok(Session::new(self.conn.conn()?, self.hook))
    }

    /// Notes that the last statement was answered.
    pub(crate) const fn ends(&mut self) {
        self.conn.ends();
    }
}

/// A connection in a transaction, which rolls back unless it is brought to its end.
pub(crate) struct Transaction<'c> {
    conn: Pooled,
    hook: Option<&'c StatementHook>,
}

impl<'c> Transaction<'c> {
    /// A connection on which a transaction may be open from now on.
    pub(crate) const fn new(mut conn: Pooled, hook: Option<&'c StatementHook>) -> Self {
        conn.begins();
        Self { conn, hook }
    }

    pub(crate) fn session(&mut self) -> Result<Session<'_>, StoreError> {
        Ok(Session::new(self.conn.conn()?, self.hook))
    }

    /// Makes the changes last.
    pub(crate) async fn commit(&mut self) -> Result<(), (StoreError, Option<Again>)> {
        let span = shown(self.hook, "commit");
        let conn = self.conn.conn().map_err(|error| (error, None))?;
        let done = sqlx::raw_sql("commit").execute(conn).instrument(span).await;
        done.map_err(|error| error::judge_commit(&error))?;
        self.conn.ends();
        Ok(())
    }

    /// Undoes everything, so that the connection can be used again. Where that fails it is closed.
    pub(crate) async fn rollback(mut self) {
        let Ok(conn) = self.conn.conn() else { return };
        if sqlx::raw_sql("rollback").execute(conn).await.is_ok() {
            self.conn.ends();
        }
    }
}

/// Reads, and where the connection breaks reads again on another one, as often as connections may lie around from before a
/// restart of the database.
macro_rules! read {
    ($store:ident.$reader:ident, |$session:ident| $read:expr) => {{
        let mut cuts = 0_u32;
        loop {
            let mut reader = match $store.$reader().await {
                Ok(reader) => reader,
                Err((error, _)) => break Err(error),
            };
            let mut $session = reader.session()?;
            let done = $read.await;
            let is_cut = $session.is_cut();
            if !is_cut {
                reader.ends();
            }
            if done.is_ok() || !is_cut || cuts >= $crate::transact::CUTS_MAX {
                break done;
            }
            cuts = cuts.saturating_add(1);
        }
    }};
}
pub(crate) use read;
