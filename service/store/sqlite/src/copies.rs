//! Copies of the database: made while the hub writes, and read where nobody writes.
//!
//! A copy is made by `vacuum into`, in one read transaction: it is of one moment, the writer goes on, and the copy has no
//! free pages and no log. What it costs is that the log cannot begin anew meanwhile, and grows by what is written. SQLite's
//! page by page copy would begin again whenever another process writes, which a hub under load always does.
//!
//! Absent on purpose: names, manifests and the syncing of folders; who asks for a copy knows what it is for.

use std::path::Path;

use pointbridge_core::ids::RecordId;
use pointbridge_core::time::Timestamp;
use pointbridge_store::StoreError;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error;
use crate::files::{self, Mark};
use crate::lock::Lock;
use crate::open::{close, common, connect, kept};
use crate::rows::Cells;
use crate::schema;
use crate::session::{Bind, Session};

/// What stands in a database as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The store's epoch: it grows with every restore.
    pub epoch: u32,
    /// When the store was made. Copies of one store have it in common.
    pub created_at: Timestamp,
    /// The latest time that anything was decided with.
    pub last_decided_at: Timestamp,
    /// How many records there are.
    pub records: i64,
    /// The last of them.
    pub last_record: Option<RecordId>,
    /// The migrations that it has, oldest first: `0001_foundation`.
    pub migrations: Vec<String>,
    /// Those of this program that it does not have.
    pub migrations_pending: Vec<String>,
}

/// How large a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the pages that are in use: about what a copy takes.
    pub used: u64,
    /// Bytes of the log beside it.
    pub log: u64,
}

/// How large the database of a hub is, which may be serving.
///
/// # Errors
/// [`StoreError`] where it cannot be opened, or where its commits would not last.
pub async fn extent(path: &Path) -> Result<Extent, StoreError> {
    let (_lock, mark, mut conn) = look(path).await?;
    let found = extent_on(&mut conn, path).await;
    let (conn, found) = kept(conn, found, path).await?;
    close(conn, mark).await?;
    Ok(found)
}

/// What stands in the database of a hub, which may be serving, and its newest link code as [`Still::newest_link_code`]. Nothing
/// where no hub has served it yet.
///
/// # Errors
/// As [`extent`] and [`Still::contents`].
pub async fn contents(path: &Path) -> Result<Option<(Contents, Option<LinkCodeMade>)>, StoreError> {
    let (_lock, mark, mut conn) = look(path).await?;
    let found = match contents_on(&mut conn).await {
        Ok(Some(contents)) => link_code_on(&mut conn).await.map(|code| Some((contents, code))),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    let (conn, found) = kept(conn, found, path).await?;
    close(conn, mark).await?;
    Ok(found)
}

/// Copies the database of a hub, which may be serving, into a file that is empty or not there. The copy's bytes are not
/// synced.
///
/// # Errors
/// [`StoreError::Full`] where there is no room for it, [`StoreError::Unavailable`] where the database's log is missing or a
/// file cannot be opened, [`StoreError::Broken`] where it cannot be read.
pub async fn copy(path: &Path, to: &Path) -> Result<(), StoreError> {
    files::require_log(path)?;
    let (_lock, mark, mut conn) = look(path).await?;
    let to = to.to_string_lossy().into_owned();
    let done = Session::new(&mut conn, None).run("vacuum into ?1", vec![Bind::Text(to)]).await;
    // Closed before a failure is told: it may be the last connection to a database that no hub serves.
    close(conn, mark).await?;
    done.map(drop)
}

async fn look(path: &Path) -> Result<(Option<Lock>, Mark, SqliteConnection), StoreError> {
    let lock = Lock::shared_if_writable(path)?;
    let mark = Mark::of_another(path);
    let conn = connect(path).await?;
    Ok((lock, mark, conn))
}

async fn extent_on(conn: &mut SqliteConnection, path: &Path) -> Result<Extent, StoreError> {
    let sql = "select (page_count - freelist_count) * page_size as used
               from pragma_page_count, pragma_freelist_count, pragma_page_size";
    let row = Session::new(conn, None).row(sql, Vec::new()).await?;
    let used = row.ok_or_else(|| error::broken("SQLite has no pages"))?.number("used")?;
    Ok(Extent { used, log: std::fs::metadata(files::log_of(path)).map_or(0, |log| log.len()) })
}

async fn contents_on(conn: &mut SqliteConnection) -> Result<Option<Contents>, StoreError> {
    let migrations_pending = schema::pending(conn).await?;
    let migrations = schema::all().into_iter().filter(|name| !migrations_pending.contains(name)).collect();
    let sql = "select epoch, created_at, last_now, (select count(*) from record) as records,
               (select record_id from record order by record_number desc limit 1) as last_record
               from store_state";
    let row = Session::new(conn, None).row(sql, Vec::new()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Contents {
        epoch: row.number("epoch")?,
        created_at: row.time("created_at")?,
        last_decided_at: row.time("last_now")?,
        records: row.int("records")?,
        last_record: row.id_or_null("last_record", RecordId::new)?,
        migrations,
        migrations_pending,
    }))
}

async fn link_code_on(conn: &mut SqliteConnection) -> Result<Option<LinkCodeMade>, StoreError> {
    let sql = "select link_code_id, code_hash from link_code order by link_code_id desc limit 1";
    let row = Session::new(conn, None).row(sql, Vec::new()).await?;
    row.map(|row| Ok((row.id("link_code_id", |id| *id.as_bytes())?, row.hash("code_hash")?))).transpose()
}

/// The id of a link code and what the store keeps of the code itself.
pub type LinkCodeMade = ([u8; 16], [u8; 32]);

/// A database that nobody writes to, without a log: read as it lies there, leaving no trace.
pub struct Still {
    pub(crate) conn: SqliteConnection,
}

impl Still {
    /// Opens it.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where the file is no database, [`StoreError::Unavailable`] where it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let mut conn = common(path).read_only(true).immutable(true).connect().await.map_err(error::of)?;
        // Opening reads nothing yet.
        let sql = "select count(*) from sqlite_schema";
        Session::new(&mut conn, None).row(sql, Vec::new()).await?;
        Ok(Self { conn })
    }

    /// What SQLite finds wrong in its pages, indexes and constraints; nothing where it is sound. Reads every page.
    ///
    /// # Errors
    /// [`StoreError`] where even that cannot be told.
    pub async fn damage(&mut self) -> Result<Vec<String>, StoreError> {
        let mut session = Session::new(&mut self.conn, None);
        let rows = session.rows("pragma integrity_check", Vec::new()).await?;
        let mut found: Vec<String> =
            rows.iter().map(|row| row.text("integrity_check")).collect::<Result<_, _>>()?;
        found.retain(|line| line != "ok");
        let strays = session.rows("pragma foreign_key_check", Vec::new()).await?;
        for row in strays {
            found.push(format!(
                "a row of {} names one of {} that is not there",
                row.text("table")?,
                row.text("parent")?
            ));
        }
        Ok(found)
    }

    /// What stands in it; nothing where no hub has served it yet.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where its schema is newer than this program or is no hub's; [`StoreError`] where it cannot be
    /// read.
    pub async fn contents(&mut self) -> Result<Option<Contents>, StoreError> {
        contents_on(&mut self.conn).await
    }

    /// The id and the hash of the newest link code: whoever has the hub's keys makes the one from the other.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read.
    pub async fn newest_link_code(&mut self) -> Result<Option<LinkCodeMade>, StoreError> {
        link_code_on(&mut self.conn).await
    }

    /// Closes it.
    ///
    /// # Errors
    /// [`StoreError`] of the closing.
    pub async fn close(self) -> Result<(), StoreError> {
        self.conn.close().await.map_err(error::of)
    }
}
