//! Backups of a hub's database: made while it serves, proven before they count, and put back in its place.
//!
//! ```text
//! make ──► copy of one moment ──► proof (pages, books) ──► manifest, then the backup under its name
//! restore ──► proof of the backup ──► what is lost, what goes on ──► a new epoch ──► in place in one step
//! ```
//!
//! Absent on purpose: the hub's keys and certificates. Whoever has a backup alone can neither open quotes nor sign; they are
//! kept apart.

mod carry;
mod leftovers;
mod make;
mod proof;
mod restore;
mod space;

use std::path::{Path, PathBuf};

use anyhow::Context;
use pointbridge_store_sqlite::Contents;
use serde::{Deserialize, Serialize};

use crate::keys::KeyRing;
use crate::pki::Moment;

pub use carry::{Carried, Fate};
pub use make::{Made, Proof, make};
pub(crate) use restore::STAGING_FOLDER;
pub use restore::{Accept, Request, Restored, Unaccepted, restore};
pub(crate) use space::{Space, space_of};

/// What a manifest's name has more than its backup's.
const MANIFEST_ENDING: &str = ".json";

/// The most bytes of a manifest that are read; one has about 1 KiB.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

const SCHEMA: &str = "pointbridge.backup.v1";

/// What lies beside a backup: what it is, and by what it is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Names this form.
    pub schema: String,
    /// The backup's file name when it was made.
    pub database: String,
    /// When it was finished.
    pub made_at: Moment,
    /// The version of the program that made it.
    pub program: String,
    /// The backup's size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The store's epoch.
    pub epoch: u32,
    /// When the store was made: backups of one store have it in common.
    pub store_created_at: String,
    /// The latest time that anything in it was decided with.
    pub last_decided_at: String,
    /// How many records it has.
    pub records: i64,
    /// The last of them.
    pub last_record: Option<String>,
    /// The migrations of its schema.
    pub migrations: Vec<String>,
    /// The keys that were in use; nothing where they could not be read.
    pub keys: Option<KeysInUse>,
    /// Whether the books were proven on it.
    pub books_proven: bool,
}

/// By what keys are known again. None of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysInUse {
    /// Versions of the quote keys, the current one first.
    pub quote_key_versions: Vec<u8>,
    /// The link-code key's check value.
    pub link_code_key_check: String,
}

impl KeysInUse {
    fn of(keys: &KeyRing) -> Self {
        Self {
            quote_key_versions: keys.quote_key_versions(),
            link_code_key_check: keys.link_code_key_check(),
        }
    }
}

/// What is known of a backup's file beside its contents.
struct Written {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    fn new(
        written: Written,
        contents: &Contents,
        keys: Option<KeysInUse>,
        proof: Proof,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            schema: SCHEMA.to_owned(),
            database: written.name,
            made_at: Moment::now()?,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            bytes: written.bytes,
            sha256: written.sha256,
            epoch: contents.epoch,
            store_created_at: contents.created_at.to_string(),
            last_decided_at: contents.last_decided_at.to_string(),
            records: contents.records,
            last_record: contents.last_record.map(|id| id.to_string()),
            migrations: contents.migrations.clone(),
            keys,
            books_proven: proof == Proof::PagesAndBooks,
        })
    }

    /// Where the manifest of a backup lies.
    #[must_use]
    pub fn path_of(backup: &Path) -> PathBuf {
        let mut name = backup.as_os_str().to_owned();
        name.push(MANIFEST_ENDING);
        name.into()
    }

    /// The manifest of a backup; nothing where there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, or is no manifest of this form.
    pub fn read(backup: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path_of(backup);
        let what = || format!("the manifest {} cannot be read", path.display());
        let facts = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.with_context(what)?,
        };
        anyhow::ensure!(
            facts.len() <= MANIFEST_BYTES_MAX,
            "{} is too large to be a backup's manifest",
            path.display()
        );
        let text = std::fs::read_to_string(&path).with_context(what)?;
        let manifest: Self = serde_json::from_str(&text).with_context(what)?;
        anyhow::ensure!(
            manifest.schema == SCHEMA,
            "{} has the form {:?}, and this program knows {SCHEMA:?}: use the program that made it, or a newer one",
            path.display(),
            manifest.schema
        );
        Ok(Some(manifest))
    }
}

/// The file's name beside which a manifest lies, or the whole path where it has none.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
