//! Checks messages by the rules that stand beside their fields in the .proto files.
//!
//! Why by reflection over a table: a new field with a rule is checked without a line of code. The rules of fields that
//! are absent do not apply, but for `required`. What is absent: rules that need more than one field, which belong to
//! the domain, and the value of a field in any answer, which could be somebody's secret.

use std::borrow::Cow;
use std::sync::LazyLock;

use prost_reflect::{DynamicMessage, Value};

pub use crate::rules::RulesError;
use crate::rules::{Check, EnumCheck, FieldCheck, MessageRules, Rules, TextCheck, ValueCheck};

/// How many broken rules an answer names at most. An answer travels in HTTP/2 trailers, for which clients commonly take
/// 8 KiB: 24 times about 170 bytes, a third more in base64, stays below.
pub const NAMED_VIOLATIONS_MAX: usize = 24;

/// How deep messages may stand in each other; the API's own deepest is five.
const DEPTH_MAX: usize = 16;

/// The earliest second of a timestamp: 0001-01-01T00:00:00Z, as google.protobuf.Timestamp has it.
const TIMESTAMP_SECONDS_MIN: i64 = -62_135_596_800;

/// The last second of a timestamp: 9999-12-31T23:59:59Z.
const TIMESTAMP_SECONDS_MAX: i64 = 253_402_300_799;

/// The largest part of a second in a timestamp.
const TIMESTAMP_NANOS_MAX: i32 = 999_999_999;

/// The rules of the API, compiled when first asked for.
static RULES: LazyLock<Result<Rules, RulesError>> = LazyLock::new(Rules::compile);

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, as `terms.directions[0].rate.give`.
    pub field: String,
    /// What the field must be, to be read after its name: `must be at least 1`. Never holds the value.
    pub description: String,
}

/// All broken rules of one message, in the order of its fields; one for each field at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// The first ones, at most [`NAMED_VIOLATIONS_MAX`].
    pub named: Vec<Violation>,
    /// How many there are, those that are not named included.
    pub total: usize,
}

/// Why a message could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The hub's own rules are broken; [`ready`] tells so at the start.
    #[error("the validation rules cannot be used: {0}")]
    Rules(&'static RulesError),
    /// The bytes are not a message of this type, or stand too deep in each other.
    #[error("the bytes are not a message of this type")]
    Malformed,
}

/// Compiles the rules, so that the first call does not wait for it and a broken build shows at the start.
///
/// # Errors
/// The rules of the descriptor set cannot be used.
pub fn ready() -> Result<(), &'static RulesError> {
    rules().map(|_| ())
}

/// Checks an encoded message of the type with this full name, for example `pointbridge.v1.GetPartnerRequest`. A type
/// that is not of the API has no rules and passes.
///
/// # Errors
/// The rules cannot be used, or the bytes are not such a message.
pub fn violations(type_name: &str, bytes: &[u8]) -> Result<Violations, ValidateError> {
    let rules = rules().map_err(ValidateError::Rules)?;
    let mut found = Violations::default();
    let Some(message_rules) = rules.of(type_name) else { return Ok(found) };
    if message_rules.checks.is_empty() {
        return Ok(found);
    }
    let message = DynamicMessage::decode(message_rules.descriptor.clone(), bytes);
    let message = message.map_err(|_| ValidateError::Malformed)?;
    Walk { rules, found: &mut found }.message(message_rules, &message, "", 0)?;
    Ok(found)
}

fn rules() -> Result<&'static Rules, &'static RulesError> {
    RULES.as_ref()
}

impl Violations {
    /// Whether the message keeps all rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The sentence that tells a person what is wrong and what to do; empty when nothing is.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Some(first) = self.named.first() else { return String::new() };
        let Violation { field, description } = first;
        match self.total {
            1 => format!("{field} {description}; correct it and send the request again"),
            total => format!(
                "{field} {description}, and {} more; correct them and send the request again",
                total - 1
            ),
        }
    }

    fn add(&mut self, field: &str, description: impl Into<String>) {
        self.total = self.total.saturating_add(1);
        if self.named.len() < NAMED_VIOLATIONS_MAX {
            self.named.push(Violation { field: field.to_owned(), description: description.into() });
        }
    }
}

/// One walk through a message and the messages in it.
struct Walk<'a> {
    rules: &'static Rules,
    found: &'a mut Violations,
}

impl Walk<'_> {
    fn message(
        &mut self,
        rules: &MessageRules,
        message: &DynamicMessage,
        path: &str,
        depth: usize,
    ) -> Result<(), ValidateError> {
        if depth >= DEPTH_MAX {
            return Err(ValidateError::Malformed);
        }
        for check in &rules.checks {
            match check {
                Check::Field(check) => self.field(check, message, path, depth)?,
                Check::Oneof(oneof) => {
                    if !oneof.fields().any(|field| message.has_field(&field)) {
                        let names: Vec<String> =
                            oneof.fields().map(|field| field.name().to_owned()).collect();
                        self.found.add(&join(path, oneof.name()), one_of(&names));
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        check: &FieldCheck,
        message: &DynamicMessage,
        path: &str,
        depth: usize,
    ) -> Result<(), ValidateError> {
        let field = &check.descriptor;
        if !message.has_field(field) {
            if check.required {
                self.found.add(&join(path, field.name()), "is required");
                return Ok(());
            }
            if field.supports_presence() || check.ignore_zero {
                return Ok(());
            }
        }
        let path = join(path, field.name());
        let value: Cow<'_, Value> = message.get_field(field);
        if let Value::List(items) = value.as_ref() {
            return self.list(check, items, &path, depth);
        }
        if check.ignore_zero && value.is_default_for_field(field) {
            return Ok(());
        }
        self.value(&check.value, &value, &path, depth)
    }

    /// Checks a repeated field. Items beyond the agreed number are not looked at: their number is what is wrong.
    fn list(
        &mut self,
        check: &FieldCheck,
        items: &[Value],
        path: &str,
        depth: usize,
    ) -> Result<(), ValidateError> {
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if count < *check.items.start() {
            self.found.add(path, format!("must have at least {} items", check.items.start()));
            return Ok(());
        }
        if count > *check.items.end() {
            self.found.add(path, format!("must have at most {} items", check.items.end()));
            return Ok(());
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&check.value, item, &format!("{path}[{index}]"), depth)?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        check: &ValueCheck,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<(), ValidateError> {
        let broken = match (check, value) {
            (ValueCheck::Message(type_name), Value::Message(message)) => {
                let Some(rules) = self.rules.of(type_name) else { return Ok(()) };
                return self.message(rules, message, path, depth + 1);
            }
            (ValueCheck::Text(check), Value::String(text)) => broken_text(check, text),
            (ValueCheck::Enum(check), Value::EnumNumber(number)) => broken_enum(check, *number),
            (ValueCheck::Timestamp, Value::Message(time)) => broken_timestamp(time),
            (ValueCheck::Number(range), value) => {
                number(value).and_then(|number| broken_number(*range.start(), *range.end(), number))
            }
            _ => None,
        };
        if let Some(description) = broken {
            self.found.add(path, description);
        }
        Ok(())
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn one_of(names: &[String]) -> String {
    match names {
        [only] => format!("is required: set {only}"),
        names => format!("is required: set one of {}", names.join(", ")),
    }
}

fn number(value: &Value) -> Option<i128> {
    match *value {
        Value::I32(number) => Some(number.into()),
        Value::I64(number) => Some(number.into()),
        Value::U32(number) => Some(number.into()),
        Value::U64(number) => Some(number.into()),
        _ => None,
    }
}

fn broken_number(low: i128, high: i128, number: i128) -> Option<String> {
    if number < low {
        Some(format!("must be at least {low}"))
    } else if number > high {
        Some(format!("must be at most {high}"))
    } else {
        None
    }
}

fn broken_text(check: &TextCheck, text: &str) -> Option<String> {
    let (low, high) = (*check.length.start(), *check.length.end());
    // Bytes are never fewer than characters, so most texts need no counting.
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let too_long = bytes > high && characters(text) > high;
    if too_long {
        return Some(format!("must have at most {high} characters"));
    }
    if low > 0 && characters(text) < low {
        return Some(format!("must have at least {low} characters"));
    }
    let pattern = check.pattern.as_ref()?;
    (!pattern.is_match(text)).then(|| format!("must match {}", pattern.as_str()))
}

fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

fn broken_enum(check: &EnumCheck, number: i32) -> Option<String> {
    let passes = check.allowed.contains(&number) || (check.open && !check.refused.contains(&number));
    (!passes).then(|| format!("must be one of {}", check.names))
}

fn broken_timestamp(time: &DynamicMessage) -> Option<String> {
    let seconds = time.get_field_by_name("seconds").and_then(|value| value.as_i64()).unwrap_or_default();
    let nanos = time.get_field_by_name("nanos").and_then(|value| value.as_i32()).unwrap_or_default();
    let passes = (TIMESTAMP_SECONDS_MIN..=TIMESTAMP_SECONDS_MAX).contains(&seconds)
        && (0..=TIMESTAMP_NANOS_MAX).contains(&nanos);
    (!passes).then(|| "must be a time of the years 1 to 9999 with 0 to 999999999 nanoseconds".to_owned())
}
