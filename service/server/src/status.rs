//! From refusals and failures to gRPC statuses.
//!
//! Maps by class, never by reason: a new reason needs no line here. Every status carries an ErrorInfo; a field that is to
//! blame stands in a BadRequest, and what may be retried says when. What the store says about itself goes to the log only.

use std::time::Duration;

use pointbridge_core::rejection::{Class, Reason, Rejection};
use pointbridge_engine::Failure;
use pointbridge_proto::reason::ERROR_DOMAIN;
use pointbridge_store::StoreError;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// When to come back after a refusal that passes by itself: twice what a full queue takes to empty at a slow disk's rate
/// would be seconds; clients back off from here on by themselves.
const RETRY_AFTER: Duration = Duration::from_millis(250);

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
        Class::Exhausted => {
            details.add_quota_failure_violation(subject, message);
        }
        Class::Unavailable | Class::Conflict | Class::Deadline => {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        _ if !subject.is_empty() => {
            details.add_bad_request_violation(subject, message);
        }
        _ => {}
    }
    Status::with_error_details(code(class), message, details)
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
    tracing::error!(error = %error, "a read failed");
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
        Class::Exhausted => Code::ResourceExhausted,
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
