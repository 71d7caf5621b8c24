//! The ground that a bench runs on: a folder with a hub's data, a copy for each further hub, and what the driver needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use pointbridge_store_sqlite::{Options, SqliteStore, StatementHook, system_clock};

use super::members::{Alliance, found};
use super::order::{PARTNERS, SUBJECT};
use crate::child::{ChildProgram, Life, own_program, words_of};
use crate::config::{CONFIG_FILE, DATABASE_FILE, PKI_FOLDER};
use crate::keys::KEY_RING_FILE;
use crate::limits::ALLOWANCE_MAX;
use crate::peer::{Principal, TrustDomain};
use crate::pki::{Ca, LeafRequest};
use crate::secret_file;

/// The trust domain of the bench's certificates; example domains belong to nobody.
const TRUST_DOMAIN: &str = "alliance.example";
/// Days for which a kept folder can be looked at.
const CERTIFICATE_DAYS: u32 = 30;
/// The data of the first hub.
const FIRST: &str = "hub";

/// A setting of a hub: a key of its configuration, and its value as it would stand in the file.
pub type HubSetting = (String, String);

/// The folder.
pub(super) struct Ground {
    folder: PathBuf,
}

impl Ground {
    /// Fills an empty folder: authority, keys, certificates, and a database with members.
    ///
    /// # Errors
    /// The folder cannot be written, or the store failed.
    pub(super) async fn make(folder: &Path, members: usize) -> anyhow::Result<(Self, Alliance)> {
        let ground = Self { folder: folder.to_owned() };
        let data = ground.data(FIRST);
        let mut bootstrap = own_program()?;
        bootstrap.arg("bootstrap").arg("--data").arg(&data);
        bootstrap.args(["--trust-domain", TRUST_DOMAIN, "--operator", "ops-1"]);
        let made = bootstrap.output().await?;
        ensure!(made.status.success(), "bootstrap failed: {}", words_of(&made));
        let ca = Ca::open(&data.join(PKI_FOLDER))?;
        for code in PARTNERS {
            let path = format!("partner/{code}/partner/{SUBJECT}");
            let principal = Principal::from_path(&path, &TrustDomain::parse(TRUST_DOMAIN)?)?;
            ca.issue(&LeafRequest::client(principal, CERTIFICATE_DAYS))?;
        }
        let store = ground.open(FIRST, None).await?;
        let alliance = found(&store, members).await;
        store.close().await;
        let alliance = alliance?;
        alliance.members.write(&ground.members())?;
        Ok((ground, alliance))
    }

    /// A copy of the first hub's data under another name, made before that hub runs.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn copy(&self, name: &str) -> anyhow::Result<()> {
        let (from, to) = (self.data(FIRST), self.data(name));
        secret_file::create_folder(&to)?;
        secret_file::create_folder(&to.join(PKI_FOLDER))?;
        for file in [DATABASE_FILE, CONFIG_FILE, KEY_RING_FILE] {
            fs::copy(from.join(file), to.join(file)).with_context(|| format!("{file} cannot be copied"))?;
        }
        for entry in fs::read_dir(from.join(PKI_FOLDER))? {
            let path = entry?.path();
            if let Some(file) = path.file_name().filter(|_| path.is_file()) {
                fs::copy(&path, to.join(PKI_FOLDER).join(file))?;
            }
        }
        Ok(())
    }

    /// Starts a hub on the data of this name, with limits that a bench does not meet, and with these settings.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) async fn serve(
        &self,
        name: &'static str,
        settings: &[HubSetting],
    ) -> anyhow::Result<(ChildProgram, String)> {
        let data = self.data(name);
        let path = data.join(CONFIG_FILE);
        let mut table: toml::Table = fs::read_to_string(&path)?.parse()?;
        for key in ["rate_per_second", "rate_burst", "calls_in_flight_max"] {
            table.insert(key.to_owned(), i64::from(ALLOWANCE_MAX).into());
        }
        table.extend(settings.iter().map(|(key, value)| (key.clone(), value_of(value))));
        fs::write(&path, table.to_string())?;
        let mut serve = own_program()?;
        serve.arg("serve").arg("--data").arg(&data);
        serve.args(["--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"]);
        let mut hub = ChildProgram::start(serve, name, self.log(name), Life::WithParent)?;
        let address = hub.address().await?;
        Ok((hub, format!("https://{address}")))
    }

    /// Opens the store of this name in this process.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn open(&self, name: &str, hook: Option<StatementHook>) -> anyhow::Result<SqliteStore> {
        let options = Options {
            path: self.data(name).join(DATABASE_FILE),
            clock: system_clock()?,
            statement_hook: hook,
            readers: 2,
            migrate: true,
        };
        Ok(SqliteStore::open(options).await?)
    }

    /// The bytes of the database of this name, while no program has it open.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn database_bytes(&self, name: &str) -> anyhow::Result<u64> {
        Ok(fs::metadata(self.data(name).join(DATABASE_FILE))?.len())
    }

    /// The data folder of this name.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The partners' certificates and the hub's authority.
    pub(super) fn pki(&self) -> PathBuf {
        self.data(FIRST).join(PKI_FOLDER)
    }

    /// The file of members.
    pub(super) fn members(&self) -> PathBuf {
        self.folder.join("members.json")
    }

    /// The file of answers for the echo.
    pub(super) fn answers(&self) -> PathBuf {
        self.folder.join("answers.json")
    }

    /// The log of a child of this name.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

/// A value as TOML has it; what is none is a text.
fn value_of(text: &str) -> toml::Value {
    let table = format!("value = {text}").parse::<toml::Table>();
    let read = table.ok().and_then(|mut table| table.remove("value"));
    read.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_toml_or_else_a_text() {
        assert_eq!(value_of("7"), toml::Value::Integer(7));
        assert_eq!(value_of("true"), toml::Value::Boolean(true));
        assert_eq!(value_of("\"7\""), toml::Value::String("7".to_owned()));
        assert_eq!(value_of("127.0.0.1:0"), toml::Value::String("127.0.0.1:0".to_owned()));
        assert_eq!(value_of("warn"), toml::Value::String("warn".to_owned()));
    }
}
