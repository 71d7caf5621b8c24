//! Identifiers: a type for each, with a prefix that says what it names.
//!
//! On the wire and in records an id is its prefix and 32 lower-case hexadecimal digits; in a database it is the 16 bytes.
//! Ids that both parties see being made (exchanges, agreements, records) are time-ordered (UUID version 7); those that
//! must tell nothing about when a person joined (memberships, members, consents) are random (version 4). Who makes the
//! bytes is not decided here: a command carries its [`Seed`](crate::seed::Seed).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 32 lower-case hexadecimal digits")]
pub struct IdError {
    prefix: &'static str,
}

/// Bytes of an id's text: a prefix of three letters, an underscore, and the digits.
const TEXT: usize = 36;

/// The text of an id, made where `room` is: ids stand in every record many times.
fn text<'a>(prefix: &'static str, bits: &Uuid, room: &'a mut [u8; TEXT]) -> &'a str {
    let (head, digits) = room.split_at_mut(prefix.len());
    head.copy_from_slice(prefix.as_bytes());
    bits.as_simple().encode_lower(digits);
    std::str::from_utf8(room).unwrap_or_default()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(Uuid);

        /// That of the bytes, compared as one number: ids are what nearly everything is looked up by.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// The id with these 128 bits.
            #[must_use]
            pub const fn new(bits: Uuid) -> Self {
                Self(bits)
            }

            /// The 128 bits.
            #[must_use]
            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text(concat!($prefix, "_"), &self.0, &mut [0; TEXT]))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_bits(text, $prefix).map(Self).ok_or(IdError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(text(concat!($prefix, "_"), &self.0, &mut [0; TEXT]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// A loyalty program.
    ProgramId, "prg");
id!(
    /// One person. Never leaves the hub.
    MemberId, "mem");
id!(
    /// A member's enrolment in one program; also names its points account.
    MembershipId, "mbs");
id!(
    /// The contract of a pair of partners.
    AgreementId, "agr");
id!(
    /// A consent that a member granted.
    ConsentId, "cns");
id!(
    /// A link code.
    LinkCodeId, "lnk");
id!(
    /// The unit of two-phase work.
    ReservationId, "rsv");
id!(
    /// Points moved between two programs. Shares its bits with its reservation and with the quote that it was made from,
    /// which is why a quote makes at most one exchange.
    ExchangeId, "exc");
id!(
    /// A reversal: a part of a committed exchange, or all of it, given back.
    ReversalId, "rev");
id!(
    /// What one person asked for and a second one decides.
    ApprovalId, "apr");
id!(
    /// What a phase of a reservation, or any other mutation, left.
    RecordId, "rec");
id!(
    /// A settlement period.
    WindowId, "wnd");

impl ExchangeId {
    /// The reservation under this exchange.
    #[must_use]
    pub const fn reservation(&self) -> ReservationId {
        ReservationId::new(self.0)
    }
}

fn parse_bits(text: &str, prefix: &str) -> Option<Uuid> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digits.len() != 32 || !digits.bytes().all(lower_hex) {
        return None;
    }
    Uuid::try_parse(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_in_the_order_of_their_bytes(one in any::<u128>(), other in any::<u128>(), near in 0u128..3) {
            for (one, other) in [(one, other), (one, one.saturating_add(near))] {
                let ids = [one, other].map(|bits| RecordId::new(Uuid::from_u128(bits)));
                prop_assert_eq!(ids[0].cmp(&ids[1]), one.to_be_bytes().cmp(&other.to_be_bytes()));
                prop_assert_eq!(ids[0].cmp(&ids[1]), ids[0].to_string().cmp(&ids[1].to_string()));
            }
        }
    }

    #[test]
    fn an_id_reads_back_as_itself_and_nothing_else_reads() {
        let id = MembershipId::new(Uuid::from_u128(0x0123_4567_89ab_cdef));
        assert_eq!(id.to_string(), "mbs_00000000000000000123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "mbs_",
            "mbs_00000000000000000123456789ABCDEF",
            "exc_00000000000000000123456789abcdef",
            "mbs_0000000000000000-0123456789abcdef",
            "mbs_00000000000000000123456789abcdef ",
            "mbs_{0000000-0000-0000-0000-00000000}",
        ] {
            assert!(bad.parse::<MembershipId>().is_err(), "{bad:?} must not read as an id");
        }
    }
}
