//! One party's share of the hub: its rate, its calls under way, and the bytes that it has the hub wait for.
//!
//! The rate is a token bucket. The library that counts it is asked with a clock of ours, so that a test can turn it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter, clock};

use super::Allowance;

/// The time since some moment of the past.
#[derive(Clone)]
pub(super) struct Ticks(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Ticks {
    /// The host's clock.
    pub(super) fn of_host() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || start.elapsed()))
    }

    /// A clock that shows these milliseconds.
    #[cfg(test)]
    pub(super) fn shown_by(millis: Arc<AtomicU64>) -> Self {
        Self(Arc::new(move || Duration::from_millis(millis.load(Ordering::SeqCst))))
    }

    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Ticks")
    }
}

impl clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Self::now(self)
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>;

/// What one key has used of what it may.
#[derive(Debug)]
pub(super) struct Share {
    /// Whose it is, as it stands in a refusal.
    pub(super) name: String,
    pub(super) allowance: Allowance,
    ticks: Ticks,
    bucket: Bucket,
    tokens_left: AtomicU32,
    in_flight: AtomicU32,
    /// Bytes of messages that were announced and are not decoded yet.
    bytes: AtomicUsize,
    /// When it was asked last, in milliseconds of its clock.
    asked_millis: AtomicU64,
}

impl Share {
    pub(super) fn new(name: String, allowance: Allowance, ticks: &Ticks) -> Self {
        let rate = Rate::per_second(allowance.rate_per_second).allow_burst(allowance.rate_burst);
        let bucket = RateLimiter::direct_with_clock(rate, ticks.clone());
        Self {
            name,
            allowance,
            ticks: ticks.clone(),
            bucket: bucket.with_middleware::<StateInformationMiddleware>(),
            tokens_left: AtomicU32::new(allowance.rate_burst.get()),
            in_flight: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            asked_millis: AtomicU64::new(0),
        }
    }

    /// Takes the token of one call.
    ///
    /// # Errors
    /// How long until there is one, in whole milliseconds, rounded up: whoever waits so long finds it.
    pub(super) fn take_token(&self) -> Result<(), Duration> {
        let now = self.ticks.now();
        self.asked_millis.store(millis(now), Ordering::Relaxed);
        match self.bucket.check() {
            Ok(state) => {
                self.tokens_left.store(state.remaining_burst_capacity(), Ordering::Relaxed);
                Ok(())
            }
            Err(until) => {
                self.tokens_left.store(0, Ordering::Relaxed);
                let wait = until.wait_time_from(now).saturating_add(Duration::from_nanos(999_999));
                Err(Duration::from_millis(millis(wait).max(1)))
            }
        }
    }

    /// Takes a place among the calls under way, if there is one.
    pub(super) fn take_place(&self) -> bool {
        let max = self.allowance.calls_in_flight_max.get();
        let next = |held: u32| held.checked_add(1).filter(|next| *next <= max);
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }

    pub(super) fn give_place_back(&self) {
        let less = |held: u32| Some(held.saturating_sub(1));
        let _ = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// As of the last call.
    pub(super) fn tokens_left(&self) -> u32 {
        self.tokens_left.load(Ordering::Relaxed)
    }

    pub(super) const fn bytes(&self) -> &AtomicUsize {
        &self.bytes
    }

    /// Whether nothing is lost by forgetting it: nothing is under way, and its bucket is full again.
    pub(super) fn is_idle(&self) -> bool {
        let refilled = full_after(self.allowance.rate_per_second, self.allowance.rate_burst);
        let asked = Duration::from_millis(self.asked_millis.load(Ordering::Relaxed));
        let rested = self.ticks.now().saturating_sub(asked);
        self.in_flight() == 0 && self.bytes.load(Ordering::Acquire) == 0 && rested > refilled
    }
}

/// How long an empty bucket takes to be full.
fn full_after(rate_per_second: NonZeroU32, burst: NonZeroU32) -> Duration {
    Duration::from_secs(u64::from(burst.get().div_ceil(rate_per_second.get())))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
