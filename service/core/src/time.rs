//! Moments and months, in UTC.
//!
//! A decision never reads a clock: it is given `now`. Moments are microseconds since 1970-01-01T00:00:00Z.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// A day, in microseconds.
const DAY_MICROS: i64 = 86_400 * MICROS;

/// Bytes of a moment's text.
const TEXT: usize = 27;

/// The latest moment that the hub takes: 9999-12-30T22:00:00Z, the last one that is a civil time in every zone.
const LATEST_MICROS: i64 = 253_402_207_200 * MICROS;

/// A moment: microseconds since 1970-01-01T00:00:00Z, from then to 9999-12-30T22:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first moment that the hub takes: 1970-01-01T00:00:00Z.
    pub const EARLIEST: Self = Self(0);

    /// The last one: 9999-12-30T22:00:00Z.
    pub const LATEST: Self = Self(LATEST_MICROS);

    /// The moment this many microseconds after 1970; `None` outside of 1970 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (0..=LATEST_MICROS).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The moment `seconds` later, at most the last moment there is.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        let micros = i64::from(seconds).saturating_mul(MICROS);
        Self(self.0.saturating_add(micros).min(LATEST_MICROS))
    }

    /// The next midnight (UTC), at most the last moment there is; a midnight is its own.
    #[must_use]
    pub fn to_end_of_day(self) -> Self {
        let over = self.0.rem_euclid(DAY_MICROS);
        let rest = if over == 0 { 0 } else { DAY_MICROS.saturating_sub(over) };
        Self(self.0.saturating_add(rest).min(LATEST_MICROS))
    }

    /// This moment, or where it is not later than `earlier`, the next one after that: so that a row that changes twice in
    /// one batch shows that it did.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        self.max(Self(earlier.0.saturating_add(1).min(LATEST_MICROS)))
    }

    /// The calendar month (UTC) that the moment lies in.
    #[must_use]
    pub fn month(self) -> Month {
        let date = self.civil().date();
        let year = i32::from(date.year());
        let month = i32::from(date.month());
        Month(year.saturating_mul(12).saturating_add(month.saturating_sub(1)))
    }

    /// The text, made where `room` is: moments stand in every record many times.
    fn text(self, room: &mut [u8; TEXT]) -> &str {
        let civil = self.civil();
        let (date, time) = (civil.date(), civil.time());
        *room = *b"0000-00-00T00:00:00.000000Z";
        let parts = [
            (0..4, i64::from(date.year())),
            (5..7, i64::from(date.month())),
            (8..10, i64::from(date.day())),
            (11..13, i64::from(time.hour())),
            (14..16, i64::from(time.minute())),
            (17..19, i64::from(time.second())),
            (20..26, self.0.rem_euclid(MICROS)),
        ];
        for (place, number) in parts {
            put_digits(room.get_mut(place).unwrap_or_default(), number);
        }
        std::str::from_utf8(room).unwrap_or_default()
    }

    fn civil(self) -> jiff::civil::DateTime {
        let stamp = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        jiff::tz::Offset::UTC.to_datetime(stamp)
    }
}

/// Fills the place with the last digits of a number that is not negative.
fn put_digits(place: &mut [u8], number: i64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = b'0' | u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// RFC 3339 with exactly six decimals: `2026-11-22T08:00:00.000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT]))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; TEXT]))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let stamp: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        Self::from_micros(stamp.as_microsecond()).ok_or_else(|| de::Error::custom("outside of 1970 to 9999"))
    }
}

/// A calendar month: months since January of the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// The month with this number, as [`Month::number`] gives it.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Months since January of the year 0.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The first moment after the month that is `months` after this one: when points that live so long are over.
    /// `None` past the year 9999.
    #[must_use]
    pub fn end_after(self, months: u8) -> Option<Timestamp> {
        let next = self.0.checked_add(i32::from(months))?.checked_add(1)?;
        let year = i16::try_from(next.div_euclid(12)).ok()?;
        let month = i8::try_from(next.rem_euclid(12)).ok()?.checked_add(1)?;
        let date = jiff::civil::Date::new(year, month, 1).ok()?;
        let stamp = jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Timestamp::from_micros(stamp.as_microsecond())
    }
}

/// `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12).saturating_add(1))
    }
}

/// When a lot of points is over: at a moment, or never. Ordered as points are spent: the first to expire first, what
/// never expires last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// From this moment on the points are gone.
    At(Timestamp),
    /// The points stay.
    Never,
}

impl Expiry {
    /// What stands in a database for [`Expiry::Never`], so that it sorts last and keys stay free of nulls.
    pub const NEVER_MICROS: i64 = i64::MAX;

    /// Microseconds since 1970, [`Expiry::NEVER_MICROS`] for never.
    #[must_use]
    pub const fn micros(self) -> i64 {
        match self {
            Self::At(at) => at.micros(),
            Self::Never => Self::NEVER_MICROS,
        }
    }

    /// Reads what [`Expiry::micros`] wrote; `None` for what it never writes.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        if micros == Self::NEVER_MICROS {
            Some(Self::Never)
        } else {
            Timestamp::from_micros(micros).map(Self::At)
        }
    }

    /// Whether points with this expiry are over at `now`.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }

    /// The moment, if there is one.
    #[must_use]
    pub const fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).unwrap()
    }

    #[test]
    fn moments_print_with_six_decimals_and_read_back() {
        for text in
            ["1970-01-01T00:00:00.000000Z", "2026-11-22T19:47:39.000001Z", "9999-12-30T22:00:00.000000Z"]
        {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(Timestamp::from_micros(-1), None);
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
    }

    #[test]
    fn points_expire_at_the_end_of_a_calendar_month() {
        for (earned, months, over) in [
            ("2026-11-22T19:47:39.000000Z", 0, "2026-12-01T00:00:00.000000Z"),
            ("2026-11-30T23:59:59.999999Z", 1, "2027-01-01T00:00:00.000000Z"),
            ("2026-12-01T00:00:00.000000Z", 12, "2028-01-01T00:00:00.000000Z"),
            ("2024-02-29T12:00:00.000000Z", 24, "2026-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(at(earned).month().end_after(months), Some(at(over)), "{earned} + {months}");
        }
        assert_eq!(at("2026-11-22T19:47:39.000000Z").month().to_string(), "2026-11");
        assert_eq!(at("9999-12-01T00:00:00.000000Z").month().end_after(1), None);
    }

    #[test]
    fn what_never_expires_is_spent_last() {
        let soon = Expiry::At(at("2026-12-01T00:00:00.000000Z"));
        assert!(soon < Expiry::Never);
        assert_eq!(Expiry::from_micros(Expiry::Never.micros()), Some(Expiry::Never));
        assert!(soon.is_over(at("2026-12-01T00:00:00.000000Z")));
        assert!(!soon.is_over(at("2026-11-30T23:59:59.999999Z")));
    }
}
