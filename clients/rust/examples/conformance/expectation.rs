//! Holds what came against what the script expects.

use anyhow::{bail, ensure};
use pointbridge_client::Refusal;
use serde_json::Value;
use tonic::Code;

use crate::script::ExpectedError;

/// "Anything, as long as it is there."
const ANYTHING: &str = "*";

/// An answer must have at least what is expected; `place` says where in it.
///
/// # Errors
/// The first difference.
pub(crate) fn hold(expected: &Value, got: Option<&Value>, place: &str) -> anyhow::Result<()> {
    match (expected, got) {
        (Value::Null, None) => Ok(()),
        (Value::String(word), Some(found)) if word == ANYTHING => {
            ensure!(!is_empty(found), "{place} is empty");
            Ok(())
        }
        (Value::Object(keys), Some(found @ Value::Object(_))) => {
            keys.iter().try_for_each(|(key, value)| hold(value, found.get(key), &format!("{place}.{key}")))
        }
        (Value::Array(items), Some(Value::Array(found))) if items.len() == found.len() => items
            .iter()
            .zip(found)
            .enumerate()
            .try_for_each(|(index, (item, found))| hold(item, Some(found), &format!("{place}.{index}"))),
        (expected, Some(found)) if expected == found => Ok(()),
        (expected, Some(found)) => bail!("{place}: expected {expected}, got {found}"),
        (expected, None) => bail!("{place}: expected {expected}, got nothing"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    }
}

/// A refusal must be the expected one, as far as the script says what it is.
///
/// # Errors
/// The first difference.
pub(crate) fn hold_refusal(expected: &ExpectedError, got: &Refusal) -> anyhow::Result<()> {
    let code = name_of(got.code);
    ensure!(expected.code.as_deref().is_none_or(|name| name == code), "the code is {code}: {got}");
    let is_reason = expected.reason.as_deref().is_none_or(|reason| got.is(reason));
    ensure!(is_reason, "the reason is {:?}: {got}", got.reason);
    let is_enums = got.reason.is_empty() || got.error_reason().is_some();
    ensure!(is_enums, "the reason {:?} is not in the enum", got.reason);
    let is_retryable = got.is_retryable();
    let agrees = expected.retryable.is_none_or(|retryable| retryable == is_retryable);
    ensure!(agrees, "is_retryable is {is_retryable}: {got}");
    for (key, value) in &expected.metadata {
        let found = got.metadata.get(key).map(|value| Value::from(value.as_str()));
        hold(value, found.as_ref(), &format!("metadata.{key}"))?;
    }
    let fields: Vec<&String> = got.violations.iter().map(|violation| &violation.field).collect();
    let same = expected.violations.as_ref().is_none_or(|expected| expected.iter().eq(fields.iter().copied()));
    ensure!(same, "the fields at fault are {fields:?}");
    Ok(())
}

/// A code as gRPC writes it.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
