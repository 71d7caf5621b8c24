//! The interface as its descriptors tell it: every method with the message that it takes, and the rules beside each field.
//!
//! Methods and fields that are added later are found here by themselves. Absent: any list of methods or fields.

use std::borrow::Cow;
use std::sync::LazyLock;

use pointbridge_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

/// The package of the hub's own services.
const PACKAGE: &str = "pointbridge.v1";
/// The option by which a field has rules.
const OPTION: &str = "buf.validate.field";
/// How deep messages may stand in each other where fields are listed.
const DEPTH_MAX: usize = 8;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the hub's descriptors decode"));
static RULES: LazyLock<ExtensionDescriptor> =
    LazyLock::new(|| POOL.get_extension_by_name(OPTION).expect("the rule language is in the descriptors"));

/// One method.
#[derive(Clone)]
pub(crate) struct Method {
    /// The path of its calls.
    pub(crate) path: String,
    /// What it takes.
    pub(crate) input: MessageDescriptor,
}

/// Every method of the hub's own services.
pub(crate) fn methods() -> Vec<Method> {
    let services = POOL.services().filter(|service| service.package_name() == PACKAGE);
    let methods = services.flat_map(|service| {
        let name = service.full_name().to_owned();
        let methods: Vec<_> = service.methods().collect();
        methods
            .into_iter()
            .map(move |method| Method { path: format!("/{name}/{}", method.name()), input: method.input() })
    });
    let methods: Vec<Method> = methods.collect();
    assert!(methods.len() >= 30, "the descriptors hold almost no methods: {}", methods.len());
    methods
}

/// The rules beside a field, as far as tests use them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rules {
    pub(crate) pattern: Option<String>,
    pub(crate) length: (u64, Option<u64>),
    pub(crate) items: (u64, Option<u64>),
    pub(crate) number: (Option<i128>, Option<i128>),
}

/// The rules beside a field.
pub(crate) fn rules(field: &FieldDescriptor) -> Rules {
    let options = field.options();
    if !options.has_extension(&RULES) {
        return Rules::default();
    }
    let rules = options.get_extension(&RULES);
    let rules = rules.as_message().expect("the rules of a field are a message");
    let of = |kind: &str, name: &str| -> Option<Value> {
        let inner = rules.has_field_by_name(kind).then(|| rules.get_field_by_name(kind)).flatten()?;
        let inner = inner.as_message()?;
        inner.has_field_by_name(name).then(|| inner.get_field_by_name(name).map(Cow::into_owned)).flatten()
    };
    let bound = |name: &str| {
        ["uint32", "uint64", "int32", "int64"]
            .iter()
            .find_map(|kind| of(kind, name))
            .and_then(|value| number_of(&value))
    };
    let count = |kind: &str, name: &str| of(kind, name).and_then(|value| value.as_u64());
    Rules {
        pattern: of("string", "pattern").and_then(|value| value.as_str().map(str::to_owned)),
        length: (count("string", "min_len").unwrap_or(0), count("string", "max_len")),
        items: (count("repeated", "min_items").unwrap_or(0), count("repeated", "max_items")),
        number: (bound("gte"), bound("lte")),
    }
}

fn number_of(value: &Value) -> Option<i128> {
    match *value {
        Value::I32(number) => Some(number.into()),
        Value::I64(number) => Some(number.into()),
        Value::U32(number) => Some(number.into()),
        Value::U64(number) => Some(number.into()),
        _ => None,
    }
}

/// The way from a request to a string field in it.
#[derive(Clone)]
pub(crate) struct Place {
    steps: Vec<FieldDescriptor>,
}

impl Place {
    /// The field itself.
    pub(crate) fn field(&self) -> &FieldDescriptor {
        self.steps.last().expect("a place has a field")
    }

    /// As the hub names it: `terms.directions[0].rate.give`.
    pub(crate) fn name(&self) -> String {
        let step = |field: &FieldDescriptor| {
            if field.is_list() { format!("{}[0]", field.name()) } else { field.name().to_owned() }
        };
        self.steps.iter().map(step).collect::<Vec<_>>().join(".")
    }

    /// Whether a message has every message on the way.
    pub(crate) fn is_reached(&self, message: &DynamicMessage) -> bool {
        let mut at = message.clone();
        self.steps[..self.steps.len() - 1].iter().all(|step| {
            let inner = match at.get_field(step).into_owned() {
                Value::List(items) => items.first().cloned(),
                value => at.has_field(step).then_some(value),
            };
            let Some(Value::Message(inner)) = inner else { return false };
            at = inner;
            true
        })
    }

    /// Puts a text there; the messages on the way are there.
    pub(crate) fn put(&self, message: &mut DynamicMessage, text: &str) {
        put(message, &self.steps, text);
    }
}

fn put(message: &mut DynamicMessage, steps: &[FieldDescriptor], text: &str) {
    let Some((step, behind)) = steps.split_first() else { return };
    if behind.is_empty() {
        let value = Value::String(text.to_owned());
        let value = if step.is_list() { Value::List(vec![value]) } else { value };
        message.set_field(step, value);
        return;
    }
    if step.is_list() {
        let Value::List(mut items) = message.get_field(step).into_owned() else { return };
        let first = items.first_mut().expect("the valid message has an item here");
        if let Value::Message(inner) = first {
            put(inner, behind, text);
        }
        message.set_field(step, Value::List(items));
    } else if let Value::Message(mut inner) = message.get_field(step).into_owned() {
        put(&mut inner, behind, text);
        message.set_field(step, Value::Message(inner));
    }
}

/// Every string field of a request, those of messages in it included.
pub(crate) fn texts(input: &MessageDescriptor) -> Vec<Place> {
    let mut found = Vec::new();
    walk(input, &mut Vec::new(), &mut found);
    found
}

fn walk(message: &MessageDescriptor, steps: &mut Vec<FieldDescriptor>, found: &mut Vec<Place>) {
    for field in message.fields() {
        steps.push(field.clone());
        match field.kind() {
            Kind::String => found.push(Place { steps: steps.clone() }),
            Kind::Message(inner) if inner.package_name() == PACKAGE && steps.len() < DEPTH_MAX => {
                walk(&inner, steps, found);
            }
            _ => {}
        }
        steps.pop();
    }
}

#[test]
fn fields_are_found_with_their_rules_wherever_they_stand() {
    let propose = methods().into_iter().find(|method| method.path.ends_with("/ProposeAgreement")).unwrap();
    let places = texts(&propose.input);
    let price = places.iter().find(|place| place.name() == "terms.directions[0].price.money").unwrap();
    assert!(rules(price.field()).pattern.is_some());
    let list = methods().into_iter().find(|method| method.path.ends_with("/ListPrograms")).unwrap();
    let size = list.input.get_field_by_name("page_size").unwrap();
    assert_eq!(rules(&size).number, (None, Some(500)));
}
