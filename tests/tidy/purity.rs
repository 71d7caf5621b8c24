//! What may be named where: a pure core, protobuf types at the edge, TLS types in their few files.

use crate::house::{Breach, hold, rust_texts};
use crate::words::{FLOAT_LITERAL, Scope, Word, outside_test_files, words};

/// What core never names, and why. `A::b*` stands for every name that begins so.
const IMPURE: [(&str, &[&str]); 6] = [
    ("a clock: take `now` as an argument", &["SystemTime", "Instant", "Timestamp::now", "Zoned::now"]),
    ("chance: take the id as an argument", &["rand", "getrandom", "Uuid::new_v*", "Uuid::now_v*"]),
    (
        "the outside world: the caller reads and writes",
        &[
            "std::env",
            "std::fs",
            "std::net",
            "std::io",
            "std::process",
            "std::thread",
            "env",
            "println",
            "eprintln",
        ],
    ),
    ("async: core decides, the engine waits", &["async", "await", "tokio", "futures"]),
    ("an order that changes from run to run: use BTreeMap or BTreeSet", &["HashMap", "HashSet"]),
    (
        "a way to end the process: answer with a typed error",
        &["unwrap", "expect", "unwrap_unchecked", "panic", "todo", "unimplemented", "unreachable"],
    ),
];

/// Where core may name types of floating point: a serializer has methods for them, and this one's refuse.
const FLOATS_IN: [&str; 1] = ["service/core/src/canonical/writer.rs"];

/// Floating point in any form.
const FLOATS: [&str; 3] = ["f32", "f64", FLOAT_LITERAL];

/// Where the server may name protobuf types: the edge, and the demo, which is a client.
const PROTOBUF_IN: [&str; 6] = ["wire/", "rpc/", "status.rs", "authz.rs", "serve.rs", "demo/"];
const PROTOBUF: [&str; 2] = ["pointbridge_proto", "prost_types"];

/// Where the server may name TLS and certificates.
const TLS_IN: [&str; 9] =
    ["tls.rs", "tls/", "trust.rs", "trust/", "acceptor.rs", "acceptor/", "peer.rs", "peer/", "pki/"];
const TLS: [&str; 6] = ["rustls", "tokio_rustls", "webpki", "rustls_pki_types", "x509_parser", "rcgen"];

const SERVER: &str = "service/server/src/";
const CORE: &str = "service/core/src/";

fn impurities(file: &str, text: &str) -> Vec<Breach> {
    words(file, text, Scope::OutsideTests)
        .iter()
        .filter_map(|word| {
            reason(file, word).map(|reason| Breach::at(file, word.line, format!("core names {reason}")))
        })
        .collect()
}

fn reason(file: &str, word: &Word) -> Option<String> {
    let floats = if FLOATS_IN.contains(&file) { &[FLOAT_LITERAL][..] } else { &FLOATS };
    if floats.iter().any(|float| word.has(float)) {
        return Some(format!(
            "`{}`, floating point: use whole numbers and exact ratios",
            word.path.join("::")
        ));
    }
    let (why, _) = IMPURE.iter().find(|(_, names)| names.iter().any(|name| word.has(name)))?;
    Some(format!("`{}`, {why}", word.path.join("::")))
}

/// Words of `forbidden` in a file of the server that is none of `allowed`.
fn strays(file: &str, text: &str, forbidden: &[&str], allowed: &[&str]) -> Vec<Breach> {
    let Some(inside) = file.strip_prefix(SERVER) else { return Vec::new() };
    if allowed.iter().any(|place| inside == *place || (place.ends_with('/') && inside.starts_with(place))) {
        return Vec::new();
    }
    words(file, text, Scope::OutsideTests)
        .iter()
        .filter(|word| word.path.first().is_some_and(|first| forbidden.contains(&first.as_str())))
        .map(|word| {
            let what = format!(
                "`{}` may only be named in {}: parse it there into a type of ours",
                word.path.join("::"),
                allowed.join(", ")
            );
            Breach::at(file, word.line, what)
        })
        .collect()
}

fn product_sources(folder: &str) -> Vec<(String, String)> {
    let sources = outside_test_files(rust_texts());
    let chosen: Vec<_> = sources.into_iter().filter(|(file, _)| file.starts_with(folder)).collect();
    assert!(!chosen.is_empty(), "{folder} has no sources: the rule would prove nothing");
    chosen
}

#[test]
fn core_is_pure() {
    let breaches: Vec<Breach> =
        product_sources(CORE).iter().flat_map(|(file, text)| impurities(file, text)).collect();
    hold("core decides and does nothing else", &breaches);
}

#[test]
fn protobuf_types_stay_at_the_edge() {
    let breaches: Vec<Breach> = product_sources(SERVER)
        .iter()
        .flat_map(|(file, text)| strays(file, text, &PROTOBUF, &PROTOBUF_IN))
        .collect();
    hold("protobuf types are parsed once, at the edge", &breaches);
}

#[test]
fn tls_types_stay_in_the_transport() {
    let breaches: Vec<Breach> =
        product_sources(SERVER).iter().flat_map(|(file, text)| strays(file, text, &TLS, &TLS_IN)).collect();
    hold("TLS and certificates are read in the transport only", &breaches);
}

#[test]
fn each_impurity_is_found() {
    let impure = [
        "fn a() { std::time::SystemTime::now(); }",
        "use std::time::Instant as Clock;",
        "fn a() { jiff::Timestamp::now(); }",
        "use std::{collections::BTreeMap, env};",
        "fn a() { std::fs::read(x); }",
        "fn a() { Uuid::new_v4(); }",
        "use std::collections::HashMap;",
        "fn a(x: f64) {}",
        "const A: Ratio = ratio(0.5);",
        "async fn a() {}",
        "fn a() { b.unwrap(); }",
        "fn a() { format!(\"{}\", b.expect(\"c\")); }",
        "fn a() { panic!(); }",
    ];
    for text in impure {
        assert_eq!(impurities("service/core/src/a.rs", text).len(), 1, "{text}");
    }
    let methods =
        "fn serialize_f32(self, _: f32) {} fn serialize_f64(self, _: f64) {} const A: Ratio = ratio(0.5);";
    assert_eq!(
        impurities(FLOATS_IN[0], methods).len(),
        1,
        "its methods may name the types, and hold no number of them"
    );
    let pure = "/// SystemTime, f64 and unwrap() in a comment.\n#[expect(dead_code)]\nfn a(now: Timestamp) { b.unwrap_or(1) }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap(); } }";
    assert_eq!(impurities("service/core/src/a.rs", pure), []);
}

#[test]
fn a_type_outside_of_its_place_is_found() {
    let text = "use pointbridge_proto::v1::Partner;";
    assert_eq!(strays("service/server/src/cli.rs", text, &PROTOBUF, &PROTOBUF_IN).len(), 1);
    assert_eq!(strays("service/server/src/wire/partner.rs", text, &PROTOBUF, &PROTOBUF_IN), []);
    assert_eq!(strays("service/server/src/status.rs", text, &PROTOBUF, &PROTOBUF_IN), []);
    let text = "fn a(b: rustls::ServerConfig) {}";
    assert_eq!(strays("service/server/src/serve.rs", text, &TLS, &TLS_IN).len(), 1);
    assert_eq!(strays("service/server/src/pki/ca.rs", text, &TLS, &TLS_IN), []);
}
