//! The authority's folder: the names of its files, one writer at a time, and files that change in one step.
//!
//! A file is written beside its place and renamed onto it, so that a hub that reads meanwhile sees the old one or
//! the new one. What the superuser writes into the folder of another user belongs to that user. Absent: what stands in the files.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PkiError;
use crate::secret_file;

/// The authority's certificate.
pub(super) const CA_PEM: &str = "ca.pem";
/// Its key.
pub(super) const CA_KEY: &str = "ca.key";
/// The authorities whose client certificates the hub takes: its own ones and imported ones.
pub const CLIENT_CA_PEM: &str = "client-ca.pem";
/// Their revocation lists.
pub const CRL_PEM: &str = "crl.pem";
/// The authorities that sign the hub's own certificate, for its clients: written when the authority changes.
pub(super) const HUB_CA_PEM: &str = "hub-ca.pem";
/// What was issued and revoked.
pub(super) const JOURNAL: &str = "journal.jsonl";
/// Authorities that sign no more certificates, and revocation lists as long as their certificates live.
pub(super) const RETIRED: &str = "retired";
/// Held by whoever changes the folder.
const LOCK: &str = ".lock";
/// The ending of a file that is being written.
const NEXT: &str = "next";
/// The largest file that is read: a revocation list of 25,000 certificates has about 1.4 MB as PEM.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Mode of a file for everybody.
const PUBLIC: u32 = 0o644;
/// Mode of a file for its owner.
const PRIVATE: u32 = 0o600;

/// A folder that nobody else changes while this lives.
#[derive(Debug)]
pub(super) struct Locked {
    _lock: File,
}

/// Waits until nobody else changes the folder.
pub(super) fn lock(folder: &Path) -> Result<Locked, PkiError> {
    let path = folder.join(LOCK);
    let locked = open_private(&path).and_then(|(file, _)| file.lock().map(|()| file));
    locked.map(|file| Locked { _lock: file }).map_err(|source| PkiError::Unwritable { path, source })
}

/// Opens a file that only its owner reads for adding to it. Answers whether it is new.
fn open_private(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().create_new(true).append(true).mode(PRIVATE).open(path) {
        Ok(file) => secret_file::give_to_owner_of_folder(&file, path).map(|()| (file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

/// A file that was written beside its place.
#[derive(Debug)]
pub(super) struct Staged {
    beside: PathBuf,
    path: PathBuf,
}

/// Writes a file for everybody beside its place.
pub(super) fn stage_public(path: &Path, text: &str) -> Result<Staged, PkiError> {
    let staged = Staged::fresh(path)?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(PUBLIC).open(&staged.beside);
    let written = opened.and_then(|mut file| {
        secret_file::give_to_owner_of_folder(&file, &staged.beside)?;
        file.write_all(text.as_bytes())?;
        // The mode that it was opened with is cut by the caller's umask; a hub of another user must read it.
        file.set_permissions(Permissions::from_mode(PUBLIC))?;
        file.sync_all()
    });
    written.map_err(|source| PkiError::Unwritable { path: path.to_owned(), source })?;
    Ok(staged)
}

/// Writes a key beside its place.
pub(super) fn stage_secret(path: &Path, text: &str) -> Result<Staged, PkiError> {
    let staged = Staged::fresh(path)?;
    secret_file::create(&staged.beside, text)?;
    Ok(staged)
}

impl Staged {
    fn fresh(path: &Path) -> Result<Self, PkiError> {
        let staged = Self::left_beside(path);
        // What a crash left behind was never in use.
        remove_if_there(&staged.beside)?;
        Ok(staged)
    }

    /// What may have been left beside a place.
    pub(super) fn left_beside(path: &Path) -> Self {
        Self { beside: beside(path), path: path.to_owned() }
    }

    /// Where it waits.
    pub(super) fn beside(&self) -> &Path {
        &self.beside
    }

    /// Puts it in its place.
    pub(super) fn settle(self) -> Result<(), PkiError> {
        let renamed =
            fs::rename(&self.beside, &self.path).and_then(|()| secret_file::sync_folder_of(&self.path));
        renamed.map_err(|source| PkiError::Unwritable { path: self.path, source })
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(NEXT);
    path.with_file_name(name)
}

/// Puts a file for everybody in the place of an older one, in one step.
pub(crate) fn replace_public(path: &Path, text: &str) -> Result<(), PkiError> {
    stage_public(path, text)?.settle()
}

/// Adds lines to a file that only its owner reads, and makes them durable.
pub(super) fn append_private(path: &Path, text: &str) -> Result<(), PkiError> {
    let written = open_private(path).and_then(|(mut file, is_new)| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if is_new { secret_file::sync_folder_of(path) } else { Ok(()) }
    });
    written.map_err(|source| PkiError::Unwritable { path: path.to_owned(), source })
}

/// Removes a file; one that is not there is no mistake.
pub(super) fn remove_if_there(path: &Path) -> Result<(), PkiError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PkiError::Unwritable { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The bytes of a file that is not secret.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    let unreadable = |source| PkiError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(PkiError::unusable(path, "it is larger than 8 MiB: is it the right file?"));
    }
    fs::read(path).map_err(unreadable)
}

/// The bytes of a file that is not secret; nothing where there is no such file.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, PkiError> {
    match read(path) {
        Err(PkiError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The `.pem` files of a folder, in the order of their names.
pub(super) fn pem_files(folder: &Path) -> Result<Vec<PathBuf>, PkiError> {
    let unreadable = |source| PkiError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "pem") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Cuts a file off behind so many bytes.
pub(super) fn cut(path: &Path, bytes: usize) -> Result<(), PkiError> {
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        file.sync_all()
    });
    cut.map_err(|source| PkiError::Unwritable { path: path.to_owned(), source })
}
