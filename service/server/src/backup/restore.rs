//! Restoring: a backup is proven, made ready beside the database, and takes its place in one step.
//!
//! Until that step nothing of the hub's is changed but that the log of the database that goes is moved into it. What could be
//! lost without anybody noticing is told first and must be accepted by name.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use pointbridge_core::time::Timestamp;
use pointbridge_store::StoreError;
use pointbridge_store_sqlite::{
    Contents, Lock, Missing, Options, SqliteStore, Still, Tail, begin_epoch, replace, settle, system_clock,
};

use super::carry::{Carried, Fate, carry};
use super::proof::{hashed, require_clean, require_sound};
use super::space::require_room;
use super::{KeysInUse, Manifest};
use crate::config::DATABASE_FILE;
use crate::keys::KeyRing;
use crate::secret_file;

/// Where a backup is made ready, in the data folder: on the same file system as the database.
pub(crate) const STAGING_FOLDER: &str = "restoring";

/// What must be accepted by name before a restore does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Accept {
    /// Records of the present database that the backup does not have are lost.
    LostRecords,
    /// The present database cannot be read, so that nobody knows what is lost.
    UnreadableDatabase,
    /// The backup is of another hub, or of a time that the present database has left by a restore.
    OtherHistory,
    /// Somebody who was shut out after the backup would be let in again.
    LostTrust,
    /// The keys in the data folder are others than those of the backup.
    OtherKeys,
    /// The backup has no manifest, so that nobody can tell whether it is the file that was made.
    NoManifest,
}

impl fmt::Display for Accept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::LostRecords => "lost-records",
            Self::UnreadableDatabase => "unreadable-database",
            Self::OtherHistory => "other-history",
            Self::LostTrust => "lost-trust",
            Self::OtherKeys => "other-keys",
            Self::NoManifest => "no-manifest",
        })
    }
}

/// What a restore is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The backup's file.
    pub from: PathBuf,
    /// The hub's data folder.
    pub data: PathBuf,
    /// What is accepted.
    pub accept: BTreeSet<Accept>,
    /// Whether only to tell what would be done.
    pub dry_run: bool,
}

/// What a restore did, or would do.
#[derive(Debug)]
pub struct Restored {
    /// What stands in the database now.
    pub contents: Contents,
    /// The epoch of the backup.
    pub epoch_before: u32,
    /// When the backup was made, where its manifest says so.
    pub made_at: Option<String>,
    /// When the backup's last decision was made: what was decided later is lost.
    pub decided_until: Timestamp,
    /// What the database that went had beyond the backup, by kind; nothing where that is not known.
    pub missing: Option<Vec<Missing>>,
    /// Whether it is not known who was shut out after the backup, or not of all: there is no database that tells, or its log is
    /// gone. It must be done again by people.
    pub trust_since_unknown: bool,
    /// Who was shut out again.
    pub carried: Vec<Carried>,
    /// Rows that the check read.
    pub rows: u64,
    /// Where the database that went lies.
    pub kept: Option<PathBuf>,
}

/// A restore that was not done: what must be accepted first, all at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing was changed; say with --accept what you accept:\n  {}", .0.iter().map(|(name, why)| format!("--accept {name}: {why}")).collect::<Vec<_>>().join("\n  "))]
pub struct Unaccepted(pub Vec<(Accept, String)>);

/// What is known of the database that goes.
struct Present {
    /// Nothing where it was not read to its end: what it did last is not known then.
    epoch: Option<u32>,
    last_decided_at: Option<Timestamp>,
    tail: Option<Tail>,
}

/// Puts a backup in the place of a hub's database.
///
/// # Errors
/// The hub serves; the backup is damaged, or its schema is newer than this program; its books do not add up; [`Unaccepted`].
/// What was there stays in place then.
pub async fn restore(request: &Request) -> anyhow::Result<Restored> {
    let data = &request.data;
    let database = data.join(DATABASE_FILE);
    let keys = KeyRing::load(data).context(
        "a database is restored beside its keys: put keys.json back into the data folder first, from where you keep it",
    )?;
    let Some(_lock) = Lock::alone(&database)? else {
        anyhow::bail!(
            "{} is open: a hub serves it, or `check` or `backup` reads it; stop the hub and try again",
            database.display()
        );
    };
    let mut unaccepted = Vec::new();
    let staging = Staging::begin(data)?;
    let manifest = bring(&request.from, &staging, &mut unaccepted)?;
    let backup = look_into(&staging.database, manifest.as_ref(), &keys, &mut unaccepted).await?;
    let present = look_at(&database, &staging.database, &mut unaccepted).await?;

    let epoch = next_epoch(backup.epoch, &present)?;
    let not_before = present.last_decided_at.unwrap_or(backup.last_decided_at);
    begin_epoch(&staging.database, epoch, not_before).await.context("the new epoch cannot be begun")?;
    let (carried, rows) = make_ready(&staging.database, &present, &mut unaccepted).await?;
    let contents = finished(&staging.database, epoch).await?;
    unaccepted.retain(|(accept, _)| !request.accept.contains(accept));
    if !unaccepted.is_empty() {
        return Err(Unaccepted(unaccepted).into());
    }
    let kept = if request.dry_run { None } else { staging.put_in_place(&database)? };
    Ok(Restored {
        contents,
        epoch_before: backup.epoch,
        made_at: manifest.map(|manifest| manifest.made_at.to_string()),
        decided_until: backup.last_decided_at,
        trust_since_unknown: present.epoch.is_none(),
        missing: present.tail.map(|tail| tail.missing),
        carried,
        rows,
        kept,
    })
}

/// Copies the backup to where it is made ready, and holds it against its manifest.
fn bring(
    from: &Path,
    staging: &Staging,
    unaccepted: &mut Vec<(Accept, String)>,
) -> anyhow::Result<Option<Manifest>> {
    anyhow::ensure!(from.is_file(), "there is no backup {}: name its file with --from", from.display());
    let manifest = Manifest::read(from)?;
    require_room(&staging.folder, fs::metadata(from)?.len())?;
    let what = || format!("{} cannot be copied to {}", from.display(), staging.database.display());
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staging.database);
    let mut copy = made.with_context(what)?;
    let (bytes, sha256) = hashed(from, &mut copy).with_context(what)?;
    secret_file::give_to_owner_of_folder(&copy, &staging.folder)
        .and_then(|()| copy.sync_all())
        .with_context(what)?;
    match &manifest {
        Some(manifest) => anyhow::ensure!(
            (manifest.bytes, &manifest.sha256) == (bytes, &sha256),
            "{} is damaged: it has {bytes} bytes with the SHA-256 {sha256}, and its manifest says {} and {}; take another \
             backup",
            from.display(),
            manifest.bytes,
            manifest.sha256
        ),
        None => unaccepted.push((
            Accept::NoManifest,
            format!(
                "there is no {}, which would tell whether the backup is as it was made",
                Manifest::path_of(from).display()
            ),
        )),
    }
    Ok(manifest)
}

/// Proves the backup's pages, and asks whether it fits program and keys.
async fn look_into(
    staged: &Path,
    manifest: Option<&Manifest>,
    keys: &KeyRing,
    unaccepted: &mut Vec<(Accept, String)>,
) -> anyhow::Result<Contents> {
    let mut still = Still::open(staged).await.context("the backup is damaged: take another one")?;
    require_sound(&mut still, staged).await.context("take another backup")?;
    let contents = still.contents().await.context("the backup cannot be used")?;
    let contents =
        contents.context("the backup is of a database that no hub has served: take another one")?;
    let link_code = still.newest_link_code().await?;
    still.close().await?;
    let made_by_others = link_code.is_some_and(|(id, hash)| !keys.made_link_code(id, hash));
    let check = KeysInUse::of(keys).link_code_key_check;
    let in_use = manifest.and_then(|manifest| manifest.keys.as_ref());
    if made_by_others || in_use.is_some_and(|in_use| in_use.link_code_key_check != check) {
        unaccepted.push((
            Accept::OtherKeys,
            "keys.json in the data folder is not that of the backup: put back the right one, or answers to link codes of \
             then will be wrong"
                .to_owned(),
        ));
    }
    Ok(contents)
}

/// Looks at the database that goes: what it has beyond the backup.
async fn look_at(
    database: &Path,
    staged: &Path,
    unaccepted: &mut Vec<(Accept, String)>,
) -> anyhow::Result<Present> {
    let nothing = Present { epoch: None, last_decided_at: None, tail: None };
    if !database.exists() {
        unaccepted.extend(orphaned(database));
        return Ok(nothing);
    }
    let log_is_lost = SqliteStore::lacks_its_log(database);
    let (contents, tail) = match tail_of(database, staged).await {
        Ok(Some(found)) => found,
        // As a new folder has it.
        Ok(None) => return Ok(nothing),
        Err(StoreError::Unavailable(what)) => {
            anyhow::bail!("{} cannot be looked at ({what}): is another program using it?", database.display())
        }
        Err(error) => {
            unaccepted.push((
                Accept::UnreadableDatabase,
                format!(
                    "{} cannot be read ({error}): what was decided after the backup, and who was shut out, is not known",
                    database.display()
                ),
            ));
            return Ok(nothing);
        }
    };
    if log_is_lost {
        unaccepted.push((
            Accept::UnreadableDatabase,
            format!("the log of {} is gone: what was decided last is not known", database.display()),
        ));
    }
    let lost: i64 = tail.missing.iter().map(|kind| kind.records).sum();
    if let Some(last) = tail.missing.iter().map(|kind| kind.last).max() {
        unaccepted.push((
            Accept::LostRecords,
            format!(
                "{lost} records are not in the backup, the last of {last}; they stay in the file that is kept"
            ),
        ));
    }
    if tail.only_in_other > 0 {
        let what = if tail.in_common == 0 { "is another hub's" } else { "has left its history by a restore" };
        unaccepted.push((
            Accept::OtherHistory,
            format!(
                "the present database {what}: {} records of the backup are not in it",
                tail.only_in_other
            ),
        ));
    }
    // Nobody knows the epoch that a lost log may have begun.
    let epoch = (!log_is_lost).then_some(contents.epoch);
    Ok(Present { epoch, last_decided_at: Some(contents.last_decided_at), tail: Some(tail) })
}

/// What must be accepted where the database is gone and a hub has served it.
fn orphaned(database: &Path) -> Option<(Accept, String)> {
    let what = format!(
        "{} is gone, and a hub has served it, for its log or its mark lies there: what was decided after the backup, and who \
         was shut out, is not known",
        database.display()
    );
    SqliteStore::has_left_only_its_log(database).then_some((Accept::UnreadableDatabase, what))
}

async fn tail_of(database: &Path, staged: &Path) -> Result<Option<(Contents, Tail)>, StoreError> {
    settle(database).await?;
    let mut still = Still::open(database).await?;
    let Some(contents) = still.contents().await? else { return Ok(None) };
    let tail = still.tail_after(staged).await?;
    still.close().await?;
    Ok(Some((contents, tail)))
}

/// An epoch that no quote of this hub can have. Where the present one is not known, the seconds since 1970 stand in: more than
/// any number of restores, and more than those of an earlier such restore.
fn next_epoch(of_backup: u32, present: &Present) -> anyhow::Result<u32> {
    let known = if let Some(epoch) = present.epoch {
        epoch.max(of_backup)
    } else {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
        of_backup.max(u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
    };
    known.checked_add(1).context("the store has no epoch left")
}

/// Brings the schema up to date, shuts out again who was shut out, and proves the books.
async fn make_ready(
    staged: &Path,
    present: &Present,
    unaccepted: &mut Vec<(Accept, String)>,
) -> anyhow::Result<(Vec<Carried>, u64)> {
    let options = Options {
        path: staged.to_owned(),
        clock: system_clock()?,
        statement_hook: None,
        readers: 1,
        migrate: true,
    };
    let store = SqliteStore::open(options).await.context("the backup cannot be made ready")?;
    let endings = present.tail.as_ref().map_or(&[][..], |tail| tail.endings.as_slice());
    let carried = carry(&store, endings).await;
    let report = pointbridge_check::run(&store).await;
    store.close().await;
    let (carried, report) = (carried?, report?);
    require_clean(&report, "the backup")?;
    for one in &carried {
        if let Fate::Refused(why) = &one.fate {
            unaccepted
                .push((Accept::LostTrust, format!("{} at {} cannot be done again: {why}", one.what, one.at)));
        }
    }
    Ok((carried, report.rows))
}

/// What stands in the new database. It must be whole in its one file, for that file alone takes the old one's place: nothing
/// left in a log, sound, and in its own epoch.
async fn finished(staged: &Path, epoch: u32) -> anyhow::Result<Contents> {
    for ending in ["-wal", "-journal"] {
        let mut log = staged.as_os_str().to_owned();
        log.push(ending);
        let log = Path::new(&log);
        anyhow::ensure!(
            !log.exists(),
            "{} is there still: the new database is not whole in its file; nothing was changed, try again",
            log.display()
        );
    }
    let mut still = Still::open(staged).await.context("the new database cannot be read")?;
    require_sound(&mut still, staged)
        .await
        .context("nothing was changed: look after the disk, and try again")?;
    let contents = still.contents().await?.context("the new database has no state")?;
    still.close().await?;
    anyhow::ensure!(
        contents.epoch == epoch,
        "the new database has the epoch {} and not {epoch}: nothing was changed, try again",
        contents.epoch
    );
    Ok(contents)
}

/// The folder in which a backup is made ready. It goes with its owner, and what an earlier restore left goes at once.
struct Staging {
    folder: PathBuf,
    database: PathBuf,
}

impl Staging {
    fn begin(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join(STAGING_FOLDER);
        remove(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
        secret_file::create_folder(&folder)?;
        let database = folder.join(DATABASE_FILE);
        Ok(Self { folder, database })
    }

    fn put_in_place(self, database: &Path) -> anyhow::Result<Option<PathBuf>> {
        let what = || {
            format!(
                "{} cannot be put in the place of {}: nothing serves until this is done again",
                self.database.display(),
                database.display()
            )
        };
        File::open(&self.database).and_then(|file| file.sync_all()).with_context(what)?;
        replace(database, &self.database).with_context(what)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // As far as that is possible; the next restore removes what is left.
        let _ = remove(&self.folder);
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_database_with_a_log_or_of_another_epoch_takes_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        let options = Options {
            path: path.clone(),
            clock: system_clock().unwrap(),
            statement_hook: None,
            readers: 1,
            migrate: true,
        };
        SqliteStore::open(options).await.unwrap().close().await;
        assert_eq!(finished(&path, 1).await.unwrap().epoch, 1);
        let said = finished(&path, 2).await.unwrap_err().to_string();
        assert!(said.contains("has the epoch 1 and not 2"), "{said}");
        let log = folder.path().join(format!("{DATABASE_FILE}-wal"));
        fs::write(&log, b"what was written last").unwrap();
        let said = finished(&path, 1).await.unwrap_err().to_string();
        assert!(said.contains("is there still"), "{said}");
        fs::remove_file(&log).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 8192]).unwrap();
        assert!(finished(&path, 1).await.is_err());
    }
}
