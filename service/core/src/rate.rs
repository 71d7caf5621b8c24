//! Exchange rates: exact ratios of whole minor units, and the one rounding that an exchange does.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// The largest number that may stand on either side of a rate: a million million.
pub const RATE_PART_MAX: u64 = 1_000_000_000_000;

/// An exact exchange rate: `give` source minor units buy `get` destination minor units (6666 : 111).
///
/// Not reduced: partners negotiate it as they wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    give: NonZeroU64,
    get: NonZeroU64,
}

impl Rate {
    /// The rate `give : get`; `None` where a side is 0 or above [`RATE_PART_MAX`].
    #[must_use]
    pub fn new(give: u64, get: u64) -> Option<Self> {
        if give > RATE_PART_MAX || get > RATE_PART_MAX {
            return None;
        }
        Some(Self { give: NonZeroU64::new(give)?, get: NonZeroU64::new(get)? })
    }

    /// Source minor units.
    #[must_use]
    pub const fn give(self) -> u64 {
        self.give.get()
    }

    /// Destination minor units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.get.get()
    }
}

/// How a result between two whole units is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rounding {
    /// Down to the last whole unit.
    TowardZero,
    /// To the nearest whole unit, a half to the even one.
    HalfEven,
}

/// What a conversion gave, and what its rounding left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// Destination minor units, rounded once.
    pub gross: i64,
    /// What the exact result has beyond `gross`, as a numerator over `denominator` of one destination minor unit.
    /// Negative where the result was rounded up. Its size is always less than `denominator`.
    pub residue_numerator: i64,
    /// The rate's `give`.
    pub residue_denominator: i64,
}

/// Converts `source` minor units: `gross = round(source × get / give)`, rounded once, the remainder kept exactly.
///
/// `None` where `source` is negative or the result does not fit into 64 bits.
#[must_use]
pub fn convert(source: i64, rate: Rate, rounding: Rounding) -> Option<Converted> {
    let source = u64::try_from(source).ok()?;
    let product = i128::from(source).checked_mul(i128::from(rate.get()))?;
    let give = i128::from(rate.give());
    let gross = divide(product, give, rounding)?;
    let residue = product.checked_sub(gross.checked_mul(give)?)?;
    Some(Converted {
        gross: i64::try_from(gross).ok()?,
        residue_numerator: i64::try_from(residue).ok()?,
        residue_denominator: i64::try_from(give).ok()?,
    })
}

/// `numerator / denominator` for a non-negative numerator and a positive denominator, rounded as asked. `None` on overflow
/// and on a denominator of zero.
#[must_use]
pub fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> Option<i128> {
    let quotient = numerator.checked_div_euclid(denominator)?;
    let remainder = numerator.checked_rem_euclid(denominator)?;
    let up = match rounding {
        Rounding::TowardZero => false,
        Rounding::HalfEven => {
            let rest = denominator.checked_sub(remainder)?;
            remainder > rest || (remainder == rest && quotient.checked_rem(2)? == 1)
        }
    };
    if up { quotient.checked_add(1) } else { Some(quotient) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn conversions_round_once_and_keep_what_is_left() {
        use Rounding::{HalfEven, TowardZero};
        for (source, give, get, rounding, gross, residue) in [
            (6666, 6666, 111, TowardZero, 111, 0),
            (6665, 6666, 111, TowardZero, 110, 6555),
            (3, 2, 1, TowardZero, 1, 1),
            (3, 2, 1, HalfEven, 2, -1),
            (1, 2, 1, HalfEven, 0, 1),
            (5, 2, 1, HalfEven, 2, 1),
            (7, 3, 2, HalfEven, 5, -1),
            (0, 3, 2, HalfEven, 0, 0),
        ] {
            let converted = convert(source, Rate::new(give, get).unwrap(), rounding).unwrap();
            assert_eq!(
                (converted.gross, converted.residue_numerator),
                (gross, residue),
                "{source} at {give}:{get} {rounding:?}"
            );
        }
        assert_eq!(
            convert(i64::MAX, Rate::new(1, 2).unwrap(), TowardZero),
            None,
            "overflow is told, not wrapped"
        );
        assert_eq!(convert(-1, Rate::new(1, 1).unwrap(), TowardZero), None);
        assert_eq!(Rate::new(0, 1), None);
        assert_eq!(Rate::new(1, RATE_PART_MAX + 1), None);
    }

    proptest! {
        #[test]
        fn gross_and_residue_are_the_exact_result(
            source in 0i64..=i64::MAX, give in 1u64..=RATE_PART_MAX, get in 1u64..=RATE_PART_MAX, half_even in any::<bool>()
        ) {
            let rounding = if half_even { Rounding::HalfEven } else { Rounding::TowardZero };
            if let Some(c) = convert(source, Rate::new(give, get).unwrap(), rounding) {
                let exact = i128::from(source) * i128::from(get);
                prop_assert_eq!(i128::from(c.gross) * i128::from(give) + i128::from(c.residue_numerator), exact);
                prop_assert!(c.residue_numerator.unsigned_abs() < give);
                if !half_even { prop_assert!(c.residue_numerator >= 0); }
                if half_even { prop_assert!(u128::from(c.residue_numerator.unsigned_abs()) * 2 <= u128::from(give)); }
            }
        }
    }
}
