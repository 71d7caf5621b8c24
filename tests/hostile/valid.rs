//! Requests that keep every rule beside their fields, made from the descriptors: a request of a method that nobody wrote a
//! test for yet is made here too.
//!
//! Ids, codes and quotes are those of the stage where their form fits, so that many requests get past the look-ups and
//! some are served. What patterns ask for is drawn from the patterns themselves.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use pointbridge_client::request_id;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::catalog::{Rules, rules};
use crate::dice::Dice;
use crate::stage::{PARTNERS, Stage};

/// How deep messages may stand in each other.
const DEPTH_MAX: usize = 8;
/// How many texts of each pattern are drawn; requests take one of them.
const DRAWN: usize = 16;
/// Amounts that the terms of the stage allow.
const AMOUNTS: [&str; 4] = ["66", "1", "6666", "100"];

static TEXTS: LazyLock<Mutex<BTreeMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

/// Whether optional fields are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Each as the dice fall.
    Some,
    /// All of them, and writes only pretended: for changing one field and seeing that it alone is to blame.
    Full,
}

/// A valid request, as its bytes.
pub(crate) fn bytes(stage: &Stage, dice: &mut Dice, input: &MessageDescriptor) -> Vec<u8> {
    message(stage, dice, input, Fill::Some).encode_to_vec()
}

/// A valid request.
pub(crate) fn message(
    stage: &Stage,
    dice: &mut Dice,
    input: &MessageDescriptor,
    fill: Fill,
) -> DynamicMessage {
    Maker { stage, dice, fill }.message(input, 0)
}

struct Maker<'a> {
    stage: &'a Stage,
    dice: &'a mut Dice,
    fill: Fill,
}

impl Maker<'_> {
    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut made = DynamicMessage::new(descriptor.clone());
        assert!(depth < DEPTH_MAX, "{} stands in itself", descriptor.full_name());
        if descriptor.full_name() == "google.protobuf.Timestamp" {
            let in_ten_years = 2_100_000_000 + i64::try_from(self.dice.below(1_000_000)).unwrap();
            made.set_field_by_name("seconds", Value::I64(in_ten_years));
            return made;
        }
        for oneof in descriptor.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let fields: Vec<FieldDescriptor> = oneof.fields().collect();
            let field = self.dice.pick(&fields).clone();
            let value = self.value(&field, depth);
            made.set_field(&field, value);
        }
        let alone =
            |field: &FieldDescriptor| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic());
        for field in descriptor.fields().filter(alone) {
            let is_optional = field.containing_oneof().is_some();
            if is_optional && self.fill == Fill::Some && self.dice.one_in(2) {
                continue;
            }
            let value = self.field(&field, depth);
            made.set_field(&field, value);
        }
        made
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if !field.is_list() {
            return self.value(field, depth);
        }
        let (least, most) = rules(field).items;
        let most = most.unwrap_or(3).min(least + 2).max(1);
        let count = least.max(1) + self.dice.below(most.saturating_sub(least).max(1));
        Value::List((0..count.min(most)).map(|_| self.value(field, depth)).collect())
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let rules = rules(field);
        match field.kind() {
            Kind::String => Value::String(self.text(field, &rules)),
            Kind::Bytes => Value::Bytes(vec![7; 32].into()),
            Kind::Bool => {
                Value::Bool(self.fill == Fill::Full && field.name() == "validate_only" || self.dice.one_in(2))
            }
            Kind::Message(inner) => Value::Message(self.message(&inner, depth + 1)),
            Kind::Enum(descriptor) => {
                let numbers: Vec<i32> =
                    descriptor.values().map(|value| value.number()).filter(|number| *number != 0).collect();
                Value::EnumNumber(*self.dice.pick(&numbers))
            }
            kind => number(&kind, self.number(&rules)),
        }
    }

    fn number(&mut self, rules: &Rules) -> i128 {
        let least = rules.number.0.unwrap_or(0);
        let most = rules.number.1.unwrap_or(least + 3);
        let span = u64::try_from(most - least).unwrap().saturating_add(1).min(8);
        least + i128::from(self.dice.below(span))
    }

    fn text(&mut self, field: &FieldDescriptor, rules: &Rules) -> String {
        let pattern = rules.pattern.as_deref().unwrap_or_default();
        let named = |name: &str| field.name() == name;
        if named("request_id") {
            request_id()
        } else if field.name().ends_with("partner_code") && !self.dice.one_in(8)
            || named("code") && self.dice.one_in(2)
        {
            (*self.dice.pick(&PARTNERS)).to_owned()
        } else if named("quote_token") {
            self.dice.pick(&self.stage.quotes).clone()
        } else if named("settlement_currency") {
            "CNY".to_owned()
        } else if named("terms_hash") {
            self.stage.terms_hash.clone()
        } else if named("page_token") {
            String::new()
        } else if is_amount(pattern) {
            (*self.dice.pick(&AMOUNTS)).to_owned()
        } else if let Some(id) = self.id(pattern) {
            id
        } else {
            self.drawn(pattern, rules)
        }
    }

    /// An id of the stage whose prefix the pattern asks for; now and then none, so that one that is missing is drawn.
    fn id(&mut self, pattern: &str) -> Option<String> {
        let prefix = pattern.strip_prefix('^')?.get(..4).filter(|prefix| prefix.ends_with('_'))?;
        let fitting: Vec<String> =
            self.stage.ids.iter().filter(|id| id.starts_with(prefix)).cloned().collect();
        if fitting.is_empty() || self.dice.one_in(8) { None } else { Some(self.dice.pick(&fitting).clone()) }
    }

    fn drawn(&mut self, pattern: &str, rules: &Rules) -> String {
        let (least, most) = rules.length;
        let pattern = if pattern.is_empty() {
            format!("[a-zA-Z0-9]{{{},{}}}", least.max(1), most.unwrap_or(20).clamp(least.max(1), 40))
        } else {
            pattern.to_owned()
        };
        let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap();
        let mut drawn = TEXTS.lock().unwrap();
        let texts = drawn.entry(pattern).or_insert_with_key(|pattern| draw(pattern, most));
        self.dice.pick(texts).clone()
    }
}

/// Draws texts that a pattern asks for, always the same ones.
fn draw(pattern: &str, most: usize) -> Vec<String> {
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    let strategy = proptest::string::string_regex(bare).expect(pattern);
    let mut runner = TestRunner::deterministic();
    let mut draw = || strategy.new_tree(&mut runner).unwrap().current();
    let fitting = std::iter::from_fn(|| Some(draw())).take(100 * DRAWN);
    let texts: Vec<String> = fitting.filter(|text| text.chars().count() <= most).take(DRAWN).collect();
    assert!(!texts.is_empty(), "nothing short enough was drawn from {pattern}");
    texts
}

/// Whether a field with this pattern holds a decimal number.
pub(crate) fn is_amount(pattern: &str) -> bool {
    pattern.contains("(0|[1-9][0-9]")
}

/// A number in the type that a field has.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "wrapping is what a hostile number does"
)]
pub(crate) fn number(kind: &Kind, number: i128) -> Value {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number as u64),
        other => panic!("the interface has no fields of kind {other:?}"),
    }
}
