//! Amounts of points: whole minor units inside, decimal texts outside.
//!
//! A program's scale says how many decimals its points have; one point at scale 2 is 100 minor units. Inside the hub there
//! are only minor units in `i64`. An entered text may have fewer decimals than the scale, never more; a printed one has
//! exactly `scale`. There is no floating point anywhere.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::decimal::DecimalText;

/// The most digits of an entered amount, and the most behind its point: what `i64` and every printer can take.
const DIGITS_MAX: usize = 18;

/// How many decimals a program's points have: 0 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Scale(u8);

impl Scale {
    /// The most decimals that points can have.
    pub const MAX: u8 = 4;

    /// The scale with this many decimals; `None` above [`Scale::MAX`].
    #[must_use]
    pub fn new(decimals: u8) -> Option<Self> {
        (decimals <= Self::MAX).then_some(Self(decimals))
    }

    /// The number of decimals.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.0
    }
}

impl From<Scale> for u8 {
    fn from(scale: Scale) -> Self {
        scale.0
    }
}

impl TryFrom<u8> for Scale {
    type Error = &'static str;
    fn try_from(decimals: u8) -> Result<Self, Self::Error> {
        Self::new(decimals).ok_or("a scale is 0 to 4 decimals")
    }
}

/// Why an entered amount was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a plain decimal number.
    #[error(
        "must be a decimal number such as 12 or 12.50: ASCII digits and at most one point, no sign, exponent or spaces"
    )]
    Form,
    /// More decimals than the program's points have.
    #[error("has more decimals than the {0} that this program's points have")]
    Scale(u8),
    /// More than 18 digits.
    #[error("is too large: at most 18 digits")]
    Large,
}

/// A decimal number as somebody entered it, read by rules of our own: ASCII digits, at most one point with digits on both
/// sides, at most 18 digits in all, and at most 18 behind the point. A `-` in front is taken only by [`Entered::parse_signed`].
///
/// Kept without trailing zeros, so that `1.0` and `1.00` are the same amount and the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entered {
    digits: i64,
    decimals: u8,
}

impl Entered {
    /// Reads an amount that has no sign.
    ///
    /// # Errors
    /// [`AmountError::Form`] or [`AmountError::Large`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(AmountError::Form),
            None => (text, ""),
        };
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return Err(AmountError::Form);
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        if significant.len() > DIGITS_MAX || fraction.len() > DIGITS_MAX {
            return Err(AmountError::Large);
        }
        let digits =
            if significant.is_empty() { 0 } else { significant.parse().map_err(|_| AmountError::Large)? };
        Ok(Self { digits, decimals: u8::try_from(fraction.len()).map_err(|_| AmountError::Large)? })
    }

    /// Reads an amount that may have a `-` in front.
    ///
    /// # Errors
    /// As [`Entered::parse`].
    pub fn parse_signed(text: &str) -> Result<Self, AmountError> {
        match text.strip_prefix('-') {
            Some(rest) => {
                Self::parse(rest).map(|e| Self { digits: e.digits.saturating_neg(), decimals: e.decimals })
            }
            None => Self::parse(text),
        }
    }

    /// The amount in units of 10^-`decimals`.
    ///
    /// # Errors
    /// [`AmountError::Scale`] with more decimals than that, [`AmountError::Large`] where `i64` overflows.
    pub fn to_minor(self, decimals: u8) -> Result<i64, AmountError> {
        let missing = decimals.checked_sub(self.decimals).ok_or(AmountError::Scale(decimals))?;
        let factor = 10_i64.checked_pow(u32::from(missing)).ok_or(AmountError::Large)?;
        self.digits.checked_mul(factor).ok_or(AmountError::Large)
    }
}

impl fmt::Display for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DecimalText::new(self.digits, self.decimals).as_str())
    }
}

impl Serialize for Entered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(DecimalText::new(self.digits, self.decimals).as_str())
    }
}

impl<'de> Deserialize<'de> for Entered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse_signed(&text).map_err(de::Error::custom)
    }
}

/// Minor units of one program's points together with the scale, so that the text says it all: `12.50`.
///
/// Signed, because postings are. Has no `+` or `-` on purpose: what is added must belong to one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    minor: i64,
    scale: Scale,
}

impl Amount {
    /// An amount of minor units.
    #[must_use]
    pub const fn new(minor: i64, scale: Scale) -> Self {
        Self { minor, scale }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The program's scale.
    #[must_use]
    pub const fn scale(self) -> Scale {
        self.scale
    }

    /// Reads an entered amount at a program's scale.
    ///
    /// # Errors
    /// [`AmountError::Scale`] or [`AmountError::Large`].
    pub fn enter(entered: Entered, scale: Scale) -> Result<Self, AmountError> {
        entered.to_minor(scale.decimals()).map(|minor| Self { minor, scale })
    }
}

/// Exactly `scale` decimals.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DecimalText::new(self.minor, self.scale.decimals()).as_str())
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(DecimalText::new(self.minor, self.scale.decimals()).as_str())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let decimal = Decimal::from_str_exact(&text).map_err(de::Error::custom)?;
        let scale = u8::try_from(decimal.scale()).ok().and_then(Scale::new);
        let minor = i64::try_from(decimal.mantissa()).ok();
        match (minor, scale) {
            (Some(minor), Some(scale)) => Ok(Self { minor, scale }),
            _ => Err(de::Error::custom("not an amount of points")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_decimals_are_read() {
        for (text, digits, decimals) in [
            ("0", 0, 0),
            ("12", 12, 0),
            ("12.50", 125, 1),
            ("007", 7, 0),
            ("0.0001", 1, 4),
            ("999999999999999999", 999_999_999_999_999_999, 0),
        ] {
            assert_eq!(Entered::parse(text), Ok(Entered { digits, decimals }), "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1E3", " 1", "1 ", "1,000", "1.2.3", "NaN", "inf",
            "１２", "0x1", "1_000", "1\0", "٣", "-", "1\n",
        ] {
            assert_eq!(Entered::parse(text), Err(AmountError::Form), "{text:?}");
        }
        assert_eq!(Entered::parse("1000000000000000000"), Err(AmountError::Large));
        assert_eq!(Entered::parse(&format!("0.{}1", "0".repeat(50))), Err(AmountError::Large));
        assert_eq!(Entered::parse_signed("-1.5").map(|e| e.to_minor(2)), Ok(Ok(-150)));
        assert_eq!(Entered::parse_signed("--1"), Err(AmountError::Form));
    }

    #[test]
    fn an_amount_may_have_fewer_decimals_than_the_scale_never_more() {
        let entered = |text| Entered::parse(text).unwrap();
        assert_eq!(entered("1").to_minor(2), Ok(100));
        assert_eq!(entered("1.00"), entered("1.0"));
        assert_eq!(entered("1.00").to_minor(0), Ok(1), "zeros behind the point carry nothing");
        assert_eq!(entered("1.05").to_minor(1), Err(AmountError::Scale(1)));
        assert_eq!(entered("999999999999999999").to_minor(4), Err(AmountError::Large));
    }

    proptest! {
        #[test]
        fn a_printed_amount_reads_back_as_itself(minor in any::<i64>(), decimals in 0u8..=4) {
            let amount = Amount::new(minor, Scale::new(decimals).unwrap());
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,60}") {
            let _ = Entered::parse_signed(&text).map(|e| e.to_minor(4));
        }
    }
}
