//! What lies between the generated services and the connection: deadlines, request ids, and calls that are sent again.
//!
//! A call is sent again, with the same request id, where the hub's answer was lost, where it says by RetryInfo that time
//! mends it, or where its status is one of those in the shared policy; after the longest of the time that the hub asked
//! for and the policy's, spread by chance; as often as the policy and the budget allow; and never beyond its deadline.
//! What is absent: streams and methods that are not the API's, which go out once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

use crate::budget::Budget;
use crate::config::UNREACHED;
use crate::connection::{Connection, innermost};
use crate::policy::{Method, Policy};
use crate::refusal::REQUEST_ID_KEY;
use crate::unary::{Attempt, Pushback, Unary, read_answer};

/// Thousandths by which chance spreads a time to wait: between 0.8 and 1.2 of it.
const SPREAD: std::ops::RangeInclusive<u32> = 800..=1200;
/// The library below ends a call by itself at about its deadline, and says CANCELLED.
const DEADLINE_MARGIN: Duration = Duration::from_millis(5);

/// What the generated services call on. Copies share the connection and the budget of retries.
#[derive(Debug, Clone)]
pub struct Line {
    connection: Arc<Connection>,
    budget: Arc<Budget>,
    help: Help,
}

/// What is done for a call beyond sending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Help {
    /// All of it, within this time where the call has none of its own; `None` for the policy's.
    Given(Option<Duration>),
    /// Nothing.
    Refused,
}

impl Line {
    pub(crate) fn new(connection: Connection, help: Help) -> Self {
        let budget = Budget::new(Policy::shared().budget);
        Self { connection: Arc::new(connection), budget: Arc::new(budget), help }
    }

    pub(crate) fn with(&self, help: Help) -> Self {
        Self { help, ..self.clone() }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let method = Policy::shared().method(request.uri().path());
        if let (Help::Given(deadline), Some(method)) = (self.help, method) {
            let unary = Unary::read(request).await?;
            let time = unary.timeout().or(deadline).unwrap_or(method.timeout);
            let answer = self.repeat(&unary, method, time).await;
            return answer.map_err(|status| with_id(status, unary.request_id.as_deref()));
        }
        let mut channel = self.connection.present();
        let sent = async { channel.ready().await?.call(request).await }.await;
        sent.map_err(|error| Status::from_error(Box::new(error)))
    }

    async fn repeat(&self, unary: &Unary, method: &Method, time: Duration) -> Result<Response<Body>, Status> {
        let deadline = Instant::now().checked_add(time);
        let left = || deadline.map_or(time, |deadline| deadline.saturating_duration_since(Instant::now()));
        let mut attempts = 0;
        loop {
            let attempt = timeout(left(), self.attempt(unary.request(attempts, left()))).await;
            attempts = attempts.saturating_add(1);
            let (status, pushback) = match attempt {
                Ok(Attempt::Answered(response)) => {
                    self.budget.earn();
                    return Ok(response);
                }
                Ok(Attempt::Refused(status, pushback)) => (status, pushback),
                Ok(Attempt::Lost(status)) if left() > DEADLINE_MARGIN => (status, Pushback::Unsaid),
                Ok(Attempt::Lost(_)) | Err(_) => return Err(late(time)),
            };
            let Some(wait) = wait_after(&status, pushback, method, attempts) else { return Err(status) };
            // A refusal that is not mended in time is the caller's: it says when to come back.
            if !self.budget.spend() || wait >= left() {
                return Err(status);
            }
            tracing::debug!(attempts, code = %status.code(), ?wait, "the call is sent again");
            sleep(wait).await;
        }
    }

    async fn attempt(&self, request: Request<Body>) -> Attempt {
        let mut channel = self.connection.current().await;
        let sent = async { channel.ready().await?.call(request).await }.await;
        match sent {
            Ok(response) => read_answer(response).await,
            Err(error) => Attempt::Lost(Status::unavailable(format!(
                "the hub was not reached, or the connection ended before it answered: {}; {UNREACHED}",
                innermost(&error)
            ))),
        }
    }
}

/// How long to wait before the next attempt; `None` where there shall be none.
fn wait_after(status: &Status, pushback: Pushback, method: &Method, attempts: u32) -> Option<Duration> {
    let retry = &method.retry;
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let is_mended_by_time = told.is_some() || retry.retryable_status_codes.contains(&status.code());
    if attempts >= retry.max_attempts || !is_mended_by_time {
        return None;
    }
    match pushback {
        Pushback::Never => None,
        Pushback::After(wait) => Some(wait),
        Pushback::Unsaid => {
            let own = retry.backoff(attempts).saturating_mul(fastrand::u32(SPREAD)) / 1000;
            Some(own.max(told.unwrap_or_default()))
        }
    }
}

fn late(time: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "no answer within {} ms; a write may still happen: send the same request with the same request_id to learn it",
        time.as_millis()
    ))
}

/// Says in a status under which id the call went out, so that its caller can ask again.
fn with_id(mut status: Status, request_id: Option<&str>) -> Status {
    if let Some(value) = request_id.and_then(|id| MetadataValue::try_from(id).ok()) {
        status.metadata_mut().insert(REQUEST_ID_KEY, value);
    }
    status
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Room is waited for with each attempt.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    fn method() -> &'static Method {
        Policy::shared().method("/pointbridge.v1.ExchangeService/CommitExchange").unwrap()
    }

    fn told(code: Code, delay: Option<Duration>) -> Status {
        let mut details = ErrorDetails::new();
        if let Some(delay) = delay {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(code, "no", details)
    }

    #[test]
    fn a_call_is_sent_again_where_time_mends_it_and_no_more_often_than_agreed() {
        let second = Some(Duration::from_secs(1));
        for (code, delay, is_repeated) in [
            (Code::Unavailable, None, true),
            (Code::Aborted, None, true),
            (Code::ResourceExhausted, None, false),
            (Code::ResourceExhausted, second, true),
            (Code::Internal, second, true),
            (Code::Internal, None, false),
            (Code::FailedPrecondition, None, false),
            // The hub's own time was over, and the caller's is not: the same request id tells what came of it.
            (Code::DeadlineExceeded, second, true),
            (Code::DeadlineExceeded, None, false),
        ] {
            let wait = wait_after(&told(code, delay), Pushback::Unsaid, method(), 1);
            assert_eq!(wait.is_some(), is_repeated, "{code:?} {delay:?}");
        }
        let status = told(Code::Unavailable, None);
        assert!(wait_after(&status, Pushback::Unsaid, method(), 4).is_some());
        assert_eq!(wait_after(&status, Pushback::Unsaid, method(), 5), None);
    }

    #[test]
    fn the_hub_says_how_long_to_wait() {
        let wait = |delay, pushback| wait_after(&told(Code::Unavailable, delay), pushback, method(), 1);
        let (short, long) = (Duration::from_millis(7), Duration::from_secs(3));
        assert_eq!(wait(Some(long), Pushback::Unsaid), Some(long), "longer than the policy's");
        assert_eq!(wait(Some(long), Pushback::After(short)), Some(short), "a pushback is exact");
        assert_eq!(wait(Some(long), Pushback::Never), None);
        for _ in 0..100 {
            let own = wait(Some(short), Pushback::Unsaid).unwrap();
            assert!((80..=120).contains(&own.as_millis()), "{own:?}");
        }
    }
}
