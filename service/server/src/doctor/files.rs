//! Who may read and write the files of a hub: its folder, its secrets, and whether they belong to one user.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Finding;
use crate::config::{Config, DATABASE_FILE, PKI_FOLDER};
use crate::keys::KEY_RING_FILE;
use crate::secret_file::MODE_OF_OTHERS;

const FOLDER: &str = "data folder";
const SECRETS: &str = "key files";

/// The permission bits that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

pub(super) fn look(data: &Path, config: Option<&Config>, findings: &mut Vec<Finding>) {
    let folder = match fs::metadata(data) {
        Ok(folder) => folder,
        Err(error) => {
            findings.push(Finding::fail(FOLDER, format!("{} cannot be looked at: {error}", data.display())));
            return;
        }
    };
    findings.push(of_folder(data, &folder));
    let secrets = secrets(data, config);
    let faults: Vec<String> = secrets.iter().filter_map(|path| fault_of(path, &folder)).collect();
    findings.push(if faults.is_empty() {
        Finding::ok(SECRETS, format!("{}: their owner alone may read them", secrets.len()))
    } else {
        Finding::fail(SECRETS, faults.join("; "))
    });
}

fn of_folder(data: &Path, folder: &Metadata) -> Finding {
    let mode = mode_of(folder);
    let path = data.display();
    if mode & WRITABLE_BY_OTHERS != 0 {
        let what = format!(
            "others may write to {path} (mode {mode:o}), and so replace the database: run chmod 700 on it"
        );
        return Finding::fail(FOLDER, what);
    }
    let database = data.join(DATABASE_FILE);
    if let Ok(facts) = fs::metadata(&database)
        && facts.uid() != folder.uid()
    {
        let what = format!(
            "{} belongs to user {} and its folder to {}: the hub must run as one of them; run chown on it",
            database.display(),
            facts.uid(),
            folder.uid()
        );
        return Finding::fail(FOLDER, what);
    }
    if mode & MODE_OF_OTHERS != 0 {
        let what = format!(
            "others may look into {path} (mode {mode:o}): members' references stand in the database; run chmod 700 on it"
        );
        return Finding::warn(FOLDER, what);
    }
    Finding::ok(FOLDER, format!("{path} is its owner's alone"))
}

/// The hub's key ring, its own private key, and the keys of the development CA's folder.
fn secrets(data: &Path, config: Option<&Config>) -> Vec<PathBuf> {
    let mut secrets = vec![data.join(KEY_RING_FILE)];
    secrets.extend(config.map(|config| config.tls.key_pem.clone()));
    let entries = fs::read_dir(data.join(PKI_FOLDER)).into_iter().flatten().flatten();
    secrets.extend(
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "key")),
    );
    secrets.retain(|path| path.exists());
    secrets.sort();
    secrets.dedup();
    secrets
}

fn fault_of(path: &Path, folder: &Metadata) -> Option<String> {
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) => return Some(format!("{} cannot be looked at: {error}", path.display())),
    };
    let mode = mode_of(&facts);
    if mode & MODE_OF_OTHERS != 0 {
        return Some(format!(
            "others may read {} (mode {mode:o}): if nobody can have, run chmod 600 on it, else replace the key",
            path.display()
        ));
    }
    (facts.uid() != folder.uid()).then(|| {
        format!(
            "{} belongs to user {} and the data folder to {}: the hub cannot read it; run chown on it",
            path.display(),
            facts.uid(),
            folder.uid()
        )
    })
}

fn mode_of(facts: &Metadata) -> u32 {
    facts.permissions().mode() & 0o777
}
