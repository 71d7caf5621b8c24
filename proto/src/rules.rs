//! The validation rules of the API, read once out of the descriptor set into a table by message type.
//!
//! Why a table: looking options up through reflection costs far more than checking a value. A rule that does not fit
//! the type of its field is an error here, so that no rule is passed over in silence. Checking is `validate`'s work.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use prost_reflect::{
    DescriptorError, DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor,
    Kind, MessageDescriptor, OneofDescriptor,
};
use regex::Regex;

use crate::FILE_DESCRIPTOR_SET;
use crate::buf_validate::field_rules::Type;
use crate::buf_validate::{
    EnumRules, FieldRules, Ignore, OneofRules, RepeatedRules, StringRules, int32_rules, int64_rules,
    u_int32_rules, u_int64_rules,
};

/// The package whose messages have rules.
const PACKAGE: &str = "pointbridge.v1";

/// The message type of points in time, whose range is a rule of its own.
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Why the rules of the descriptor set cannot be used. A fault of the build, never of a caller.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The descriptor set cannot be decoded.
    #[error("the descriptor set cannot be decoded: {0}")]
    Descriptors(#[from] DescriptorError),
    /// The rule language is not in the descriptor set.
    #[error("the descriptor set lacks {0}")]
    Missing(&'static str),
    /// The rules of a field or oneof cannot be decoded.
    #[error("the rules of {0} cannot be decoded")]
    Undecodable(String),
    /// A rule is of another type than its field.
    #[error("{0} has a rule of another type than its own")]
    Mismatch(String),
    /// A pattern is not a regular expression.
    #[error("the pattern of {0} is not a regular expression")]
    Pattern(String),
}

/// The rules of all messages of the package.
#[derive(Debug)]
pub(crate) struct Rules {
    messages: HashMap<String, MessageRules>,
}

/// The rules of one message type.
#[derive(Debug)]
pub(crate) struct MessageRules {
    pub(crate) descriptor: MessageDescriptor,
    /// In the order of the fields' numbers; a oneof stands before its first field.
    pub(crate) checks: Vec<Check>,
}

/// One thing to look at in a message.
#[derive(Debug)]
pub(crate) enum Check {
    Field(FieldCheck),
    /// One field of the oneof must be set.
    Oneof(OneofDescriptor),
}

/// The rules of one field.
#[derive(Debug)]
pub(crate) struct FieldCheck {
    pub(crate) descriptor: FieldDescriptor,
    pub(crate) required: bool,
    /// The zero value passes, whatever the other rules say.
    pub(crate) ignore_zero: bool,
    /// How many items a repeated field may have.
    pub(crate) items: RangeInclusive<u64>,
    /// What holds for the value, or for each item.
    pub(crate) value: ValueCheck,
}

/// What holds for one value.
#[derive(Debug)]
pub(crate) enum ValueCheck {
    Any,
    Text(TextCheck),
    Number(RangeInclusive<i128>),
    Enum(EnumCheck),
    Timestamp,
    /// The rules of this message type hold.
    Message(String),
}

/// What holds for a string. Lengths count Unicode characters.
#[derive(Debug)]
pub(crate) struct TextCheck {
    pub(crate) length: RangeInclusive<u64>,
    pub(crate) pattern: Option<Regex>,
}

/// What holds for an enum value.
#[derive(Debug)]
pub(crate) struct EnumCheck {
    /// The numbers that are defined and not refused.
    pub(crate) allowed: Vec<i32>,
    /// The numbers that are refused, defined or not.
    pub(crate) refused: Vec<i32>,
    /// Numbers that are not defined pass too.
    pub(crate) open: bool,
    /// The allowed values' names, for people.
    pub(crate) names: String,
}

/// The two options by which rules stand beside fields and oneofs.
struct Options {
    field: ExtensionDescriptor,
    oneof: ExtensionDescriptor,
}

impl Rules {
    /// Reads the rules out of the embedded descriptor set.
    pub(crate) fn compile() -> Result<Self, RulesError> {
        Self::read(&DescriptorPool::decode(FILE_DESCRIPTOR_SET)?)
    }

    fn read(pool: &DescriptorPool) -> Result<Self, RulesError> {
        let option = |name| pool.get_extension_by_name(name).ok_or(RulesError::Missing(name));
        let options = Options { field: option("buf.validate.field")?, oneof: option("buf.validate.oneof")? };
        let mut messages = HashMap::new();
        for descriptor in pool.all_messages().filter(|message| message.package_name() == PACKAGE) {
            let checks = message_checks(&descriptor, &options)?;
            messages.insert(descriptor.full_name().to_owned(), MessageRules { descriptor, checks });
        }
        Ok(Self { messages })
    }

    /// The rules of a message type, by its full name; `None` for a type of another package.
    pub(crate) fn of(&self, type_name: &str) -> Option<&MessageRules> {
        self.messages.get(type_name)
    }
}

fn message_checks(message: &MessageDescriptor, options: &Options) -> Result<Vec<Check>, RulesError> {
    let mut fields: Vec<FieldDescriptor> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    let mut seen: Vec<String> = Vec::new();
    let mut checks = Vec::new();
    for field in fields {
        if let Some(oneof) = field.containing_oneof()
            && !seen.iter().any(|name| name == oneof.name())
        {
            seen.push(oneof.name().to_owned());
            let rules: OneofRules = read(&oneof.options(), &options.oneof, oneof.full_name())?;
            if rules.required() {
                checks.push(Check::Oneof(oneof));
            }
        }
        let rules: FieldRules = read(&field.options(), &options.field, field.full_name())?;
        if let Some(check) = field_check(field, rules)? {
            checks.push(Check::Field(check));
        }
    }
    Ok(checks)
}

/// Reads the rules that an option holds; without the option, the rules that ask for nothing.
fn read<T: prost::Message + Default>(
    holder: &DynamicMessage,
    option: &ExtensionDescriptor,
    name: &str,
) -> Result<T, RulesError> {
    if !holder.has_extension(option) {
        return Ok(T::default());
    }
    let value = holder.get_extension(option);
    let rules = value.as_message().and_then(|message| message.transcode_to().ok());
    rules.ok_or_else(|| RulesError::Undecodable(name.to_owned()))
}

/// The check of one field; `None` when every value passes.
fn field_check(descriptor: FieldDescriptor, rules: FieldRules) -> Result<Option<FieldCheck>, RulesError> {
    let required = rules.required();
    let ignore_zero = rules.ignore() == Ignore::IfZeroValue;
    let mut items = 0..=u64::MAX;
    let value = match rules.r#type {
        Some(Type::Repeated(rules)) if descriptor.is_list() => {
            items = item_range(&rules);
            kind_check(&descriptor.kind())
        }
        Some(_) if descriptor.is_list() => {
            return Err(RulesError::Mismatch(descriptor.full_name().to_owned()));
        }
        Some(rules) => typed_check(&descriptor, &rules)?,
        None => kind_check(&descriptor.kind()),
    };
    let idle = !required && items == (0..=u64::MAX) && matches!(value, ValueCheck::Any);
    Ok((!idle).then_some(FieldCheck { descriptor, required, ignore_zero, items, value }))
}

fn item_range(rules: &RepeatedRules) -> RangeInclusive<u64> {
    rules.min_items()..=rules.max_items.unwrap_or(u64::MAX)
}

/// What holds for a value because of its type alone.
fn kind_check(kind: &Kind) -> ValueCheck {
    match kind {
        Kind::Message(message) if message.full_name() == TIMESTAMP => ValueCheck::Timestamp,
        Kind::Message(message) if message.package_name() == PACKAGE => {
            ValueCheck::Message(message.full_name().to_owned())
        }
        _ => ValueCheck::Any,
    }
}

fn typed_check(descriptor: &FieldDescriptor, rules: &Type) -> Result<ValueCheck, RulesError> {
    let check = match (descriptor.kind(), rules) {
        (Kind::String, Type::String(rules)) => ValueCheck::Text(text_check(descriptor, rules)?),
        (Kind::Enum(kind), Type::Enum(rules)) => enum_check(&kind, rules),
        (Kind::Int32, Type::Int32(rules)) => {
            let low = rules.greater_than.map(|int32_rules::GreaterThan::Gte(low)| low);
            let high = rules.less_than.map(|int32_rules::LessThan::Lte(high)| high);
            number_check(low, high)
        }
        (Kind::Int64, Type::Int64(rules)) => {
            let low = rules.greater_than.map(|int64_rules::GreaterThan::Gte(low)| low);
            let high = rules.less_than.map(|int64_rules::LessThan::Lte(high)| high);
            number_check(low, high)
        }
        (Kind::Uint32, Type::Uint32(rules)) => {
            let low = rules.greater_than.map(|u_int32_rules::GreaterThan::Gte(low)| low);
            let high = rules.less_than.map(|u_int32_rules::LessThan::Lte(high)| high);
            number_check(low, high)
        }
        (Kind::Uint64, Type::Uint64(rules)) => {
            let low = rules.greater_than.map(|u_int64_rules::GreaterThan::Gte(low)| low);
            let high = rules.less_than.map(|u_int64_rules::LessThan::Lte(high)| high);
            number_check(low, high)
        }
        _ => return Err(RulesError::Mismatch(descriptor.full_name().to_owned())),
    };
    Ok(check)
}

fn number_check<T: Into<i128>>(low: Option<T>, high: Option<T>) -> ValueCheck {
    ValueCheck::Number(low.map_or(i128::MIN, Into::into)..=high.map_or(i128::MAX, Into::into))
}

fn text_check(descriptor: &FieldDescriptor, rules: &StringRules) -> Result<TextCheck, RulesError> {
    let pattern = rules.pattern.as_deref().map(Regex::new).transpose();
    let pattern = pattern.map_err(|_| RulesError::Pattern(descriptor.full_name().to_owned()))?;
    Ok(TextCheck { length: rules.min_len()..=rules.max_len.unwrap_or(u64::MAX), pattern })
}

fn enum_check(descriptor: &EnumDescriptor, rules: &EnumRules) -> ValueCheck {
    let defined = descriptor.values().filter(|value| !rules.not_in.contains(&value.number()));
    let (allowed, names): (Vec<i32>, Vec<String>) =
        defined.map(|value| (value.number(), value.name().to_owned())).unzip();
    ValueCheck::Enum(EnumCheck {
        allowed,
        refused: rules.not_in.clone(),
        open: !rules.defined_only(),
        names: names.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

    use super::*;

    /// Answers one file by its text.
    struct Text(String);

    impl FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            if name == "t.proto" {
                File::from_source(name, &self.0)
            } else {
                Err(protox::Error::file_not_found(name))
            }
        }
    }

    /// Reads the rules of one message with this one field.
    fn read_field(field: &str) -> Result<Rules, RulesError> {
        let head = "syntax = \"proto3\"; package pointbridge.v1; import \"buf/validate/validate.proto\";";
        let mut resolver = ChainFileResolver::new();
        resolver.add(Text(format!("{head} message M {{ {field} }}")));
        resolver.add(IncludeFileResolver::new(env!("CARGO_MANIFEST_DIR").into()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true).open_file("t.proto").unwrap();
        Rules::read(&DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap())
    }

    #[test]
    fn a_rule_that_does_not_fit_its_field_is_an_error() {
        let mismatched = [
            "string f = 1 [(buf.validate.field).uint32.lte = 1];",
            "uint64 f = 1 [(buf.validate.field).uint32.lte = 1];",
            "repeated string f = 1 [(buf.validate.field).string.max_len = 1];",
            "string f = 1 [(buf.validate.field).repeated.max_items = 1];",
        ];
        for field in mismatched {
            let error = read_field(field).unwrap_err();
            assert!(
                matches!(&error, RulesError::Mismatch(name) if name == "pointbridge.v1.M.f"),
                "{field}: {error}"
            );
        }
        let error = read_field("string f = 1 [(buf.validate.field).string.pattern = \"(\"];").unwrap_err();
        assert!(matches!(&error, RulesError::Pattern(name) if name == "pointbridge.v1.M.f"), "{error}");
    }

    #[test]
    fn a_field_without_rules_costs_nothing() {
        let rules = read_field("string f = 1; repeated uint32 g = 2;").unwrap();
        assert!(rules.of("pointbridge.v1.M").unwrap().checks.is_empty());
        assert!(rules.of("pointbridge.v1.N").is_none());
    }

    #[test]
    fn bounds_of_signed_and_open_kinds_are_read() {
        let rules = read_field(
            "int64 f = 1 [(buf.validate.field).int64 = {gte: -5, lte: 5}];
             int32 g = 2 [(buf.validate.field).int32.gte = -1];",
        )
        .unwrap();
        let ranges = rules.of("pointbridge.v1.M").unwrap().checks.iter().map(|check| match check {
            Check::Field(FieldCheck { value: ValueCheck::Number(range), .. }) => range.clone(),
            other => panic!("{other:?}"),
        });
        assert_eq!(ranges.collect::<Vec<_>>(), [-5..=5, -1..=i128::MAX]);
    }
}
