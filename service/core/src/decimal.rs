//! Whole numbers of small units as decimal texts, made without a detour: amounts stand in every record many times.

/// Digits of an `i64`, its sign and a point, with a zero in front: `-0.000000000000000001`.
const ROOM: usize = 24;

/// The most decimals that a text has.
const DECIMALS_MAX: u8 = 18;

/// `units × 10^-decimals` as a decimal text with exactly `decimals` (at most 18) decimals: `-12.50`.
#[derive(Clone, Copy)]
pub(crate) struct DecimalText {
    bytes: [u8; ROOM],
    start: usize,
}

impl DecimalText {
    /// The text of an amount.
    pub(crate) fn new(units: i64, decimals: u8) -> Self {
        let decimals = usize::from(decimals.min(DECIMALS_MAX));
        let mut bytes = [0; ROOM];
        let mut rest = units.unsigned_abs();
        let mut start = ROOM;
        let mut put = |byte: u8| {
            start = start.saturating_sub(1);
            if let Some(place) = bytes.get_mut(start) {
                *place = byte;
            }
        };
        for written in 0..ROOM {
            if written > decimals && rest == 0 {
                break;
            }
            if written == decimals && decimals > 0 {
                put(b'.');
            }
            put(b'0' | u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
        }
        if units < 0 {
            put(b'-');
        }
        Self { bytes, start }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(self.start..).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    #[test]
    fn amounts_have_exactly_their_decimals() {
        for (units, decimals, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (7, 2, "0.07"),
            (-7, 2, "-0.07"),
            (1250, 2, "12.50"),
            (-100, 0, "-100"),
            (1, 18, "0.000000000000000001"),
            (i64::MIN, 0, "-9223372036854775808"),
            (i64::MIN, 18, "-9.223372036854775808"),
            (i64::MAX, 6, "9223372036854.775807"),
        ] {
            assert_eq!(DecimalText::new(units, decimals).as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn texts_are_those_of_the_library(units in any::<i64>(), short in -2000i64..2000, decimals in 0u8..=18) {
            for units in [units, short] {
                let text = DecimalText::new(units, decimals);
                let library = Decimal::new(units, u32::from(decimals)).to_string();
                prop_assert_eq!(text.as_str(), library);
            }
        }
    }
}
