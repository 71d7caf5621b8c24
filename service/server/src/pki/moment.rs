//! A moment in whole seconds, as X.509 has it.
//!
//! Printed and kept as `2026-12-24T08:00:00Z`. Absent: time zones and fractions; certificates have neither.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::PkiError;

/// Seconds of a day.
pub(super) const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// Seconds since the beginning of 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Moment(i64);

impl Moment {
    /// The host's clock.
    ///
    /// # Errors
    /// It stands before 1970.
    pub fn now() -> Result<Self, PkiError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
        seconds.map(Self).ok_or_else(|| PkiError::Cryptography("the clock stands before 1970".to_owned()))
    }

    /// From seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// So many days later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(i64::from(days).saturating_mul(SECONDS_PER_DAY)))
    }

    /// So many seconds earlier.
    #[must_use]
    pub const fn minus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Whole days from `now` until this, rounded down; negative once it is over.
    #[must_use]
    pub const fn days_after(self, now: Self) -> i64 {
        self.0.saturating_sub(now.0).div_euclid(SECONDS_PER_DAY)
    }

    /// The time since 1970, which the signing library adds to its own epoch.
    pub(super) fn since_epoch(self) -> Duration {
        Duration::from_secs(u64::try_from(self.0).unwrap_or_default())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(out, "{moment}"),
            Err(_) => write!(out, "{} s", self.0),
        }
    }
}

impl FromStr for Moment {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_second()))
    }
}

impl TryFrom<String> for Moment {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_is_printed_and_days_are_whole() {
        let moment: Moment = "2026-12-24T08:00:00Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-12-24T08:00:00Z");
        assert_eq!(moment.plus_days(30).to_string(), "2027-01-23T08:00:00Z");
        assert_eq!(moment.plus_days(2).days_after(moment), 2);
        assert_eq!(moment.plus_days(2).minus_seconds(1).days_after(moment), 1);
        assert_eq!(moment.minus_seconds(1).days_after(moment), -1);
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
