//! What the writer writes, held against the standard's library and against texts put into order by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Domain, hash, hex, parse_hash, to_bytes};

/// A value whose objects keep the order that they were made in.
#[derive(Debug, Clone)]
enum Tree {
    Nothing,
    Truth(bool),
    Signed(i64),
    Unsigned(u64),
    Text(String),
    /// A text that is displayed in pieces.
    Shown(Vec<String>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

struct Pieces<'a>(&'a [String]);

impl fmt::Display for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| f.write_str(piece))
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Truth(value) => value.serialize(serializer),
            Self::Signed(number) => number.serialize(serializer),
            Self::Unsigned(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Shown(pieces) => serializer.collect_str(&Pieces(pieces)),
            Self::List(values) => values.serialize(serializer),
            Self::Map(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,80}",
        "[\"\\\\/\u{0}-\u{1f}\u{7f}\u{2028}aé😀]{0,12}",
        // Behind the surrogates by their code, before them by their units.
        "[az\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
        "[a-z_]{0,6}",
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Nothing),
        any::<bool>().prop_map(Tree::Truth),
        any::<i64>().prop_map(Tree::Signed),
        (-2000i64..2000).prop_map(Tree::Signed),
        any::<u64>().prop_map(Tree::Unsigned),
        ((1u64 << 53) - 3..(1 << 53) + 3).prop_map(Tree::Unsigned),
        texts().prop_map(Tree::Text),
        vec(texts(), 0..3).prop_map(Tree::Shown),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Tree::List),
            vec((texts(), inner), 0..8).prop_map(|mut members| {
                let mut seen = BTreeSet::new();
                members.retain(|(name, _)| seen.insert(name.clone()));
                Tree::Map(members)
            }),
        ]
    })
}

/// The text of a value by the words of the standard: names by their UTF-16 units, numbers as a double prints them.
fn by_hand(tree: &Tree) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    match tree {
        Tree::Nothing => "null".to_owned(),
        Tree::Truth(value) => value.to_string(),
        Tree::Signed(number) if number.unsigned_abs() <= 1 << 53 => number.to_string(),
        Tree::Unsigned(number) if *number <= 1 << 53 => number.to_string(),
        Tree::Signed(number) => String::from_utf8(serde_json_canonicalizer::to_vec(number).unwrap()).unwrap(),
        Tree::Unsigned(number) => {
            String::from_utf8(serde_json_canonicalizer::to_vec(number).unwrap()).unwrap()
        }
        Tree::Text(text) => quoted(text),
        Tree::Shown(pieces) => quoted(&pieces.concat()),
        Tree::List(values) => format!("[{}]", values.iter().map(by_hand).collect::<Vec<_>>().join(",")),
        Tree::Map(members) => {
            let key = |name: &str| name.encode_utf16().collect::<Vec<u16>>();
            let sorted: BTreeMap<_, _> = members.iter().map(|(n, value)| (key(n), (n, value))).collect();
            let members = sorted.values().map(|(name, value)| format!("{}:{}", quoted(name), by_hand(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_standard_asks_for(tree in trees()) {
        let written = String::from_utf8(to_bytes(&tree).unwrap()).unwrap();
        prop_assert_eq!(&written, &by_hand(&tree));
        let library = String::from_utf8(serde_json_canonicalizer::to_vec(&tree).unwrap()).unwrap();
        prop_assert_eq!(written, library);
    }
}

#[derive(Serialize)]
struct Late {
    z: u8,
    list: (i8, Option<char>),
    a: Kind,
    m: Vec<Kind>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    One(u32),
    Two(i32, &'static str),
    Named { y: (), b: [u8; 2] },
}

#[derive(Serialize)]
struct Flat<'a> {
    z: u8,
    #[serde(flatten)]
    rest: &'a BTreeMap<&'static str, Kind>,
}

#[test]
fn every_shape_of_a_type_is_put_in_order() {
    let kinds =
        || vec![Kind::Plain, Kind::One(7), Kind::Two(-1, "\u{1}\u{1f}"), Kind::Named { y: (), b: [1, 2] }];
    let late = Late { z: 1, list: (-3, Some('"')), a: Kind::Named { y: (), b: [0, 9] }, m: kinds() };
    let expected = concat!(
        r#"{"a":{"named":{"b":[0,9],"y":null}},"list":[-3,"\""],"m":["plain",{"one":7},{"two":[-1,"\u0001\u001f"]},"#,
        r#"{"named":{"b":[1,2],"y":null}}],"z":1}"#
    );
    assert_eq!(String::from_utf8(to_bytes(&late).unwrap()).unwrap(), expected);
    assert_eq!(to_bytes(&late).unwrap(), serde_json_canonicalizer::to_vec(&late).unwrap());
    let rest = ["a", "zz", "b"].into_iter().zip(kinds()).collect();
    let flat = Flat { z: 2, rest: &rest };
    assert_eq!(to_bytes(&flat).unwrap(), serde_json_canonicalizer::to_vec(&flat).unwrap());
}

#[test]
fn what_no_canonical_bytes_are_made_of_is_refused() {
    let wrong = |fault: serde_json::Error, says: &str| assert!(fault.to_string().contains(says), "{fault}");
    wrong(to_bytes(&serde_json::json!({"a": [0.5]})).unwrap_err(), "floating point");
    wrong(to_bytes(&1.0_f32).unwrap_err(), "floating point");
    wrong(to_bytes(&BTreeMap::from([(1, 2)])).unwrap_err(), "the name of a member must be a text");
    let twice = Tree::Map(vec![
        ("b".into(), Tree::Nothing),
        ("a".into(), Tree::Nothing),
        ("b".into(), Tree::Nothing),
    ]);
    wrong(to_bytes(&twice).unwrap_err(), "two members of the name b");
}

#[test]
fn canonical_bytes_do_not_depend_on_the_order_of_fields() {
    let value = serde_json::json!({"b": "2", "a": {"z": 1, "y": "é"}});
    assert_eq!(to_bytes(&value).unwrap(), "{\"a\":{\"y\":\"é\",\"z\":1},\"b\":\"2\"}".as_bytes());
}

#[test]
fn hashes_of_different_kinds_never_meet_and_read_back() {
    let one = hash(Domain::Terms, b"x");
    assert_ne!(one, hash(Domain::Record, b"x"));
    assert_eq!(parse_hash(&hex(&one)), Some(one));
    assert_eq!(parse_hash(&hex(&one).to_uppercase()), None);
}
