//! The members of every object in a JSON text put into order: what RFC 8785 asks of texts that serde_json wrote, as long as
//! these hold nothing but what our own types hold.
//!
//! A record is made into canonical bytes while the writer waits, so that this is on the way of every write. One walk over the
//! finished text, which moves members only where they are out of order, costs a tenth of collecting each object's members
//! apart. Absent on purpose: numbers that are not small and whole, and names that are not plain. Whoever finds `None` here
//! asks the library that knows all of the standard.

/// Digits of a number that is the same as an integer and as what the standard prints.
const DIGITS_MAX: usize = 15;

/// The text with the members of each object in order. `None` where something stands in it that only the whole standard can
/// put down.
pub(super) fn sorted(text: &[u8]) -> Option<Vec<u8>> {
    let mut walk =
        Walk { rest: text, out: Vec::with_capacity(text.len()), members: Vec::new(), moved: Vec::new() };
    walk.value()?;
    walk.rest.is_empty().then_some(walk.out)
}

/// A member that was written: its name, and where it stands with its value.
#[derive(Clone, Copy)]
struct Member<'a> {
    name: &'a [u8],
    from: usize,
    to: usize,
}

struct Walk<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    /// Of all objects that are open, the innermost last.
    members: Vec<Member<'a>>,
    /// Where an object's members are put into order.
    moved: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn value(&mut self) -> Option<()> {
        match self.rest.first()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// Takes this byte.
    fn byte(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.out.push(*first);
        (*first == byte).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        self.out.extend_from_slice(word);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let length = self.rest.iter().position(|b| !b.is_ascii_digit() && *b != b'-');
        let (number, rest) = self.rest.split_at_checked(length.unwrap_or(self.rest.len()))?;
        let is_plain = (1..=DIGITS_MAX).contains(&number.len()) && number != b"-0";
        // What goes on as a fraction or with an exponent is refused by whoever looks for the next comma.
        self.rest = rest;
        self.out.extend_from_slice(number);
        is_plain.then_some(())
    }

    /// Takes a text with its quotes and answers with it.
    fn string(&mut self) -> Option<&'a [u8]> {
        let all = self.rest;
        let mut inner = all.strip_prefix(b"\"")?;
        loop {
            let (_, found) = inner.split_at_checked(inner.iter().position(|b| matches!(b, b'"' | b'\\'))?)?;
            let (mark, behind) = found.split_first()?;
            if *mark == b'"' {
                inner = behind;
                break;
            }
            // A backslash and what it stands before; the digits of a code are plain.
            inner = behind.split_first()?.1;
        }
        let text = all.get(..all.len().checked_sub(inner.len())?)?;
        self.rest = inner;
        self.out.extend_from_slice(text);
        Some(text)
    }

    fn array(&mut self) -> Option<()> {
        self.byte(b'[')?;
        if self.rest.first() == Some(&b']') {
            return self.byte(b']');
        }
        loop {
            self.value()?;
            if self.rest.first()? == &b']' {
                return self.byte(b']');
            }
            self.byte(b',')?;
        }
    }

    fn object(&mut self) -> Option<()> {
        self.byte(b'{')?;
        let (start, outer) = (self.out.len(), self.members.len());
        if self.rest.first() == Some(&b'}') {
            return self.byte(b'}');
        }
        loop {
            let from = self.out.len();
            let name = self.string()?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            // Plain names sort by their bytes as they do by their UTF-16 units.
            if name.iter().any(|b| *b == b'\\' || !b.is_ascii()) {
                return None;
            }
            self.byte(b':')?;
            self.value()?;
            self.members.push(Member { name, from, to: self.out.len() });
            if self.rest.first()? == &b'}' {
                break;
            }
            self.byte(b',')?;
        }
        self.put_in_order(start, outer)?;
        self.byte(b'}')
    }

    /// Orders the members from `outer` on, whose text begins at `start`.
    fn put_in_order(&mut self, start: usize, outer: usize) -> Option<()> {
        let members = self.members.get_mut(outer..)?;
        if !members.is_sorted_by(|a, b| a.name < b.name) {
            members.sort_unstable_by_key(|member| member.name);
            // Two of one name are no object.
            if !members.is_sorted_by(|a, b| a.name < b.name) {
                return None;
            }
            self.moved.clear();
            for member in members {
                if !self.moved.is_empty() {
                    self.moved.push(b',');
                }
                self.moved.extend_from_slice(self.out.get(member.from..member.to)?);
            }
            self.out.truncate(start);
            self.out.extend_from_slice(&self.moved);
        }
        self.members.truncate(outer);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::Value;

    fn library(value: &Value) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(value).unwrap()
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-99_999_999_999_999_i64..=999_999_999_999_999).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\"\\\\/\u{0}-\u{1f}\u{7f}\u{2028}aé😀]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                btree_map("[a-zA-Z0-9_ !~]{0,6}", inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The value as a text whose members are in the opposite order at every level.
    fn backwards(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|a, b| b.0.cmp(a.0));
                let members = members
                    .iter()
                    .map(|(name, v)| format!("{}:{}", Value::from(name.as_str()), backwards(v)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Value::Array(values) => {
                format!("[{}]", values.iter().map(backwards).collect::<Vec<_>>().join(","))
            }
            leaf => leaf.to_string(),
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_order_is_what_the_standard_asks_for(value in values()) {
            let found = sorted(backwards(&value).as_bytes());
            prop_assert_eq!(found, Some(library(&value)));
        }

        #[test]
        fn no_text_makes_the_walk_fail_otherwise_than_by_saying_so(text in "[{}\\[\\],:\"\\\\0-9a-u.eE-]{0,40}") {
            if let Some(out) = sorted(text.as_bytes()) {
                prop_assert_eq!(out.len(), text.len());
            }
        }
    }

    #[test]
    fn what_only_the_whole_standard_knows_is_left_to_the_library() {
        for text in [
            "1.5",
            "1e3",
            "-0",
            "9007199254740993",
            "{\"a\":1.0}",
            "[1,2.5]",
            "{\"é\":1}",
            "{\"\\n\":1}",
            "{\"a\":1,\"a\":2}",
            "",
            "{",
            "[1",
            "\"a",
            "\"a\\\"",
            "{\"a\"}",
            "true false",
            "nul",
        ] {
            assert_eq!(sorted(text.as_bytes()), None, "{text}");
        }
        for value in [serde_json::json!({"b": 0.5, "a": 1e21}), serde_json::json!({"é": 1, "\n": 2, "b": 3})]
        {
            assert_eq!(super::super::to_bytes(&value).unwrap(), library(&value));
        }
    }
}
