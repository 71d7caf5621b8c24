//! How much room a file system has, so that a copy is refused before it fills the disk that a hub writes to.

use std::io;
use std::path::Path;

/// What is free where a file is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes that this user may still write.
    pub(crate) free: u64,
    /// Bytes in all.
    pub(crate) size: u64,
    /// Files that may still be made; as many as there are of those in all where the system does not count them.
    pub(crate) files_free: u64,
    /// Files in all; 0 where the system does not count them.
    pub(crate) files: u64,
}

/// The room of the file system that a path is on.
pub(crate) fn space_of(path: &Path) -> io::Result<Space> {
    let facts = rustix::fs::statvfs(path)?;
    Ok(Space {
        free: facts.f_bavail.saturating_mul(facts.f_frsize),
        size: facts.f_blocks.saturating_mul(facts.f_frsize),
        files_free: facts.f_favail,
        files: facts.f_files,
    })
}

/// Kept free beside a copy: a log of this size is what a hub writes between two of its own checkpoints, many times over.
const MARGIN: u64 = 64 * 1024 * 1024;

/// Refuses a copy of so many bytes where it would leave next to nothing.
///
/// # Errors
/// There is not enough room, with how much there is; or the system does not tell.
pub(super) fn require_room(folder: &Path, bytes: u64) -> anyhow::Result<()> {
    let free = space_of(folder)?.free;
    // A small copy on a small disk may fill half of what is free, a large one all but the margin.
    let needed = bytes.saturating_add(MARGIN.min(bytes));
    anyhow::ensure!(
        needed <= free,
        "there is no room in {}: {} are free and {} are needed; make room, or name another folder",
        folder.display(),
        megabytes(free),
        megabytes(needed)
    );
    Ok(())
}

/// A size for people.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
