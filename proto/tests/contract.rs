//! Promises of the .proto files that a linter does not keep: everything that a caller can send is bounded, everything
//! that a caller can read is explained, and the embedded descriptors stand on their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use pointbridge_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

const PACKAGE: &str = "pointbridge.v1";

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the embedded descriptor set decodes on its own")
}

/// All messages that a request can hold, the requests themselves included.
fn sent_messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    let mut open: Vec<MessageDescriptor> = pool
        .services()
        .flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>())
        .collect();
    let mut seen = BTreeSet::new();
    let mut messages = Vec::new();
    while let Some(message) = open.pop() {
        if message.package_name() != PACKAGE || !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        open.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
        messages.push(message);
    }
    messages
}

/// One rule of a field, by the path of its name in the rule language.
fn rule(field: &FieldDescriptor, path: &[&str]) -> Option<Value> {
    let option = field.parent_pool().get_extension_by_name("buf.validate.field").unwrap();
    let mut value = Value::Message(
        Some(field.options())
            .filter(|options| options.has_extension(&option))?
            .get_extension(&option)
            .as_message()?
            .clone(),
    );
    for name in path {
        let message: DynamicMessage = value.as_message()?.clone();
        if !message.has_field_by_name(name) {
            return None;
        }
        value = message.get_field_by_name(name)?.into_owned();
    }
    Some(value)
}

fn is_bounded(field: &FieldDescriptor) -> bool {
    if field.is_list() {
        return rule(field, &["repeated", "max_items"]).is_some();
    }
    match field.kind() {
        Kind::String => {
            rule(field, &["string", "max_len"]).is_some()
                || rule(field, &["string", "pattern"])
                    .and_then(|pattern| {
                        pattern.as_str().map(|text| text.starts_with('^') && text.ends_with('$'))
                    })
                    .unwrap_or_default()
        }
        Kind::Enum(_) => {
            let refused = rule(field, &["enum", "not_in"]);
            let refuses_zero = refused.and_then(|list| list.as_list().map(|list| list == [Value::I32(0)]));
            rule(field, &["enum", "defined_only"]) == Some(Value::Bool(true)) && refuses_zero == Some(true)
        }
        Kind::Uint32 => rule(field, &["uint32", "lte"]).is_some() || field.name() == "version",
        Kind::Uint64 => rule(field, &["uint64", "lte"]).is_some(),
        Kind::Bool | Kind::Message(_) => true,
        other => {
            panic!("{} is of type {other:?}, for which nobody has thought of a bound", field.full_name())
        }
    }
}

#[test]
fn everything_that_can_be_sent_is_bounded() {
    let pool = pool();
    let mut looked_at = 0;
    for field in sent_messages(&pool).iter().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        assert!(is_bounded(&field), "{} needs a rule that bounds it", field.full_name());
        looked_at += 1;
    }
    assert!(looked_at > 100, "only {looked_at} fields were found");
}

#[test]
fn every_writing_call_can_be_repeated_and_rehearsed() {
    // Quoting writes nothing.
    let reading = |name: &str| ["Get", "List", "Quote", "WhoAmI"].iter().any(|verb| name.starts_with(verb));
    for method in pool().services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let field = |number| method.input().get_field(number).map(|field| field.name().to_owned());
        let writes = (field(1), field(2)) == (Some("request_id".into()), Some("validate_only".into()));
        assert_eq!(writes, !reading(method.name()), "{}", method.full_name());
    }
}

#[test]
fn every_list_is_read_by_pages() {
    for method in pool().services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if !method.name().starts_with("List") {
            continue;
        }
        let asks = ["page_size", "page_token"].map(|name| method.input().get_field_by_name(name).is_some());
        let answers = method.output().get_field_by_name("next_page_token").is_some();
        assert!(asks == [true, true] && answers, "{}", method.full_name());
    }
}

#[test]
fn every_enum_begins_with_a_value_that_means_nothing() {
    let pool = pool();
    for descriptor in pool.all_enums().filter(|descriptor| descriptor.package_name() == PACKAGE) {
        let zero =
            descriptor.get_value(0).unwrap_or_else(|| panic!("{} has no zero", descriptor.full_name()));
        assert!(zero.name().ends_with("_UNSPECIFIED"), "{}", zero.full_name());
    }
}

#[test]
fn the_embedded_descriptors_are_those_of_the_files_and_hold_no_comments() {
    let embedded = pool();
    let names = |pool: &DescriptorPool| -> BTreeSet<String> {
        pool.files()
            .map(|file| file.name().to_owned())
            .filter(|name| name.starts_with("pointbridge/"))
            .collect()
    };
    assert_eq!(names(&embedded), names(&sources()));
    assert!(embedded.files().all(|file| file.file_descriptor_proto().source_code_info.is_none()));
    assert!(embedded.get_message_by_name("google.protobuf.Timestamp").is_some());
}

/// The .proto files compiled afresh, with their comments.
fn sources() -> DescriptorPool {
    let root = env!("CARGO_MANIFEST_DIR");
    let files: Vec<_> = std::fs::read_dir(format!("{root}/pointbridge/v1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    let mut compiler = protox::Compiler::new([root]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_files(files).unwrap();
    compiler.descriptor_pool()
}

/// The places of one file that have a comment before them.
fn commented(file: &prost_reflect::FileDescriptor) -> BTreeSet<Vec<i32>> {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let explained = info.location.into_iter().filter(|place| place.leading_comments().trim().len() > 3);
    explained.map(|place| place.path).collect()
}

fn enum_places(descriptor: &EnumDescriptor) -> Vec<(String, Vec<i32>)> {
    let own = (descriptor.full_name().to_owned(), descriptor.path().to_vec());
    descriptor
        .values()
        .map(|value| (value.full_name().to_owned(), value.path().to_vec()))
        .chain([own])
        .collect()
}

fn message_places(descriptor: &MessageDescriptor) -> Vec<(String, Vec<i32>)> {
    let own = (descriptor.full_name().to_owned(), descriptor.path().to_vec());
    let fields = descriptor.fields().map(|field| (field.full_name().to_owned(), field.path().to_vec()));
    let oneofs = descriptor
        .oneofs()
        .filter(|oneof| !oneof.is_synthetic())
        .map(|oneof| (oneof.full_name().to_owned(), oneof.path().to_vec()));
    fields.chain(oneofs).chain([own]).collect()
}

#[test]
fn every_message_field_enum_value_and_rpc_is_explained() {
    let mut looked_at = 0;
    for file in sources().files().filter(|file| file.package_name() == PACKAGE) {
        let commented = commented(&file);
        let mut places: Vec<(String, Vec<i32>)> =
            file.messages().flat_map(|message| message_places(&message)).collect();
        places.extend(file.enums().flat_map(|descriptor| enum_places(&descriptor)));
        for service in file.services() {
            places.push((service.full_name().to_owned(), service.path().to_vec()));
            places.extend(
                service.methods().map(|method| (method.full_name().to_owned(), method.path().to_vec())),
            );
        }
        for (name, path) in places {
            assert!(commented.contains(&path), "{name} has no comment");
            looked_at += 1;
        }
    }
    assert!(looked_at > 300, "only {looked_at} places were found");
}

#[test]
fn every_rpc_says_who_may_call_it_and_what_it_refuses() {
    let sources = sources();
    for service in sources.services() {
        let file = service.parent_file();
        let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
        for method in service.methods() {
            let place = info.location.iter().find(|place| place.path == method.path()).unwrap();
            let comment = place.leading_comments();
            assert!(comment.contains("Who: ") && comment.contains("Refusals"), "{}", method.full_name());
        }
    }
}
