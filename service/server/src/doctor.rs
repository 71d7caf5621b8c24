//! A hub looked over: what would keep it from serving, what would lose data, what is about to end.
//!
//! Each check is a question with a verdict, what was found, and what to do. It looks and changes nothing, but that a look into
//! the database of a hub that was killed moves its log into it, as every other look does.
//!
//! Absent on purpose: the books (`check` proves them), and any mending.

mod address;
mod certificates;
mod clock;
mod database;
mod disk;
mod files;
mod remains;

use std::path::Path;

use pointbridge_store_sqlite::Contents;
use serde::Serialize;

use crate::config::{Config, Environment, Mistakes};

/// How a check came out, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// The hub does not serve, or what it acknowledges may be lost.
    Fail,
}

impl Verdict {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, and what to do where something is.
    pub found: String,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into() }
    }

    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found)
    }

    fn warn(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, found)
    }

    fn fail(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, found)
    }
}

/// What is known of the database, for the checks that need it.
struct Known {
    contents: Option<Contents>,
    /// Bytes of the database and its log.
    bytes: u64,
}

/// Looks a hub's folder over, with what holds there, or everything that is wrong with it.
pub async fn examine(data: &Path, resolved: Result<Config, Mistakes>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !data.is_dir() {
        let what = format!("there is no folder {}: name the hub's folder with --data", data.display());
        return vec![Finding::fail("data folder", what)];
    }
    let config = configuration(resolved, &mut findings);
    files::look(data, config.as_ref(), &mut findings);
    let is_open = database::is_open(data);
    let known = database::look(data, is_open, &mut findings).await;
    disk::look(data, &known, &mut findings);
    remains::look(data, &mut findings);
    clock::look(known.contents.as_ref(), &mut findings);
    if let Some(config) = &config {
        certificates::look(&config.tls, &mut findings);
        address::look(config.listen, is_open, &mut findings);
    }
    findings
}

fn configuration(resolved: Result<Config, Mistakes>, findings: &mut Vec<Finding>) -> Option<Config> {
    const CHECK: &str = "configuration";
    match resolved {
        Err(mistakes) => {
            findings.push(Finding::fail(CHECK, mistakes.to_string()));
            None
        }
        Ok(config) => {
            findings.push(sense_of(&config).map_or_else(
                || Finding::ok(CHECK, format!("trust domain {}, {}", config.trust_domain, config.listen)),
                |doubt| Finding::warn(CHECK, doubt),
            ));
            Some(config)
        }
    }
}

/// What is allowed and makes no sense.
fn sense_of(config: &Config) -> Option<String> {
    let allowance = &config.allowance;
    if config.environment == Environment::Test && !config.listen.ip().is_loopback() {
        return Some(format!(
            "environment is \"test\", and {} can be reached by partners: what they do does not count",
            config.listen
        ));
    }
    (allowance.rate_burst < allowance.rate_per_second).then(|| {
        format!(
            "rate_burst {} is below rate_per_second {}: nobody can ever reach that rate; raise the burst",
            allowance.rate_burst, allowance.rate_per_second
        )
    })
}
