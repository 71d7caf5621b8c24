//! The configuration of a serving hub: a file in the data folder, overridden by environment and flags.
//!
//! `pointbridge bootstrap` writes the file; every key of it has a flag and an environment variable of the same name.
//! `pointbridge config` shows what comes out of it, by the fields' own types and comments: a text is shown where its
//! field names a `format`, and masked where it does not.

mod file;
mod named;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{ALLOWANCE_MAX, Allowance};
use crate::peer::TrustDomain;
use crate::pki::{CLIENT_CA_PEM, CRL_PEM};
use crate::telemetry::{
    self, FILTER_DEFAULT, LogFormat, MILLION, Settings as SignalSettings, TRACES_PER_MILLION_DEFAULT,
};
use crate::tls::{CrlFile, ServerFiles};

pub use file::Written;
pub(crate) use named::choice;
pub use settings::{Key, Layers, Setting, Source, keys};

/// The file's name in the data folder.
pub const CONFIG_FILE: &str = "pointbridge.toml";

/// The database's name in the data folder.
pub const DATABASE_FILE: &str = "pointbridge.db";

/// The development CA's folder in the data folder.
pub const PKI_FOLDER: &str = "pki";

/// Where the hub listens if nobody says otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:7443";

/// How long a hub that was asked to stop goes on serving, if nobody says otherwise: load balancers look every few seconds.
const LAME_DUCK_SECONDS_DEFAULT: u64 = 5;

/// The longest that it may be told to. Ten of the thirty seconds for an orderly end are left to calls under way.
const LAME_DUCK_SECONDS_MAX: u64 = 20;

/// What stands in the file. Every key may be missing. Paths are relative to the data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Address and port to listen on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "address"))]
    pub listen: Option<SocketAddr>,
    /// The trust domain of every SPIFFE id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "name"), example = "alliance.example")]
    pub trust_domain: Option<String>,
    /// The hub's certificate chain, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub certificate: Option<PathBuf>,
    /// The hub's private key, PEM, 0600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub key: Option<PathBuf>,
    /// The CAs of client certificates, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub client_ca: Option<PathBuf>,
    /// The revocation lists of those CAs, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub client_crl: Option<PathBuf>,
    /// CAs whose certificates cannot be revoked, because they have no list: SHA-256 of each CA's certificate, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "fingerprint"))]
    pub allow_ca_without_crl: Option<Vec<String>>,
    /// How long the hub goes on serving once it was asked to stop, 0–20 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lame_duck_seconds: Option<u64>,
    /// What is logged: a level, or levels by module.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "filter"))]
    pub log: Option<String>,
    /// How log lines look: json or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// Address and port of an endpoint without TLS, for metrics (Prometheus) and plain health. None where nothing is said:
    /// whoever reaches it sees partners' codes and how much they exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "address"), example = "127.0.0.1:9464")]
    pub metrics_listen: Option<SocketAddr>,
    /// The OpenTelemetry collector beside the hub that takes traces and metrics over gRPC without TLS. None where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "url"), example = "http://127.0.0.1:4317")]
    pub otlp_endpoint: Option<String>,
    /// How many of a million calls are traced, where otlp_endpoint is set; calls that their callers trace are traced beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_per_million: Option<u32>,
    /// Whether callers may list services by reflection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reflection: Option<bool>,
    /// Calls that a party may make per second, in the long run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Calls that a party may make at once after a rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_burst: Option<u32>,
    /// Calls that a party may have under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_in_flight_max: Option<u32>,
    /// Whether what the hub does counts, as it tells its callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

/// Whether what a hub does counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// It does. The default, so that no hub can forget to say so.
    #[default]
    Live,
    /// It does not: a hub for trying things out.
    Test,
}

impl std::str::FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        choice(text)
    }
}

impl Environment {
    /// Its one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The trust domain of every SPIFFE id.
    pub trust_domain: TrustDomain,
    /// Certificates, key and revocation lists.
    pub tls: ServerFiles,
    /// How long the hub goes on serving once it was asked to stop.
    pub lame_duck: Duration,
    /// What is logged, counted and traced, and where it goes.
    pub signals: SignalSettings,
    /// Whether callers may list services by reflection.
    pub reflection: bool,
    /// What every party may ask for.
    pub allowance: Allowance,
    /// Whether what the hub does counts.
    pub environment: Environment,
}

impl ConfigFile {
    /// Reads the file of a data folder; one that is missing says nothing.
    ///
    /// # Errors
    /// Where it cannot be read; else [`Mistakes`], each with its line and key.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let (read, mistakes) = Self::read_good(data)?;
        if mistakes.is_empty() { Ok(read) } else { Err(Mistakes(mistakes).into()) }
    }

    /// Reads what is good in the file of a data folder, and tells what is not.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn read_good(data: &Path) -> anyhow::Result<(Self, Vec<String>)> {
        let written = Self::written(data)?;
        Ok((written.good, written.mistakes))
    }

    /// The file of a data folder with its mistakes and the lines of its keys; one that is missing says nothing.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn written(data: &Path) -> anyhow::Result<Written> {
        let path = data.join(CONFIG_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(file::parse(&path, &text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Written::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// What holds where nobody says anything. A key that is missing here has no value then.
    #[must_use]
    pub fn defaults(data: &Path) -> Self {
        let allowance = Allowance::default();
        let in_pki = |name: &str| Some(Path::new(PKI_FOLDER).join(name));
        Self {
            listen: LISTEN_DEFAULT.parse().ok(),
            trust_domain: None,
            certificate: in_pki("server.pem"),
            key: in_pki("server.key"),
            client_ca: in_pki(client_ca_default(data)),
            client_crl: in_pki(CRL_PEM),
            allow_ca_without_crl: Some(Vec::new()),
            lame_duck_seconds: Some(LAME_DUCK_SECONDS_DEFAULT),
            log: Some(FILTER_DEFAULT.to_owned()),
            log_format: Some(LogFormat::default()),
            metrics_listen: None,
            otlp_endpoint: None,
            traces_per_million: Some(TRACES_PER_MILLION_DEFAULT),
            reflection: Some(true),
            rate_per_second: Some(allowance.rate_per_second.get()),
            rate_burst: Some(allowance.rate_burst.get()),
            calls_in_flight_max: Some(allowance.calls_in_flight_max.get()),
            environment: Some(Environment::default()),
        }
    }

    /// What `over` says, and where it says nothing, what this says.
    #[must_use]
    pub fn overridden_by(self, over: Self) -> Self {
        Self {
            listen: over.listen.or(self.listen),
            trust_domain: over.trust_domain.or(self.trust_domain),
            certificate: over.certificate.or(self.certificate),
            key: over.key.or(self.key),
            client_ca: over.client_ca.or(self.client_ca),
            client_crl: over.client_crl.or(self.client_crl),
            allow_ca_without_crl: over.allow_ca_without_crl.or(self.allow_ca_without_crl),
            lame_duck_seconds: over.lame_duck_seconds.or(self.lame_duck_seconds),
            log: over.log.or(self.log),
            log_format: over.log_format.or(self.log_format),
            metrics_listen: over.metrics_listen.or(self.metrics_listen),
            otlp_endpoint: over.otlp_endpoint.or(self.otlp_endpoint),
            traces_per_million: over.traces_per_million.or(self.traces_per_million),
            reflection: over.reflection.or(self.reflection),
            rate_per_second: over.rate_per_second.or(self.rate_per_second),
            rate_burst: over.rate_burst.or(self.rate_burst),
            calls_in_flight_max: over.calls_in_flight_max.or(self.calls_in_flight_max),
            environment: over.environment.or(self.environment),
        }
    }

    /// The effective configuration.
    ///
    /// # Errors
    /// Every mistake at once, each with its key and what to do.
    pub fn resolve(self, data: &Path) -> anyhow::Result<Config> {
        let mut mistakes = Vec::new();
        let trust_domain = match &self.trust_domain {
            None => {
                Err("trust_domain: it is not set: run `pointbridge bootstrap`, or give --trust-domain"
                    .to_owned())
            }
            Some(text) => TrustDomain::parse(text).map_err(|error| format!("trust_domain: {error}")),
        };
        let listen = match self.listen {
            Some(listen) => Ok(listen),
            None => LISTEN_DEFAULT.parse().map_err(|error| format!("listen: {error}")),
        };
        let tls = self.server_files(data, &mut mistakes);
        mistakes.extend(named::missing_files(&tls));
        mistakes.extend(self.log.as_deref().and_then(telemetry::filter_mistake));
        mistakes.extend(self.allowance_mistakes());
        mistakes.extend(self.signal_mistakes());
        let allowance = self.allowance();
        let lame_duck_seconds = self.lame_duck_seconds.unwrap_or(LAME_DUCK_SECONDS_DEFAULT);
        if lame_duck_seconds > LAME_DUCK_SECONDS_MAX {
            mistakes.push(format!(
                "lame_duck_seconds: {lame_duck_seconds} is too long: write 0 to {LAME_DUCK_SECONDS_MAX}"
            ));
        }
        match (trust_domain, listen) {
            (Ok(trust_domain), Ok(listen)) if mistakes.is_empty() => Ok(Config {
                data: data.to_owned(),
                listen,
                trust_domain,
                tls,
                lame_duck: Duration::from_secs(lame_duck_seconds),
                reflection: self.reflection.unwrap_or(true),
                allowance,
                environment: self.environment.unwrap_or_default(),
                signals: self.signals(),
            }),
            (trust_domain, listen) => {
                mistakes.extend(trust_domain.err());
                mistakes.extend(listen.err());
                Err(Mistakes(mistakes).into())
            }
        }
    }

    /// Where certificates, key and lists lie, as far as they are named well.
    fn server_files(&self, data: &Path, mistakes: &mut Vec<String>) -> ServerFiles {
        let path = |given: &Option<PathBuf>, default: &str| {
            data.join(given.clone().unwrap_or_else(|| Path::new(PKI_FOLDER).join(default)))
        };
        ServerFiles {
            certificate_pem: path(&self.certificate, "server.pem"),
            key_pem: path(&self.key, "server.key"),
            client_ca_pem: path(&self.client_ca, client_ca_default(data)),
            client_crl: match &self.client_crl {
                Some(named) => CrlFile::Named(data.join(named)),
                None => CrlFile::IfThere(path(&None, CRL_PEM)),
            },
            authorities_without_crl: named::exempt(
                self.allow_ca_without_crl.as_deref().unwrap_or_default(),
                mistakes,
            ),
        }
    }

    fn signals(self) -> SignalSettings {
        SignalSettings {
            log: self.log,
            log_format: self.log_format.unwrap_or_default(),
            metrics_listen: self.metrics_listen,
            otlp_endpoint: self.otlp_endpoint,
            traces_per_million: self.traces_per_million.unwrap_or(TRACES_PER_MILLION_DEFAULT),
        }
    }

    fn signal_mistakes(&self) -> impl Iterator<Item = String> {
        let endpoint = self.otlp_endpoint.as_deref().filter(|text| !named::is_plain_address(text));
        let endpoint = endpoint.map(|_| {
            "otlp_endpoint: it must read http://ADDRESS:PORT, such as http://127.0.0.1:4317: run a collector \
             beside the hub, and have that one send on over TLS"
                .to_owned()
        });
        let part = self.traces_per_million.filter(|part| *part > MILLION);
        let part =
            part.map(|part| format!("traces_per_million: {part} is out of range: write 0 to {MILLION}"));
        let listen = self.listen.or_else(|| LISTEN_DEFAULT.parse().ok());
        let twice = self.metrics_listen.filter(|at| at.port() != 0 && Some(*at) == listen);
        let twice = twice.map(|at| {
            format!("metrics_listen: {at} is where partners are served (listen): choose another port")
        });
        endpoint.into_iter().chain(part).chain(twice)
    }

    fn allowance(&self) -> Allowance {
        let default = Allowance::default();
        Allowance::of(
            self.rate_per_second.unwrap_or(default.rate_per_second.get()),
            self.rate_burst.unwrap_or(default.rate_burst.get()),
            self.calls_in_flight_max.unwrap_or(default.calls_in_flight_max.get()),
        )
    }

    fn allowance_mistakes(&self) -> impl Iterator<Item = String> {
        let given = [
            ("rate_per_second", self.rate_per_second),
            ("rate_burst", self.rate_burst),
            ("calls_in_flight_max", self.calls_in_flight_max),
        ];
        let outside = |number: &u32| !(1..=ALLOWANCE_MAX).contains(number);
        given.into_iter().filter_map(move |(key, number)| {
            let number = number.filter(outside)?;
            Some(format!("{key}: {number} is out of range: write 1 to {ALLOWANCE_MAX}"))
        })
    }
}

/// Everything that is wrong with a configuration, each with its key (before the first colon, but for a place before it) and
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:\n  {}", .0.join("\n  "))]
pub struct Mistakes(pub Vec<String>);

impl Mistakes {
    /// The same, each with the place before it that its key's value comes from, where one is known.
    #[must_use]
    pub fn placed(self, place: impl Fn(&str) -> Option<String>) -> Self {
        let placed = |mistake: String| match mistake.split_once(':').and_then(|(key, _)| place(key)) {
            Some(place) => format!("{place}: {mistake}"),
            None => mistake,
        };
        Self(self.0.into_iter().map(placed).collect())
    }
}

/// The authorities of the development CA's folder; an older folder has its own one alone.
fn client_ca_default(data: &Path) -> &'static str {
    let is_there = |name: &str| data.join(PKI_FOLDER).join(name).exists();
    if is_there("ca.pem") && !is_there(CLIENT_CA_PEM) { "ca.pem" } else { CLIENT_CA_PEM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_all_mistakes_are_told_at_once() {
        let file: ConfigFile =
            toml::from_str("trust_domain = \"a.example\"\nlisten = \"127.0.0.1:1\"").unwrap();
        let flags = ConfigFile { listen: "127.0.0.1:2".parse().ok(), ..ConfigFile::default() };
        let both = file.overridden_by(flags);
        assert_eq!(both.listen, "127.0.0.1:2".parse().ok());
        assert_eq!(both.trust_domain.as_deref(), Some("a.example"));

        let folder = tempfile::tempdir().unwrap();
        let wrong = ConfigFile {
            trust_domain: Some("Not A Domain".into()),
            rate_per_second: Some(0),
            rate_burst: Some(ALLOWANCE_MAX + 1),
            calls_in_flight_max: Some(0),
            lame_duck_seconds: Some(21),
            log: Some("pointbridge=loud".into()),
            client_crl: Some("gone.pem".into()),
            otlp_endpoint: Some("https://user:word@collector.example:4317".into()),
            traces_per_million: Some(MILLION + 1),
            allow_ca_without_crl: Some(vec!["00:11".into()]),
            ..ConfigFile::default()
        };
        let told = wrong.resolve(folder.path()).unwrap_err().to_string();
        let keys = [
            "trust_domain",
            "certificate",
            "key",
            "client_ca",
            "client_crl",
            "log",
            "lame_duck_seconds",
            "allow_ca_without_crl",
            "rate_per_second",
            "rate_burst",
            "calls_in_flight_max",
            "otlp_endpoint",
            "traces_per_million",
        ];
        assert!(!told.contains("word"), "a password is not repeated: {told}");
        for key in keys {
            assert!(told.contains(&format!("\n  {key}: ")), "{told}");
        }
    }

    #[test]
    fn a_folder_from_before_others_were_imported_is_served_with_its_own_authority() {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join(PKI_FOLDER);
        let default = || ConfigFile::defaults(folder.path()).client_ca.unwrap();
        assert_eq!(default(), Path::new("pki/client-ca.pem"));
        std::fs::create_dir(&pki).unwrap();
        std::fs::write(pki.join("ca.pem"), "").unwrap();
        assert_eq!(default(), Path::new("pki/ca.pem"));
        std::fs::write(pki.join(CLIENT_CA_PEM), "").unwrap();
        assert_eq!(default(), Path::new("pki/client-ca.pem"));
    }

    #[test]
    fn a_key_that_does_not_exist_is_a_mistake() {
        assert!(toml::from_str::<ConfigFile>("lisen = \"127.0.0.1:1\"").is_err());
    }
}
