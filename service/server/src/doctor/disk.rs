//! The disk under the data folder: whether it keeps what is written, and how long it has room.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Finding, Known};
use crate::backup::{Space, space_of};

const SYSTEM: &str = "file system";
const ROOM: &str = "disk";
const LOG: &str = "write-ahead log";

/// Below this the next busy minute may fill it.
const FREE_MIN: u64 = 256 * 1024 * 1024;
/// Files that must be free at least: log, backup and certificates make a few.
const FILES_MIN: u64 = 1_000;
/// Fewer days than this, at the growth so far, and somebody should order a disk.
const DAYS_MIN: u64 = 30;
/// A database grows unevenly at first: before this nothing is said about its growth.
const AGE_MIN_DAYS: u64 = 7;
/// A log this large was not moved into the database for long: a reader that never ends, or a backup that hangs.
const LOG_MAX: u64 = 1024 * 1024 * 1024;
const MEGABYTE: u64 = 1_000_000;
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// File systems by the number that the system has for each, and what is wrong with them.
const UNFIT: [(u32, &str, &str); 9] = [
    (0x0102_1994, "tmpfs", "memory: everything is gone with the next start"),
    (0x8584_58f6, "ramfs", "memory: everything is gone with the next start"),
    (0x0000_6969, "NFS", "a network: SQLite's locks and syncs do not hold there"),
    (0xff53_4d42, "CIFS", "a network: SQLite's locks and syncs do not hold there"),
    (0xfe53_4d42, "SMB", "a network: SQLite's locks and syncs do not hold there"),
    (0x0102_1997, "9P", "another system's: SQLite's locks and syncs do not hold there"),
    (0x0000_517b, "SMB", "a network: SQLite's locks and syncs do not hold there"),
    (0x6573_5546, "FUSE", "a program's: nobody knows whether its syncs hold"),
    (0x794c_7630, "overlayfs", "a container's own layer: everything is gone with the container"),
];

pub(super) fn look(data: &Path, known: &Known, findings: &mut Vec<Finding>) {
    match rustix::fs::statfs(data) {
        Ok(facts) => findings.push(of_system(u32::try_from(facts.f_type & 0xffff_ffff).unwrap_or_default())),
        Err(error) => findings.push(Finding::warn(SYSTEM, format!("the system does not tell: {error}"))),
    }
    match space_of(data) {
        Ok(space) => findings.push(of_room(space, known.bytes, age_days(known))),
        Err(error) => findings.push(Finding::warn(ROOM, format!("the system does not tell: {error}"))),
    }
}

/// The log's size, which the look into the database has seen.
pub(super) fn of_log(bytes: u64) -> Finding {
    if bytes > LOG_MAX {
        let what = format!(
            "it has {} MB: something reads the database without an end, so that the log cannot begin anew; end old readers \
             and backups that hang",
            bytes / MEGABYTE
        );
        return Finding::warn(LOG, what);
    }
    Finding::ok(LOG, format!("{} MB", bytes.div_ceil(MEGABYTE)))
}

fn age_days(known: &Known) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let made = known.contents.as_ref()?.created_at.micros();
    let age = i64::try_from(now.as_micros()).ok()?.checked_sub(made)?;
    u64::try_from(age / DAY_MICROS).ok()
}

fn of_system(number: u32) -> Finding {
    let unfit = UNFIT.iter().find(|(known, _, _)| *known == number);
    unfit.map_or_else(
        || Finding::ok(SYSTEM, "a local one"),
        |(_, name, why)| {
            Finding::fail(SYSTEM, format!("the data folder lies on {name}, {why}: move it to a local disk"))
        },
    )
}

fn of_room(space: Space, database: u64, age_days: Option<u64>) -> Finding {
    let free = space.free / MEGABYTE;
    if space.free < FREE_MIN {
        let what = format!("{free} MB are free: the hub refuses writes with STORAGE_FULL soon; make room");
        return Finding::fail(ROOM, what);
    }
    if space.files > 0 && space.files_free < FILES_MIN {
        let what =
            format!("{} more files can be made (inodes): remove files that nobody needs", space.files_free);
        return Finding::fail(ROOM, what);
    }
    if space.free < database || space.free < space.size / 20 {
        let what = format!(
            "{free} MB are free, and the database has {} MB: there is no room for a restore beside it; make room",
            database / MEGABYTE
        );
        return Finding::warn(ROOM, what);
    }
    let growth = age_days.filter(|days| *days >= AGE_MIN_DAYS).and_then(|days| database.checked_div(days));
    let left = growth.and_then(|growth| space.free.checked_div(growth));
    match left {
        Some(days) if days < DAYS_MIN => Finding::warn(
            ROOM,
            format!(
                "{free} MB are free: at the growth so far that is enough for {days} days; order a larger disk"
            ),
        ),
        Some(days) => Finding::ok(ROOM, format!("{free} MB are free: {days} days at the growth so far")),
        None => Finding::ok(ROOM, format!("{free} MB are free")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_disk_has_its_verdict() {
        const GB: u64 = 1_000 * MEGABYTE;
        let space = |free: u64, files_free: u64| Space { free, size: 100 * GB, files_free, files: 10_000 };
        for (what, space, database, age, verdict) in [
            ("roomy", space(50 * GB, 9_000), GB, Some(100), Verdict::Ok),
            ("new", space(50 * GB, 9_000), 0, None, Verdict::Ok),
            ("nearly full", space(100 * MEGABYTE, 9_000), 0, None, Verdict::Fail),
            ("no more files", space(50 * GB, 10), 0, None, Verdict::Fail),
            ("no room for a restore", space(10 * GB, 9_000), 11 * GB, None, Verdict::Warn),
            ("less than a twentieth", space(4 * GB, 9_000), 0, None, Verdict::Warn),
            ("growing", space(20 * GB, 9_000), 19 * GB, Some(10), Verdict::Warn),
        ] {
            assert_eq!(of_room(space, database, age).verdict, verdict, "{what}");
        }
        assert_eq!(of_log(5).verdict, Verdict::Ok);
        assert_eq!(of_log(2 * LOG_MAX).verdict, Verdict::Warn);
        assert_eq!(of_system(0xef53).verdict, Verdict::Ok, "ext4");
        for (number, name, _) in UNFIT {
            let found = of_system(number);
            assert!(found.verdict == Verdict::Fail && found.found.contains(name), "{found:?}");
        }
    }
}
