//! From refusals and failures to gRPC statuses.
//!
//! Maps by class, never by reason: a new reason needs no line here. Every status carries an ErrorInfo; a field that is to
//! blame stands in a BadRequest, and what may be retried says when. What the store says about itself goes to the log only.
//!
//! | class | when to come back, ms |
//! | --- | --- |
//! | Conflict | 20–100: whoever was in the way is done with the next batch |
//! | Unavailable | 250–750: a full queue empties in a few seconds at a slow disk's rate, and clients back off from here on |
//! | Deadline | 250–750: the write that goes on is done by then, or the hub is overloaded |
//! | Limited | what is known of the limit; else 100–300 |
//! | NoRoom | 30,000–60,000: a person has to make room |
//! | Internal | 1,000–3,000 |
//! | any other | never: the same request would be refused again |

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pointbridge_core::rejection::{Class, Reason, Rejection};
use pointbridge_engine::Failure;
use pointbridge_engine::sampled::Sampler;
use pointbridge_proto::reason::ERROR_DOMAIN;
use pointbridge_store::StoreError;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::telemetry::instruments::instruments;

/// A store that fails does so for every read.
static UNREAD: Sampler = Sampler::new();

/// How many times were told so far.
static TOLD: AtomicU32 = AtomicU32::new(0);

/// 2³² divided by the golden ratio: its multiples, taken modulo 2³², spread as evenly as a sequence of any length can.
pub(crate) const GOLDEN: u32 = 2_654_435_769;

/// A limit that a call would have broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Whose limit it is, as it stands in QuotaFailure: a partner's code, or the caller's address.
    pub subject: String,
    /// The limit itself: `2000 calls per second, 4000 at once`.
    pub description: String,
    /// When there will be room, if that is known.
    pub retry_after: Option<Duration>,
}

/// The header that lists the ways of compressing that are taken.
const ENCODINGS_TAKEN: &str = "grpc-accept-encoding";

/// The status of a refusal.
#[must_use]
pub fn of_rejection(rejection: &Rejection) -> Status {
    let reason = rejection.reason.as_str();
    let class = rejection.reason.class();
    let message = rejection.message.as_str();
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, std::collections::HashMap::new());
    let subject = rejection.field.as_deref().unwrap_or_default();
    match class {
        Class::Precondition => {
            details.add_precondition_failure_violation(reason, subject, message);
        }
        Class::Exhausted | Class::NoRoom => {
            details.add_quota_failure_violation(subject, message);
        }
        _ if !subject.is_empty() => {
            details.add_bad_request_violation(subject, message);
        }
        _ => {}
    }
    if let Some(span) = retry_millis(class) {
        details.set_retry_info(Some(spread(span, &TOLD)));
    }
    Status::with_error_details(code(class), message, details)
}

/// The status of a call beyond its caller's share.
#[must_use]
pub fn of_limit(reason: Reason, message: &str, limit: &Limit) -> Status {
    let mut details =
        ErrorDetails::with_error_info(reason.as_str(), ERROR_DOMAIN, std::collections::HashMap::new());
    details.add_quota_failure_violation(limit.subject.as_str(), limit.description.as_str());
    let known = limit.retry_after.or_else(|| retry_millis(reason.class()).map(|span| spread(span, &TOLD)));
    details.set_retry_info(known);
    Status::with_error_details(code(reason.class()), message, details)
}

/// Between how many milliseconds a caller is asked to come back; `None` where it need not.
const fn retry_millis(class: Class) -> Option<RangeInclusive<u32>> {
    match class {
        Class::Conflict => Some(20..=100),
        Class::Limited => Some(100..=300),
        Class::Unavailable | Class::Deadline => Some(250..=750),
        Class::Internal => Some(1_000..=3_000),
        Class::NoRoom => Some(30_000..=60_000),
        Class::Invalid
        | Class::Unauthenticated
        | Class::Forbidden
        | Class::NotFound
        | Class::Exists
        | Class::Precondition
        | Class::Exhausted
        | Class::Unserved => None,
    }
}

/// The next time within a span: those that are told one after the other lie far from each other.
fn spread(millis: RangeInclusive<u32>, told: &AtomicU32) -> Duration {
    let (first, last) = millis.into_inner();
    let place = told.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN);
    let width = u64::from(last.saturating_sub(first)).saturating_add(1);
    let offset = u64::from(place).saturating_mul(width) >> u32::BITS;
    Duration::from_millis(u64::from(first).saturating_add(offset))
}

/// The status of a command that has no record to show.
#[must_use]
pub fn of_failure(failure: &Failure) -> Status {
    of_rejection(&match failure {
        Failure::Refused(rejection) => rejection.clone(),
        Failure::Overloaded => refusal(
            Reason::Overloaded,
            "more work waits than the hub can take: retry with the same request_id",
        ),
        Failure::Draining => refusal(
            Reason::Draining,
            "this hub is going down: retry with the same request_id, on another connection",
        ),
        Failure::Overtaken => refusal(
            Reason::ConflictRetry,
            "others kept changing the same account: retry with the same request_id",
        ),
        Failure::Store(error) => of_store_error(error),
    })
}

/// The status of a read that failed.
#[must_use]
pub fn of_read_error(error: &StoreError) -> Status {
    if let Some(instruments) = instruments() {
        instruments.store_failed("read", error);
    }
    if let Some(left_out) = UNREAD.admit() {
        tracing::error!(error = %error, left_out, "a read failed");
    }
    of_rejection(&of_store_error(error))
}

/// The status of a fault of the hub's own.
#[must_use]
pub fn of_fault(what: &str) -> Status {
    of_rejection(&refusal(Reason::Internal, what))
}

/// The status of a call that took too long.
#[must_use]
pub fn of_deadline() -> Status {
    let what = "the deadline passed before the answer was there; what was asked for may have been done: retry with the same \
                request_id to learn it";
    of_rejection(&refusal(Reason::DeadlineExceeded, what))
}

/// The status of a call that the hub has no room for.
#[must_use]
pub fn of_overload() -> Status {
    of_failure(&Failure::Overloaded)
}

/// The status of a stream on which nothing came or went for too long.
#[must_use]
pub fn of_idle_stream() -> Status {
    of_rejection(&refusal(
        Reason::StreamIdle,
        "nothing came or went on this stream for too long: open it again",
    ))
}

/// The reason that a status carries; where it carries none of ours, what its code means.
#[must_use]
pub fn reason_of(status: &Status) -> &'static str {
    let info = status.get_details_error_info();
    let known = info.and_then(|info| Reason::ALL.iter().find(|reason| reason.as_str() == info.reason));
    known.map_or_else(|| status.code().description(), |reason| reason.as_str())
}

/// What the gRPC library says where it could not read a request, in this interface's words; `None` for every other status.
///
/// It calls no message at all, a broken frame, or bytes that are none of its own messages' an internal fault, and one that is
/// too large out of range; a compression that is not taken it names by the header that lists those that are. Every such
/// status of the hub's own carries details.
#[must_use]
pub fn of_unreadable(status: &Status) -> Option<Status> {
    if !status.details().is_empty() {
        return None;
    }
    match status.code() {
        Code::Internal | Code::OutOfRange => Some(of_rejection(&refusal(
            Reason::MalformedMessage,
            "the call does not carry one message that this method takes: there is none, it is \
             broken, or it is too large",
        ))),
        Code::Unimplemented if status.metadata().contains_key(ENCODINGS_TAKEN) => {
            let what = "the message is compressed, which the hub does not take: send it as it is, without grpc-encoding";
            let mut said = of_rejection(&refusal(Reason::NotServed, what));
            said.metadata_mut().insert(ENCODINGS_TAKEN, MetadataValue::from_static("identity"));
            Some(said)
        }
        _ => None,
    }
}

fn of_store_error(error: &StoreError) -> Rejection {
    match error {
        StoreError::Unavailable(_) => {
            refusal(Reason::Overloaded, "the hub's store is busy: retry with the same request_id")
        }
        StoreError::Full(_) => refusal(
            Reason::StorageFull,
            "the hub's store has no room: nothing was written; tell its operator",
        ),
        StoreError::Conflict(_) => refusal(
            Reason::ConflictRetry,
            "others kept changing the same rows: retry with the same request_id",
        ),
        StoreError::OutcomeUnknown(_) => refusal(
            Reason::OutcomeUnknown,
            "whether this was done is not known: retry with the same request_id to learn it",
        ),
        StoreError::Broken(_) | StoreError::Schema(_) => refusal(
            Reason::Internal,
            "the hub cannot go on: retry with the same request_id, and tell its operator",
        ),
    }
}

fn refusal(reason: Reason, message: &str) -> Rejection {
    Rejection::new(reason, message)
}

const fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::Unauthenticated => Code::Unauthenticated,
        Class::Forbidden => Code::PermissionDenied,
        Class::NotFound => Code::NotFound,
        Class::Exists => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Exhausted | Class::Limited | Class::NoRoom => Code::ResourceExhausted,
        Class::Conflict => Code::Aborted,
        Class::Unavailable => Code::Unavailable,
        Class::Deadline => Code::DeadlineExceeded,
        Class::Unserved => Code::Unimplemented,
        Class::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_why_where_and_when_to_come_back() {
        let field = of_rejection(&refusal(Reason::AmountStep, "not a multiple").at("source_points"));
        assert_eq!(field.code(), Code::InvalidArgument);
        let details = field.get_error_details();
        assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("AMOUNT_STEP"));
        assert_eq!(details.error_info().map(|info| info.domain.as_str()), Some("pointbridge"));
        assert_eq!(
            details.bad_request().map(|bad| bad.field_violations[0].field.as_str()),
            Some("source_points")
        );

        let busy = of_failure(&Failure::Overloaded);
        assert_eq!(busy.code(), Code::Unavailable);
        assert!(busy.get_error_details().retry_info().is_some());

        let short = of_rejection(&refusal(Reason::InsufficientPoints, "fewer points"));
        assert_eq!(short.code(), Code::FailedPrecondition);
        assert!(short.get_error_details().precondition_failure().is_some());
    }

    #[test]
    fn what_may_be_retried_says_when_and_nothing_else_does() {
        for reason in Reason::ALL {
            let status = of_rejection(&refusal(*reason, "why"));
            let details = status.get_error_details();
            let delay = details.retry_info().and_then(|info| info.retry_delay);
            assert_eq!(delay.is_some(), reason.class().is_retryable(), "{reason:?}");
            if let Some(delay) = delay {
                let sensible = Duration::from_millis(20)..=Duration::from_mins(1);
                assert!(sensible.contains(&delay), "{reason:?} {delay:?}");
            }
            // By its code alone: whoever does not know the reason must not come to another conclusion.
            let by_code = [Code::Unavailable, Code::Aborted, Code::DeadlineExceeded, Code::Internal]
                .contains(&status.code());
            assert!(delay.is_some() || !by_code, "{reason:?} is not to be retried, and its code says it is");
        }
        for reason in [Reason::RateLimited, Reason::ConcurrencyLimited, Reason::StorageFull] {
            assert!(reason.class().is_retryable(), "{reason:?}");
            assert_eq!(of_rejection(&refusal(reason, "why")).code(), Code::ResourceExhausted);
        }
    }

    #[test]
    fn those_who_are_refused_together_come_back_one_by_one() {
        let told = AtomicU32::new(u32::MAX - 50);
        let mut times: Vec<u128> = (0..100).map(|_| spread(250..=750, &told).as_millis()).collect();
        times.sort_unstable();
        assert!(times.first() >= Some(&250) && times.last() <= Some(&750), "{times:?}");
        // A hundred over 501 ms are 5 ms apart if they are perfectly spread.
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest <= Some(15), "{widest:?} {times:?}");
    }

    #[test]
    fn a_limit_names_itself_and_the_time_until_there_is_room() {
        let limit = Limit {
            subject: "airline".to_owned(),
            description: "10 calls per second".to_owned(),
            retry_after: Some(Duration::from_millis(7)),
        };
        let status = of_limit(Reason::RateLimited, "too many", &limit);
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        assert_eq!(details.retry_info().and_then(|info| info.retry_delay), limit.retry_after);
        let violation = &details.quota_failure().unwrap().violations[0];
        assert_eq!((&violation.subject, &violation.description), (&limit.subject, &limit.description));
        let unknown = of_limit(Reason::ConcurrencyLimited, "too many", &Limit { retry_after: None, ..limit });
        assert!(unknown.get_error_details().retry_info().is_some());
    }

    #[test]
    fn only_what_the_library_says_of_a_request_is_put_into_our_words() {
        let ours = of_unreadable(&Status::internal("Missing request message.")).unwrap();
        assert_eq!(ours.code(), Code::InvalidArgument);
        assert!(of_unreadable(&Status::out_of_range("too large")).is_some());
        assert!(of_unreadable(&of_fault("a fault")).is_none());
        assert!(of_unreadable(&Status::not_found("no such service")).is_none());
        assert!(of_unreadable(&Status::unimplemented("reflection is off")).is_none());
        let mut compressed = Status::unimplemented("compressed");
        compressed.metadata_mut().insert(ENCODINGS_TAKEN, MetadataValue::from_static("identity"));
        let ours = of_unreadable(&compressed).unwrap();
        assert_eq!(ours.get_error_details().error_info().unwrap().reason, "NOT_SERVED");
        assert!(ours.metadata().contains_key(ENCODINGS_TAKEN));
    }

    #[test]
    fn what_the_store_says_about_itself_reaches_no_caller() {
        for error in [
            StoreError::Unavailable("secret".into()),
            StoreError::Full("secret".into()),
            StoreError::Conflict("secret".into()),
            StoreError::OutcomeUnknown("secret".into()),
            StoreError::Broken("secret".into()),
            StoreError::Schema("secret".into()),
        ] {
            let status = of_failure(&Failure::Store(error));
            assert!(!format!("{status:?}").contains("secret"));
        }
    }
}
