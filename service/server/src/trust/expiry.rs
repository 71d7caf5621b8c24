//! What is coming to its end, told well before, and what is over, told again every hour.
//!
//! The hub's own certificate, the authorities and their lists are watched; clients watch theirs. Two thirds of its time are
//! enough to replace anything, whatever its time is: what has less than a third left is late.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;

use super::authority::Validity;
use super::{State, Trust, seconds};

/// How often it is repeated that something is over, and that it will be.
const OVER_INTERVAL: Duration = Duration::from_hours(1);
const LATE_INTERVAL: Duration = Duration::from_hours(24);
const SECONDS_PER_HOUR: i64 = 3_600;

/// How things stand with a certificate or list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Fine,
    /// Less than a third of its time is left.
    Late,
    /// It is over, or not valid yet.
    Over,
}

impl Grade {
    pub(super) fn of(validity: Validity, now: i64) -> Self {
        let Validity { from, until } = validity;
        let (left, life) = (until.saturating_sub(now), until.saturating_sub(from));
        match () {
            () if validity.amiss(now).is_some() => Self::Over,
            () if left.saturating_mul(3) < life => Self::Late,
            () => Self::Fine,
        }
    }

    const fn interval(self) -> Option<Duration> {
        match self {
            Self::Fine => None,
            Self::Late => Some(LATE_INTERVAL),
            Self::Over => Some(OVER_INTERVAL),
        }
    }
}

/// Something that comes to its end, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Item {
    what: &'static str,
    whose: String,
}

/// What comes to its end, for whoever counts the days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `server`, `authority` or `crl`.
    pub kind: &'static str,
    /// The hub, or the authority's name.
    pub whose: String,
    /// Until then; below zero once it is over.
    pub seconds_left: i64,
}

impl Trust {
    /// The ends of the hub's certificate, of each authority and of each revocation list; of several of one name the first.
    #[must_use]
    pub fn ends(&self) -> Vec<End> {
        let now = seconds(UnixTime::now());
        let mut first: HashMap<(&'static str, String), i64> = HashMap::new();
        for (item, validity) in items(&self.state()) {
            let left = validity.until.saturating_sub(now);
            first.entry((item.kind(), item.whose)).and_modify(|one| *one = left.min(*one)).or_insert(left);
        }
        first.into_iter().map(|((kind, whose), seconds_left)| End { kind, whose, seconds_left }).collect()
    }
}

impl Item {
    fn kind(&self) -> &'static str {
        match self.what {
            "server certificate" => "server",
            "revocation list" => "crl",
            _ => "authority",
        }
    }
}

/// What was told, and when.
#[derive(Debug, Default)]
pub(super) struct Notices(HashMap<Item, (Grade, Instant)>);

impl Notices {
    /// Tells in the log what has to be told now.
    pub(super) fn tell(&mut self, trust: &Trust) {
        let now = seconds(UnixTime::now());
        let items = items(&trust.state());
        self.0.retain(|item, _| items.iter().any(|(there, _)| there == item));
        for (item, validity) in items {
            let grade = Grade::of(validity, now);
            if self.is_due(&item, grade, Instant::now()) {
                log(&item, grade, validity.until.saturating_sub(now) / SECONDS_PER_HOUR);
            }
        }
    }

    fn is_due(&mut self, item: &Item, grade: Grade, now: Instant) -> bool {
        let told = self.0.get(item).filter(|(told, _)| *told == grade);
        let since = told.map(|(_, at)| now.saturating_duration_since(*at));
        let is_due = grade.interval().is_some_and(|interval| since.is_none_or(|since| since >= interval));
        if is_due || told.is_none() {
            self.0.insert(item.clone(), (grade, now));
        }
        is_due
    }
}

fn items(state: &State) -> Vec<(Item, Validity)> {
    let own = state.parts.identity.cert.first().and_then(|leaf| Validity::of(leaf));
    let own =
        own.map(|validity| (Item { what: "server certificate", whose: "the hub".to_owned() }, validity));
    let authorities = state
        .parts
        .authorities
        .iter()
        .map(|authority| (Item { what: "authority", whose: authority.name.clone() }, authority.validity));
    let lists = state
        .parts
        .lists
        .iter()
        .map(|list| (Item { what: "revocation list", whose: list.name.clone() }, list.validity));
    own.into_iter().chain(authorities).chain(lists).collect()
}

fn log(Item { what, whose }: &Item, grade: Grade, hours_left: i64) {
    match grade {
        Grade::Fine => {}
        Grade::Late => tracing::warn!(what, whose, hours_left, "soon over: renew it"),
        Grade::Over => tracing::error!(
            what,
            whose,
            hours_left,
            "over, or not valid yet: whoever depends on it is refused until it is renewed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_less_than_a_third_of_its_time_left_is_late() {
        let validity = Validity { from: 0, until: 300 };
        for (now, grade) in [
            (-1, Grade::Over),
            (0, Grade::Fine),
            (200, Grade::Fine),
            (201, Grade::Late),
            (300, Grade::Late),
            (301, Grade::Over),
        ] {
            assert_eq!(Grade::of(validity, now), grade, "at {now}");
        }
    }

    #[test]
    fn a_change_is_told_at_once_and_what_stays_is_told_again_in_time() {
        let mut notices = Notices::default();
        let item = Item { what: "authority", whose: "one".to_owned() };
        let start = Instant::now();
        for (minutes, grade, is_told) in [
            (0, Grade::Fine, false),
            (1, Grade::Late, true),
            (2, Grade::Late, false),
            (1_440, Grade::Late, false),
            (1_441, Grade::Late, true),
            (1_442, Grade::Over, true),
            (1_500, Grade::Over, false),
            (1_502, Grade::Over, true),
            (1_503, Grade::Fine, false),
            (1_504, Grade::Over, true),
        ] {
            let now = start + Duration::from_mins(minutes);
            assert_eq!(notices.is_due(&item, grade, now), is_told, "{grade:?} after {minutes} minutes");
        }
    }
}
