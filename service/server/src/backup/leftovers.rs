//! What backups that were killed left in their folder: copies that nobody finishes, as large as the database each.
//!
//! A copy that is being made is locked by who makes it, and the system takes the lock of a killed one away.
//!
//! Absent on purpose: whatever has its final name. How long backups are kept is for people to say.

use std::fs::{self, File};
use std::path::Path;

use super::Manifest;
use super::make::{PARTIAL_ENDING, journal_of, with_ending};

/// Removes what killed backups left in a folder, as far as that is possible: a backup is better than a clean folder.
pub(super) fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(backup) = name.strip_suffix(PARTIAL_ENDING) else { continue };
        let is_ours =
            backup.strip_prefix("pointbridge-").is_some_and(|rest| rest.strip_suffix(".db").is_some());
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_left(&entry.path(), &folder.join(backup));
        }
    }
}

fn remove_if_left(partial: &Path, backup: &Path) {
    let Ok(lock) = File::open(partial) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    let manifest = Manifest::path_of(backup);
    // The copy last: by it the rest is found again.
    let mut left = vec![journal_of(partial), with_ending(&manifest, PARTIAL_ENDING)];
    if !backup.exists() {
        left.push(manifest);
    }
    left.push(partial.to_owned());
    for file in left {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_backup_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stays = [
            // Whole, with its manifest, and killed before the other name went.
            "pointbridge-1.db",
            "pointbridge-1.db.json",
            // Being made.
            "pointbridge-3.db.partial",
            "pointbridge-3.db.partial-journal",
            "pointbridge-3.db.json",
            // Somebody else's.
            "other.db.partial",
            "pointbridge-4.partial",
        ];
        let goes = [
            "pointbridge-1.db.partial",
            "pointbridge-2.db.partial",
            "pointbridge-2.db.partial-journal",
            "pointbridge-2.db.json.partial",
            "pointbridge-2.db.json",
        ];
        for name in stays.iter().chain(&goes) {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let making = File::open(folder.path().join("pointbridge-3.db.partial")).unwrap();
        making.lock().unwrap();
        remove_leftovers(folder.path());
        for name in stays {
            assert!(folder.path().join(name).exists(), "{name} is gone");
        }
        for name in goes {
            assert!(!folder.path().join(name).exists(), "{name} is there");
        }
        remove_leftovers(&folder.path().join("none"));
    }
}
