//! The write-ahead log as SQLite's file format describes it, read by bytes: where its last commit ends, and what lies behind.
//!
//! Absent: checksums. Who asks knows that no transaction was rolled back while its frames were on their way to the file.

use std::path::{Path, PathBuf};

/// Bytes of the log's own header: magic, version, page size, sequence, two salts, two checksums.
const HEADER: usize = 32;
/// Bytes of a frame's header: page, pages after a commit or zero, the log's two salts, two checksums.
const FRAME_HEADER: usize = 24;

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The salts: others after the log began from its beginning again.
    pub(crate) salts: u64,
    /// Where the last commit ends, in bytes; zero without any.
    pub(crate) committed: usize,
    /// Where the last frame with these salts ends, cut short or not.
    pub(crate) written: usize,
}

impl Extent {
    /// Reads a log's bytes. An empty log holds nothing.
    pub(crate) fn of(log: &[u8]) -> Self {
        let word = |at: usize| log.get(at..at + 4).map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        let salts_at = |at: usize| Some(u64::from(word(at)?) << 32 | u64::from(word(at + 4)?));
        let (Some(page), Some(salts)) = (word(8), salts_at(16)) else {
            return Self { salts: 0, committed: 0, written: 0 };
        };
        let size = FRAME_HEADER + usize::try_from(page).unwrap();
        let (mut at, mut committed) = (HEADER, 0);
        while salts_at(at + 8) == Some(salts) {
            let is_commit = word(at + 4) != Some(0);
            at += size;
            if is_commit && at <= log.len() {
                committed = at;
            }
        }
        Self { salts, committed, written: at.min(log.len()) }
    }
}

/// The log beside a database.
pub(crate) fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// What the log beside a database holds; nothing where there is none.
pub(crate) fn extent(database: &Path) -> Extent {
    Extent::of(&std::fs::read(path(database)).unwrap_or_default())
}

#[test]
fn commits_and_what_lies_behind_them_are_told_apart() {
    let mut log = vec![0; HEADER];
    log[8..12].copy_from_slice(&512_u32.to_be_bytes());
    log[16..24].copy_from_slice(&7_u64.to_be_bytes());
    let frame = |pages: u32, salts: u64| {
        let mut frame = vec![0; FRAME_HEADER + 512];
        frame[4..8].copy_from_slice(&pages.to_be_bytes());
        frame[8..16].copy_from_slice(&salts.to_be_bytes());
        frame
    };
    assert_eq!(Extent::of(&log), Extent { salts: 7, committed: 0, written: HEADER });
    log.extend(frame(0, 7));
    log.extend(frame(9, 7));
    let committed = log.len();
    assert_eq!(Extent::of(&log), Extent { salts: 7, committed, written: committed });
    log.extend(&frame(0, 7)[..100]);
    assert_eq!(Extent::of(&log), Extent { salts: 7, committed, written: committed + 100 });
    // Frames of an earlier round do not count.
    log.truncate(committed);
    log.extend(frame(9, 6));
    assert_eq!(Extent::of(&log), Extent { salts: 7, committed, written: committed });
    assert_eq!(Extent::of(b""), Extent { salts: 0, committed: 0, written: 0 });
}
