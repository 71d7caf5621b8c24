//! Which calls are sent again, how often and after which time: the service config that all clients share.
//!
//! It is the JSON that gRPC defines for this, `clients/retry.json`; the copy beside this file travels with the crate, and a
//! test of the house compares the two. Read here are the parts that are in it: the methods, their time, their retries,
//! and the budget. What is absent: hedging, load balancing, and whatever else such a config can say.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use tonic::Code;

const TEXT: &str = include_str!("retry.json");

/// A config that was damaged would be found by the tests below; a method without a row is called once.
static SHARED: LazyLock<Policy> = LazyLock::new(|| Policy::parse(TEXT).unwrap_or_default());

/// How each method is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    methods: BTreeMap<String, Method>,
    /// Failures that the budget bears before it is used up by half.
    pub(crate) budget: Throttling,
}

/// How one method is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// How long a call may take, all its attempts together, unless its caller says otherwise.
    pub(crate) timeout: Duration,
    pub(crate) retry: Retry,
}

/// When an attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Retry {
    /// Attempts of one call, the first one included.
    pub(crate) max_attempts: u32,
    #[serde(deserialize_with = "duration")]
    pub(crate) initial_backoff: Duration,
    #[serde(deserialize_with = "duration")]
    pub(crate) max_backoff: Duration,
    pub(crate) backoff_multiplier: u32,
    #[serde(deserialize_with = "codes")]
    pub(crate) retryable_status_codes: Vec<Code>,
}

/// The budget: retries end while too many calls fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Throttling {
    #[serde(deserialize_with = "thousandths")]
    pub(crate) max_tokens: u64,
    /// Thousandths of a token that a success earns.
    #[serde(deserialize_with = "thousandths")]
    pub(crate) token_ratio: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    method_config: Vec<Group>,
    retry_throttling: Throttling,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    name: Vec<Name>,
    #[serde(deserialize_with = "duration")]
    timeout: Duration,
    retry_policy: Retry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    service: String,
    method: String,
}

impl Policy {
    /// The one that all clients share.
    pub(crate) fn shared() -> &'static Self {
        &SHARED
    }

    /// How the method of this path is called, such as `/pointbridge.v1.ExchangeService/CommitExchange`; `None` for a method
    /// that is not the API's.
    pub(crate) fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let written: Written = serde_json::from_str(text)?;
        let mut methods = BTreeMap::new();
        for Group { name, timeout, retry_policy } in written.method_config {
            for Name { service, method } in name {
                methods
                    .insert(format!("/{service}/{method}"), Method { timeout, retry: retry_policy.clone() });
            }
        }
        Ok(Self { methods, budget: written.retry_throttling })
    }
}

impl Retry {
    /// How long to wait after so many attempts, before chance spreads it.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        let factor = self.backoff_multiplier.saturating_pow(attempts.saturating_sub(1));
        self.initial_backoff.saturating_mul(factor).min(self.max_backoff)
    }
}

/// Seconds with an "s" behind, as protobuf's JSON has it.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = text.strip_suffix('s').and_then(|seconds| scaled(seconds, 9));
    seconds.map(Duration::from_nanos).ok_or_else(|| de::Error::custom(format!("{text:?} is no duration")))
}

fn thousandths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?.to_string();
    scaled(&number, 3).ok_or_else(|| de::Error::custom(format!("{number} has no whole thousandths")))
}

/// A decimal number in units of its last permitted decimal; no floating point takes part.
fn scaled(text: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<decimals$}");
    (fraction.len() <= decimals && !whole.is_empty()).then(|| digits.parse().ok()).flatten()
}

fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Code>, D::Error> {
    let code = |name: &String| match name.as_str() {
        "UNAVAILABLE" => Ok(Code::Unavailable),
        "ABORTED" => Ok(Code::Aborted),
        "RESOURCE_EXHAUSTED" => Ok(Code::ResourceExhausted),
        "INTERNAL" => Ok(Code::Internal),
        other => Err(de::Error::custom(format!("{other} is no code after which a call is sent again"))),
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_policy_is_read_whole() {
        let policy = Policy::parse(TEXT).unwrap();
        let commit = policy.method("/pointbridge.v1.ExchangeService/CommitExchange").unwrap();
        assert_eq!(commit.timeout, Duration::from_secs(10));
        assert_eq!(commit.retry.max_attempts, 5);
        assert_eq!(commit.retry.retryable_status_codes, [Code::Unavailable, Code::Aborted]);
        assert_eq!(policy.budget, Throttling { max_tokens: 100_000, token_ratio: 100 });
        assert_eq!(policy.method("/grpc.health.v1.Health/Check"), None);
        assert_eq!(Policy::shared(), &policy);
    }

    #[test]
    fn waiting_doubles_up_to_its_bound() {
        let retry = &Policy::shared().method("/pointbridge.v1.LedgerService/GetBalance").unwrap().retry;
        let waits: Vec<u128> = (1..=7).map(|attempts| retry.backoff(attempts).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(retry.backoff(u32::MAX), retry.max_backoff);
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, decimals, value) in [
            ("10", 9, Some(10_000_000_000)),
            ("0.1", 9, Some(100_000_000)),
            ("0.1", 3, Some(100)),
            ("100", 3, Some(100_000)),
            ("0.0001", 3, None),
            ("", 3, None),
            (".5", 3, None),
            ("-1", 3, None),
            ("1e3", 3, None),
        ] {
            assert_eq!(scaled(text, decimals), value, "{text}");
        }
    }

    #[test]
    fn a_config_with_what_is_not_understood_is_refused() {
        for (from, to) in [
            ("\"10s\"", "\"10\""),
            ("ABORTED", "NOT_FOUND"),
            ("maxTokens", "tokens"),
            ("\"method\"", "\"m\""),
        ] {
            assert!(Policy::parse(&TEXT.replace(from, to)).is_err(), "{to}");
        }
    }
}
