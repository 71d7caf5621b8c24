//! Money: millionths of a currency's unit, prices as exact ratios.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::decimal::DecimalText;
use crate::points::{Amount, AmountError, Entered};
use crate::rate::{Rounding, divide};

/// Decimals of an amount of money: millionths.
const MONEY_DECIMALS: u8 = 6;

/// A currency of ISO 4217 that amounts can be owed in (funds, metals and test codes have no minor unit and are refused).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Currency([u8; 3]);

/// A code that is not a currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a currency code of ISO 4217, such as CNY")]
pub struct CurrencyError;

impl Currency {
    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;
    fn from_str(code: &str) -> Result<Self, CurrencyError> {
        let known = iso_currency::Currency::from_code(code).ok_or(CurrencyError)?;
        known.exponent().ok_or(CurrencyError)?;
        code.as_bytes().try_into().map(Self).map_err(|_| CurrencyError)
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;
    fn try_from(code: String) -> Result<Self, CurrencyError> {
        code.parse()
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Millionths of a currency's unit. Which currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

impl Money {
    /// An amount of millionths.
    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// Millionths of the currency's unit.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Reads an entered amount: at most six decimals.
    ///
    /// # Errors
    /// [`AmountError::Scale`] or [`AmountError::Large`].
    pub fn enter(entered: Entered) -> Result<Self, AmountError> {
        entered.to_minor(MONEY_DECIMALS).map(Self)
    }
}

/// Exactly six decimals.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DecimalText::new(self.0, MONEY_DECIMALS).as_str())
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(DecimalText::new(self.0, MONEY_DECIMALS).as_str())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let decimal = Decimal::from_str_exact(&text).map_err(de::Error::custom)?;
        if decimal.scale() != u32::from(MONEY_DECIMALS) {
            return Err(de::Error::custom("an amount of money has six decimals"));
        }
        i64::try_from(decimal.mantissa()).map(Self).map_err(de::Error::custom)
    }
}

/// What points are worth: `money` for `points`, an exact ratio (111.00 CNY : 6666 points). Both are above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// Money, in the settlement currency.
    pub money: Money,
    /// The points that are worth it.
    pub points: Amount,
}

impl Price {
    /// What `minor` units of these points are worth, to millionths, half-even. `None` where a part is not above zero, or
    /// the result does not fit.
    #[must_use]
    pub fn value_of(&self, minor: i64) -> Option<Money> {
        if minor < 0 || self.points.minor() <= 0 || self.money.millionths() <= 0 {
            return None;
        }
        let product = i128::from(minor).checked_mul(i128::from(self.money.millionths()))?;
        let value = divide(product, i128::from(self.points.minor()), Rounding::HalfEven)?;
        i64::try_from(value).ok().map(Money)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::Scale;

    fn money(text: &str) -> Money {
        Money::enter(Entered::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_price_values_points_to_the_millionth() {
        let scale = Scale::new(0).unwrap();
        let price = Price { money: money("111.00"), points: Amount::new(6666, scale) };
        for (points, worth) in
            [(6666, "111"), (1, "0.016652"), (0, "0"), (3333, "55.5"), (20000, "333.033303")]
        {
            assert_eq!(price.value_of(points), Some(money(worth)), "{points}");
        }
        let half = Price { money: Money::from_millionths(1), points: Amount::new(2, scale) };
        assert_eq!(half.value_of(1), Some(Money::from_millionths(0)), "a half goes to the even side");
        assert_eq!(half.value_of(3), Some(Money::from_millionths(2)));
        assert_eq!(price.value_of(-1), None);
    }

    #[test]
    fn currencies_are_those_of_iso_4217_that_money_is_kept_in() {
        for good in ["CNY", "EUR", "JPY", "KWD"] {
            assert_eq!(good.parse::<Currency>().map(|c| c.to_string()), Ok(good.to_owned()));
        }
        for bad in ["cny", "", "EURO", "ZZZ", "XAU", "XXX"] {
            assert_eq!(bad.parse::<Currency>(), Err(CurrencyError), "{bad}");
        }
        assert_eq!(money("1.5").to_string(), "1.500000");
    }
}
