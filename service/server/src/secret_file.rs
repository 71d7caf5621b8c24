//! Files that hold secrets: private keys and the hub's own key ring.
//!
//! A secret is written with mode 0600 and never over another one, and a file that anyone but its owner may
//! touch is refused when read: a key that leaked must be replaced, not used on. What the bytes mean is the
//! caller's business, and nothing here is encrypted at rest: the file's mode is the guard.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// The most bytes that are read from a secret's file; the largest that the hub writes is under 2 KiB.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The permission bits of the group and of all others.
pub(crate) const MODE_OF_OTHERS: u32 = 0o077;

/// The user who may write everywhere.
const SUPERUSER: u32 = 0;

/// Why a secret could not be read or written.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// The file is missing or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's mode lets others than its owner in.
    #[error(
        "{} is open to others (mode {mode:03o}): if nobody can have read it, run `chmod 600` on it; \
         if somebody can, replace the key",
        path.display()
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is larger than any secret.
    #[error("{} holds more than {SECRET_BYTES_MAX} bytes: it is no key file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file of that name is there, and a secret is never written over another one.
    #[error("{} exists: move it away, or choose another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads a secret as text, which is wiped from memory when dropped.
///
/// # Errors
/// The file is missing or unreadable, open to others, or too large, in this order.
pub fn read(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    // The open file is asked, not its name: the two could differ by the time it is read.
    let facts = file.metadata().map_err(unreadable)?;
    let mode = facts.permissions().mode() & 0o777;
    if mode & MODE_OF_OTHERS != 0 {
        return Err(SecretFileError::TooOpen { path: path.to_owned(), mode });
    }
    if facts.len() > SECRET_BYTES_MAX {
        return Err(SecretFileError::TooLarge { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Writes a new secret with mode 0600 and makes it durable.
///
/// # Errors
/// A file of that name exists, or it cannot be written; what was written by half is removed.
pub fn create(path: &Path, text: &str) -> Result<(), SecretFileError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => SecretFileError::Exists { path: path.to_owned() },
        _ => SecretFileError::Unwritable { path: path.to_owned(), source },
    })?;
    write_through(file, path, text)
}

/// Puts a secret in the place of an older one, in one step: a reader sees either the old or the new.
///
/// # Errors
/// The new file cannot be written or renamed; the old one then stays as it was.
pub fn replace(path: &Path, text: &str) -> Result<(), SecretFileError> {
    let next = path.with_extension("next");
    // What a crash left behind was never in use.
    match fs::remove_file(&next) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(SecretFileError::Unwritable { path: next, source });
        }
        _ => {}
    }
    create(&next, text)?;
    fs::rename(&next, path)
        .and_then(|()| sync_folder_of(path))
        .map_err(|source| SecretFileError::Unwritable { path: path.to_owned(), source })
}

/// Makes a folder, and those above it, that only its owner may enter. One that exists is left as it is.
///
/// # Errors
/// It cannot be made.
pub fn create_folder(path: &Path) -> Result<(), SecretFileError> {
    let is_new = !path.exists();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| {
        let owner = if is_new { new_owner(&fs::symlink_metadata(path)?, path)? } else { None };
        owner.map_or(Ok(()), |(user, group)| lchown(path, Some(user), Some(group)))
    });
    made.map_err(|source| SecretFileError::Unwritable { path: path.to_owned(), source })
}

/// Gives a file that was just made to the owner of its folder, where the superuser made it in somebody else's: a hub
/// that runs as that user must read what was written for it. The file must be new, or a link could name another.
pub(crate) fn give_to_owner_of_folder(file: &File, path: &Path) -> io::Result<()> {
    match new_owner(&file.metadata()?, path)? {
        Some((user, group)) => fchown(file, Some(user), Some(group)),
        None => Ok(()),
    }
}

/// The user and group of the folder, where what was made in it is the superuser's and the folder is not.
fn new_owner(made: &fs::Metadata, path: &Path) -> io::Result<Option<(u32, u32)>> {
    let folder = fs::metadata(folder_of(path))?;
    Ok((made.uid() == SUPERUSER && folder.uid() != SUPERUSER).then(|| (folder.uid(), folder.gid())))
}

fn write_through(mut file: File, path: &Path, text: &str) -> Result<(), SecretFileError> {
    let written = give_to_owner_of_folder(&file, path)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder_of(path));
    written.map_err(|source| {
        // The first failure is the one to tell; the remains are removed as far as that is possible.
        let _ = fs::remove_file(path);
        SecretFileError::Unwritable { path: path.to_owned(), source }
    })
}

/// Makes a new name in a folder durable; without it, a power cut can forget the file.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_secret_is_its_owners_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        assert_eq!(mode_of(&inner), 0o700);
        let path = inner.join("key");
        create(&path, "secret").unwrap();
        assert_eq!(mode_of(&path), 0o600);
        assert_eq!(*read(&path).unwrap(), "secret");
    }

    #[test]
    fn a_secret_is_never_written_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, "first").unwrap();
        assert!(matches!(create(&path, "second"), Err(SecretFileError::Exists { .. })));
        assert_eq!(*read(&path).unwrap(), "first");
    }

    #[test]
    fn replacing_leaves_the_new_one_alone_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, "first").unwrap();
        fs::write(path.with_extension("next"), "left by a crash").unwrap();
        replace(&path, "second").unwrap();
        assert_eq!(*read(&path).unwrap(), "second");
        assert_eq!(mode_of(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_may_touch_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, "secret").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains("chmod 600") && said.contains(&format!("{mode:o}")), "{said}");
        }
    }

    /// Where the tests are the superuser, the folder is somebody else's; otherwise everything is of one user anyway.
    #[test]
    fn what_is_made_in_somebody_elses_folder_is_the_folders_owners() {
        let folder = tempfile::tempdir().unwrap();
        let _ = std::os::unix::fs::chown(folder.path(), Some(4_321), Some(4_322));
        let expected = fs::metadata(folder.path()).unwrap();
        let (inner, path) = (folder.path().join("inner"), folder.path().join("inner/key"));
        create_folder(&inner).unwrap();
        create(&path, "first").unwrap();
        replace(&path, "second").unwrap();
        for made in [inner, path] {
            let facts = fs::metadata(&made).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (expected.uid(), expected.gid()), "{}", made.display());
        }
    }

    #[test]
    fn a_missing_file_and_a_huge_one_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(read(&missing).unwrap_err().to_string().contains("missing"));
        let huge = folder.path().join("huge");
        create(&huge, &"x".repeat(64 * 1024 + 1)).unwrap();
        assert!(matches!(read(&huge), Err(SecretFileError::TooLarge { .. })));
    }
}
