//! Making a backup: copied and proven under a name of its own, and given its final name when it is whole.
//!
//! A backup that was cut short anywhere has no final name. Its manifest gets its name before it, so that a backup is never
//! without one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use pointbridge_store::StoreError;
use pointbridge_store_sqlite::{Contents, Still, copy, extent};

use super::leftovers::remove_leftovers;
use super::proof::{books_of, hashed, require_clean, require_sound};
use super::space::require_room;
use super::{KeysInUse, Manifest, Written, name_of};
use crate::config::DATABASE_FILE;
use crate::keys::KeyRing;
use crate::secret_file;

/// What the name of a copy, and of a manifest, has more until it is whole.
pub(super) const PARTIAL_ENDING: &str = ".partial";

/// How often the copy's size is looked at for the bar.
const GLANCE: Duration = Duration::from_millis(200);

/// What is proven on a backup before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its pages, indexes and references.
    Pages,
    /// The same, and the books.
    PagesAndBooks,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Its file.
    pub file: PathBuf,
    /// Its manifest's file.
    pub manifest_file: PathBuf,
    /// What the manifest says.
    pub manifest: Manifest,
    /// The size of the database's log beside it when the copy was done: it grows while a copy is made.
    pub log_bytes: u64,
    /// Why the books were not proven though they should have been: migrations that wait.
    pub books_not_proven: Option<String>,
}

/// Backs the database of a data folder up, while its hub serves or not: into that file, or into a file of that folder that is
/// named by the time. What killed backups left in that folder is removed first.
///
/// # Errors
/// The file is there already, there is no room, the database cannot be read, or the copy is not sound. Nothing is left then.
pub async fn make(data: &Path, to: &Path, proof: Proof) -> anyhow::Result<Made> {
    let database = data.join(DATABASE_FILE);
    anyhow::ensure!(
        database.is_file(),
        "there is no database {}: name the hub's folder with --data",
        database.display()
    );
    let file = target(to)?;
    if to.is_dir() {
        remove_leftovers(to);
    }
    let partial = Partial::begin(&file)?;
    let size = extent(&database).await?.used;
    require_room(folder_of(&file), size)?;
    copy_with_bar(&database, &partial.path, size).await.map_err(|error| failed(error, &file))?;
    File::open(&partial.path)?.sync_all().with_context(|| format!("{} cannot be synced", file.display()))?;
    let log_bytes = extent(&database).await?.log;

    let mut still = Still::open(&partial.path).await?;
    require_sound(&mut still, &partial.path).await?;
    let contents = still.contents().await?;
    let contents = contents.with_context(|| {
        format!("no hub has served {} yet: there is nothing to back up", database.display())
    })?;
    still.close().await?;
    let books_not_proven = prove_books(&partial.path, &contents, proof).await?;
    let proof = if books_not_proven.is_some() { Proof::Pages } else { proof };

    let (bytes, sha256) = hashed(&partial.path, &mut io::sink())?;
    // A backup without its keys is better than none: whoever restores it is told.
    let keys = KeyRing::load(data).ok().map(|keys| KeysInUse::of(&keys));
    let manifest = Manifest::new(Written { name: name_of(&file), bytes, sha256 }, &contents, keys, proof)?;
    let manifest_file = partial.finish(&file, &manifest)?;
    Ok(Made { file, manifest_file, manifest, log_bytes, books_not_proven })
}

/// Where the backup goes.
fn target(to: &Path) -> anyhow::Result<PathBuf> {
    let file = if to.is_dir() {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        to.join(format!("pointbridge-{now}.db"))
    } else {
        to.to_owned()
    };
    let folder = folder_of(&file);
    anyhow::ensure!(folder.is_dir(), "there is no folder {}: make it first", folder.display());
    anyhow::ensure!(file.file_name().is_some(), "{} names no file", file.display());
    anyhow::ensure!(
        !file.exists(),
        "{} exists, and a backup is never written over another file: name another one, or a folder",
        file.display()
    );
    Ok(file)
}

async fn prove_books(path: &Path, contents: &Contents, proof: Proof) -> anyhow::Result<Option<String>> {
    if proof == Proof::Pages {
        return Ok(None);
    }
    if !contents.migrations_pending.is_empty() {
        return Ok(Some(format!("migrations are pending: {}", contents.migrations_pending.join(", "))));
    }
    let spinner = ProgressBar::new_spinner().with_message("proving the books of the copy");
    spinner.enable_steady_tick(GLANCE);
    let report = books_of(path).await;
    spinner.finish_and_clear();
    require_clean(&report?, "the copy")
        .context("the backup was not kept; see `pointbridge check` on the hub")?;
    Ok(None)
}

/// Copies, and shows on a terminal how far it is.
async fn copy_with_bar(database: &Path, to: &Path, size: u64) -> Result<(), StoreError> {
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("copying {bar:40} {bytes} of about {total_bytes} {eta}") {
        bar.set_style(style);
    }
    let looking = async {
        let mut ticks = tokio::time::interval(GLANCE);
        loop {
            ticks.tick().await;
            bar.set_position(fs::metadata(to).map_or(0, |file| file.len()));
        }
    };
    let done = tokio::select! {
        done = copy(database, to) => done,
        () = looking => Ok(()),
    };
    bar.finish_and_clear();
    done
}

fn failed(error: StoreError, file: &Path) -> anyhow::Error {
    match error {
        StoreError::Full(what) => anyhow::anyhow!(
            "there is no room in {} ({what}): nothing was left there; make room, or name another folder",
            folder_of(file).display()
        ),
        other => anyhow::Error::new(other).context("the database cannot be copied"),
    }
}

/// A backup that is not whole yet. Dropped before it is finished, it goes.
struct Partial {
    path: PathBuf,
    manifest: PathBuf,
    /// Locked as long as the backup is being made, so that what a killed one left is told apart.
    lock: File,
}

impl Partial {
    fn begin(file: &Path) -> anyhow::Result<Self> {
        let path = with_ending(file, PARTIAL_ENDING);
        let what = || format!("{} cannot be made", path.display());
        let open = || OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let lock = match open() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let left = File::open(&path).with_context(what)?;
                anyhow::ensure!(
                    left.try_lock().is_ok(),
                    "another backup writes {}: wait for it, or name another file",
                    path.display()
                );
                fs::remove_file(&path).and_then(|()| open()).with_context(what)?
            }
            other => other.with_context(what)?,
        };
        lock.lock().with_context(what)?;
        // A journal of an earlier copy would be played back into this one.
        remove_if_there(&journal_of(&path)).with_context(what)?;
        let manifest = with_ending(&Manifest::path_of(file), PARTIAL_ENDING);
        Ok(Self { path, manifest, lock })
    }

    /// Gives the manifest and then the backup its final name; the names last when this returns.
    fn finish(self, file: &Path, manifest: &Manifest) -> anyhow::Result<PathBuf> {
        let manifest_file = Manifest::path_of(file);
        let text = format!("{}\n", serde_json::to_string_pretty(manifest)?);
        // What a backup that was cut short left: without its backup a manifest says nothing.
        remove_if_there(&self.manifest)?;
        secret_file::create(&self.manifest, &text)?;
        let what = || format!("{} cannot be written", file.display());
        fs::rename(&self.manifest, &manifest_file).with_context(what)?;
        // A link, unlike a new name, never takes the place of another file.
        if let Err(error) = fs::hard_link(&self.path, file) {
            let _ = fs::remove_file(&manifest_file);
            return Err(error).with_context(what);
        }
        secret_file::sync_folder_of(file).with_context(what)?;
        Ok(manifest_file)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // As far as that is possible; the next backup of this name removes what is left.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(journal_of(&self.path));
        let _ = fs::remove_file(&self.manifest);
        let _ = self.lock.unlock();
    }
}

/// Where SQLite keeps what it needs to take a write to a copy back; a copy that was killed leaves it.
pub(super) fn journal_of(path: &Path) -> PathBuf {
    with_ending(path, "-journal")
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
