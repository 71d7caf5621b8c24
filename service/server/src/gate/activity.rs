//! When something last came or went on a call, and how long it may be quiet.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Shared by both directions of a call.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    idle_max: Duration,
    /// Milliseconds from the beginning to the last frame.
    last_millis: AtomicU64,
}

impl Activity {
    /// A call that begins now, and may be quiet for so long.
    pub(super) fn new(idle_max: Duration) -> Self {
        Self { began: Instant::now(), idle_max, last_millis: AtomicU64::new(0) }
    }

    /// Something came or went.
    pub(super) fn note(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// When it has been quiet for too long, if nothing comes or goes until then.
    fn quiet_until(&self) -> Instant {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.began.checked_add(last.saturating_add(self.idle_max)).unwrap_or(self.began)
    }
}

/// One direction's wait for the end of the quiet time. Its timer is made once the direction has to be waited for, which
/// answers of one message never are.
#[derive(Debug, Default)]
pub(super) struct Quiet(Option<Pin<Box<Sleep>>>);

impl Quiet {
    /// Ready when nothing has come or gone in either direction for too long.
    pub(super) fn poll(&mut self, activity: &Activity, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let until = activity.quiet_until();
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
            sleep.as_mut().reset(until);
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
