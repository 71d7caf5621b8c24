//! Putting a copy in the database's place: what the copy lacks, its new epoch, and the exchange of the files.
//!
//! The database that goes is settled first, which moves its log into it and shows that nobody else has it open. Nothing is
//! deleted but what belongs to a log that is in the database already: the old file stays, under a name that no hub reads.
//!
//! Absent on purpose: the deciding of anything. What is to be done again is told as records; who decides is the engine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pointbridge_core::record::{Body, Record, RecordKind};
use pointbridge_core::time::Timestamp;
use pointbridge_store::StoreError;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteLockingMode, SqliteRow};
use uuid::Uuid;

use crate::copies::Still;
use crate::error;
use crate::files::{self, Mark};
use crate::keys;
use crate::open::{close, common, connect, kept};
use crate::rows::Cells;
use crate::session::{Bind, Session};

/// Names for replaced databases that are tried: nobody keeps so many.
const KEPT_MAX: u32 = 10_000;

/// How many records of a kind one database has and another one lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The kind, as in records.
    pub kind: String,
    /// How many.
    pub records: i64,
    /// When the first of them was decided.
    pub first: Timestamp,
    /// When the last of them was decided.
    pub last: Timestamp,
}

/// A record that took trust away, and the request that asked for it.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The record.
    pub record: Record,
    /// The caller's id of the request.
    pub request_id: Uuid,
}

/// How one database goes on after another one.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// What it has beyond the last record that both have, by kind.
    pub missing: Vec<Missing>,
    /// Of that, what takes trust away and holds still, in the order of decision: pinned and revoked certificates, suspended
    /// partners, withdrawn consents.
    pub endings: Vec<Ending>,
    /// How many records the other one has that it lacks: 0 where this one simply went on.
    pub only_in_other: i64,
    /// How many records both have.
    pub in_common: i64,
}

/// What takes trust away: a pin shuts out what is not pinned.
const ENDINGS: [RecordKind; 4] = [
    RecordKind::CertificatePinned,
    RecordKind::CertificateRevoked,
    RecordKind::PartnerSuspended,
    RecordKind::ConsentWithdrawn,
];

impl Still {
    /// How this database goes on after `other`, which nobody writes to either.
    ///
    /// # Errors
    /// [`StoreError`] where either cannot be read.
    pub async fn tail_after(&mut self, other: &Path) -> Result<Tail, StoreError> {
        let mut session = Session::new(&mut self.conn, None);
        session.run("attach database ?1 as other", vec![Bind::Text(still_uri(other))]).await?;
        let sql = "select coalesce(max(own.record_number), 0) as last, count(*) as in_common
                   from main.record as own join other.record as theirs
                   on theirs.record_number = own.record_number and theirs.record_id = own.record_id";
        let row = session.row(sql, Vec::new()).await?.ok_or_else(|| error::broken("nothing was counted"))?;
        let (last, in_common) = (row.int("last")?, row.int("in_common")?);
        let after = || vec![Bind::Int(last)];
        let sql = "select kind, count(*) as records, min(decided_at) as first, max(decided_at) as last
                   from main.record where record_number > ?1 group by kind order by kind";
        let rows = session.rows(sql, after()).await?;
        let missing = rows.iter().map(|row| {
            Ok(Missing {
                kind: row.text("kind")?,
                records: row.int("records")?,
                first: row.time("first")?,
                last: row.time("last")?,
            })
        });
        let missing = missing.collect::<Result<_, StoreError>>()?;
        let sql = "select count(*) as records from other.record where record_number > ?1";
        let row = session.row(sql, after()).await?.ok_or_else(|| error::broken("nothing was counted"))?;
        let only_in_other = row.int("records")?;
        // From the requests, whose key has no record: the other way round would look through all of them for each record.
        let sql = "select record.bytes, record.record_number, request.request_id
                   from main.request cross join main.record on record.record_id = request.record_id
                   where record.record_number > ?1 and record.kind in (select value from json_each(?2))
                   order by record.record_number";
        let kinds = keys::array(&ENDINGS.map(RecordKind::as_str))?;
        let rows = session.rows(sql, vec![Bind::Int(last), kinds]).await?;
        let endings = rows.iter().map(ending).collect::<Result<Vec<_>, _>>()?;
        let suspended = "select partner_code from main.partner where status = 'SUSPENDED'";
        let suspended = session.rows(suspended, Vec::new()).await?;
        let suspended =
            suspended.iter().map(|row| row.text("partner_code")).collect::<Result<Vec<_>, _>>()?;
        let endings = endings.into_iter().filter(|ending| match &ending.record.body {
            Body::Standing(body) => suspended.iter().any(|code| code == body.partner.code.as_str()),
            _ => true,
        });
        let endings = endings.collect();
        session.run("detach database other", Vec::new()).await?;
        Ok(Tail { missing, endings, only_in_other, in_common })
    }
}

fn ending(row: &SqliteRow) -> Result<Ending, StoreError> {
    let record = Record::from_bytes(&row.bytes("bytes")?);
    let record = record.map_err(|error| error::broken(&format!("a record cannot be read: {error}")))?;
    Ok(Ending { record, request_id: row.id("request_id", |id| id)? })
}

/// A file that nobody writes to, as SQLite names it.
fn still_uri(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?immutable=1&mode=ro")
}

/// Moves the log of a database that nobody serves into it, so that it is whole in one file. Its mark stays where its log is
/// lost.
///
/// # Errors
/// [`StoreError::Unavailable`] where somebody has it open, [`StoreError`] where it cannot be read.
pub async fn settle(path: &Path) -> Result<(), StoreError> {
    let mark = Mark::of_another(path);
    let options = common(path).locking_mode(SqliteLockingMode::Exclusive);
    let mut conn = options.connect().await.map_err(error::of)?;
    let done = Session::new(&mut conn, None).row("pragma wal_checkpoint(truncate)", Vec::new()).await;
    let (conn, _) = kept(conn, done, path).await?;
    close(conn, mark).await
}

/// Begins a new epoch in a database that nobody serves, and lets it decide on no earlier time than `not_before`.
///
/// # Errors
/// [`StoreError`] where it cannot be written.
pub async fn begin_epoch(path: &Path, epoch: u32, not_before: Timestamp) -> Result<(), StoreError> {
    let mark = Mark::of_another(path);
    let mut conn = connect(path).await?;
    let sql = "update store_state set epoch = ?1, last_now = max(last_now, ?2) where epoch < ?1";
    let binds = vec![Bind::Int(epoch.into()), Bind::Int(not_before.micros())];
    let done = Session::new(&mut conn, None).run(sql, binds).await;
    let (conn, rows) = kept(conn, done, path).await?;
    close(conn, mark).await?;
    if rows == 1 { Ok(()) } else { Err(error::broken("an epoch that does not grow")) }
}

/// Puts the database `new` in the place of `path`, in one step; the lock is the caller's. What was there stays beside it as
/// `….before-restore-<n>`, with its log if it has one. Answers with that file, or with the log where only that was left;
/// nothing where nothing was there.
///
/// A log would be played into whatever lies beside it, also into the new database. It is therefore moved away first, with or
/// without the database that it belongs to, and that lasts before the new one comes. Cut short there, the mark and the missing
/// log keep every start from serving, and this can be done again.
///
/// # Errors
/// What the system said; what was there is in place then, or its log lies beside it under the other name.
pub fn replace(path: &Path, new: &Path) -> io::Result<Option<PathBuf>> {
    let old = free_name(path)?;
    let mut kept = None;
    if files::log_of(path).exists() {
        // Without a mark a start would take the database for whole once its log is gone.
        fs::File::create(files::mark_of(path))?.sync_all()?;
        sync_folder_of(path)?;
    }
    for log in [files::log_of, files::journal_of] {
        if log(path).exists() {
            fs::rename(log(path), log(&old))?;
            kept = Some(log(&old));
        }
    }
    remove_if_there(&files::beside(path, "-shm"))?;
    if path.exists() {
        fs::hard_link(path, &old)?;
        kept = Some(old);
    }
    sync_folder_of(path)?;
    sync_folder_of(new)?;
    fs::rename(new, path)?;
    sync_folder_of(path)?;
    remove_if_there(&files::mark_of(path))?;
    sync_folder_of(path)?;
    Ok(kept)
}

fn free_name(path: &Path) -> io::Result<PathBuf> {
    let names = (1..KEPT_MAX).map(|number| files::beside(path, &format!(".before-restore-{number}")));
    let mut free = names.filter(|name| {
        ![name.clone(), files::log_of(name), files::journal_of(name)].iter().any(|name| name.exists())
    });
    free.next().ok_or_else(|| io::Error::other("too many replaced databases lie beside it: remove some"))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
