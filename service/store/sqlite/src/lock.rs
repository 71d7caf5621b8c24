//! The lock of a data folder: everybody who opens its database shares it, and who puts another database in its place has it
//! alone.
//!
//! SQLite's own locks are on the file that was opened. A start that has opened the old file and waits for it would go on with
//! it after the file was replaced, beside the new one's log. This lock is on a file that is never replaced: `<name>.lock`
//! beside the database. It is empty, and goes with the process; that it is there says nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pointbridge_store::StoreError;

/// Who only asks whether anybody has the lock has it for a moment: half a second outlasts that.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

const SUPERUSER: u32 = 0;

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// The lock of whoever opens the database, with others.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while somebody replaces the database, or where the lock's file cannot be made.
    pub(crate) fn shared(database: &Path) -> Result<Self, StoreError> {
        let file = open(database)?;
        let mut tries = TRIES;
        let locked = loop {
            tries = tries.saturating_sub(1);
            match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) if tries > 0 => std::thread::sleep(PAUSE),
                locked => break locked,
            }
        };
        match locked {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "{} is being replaced by `pointbridge restore`: wait until that has ended",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unlockable(database, &error)),
        }
    }

    /// The same for who only looks: where the folder may not be written to, nobody can replace the database either.
    pub(crate) fn shared_if_writable(database: &Path) -> Result<Option<Self>, StoreError> {
        if path_of(database).exists() || is_writable(database) {
            Self::shared(database).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The lock for who replaces the database. `None` while anybody has it open, a hub that serves above all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the lock's file cannot be made.
    pub fn alone(database: &Path) -> Result<Option<Self>, StoreError> {
        let file = open(database)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unlockable(database, &error)),
        }
    }
}

fn path_of(database: &Path) -> PathBuf {
    database.with_extension("lock")
}

fn is_writable(database: &Path) -> bool {
    open(database).is_ok()
}

/// Opens the lock's file, and makes it where there is none, for whoever owns the folder: a look by the superuser must not
/// shut the hub's own user out.
fn open(database: &Path) -> Result<File, StoreError> {
    let path = path_of(database);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = || -> io::Result<File> {
        // Never cut: its contents are nobody's business.
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let (owner, own) = (std::fs::metadata(folder)?, file.metadata()?);
        if is_given_away(own.uid(), owner.uid()) {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(file)
    };
    made().map_err(|error| unlockable(database, &error))
}

/// Whether a file that `own` made goes to the owner of its folder. Only the superuser may give files away, and only what is the
/// superuser's shuts others out: whoever else serves in a folder that is not his own keeps his file.
const fn is_given_away(own: u32, folder: u32) -> bool {
    own == SUPERUSER && folder != SUPERUSER
}

fn unlockable(database: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!(
        "the lock {} of {} cannot be taken: {error}; see that this user can write to the folder",
        path_of(database).display(),
        database.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_opens_shares_the_lock_and_who_replaces_has_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("hub.db");
        let (first, second) = (Lock::shared(&database).unwrap(), Lock::shared(&database).unwrap());
        assert!(Lock::alone(&database).unwrap().is_none());
        drop(first);
        assert!(Lock::alone(&database).unwrap().is_none(), "the second one has it still");
        drop(second);
        let alone = Lock::alone(&database).unwrap().unwrap();
        let Err(StoreError::Unavailable(said)) = Lock::shared(&database) else { panic!("it was shared") };
        assert!(said.contains("is being replaced"), "{said}");
        drop(alone);
        Lock::shared(&database).unwrap();
        assert!(!database.exists(), "a lock makes no database");
    }

    #[test]
    fn only_the_superuser_gives_the_lock_to_whoever_owns_the_folder() {
        assert!(is_given_away(0, 998));
        for (own, folder) in [(0, 0), (998, 998), (998, 0), (998, 1000)] {
            assert!(!is_given_away(own, folder), "{own} in a folder of {folder}");
        }
    }
}
