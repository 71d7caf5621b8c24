//! The authority's journal: what it issued, what it revoked, and each revocation list that it signed.
//!
//! One JSON object on a line, only ever added to, durable before what it tells of is written: a certificate that is
//! somewhere stands here, and no number of a revocation list is used twice. A last line without its end was never
//! finished, and counts for nothing. Absent: keys, and anything about calls; the hub never reads it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::crl::Reason;
use super::folder::{self, JOURNAL, Locked};
use super::{Moment, PkiError};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Entry {
    /// A certificate was issued.
    Issued(IssuedEntry),
    /// A certificate was revoked.
    Revoked(RevokedEntry),
    /// Revocation lists were signed, one for each authority, all with this number.
    Crl(CrlEntry),
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IssuedEntry {
    pub(super) at: Moment,
    pub(super) serial: String,
    /// A client's principal as its path; a server's names joined by commas.
    pub(super) name: String,
    /// The certificate's file as it was named then.
    pub(super) file: String,
    pub(super) not_before: Moment,
    pub(super) not_after: Moment,
    pub(super) fingerprint: String,
    /// The fingerprint of the authority that signed it.
    pub(super) authority: String,
}

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RevokedEntry {
    pub(super) at: Moment,
    pub(super) serial: String,
    pub(super) reason: Reason,
    /// The fingerprint of the authority that signed it.
    pub(super) authority: String,
}

/// A revocation list that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CrlEntry {
    pub(super) at: Moment,
    pub(super) number: u64,
    /// How long it was good for.
    pub(super) days: u32,
}

/// Every finished line.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
}

impl Journal {
    /// Reads a folder's journal; one that is missing is empty.
    pub(super) fn read(folder: &Path) -> Result<Self, PkiError> {
        let path = folder.join(JOURNAL);
        let bytes = folder::read_if_there(&path)?.unwrap_or_default();
        let text = finished(&path, &bytes)?;
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let entry = serde_json::from_str(line).map_err(|error| {
                let number = index.saturating_add(1);
                PkiError::unusable(
                    &path,
                    format!("line {number} is damaged ({error}): put back a copy of the file"),
                )
            })?;
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// Adds a line and makes it durable.
    pub(super) fn append(folder: &Path, _locked: &Locked, entry: &Entry) -> Result<(), PkiError> {
        let path = folder.join(JOURNAL);
        let bytes = folder::read_if_there(&path)?.unwrap_or_default();
        let finished = finished(&path, &bytes)?.len();
        if finished < bytes.len() {
            folder::cut(&path, finished)?;
        }
        let line =
            serde_json::to_string(entry).map_err(|error| PkiError::unusable(&path, error.to_string()))?;
        folder::append_private(&path, &format!("{line}\n"))
    }

    pub(super) fn issued(&self) -> impl Iterator<Item = &IssuedEntry> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Issued(issued) => Some(issued),
            _ => None,
        })
    }

    /// What of an authority's is revoked, by serial number; the first revocation of each counts.
    pub(super) fn revoked(&self, authority: &str) -> BTreeMap<String, RevokedEntry> {
        let mut revoked = BTreeMap::new();
        for entry in &self.entries {
            if let Entry::Revoked(entry) = entry
                && entry.authority == authority
            {
                revoked.entry(entry.serial.clone()).or_insert_with(|| entry.clone());
            }
        }
        revoked
    }

    /// The last revocation list that was signed.
    pub(super) fn last_crl(&self) -> Option<&CrlEntry> {
        let lists = self.entries.iter().filter_map(|entry| match entry {
            Entry::Crl(crl) => Some(crl),
            _ => None,
        });
        lists.max_by_key(|crl| crl.number)
    }
}

/// The text up to the end of the last finished line.
fn finished<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, PkiError> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
    std::str::from_utf8(bytes.get(..end).unwrap_or_default())
        .map_err(|_| PkiError::unusable(path, "it is no text: put back a copy of the file"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn crl(number: u64) -> Entry {
        Entry::Crl(CrlEntry { at: Moment::from_seconds(0), number, days: 30 })
    }

    #[test]
    fn a_line_that_was_never_finished_counts_for_nothing_and_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL);
        let locked = folder::lock(folder.path()).unwrap();
        Journal::append(folder.path(), &locked, &crl(1)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(br#"{"event":"crl","number":2"#);
        std::fs::write(&path, torn).unwrap();
        assert_eq!(Journal::read(folder.path()).unwrap().last_crl().unwrap().number, 1);
        Journal::append(folder.path(), &locked, &crl(3)).unwrap();
        let journal = Journal::read(folder.path()).unwrap();
        assert_eq!(journal.entries, [crl(1), crl(3)]);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder::lock(folder.path()).unwrap();
        Journal::append(folder.path(), &locked, &crl(1)).unwrap();
        folder::append_private(&folder.path().join(JOURNAL), "rubbish\n").unwrap();
        let said = Journal::read(folder.path()).unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains("put back"), "{said}");
    }
}
