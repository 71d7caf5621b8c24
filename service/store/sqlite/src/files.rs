//! The files before anybody trusts them: whether the database is one, whether its log is beside it, whether commits last.
//!
//! A database without its log looks whole: it is only older. While a hub serves, a mark therefore lies beside the database
//! (`…-open`), and whoever closes the database in order takes the mark away. A start that finds the
//! mark and no log refuses.
//!
//! Absent on purpose: any repair. What was lost is for people to find and for backups to bring back.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use pointbridge_store::StoreError;
use sqlx::SqliteConnection;

use crate::rows::Cells;
use crate::session::Session;

/// What SQLite calls `synchronous = full`.
const FULL: i64 = 2;

pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OsStr::new(ending));
    name.into()
}

pub(crate) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// What takes back a write that was cut short, in a database that has no log.
pub(crate) fn journal_of(path: &Path) -> PathBuf {
    beside(path, "-journal")
}

pub(crate) fn mark_of(path: &Path) -> PathBuf {
    beside(path, "-open")
}

/// Whether a hub that did not end in order has left no log.
pub(crate) fn is_bereft(path: &Path) -> bool {
    mark_of(path).exists() && !log_of(path).exists()
}

/// Whether a database that is gone has left a log or a mark: a hub has served here.
pub(crate) fn is_orphaned(path: &Path) -> bool {
    let left = [mark_of(path), log_of(path), journal_of(path)];
    !path.exists() && left.iter().any(|file| file.exists())
}

/// Refuses a database whose log is missing though its hub did not end in order, and a log whose database is missing: SQLite
/// would remove it.
///
/// # Errors
/// [`StoreError::Unavailable`] with what to do.
pub(crate) fn require_log(path: &Path) -> Result<(), StoreError> {
    if is_orphaned(path) && log_of(path).exists() {
        return Err(StoreError::Unavailable(format!(
            "{} is gone, and its log {} is there: put the database back beside it, or restore a backup",
            path.display(),
            log_of(path).display()
        )));
    }
    if is_bereft(path) {
        let (log, mark) = (log_of(path), mark_of(path));
        return Err(StoreError::Unavailable(format!(
            "the hub did not end in order, and {} is gone, which may hold what was acknowledged last: put it back beside \
             the database, or restore a backup; only if another program has opened and closed the database since, so that \
             the log is in it, prove the books with `pointbridge check` and remove {}",
            log.display(),
            mark.display()
        )));
    }
    Ok(())
}

/// Refuses a file that is there and empty: a hub that serves has something in it. That there is no file at all is nothing to
/// refuse.
///
/// # Errors
/// [`StoreError::Unavailable`] with what to do.
pub(crate) fn require_contents(path: &Path) -> Result<(), StoreError> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) && !log_of(path).exists() {
        return Err(StoreError::Unavailable(format!(
            "{} is empty: restore a backup; only if this hub never served, remove the file and start again",
            path.display()
        )));
    }
    Ok(())
}

/// Takes the mark of an open database away when it is dropped, after the last connection was closed.
///
/// A store that is dropped and not closed has lost nothing either: what it acknowledged is synced, and SQLite may or may not
/// move the log into the database then.
pub(crate) struct Mark {
    path: PathBuf,
    owner: Owner,
}

/// Whose a mark is, which says when it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This store's: it goes with the store.
    Ours,
    /// Another's, if there is one: it goes where the last connection moved the log into the database.
    Another,
    /// A hub's whose log is missing: it stays, whatever is opened and closed.
    Bereft,
}

impl Mark {
    /// Leaves the mark: from now on the log belongs to the database. It lasts when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the folder cannot be written to.
    pub(crate) fn leave(path: &Path) -> Result<Self, StoreError> {
        let mark = mark_of(path);
        let make = || {
            File::create(&mark)?.sync_all()?;
            match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        };
        make().map_err(|error: io::Error| {
            StoreError::Unavailable(format!("{} cannot be written: {error}", mark.display()))
        })?;
        Ok(Self { path: path.to_owned(), owner: Owner::Ours })
    }

    /// For who is about to open a database to look at it, or to bring its schema up to date: the mark, if there is one, is
    /// another's.
    pub(crate) fn of_another(path: &Path) -> Self {
        let owner = if is_bereft(path) { Owner::Bereft } else { Owner::Another };
        Self { path: path.to_owned(), owner }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let stays = match self.owner {
            Owner::Ours => false,
            Owner::Another => log_of(&self.path).exists(),
            Owner::Bereft => true,
        };
        if stays {
            return;
        }
        let mark = mark_of(&self.path);
        if mark.exists()
            && let Err(error) = fs::remove_file(mark)
        {
            tracing::warn!(%error, "the mark of an open database stays beside it");
        }
    }
}

/// Puts an error of the first look at a database into words for whoever starts the hub.
pub(crate) fn explained(path: &Path, error: StoreError) -> StoreError {
    let file = path.display();
    match error {
        StoreError::Broken(what) => StoreError::Broken(format!(
            "{file} cannot be read as a database ({what}): nothing was changed; keep the file and what lies beside it for \
             inspection, and restore a backup"
        )),
        StoreError::Unavailable(what) => StoreError::Unavailable(format!(
            "{file} cannot be opened ({what}): see that this user can read and write the file, its folder, and the files \
             -wal and -shm beside it"
        )),
        other => other,
    }
}

/// Reads back from SQLite that commits go to a write-ahead log and are synced: a file system may have refused.
///
/// # Errors
/// [`StoreError::Unavailable`] where they would not last.
pub(crate) async fn require_durable(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut session = Session::new(conn, None);
    let unknown = || StoreError::Unavailable("SQLite does not say how it commits".to_owned());
    let row = session.row("pragma journal_mode", Vec::new()).await?.ok_or_else(unknown)?;
    let journal = row.text("journal_mode")?;
    let row = session.row("pragma synchronous", Vec::new()).await?.ok_or_else(unknown)?;
    let synchronous = row.int("synchronous")?;
    if journal == "wal" && synchronous == FULL {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "commits would not last: journal_mode is {journal} and synchronous is {synchronous}, wal and {FULL} are needed: \
         keep the database on a local file system"
    )))
}
