//! The script as it is written. A key that is not known ends the reading: it would be a promise that nobody keeps.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The version of the script's words that is understood here.
pub(crate) const FORMAT: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) format: u32,
    #[serde(rename = "about")]
    pub(crate) _about: String,
    /// The file stem of each caller's certificate.
    pub(crate) callers: BTreeMap<String, String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) note: String,
    #[serde(rename = "as")]
    pub(crate) caller: String,
    pub(crate) call: Option<String>,
    pub(crate) page: Option<String>,
    pub(crate) request: Value,
    pub(crate) wait_ms: Option<u64>,
    pub(crate) control: Option<Value>,
    #[serde(default)]
    pub(crate) save_control: BTreeMap<String, String>,
    pub(crate) deadline_ms: Option<u64>,
    pub(crate) within_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) save: BTreeMap<String, String>,
    pub(crate) save_answer: Option<String>,
    pub(crate) expect_same: Option<String>,
    pub(crate) expect: Option<Value>,
    pub(crate) expect_items: Option<usize>,
    pub(crate) expect_first: Option<Value>,
    pub(crate) expect_error: Option<ExpectedError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedError {
    pub(crate) code: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) retryable: Option<bool>,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    pub(crate) violations: Option<Vec<String>>,
}
