//! Short texts with a fixed alphabet: codes, opaque references, reason codes, display names.
//!
//! Each is parsed once at the edge and carried as its own type. None of them may hold what identifies a person: a value
//! that looks like a telephone or card number is refused wherever a partner chooses the text. They are cloned with every
//! decision, which costs no memory: short ones lie in their place, long ones are shared.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;

/// Why a text was refused. The sentence is shown to the caller beside the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not of the allowed form.
    #[error("must be {0}")]
    Form(&'static str),
    /// All digits (and separators), seven or more of them.
    #[error(
        "looks like a telephone or card number, which may not stand in a reference: use your own opaque id, or add a letter in front"
    )]
    Personal,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $form:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// Parses the text.
            ///
            /// # Errors
            /// [`TextError`] when the text is not of the type's form.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                let check: fn(&str) -> Result<(), TextError> = $check;
                check(&text).map(|()| Self(text.into()))
            }

            /// What the form is, as a phrase for people.
            pub const FORM: &'static str = $form;

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }
    };
}

text!(
    /// A partner's immutable, never reused code: `[a-z][a-z0-9-]{1,30}`.
    PartnerCode, "2 to 31 characters: lower-case letters, digits and '-', beginning with a letter",
    |t| check_code(t, PartnerCode::FORM));
text!(
    /// A program's code, unique within its partner: `[a-z][a-z0-9-]{1,30}`.
    ProgramCode, "2 to 31 characters: lower-case letters, digits and '-', beginning with a letter",
    |t| check_code(t, ProgramCode::FORM));
text!(
    /// A reason from the caller's own list: `[A-Z][A-Z0-9_]{1,39}`.
    ReasonCode, "2 to 40 characters: upper-case letters, digits and '_', beginning with a letter",
    check_reason);
text!(
    /// An opaque reference of a partner: an order, a store, a customer number. 1 to 64 characters out of letters, digits
    /// and `._:/-`, beginning with a letter or digit, and not a bare number of seven digits or more.
    Reference, "1 to 64 characters: letters, digits and . _ : / -, beginning with a letter or digit",
    check_reference);
text!(
    /// The name of a partner or program as people read it: 1 to 80 characters, no control characters.
    DisplayName, "1 to 80 characters without control characters",
    check_display_name);
text!(
    /// The version of the privacy notice that a consent was given under: as [`Reference`], but bare dates are welcome.
    NoticeVersion, "1 to 64 characters: letters, digits and . _ : / -, beginning with a letter or digit",
    |t| check_opaque(t, NoticeVersion::FORM));

text!(
    /// The name of a signing key within its program: `[A-Za-z0-9][A-Za-z0-9._-]{0,31}`.
    KeyId, "1 to 32 characters: letters, digits and . _ -, beginning with a letter or digit",
    check_key_id);

fn check_key_id(text: &str) -> Result<(), TextError> {
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let head = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let fits = (1..=32).contains(&text.len());
    if head && fits && text.bytes().all(tail) { Ok(()) } else { Err(TextError::Form(KeyId::FORM)) }
}

fn check_code(text: &str, form: &'static str) -> Result<(), TextError> {
    let tail = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let head = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let fits = (2..=31).contains(&text.len());
    if head && fits && text.bytes().all(tail) { Ok(()) } else { Err(TextError::Form(form)) }
}

fn check_reason(text: &str) -> Result<(), TextError> {
    let tail = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let head = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    let fits = (2..=40).contains(&text.len());
    if head && fits && text.bytes().all(tail) { Ok(()) } else { Err(TextError::Form(ReasonCode::FORM)) }
}

fn check_opaque(text: &str, form: &'static str) -> Result<(), TextError> {
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    let head = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let fits = (1..=64).contains(&text.len());
    if head && fits && text.bytes().all(tail) { Ok(()) } else { Err(TextError::Form(form)) }
}

fn check_reference(text: &str) -> Result<(), TextError> {
    check_opaque(text, Reference::FORM)?;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().any(|b| b.is_ascii_alphabetic());
    if digits >= 7 && !letters { Err(TextError::Personal) } else { Ok(()) }
}

fn check_display_name(text: &str) -> Result<(), TextError> {
    let fits = (1..=80).contains(&text.chars().count());
    let clean = text.chars().all(|c| !c.is_control() && !is_invisible(c));
    if fits && clean && text.trim() == text { Ok(()) } else { Err(TextError::Form(DisplayName::FORM)) }
}

/// Characters that change how a name reads without being seen: bidirectional controls and zero-width marks.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_take_opaque_ids_and_refuse_what_names_a_person() {
        for good in ["A", "order-2026/11:7", "till_7", "7", "123456", "o-13800138000", "2026.11"] {
            assert!(Reference::new(good).is_ok(), "{good}");
        }
        for form in ["", " a", "a b", "-a", "a@b.example", "é", &"x".repeat(65), "a\0"] {
            assert!(matches!(Reference::new(form), Err(TextError::Form(_))), "{form:?}");
        }
        for personal in ["13800138000", "138-0013-8000", "4111111111111111", "1234567", "0.1234.567"] {
            assert_eq!(Reference::new(personal), Err(TextError::Personal), "{personal}");
        }
    }

    #[test]
    fn codes_reasons_and_names_keep_their_forms() {
        for (text, good) in
            [("airline", true), ("a1", true), ("a", false), ("A1", false), ("1a", false), ("a_b", false)]
        {
            assert_eq!(PartnerCode::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in
            [("PURCHASE", true), ("P", false), ("Purchase", false), ("P2_X", true), ("_P", false)]
        {
            assert_eq!(ReasonCode::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in
            [("蓝天航空", true), ("", false), ("a\n", false), (" a", false), ("a\u{202E}b", false)]
        {
            assert_eq!(DisplayName::new(text).is_ok(), good, "{text:?}");
        }
    }
}
