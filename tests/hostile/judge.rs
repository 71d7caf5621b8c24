//! What an answer to hostile bytes may be, whatever the method: served, or refused with a known reason, under the code that
//! the reason belongs to, with a sentence; and never as the hub's own fault.

use std::time::Duration;

use pointbridge_client::Refusal;
use pointbridge_core::rejection::{Class, Reason};
use tonic::Code;
use tonic::codegen::http::StatusCode;

use crate::line::{Answer, Line};

/// Says what was sent, when it comes to that.
pub(crate) type Describe<'a> = dyn Fn() -> String + Send + Sync + 'a;

/// How often a call is sent again that the hub asks to send again.
const TRIES_MAX: usize = 400;
/// The shortest wait between two tries.
const WAIT_MIN: Duration = Duration::from_millis(5);
/// The longest sentence that a refusal may have: it travels in headers.
const SENTENCE_MAX: usize = 1_000;

/// The code under which reasons of a class are answered, as the interface's own comments print it.
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

/// Holds that an answer is one that a caller may get.
pub(crate) fn assert_fair(what: &Describe<'_>, answer: &Answer) {
    assert_eq!(answer.http, StatusCode::OK, "{}: {answer:?}", what());
    if answer.is_ok() {
        return;
    }
    let Refusal { code: said, reason, message, .. } = answer.refusal();
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    let Some(known) = known else { panic!("{}: no known reason: {answer:?}", what()) };
    assert_eq!(said, code(known.class()), "{}: the code of {reason}: {answer:?}", what());
    assert_ne!(known.class(), Class::Internal, "{}: {answer:?}", what());
    assert!(!message.is_empty() && message.len() <= SENTENCE_MAX, "{}: {answer:?}", what());
}

/// Sends a message, again where the hub says when; what comes back is fair.
pub(crate) async fn call(line: &Line, path: &str, message: &[u8], what: &Describe<'_>) -> Answer {
    for _ in 0..TRIES_MAX {
        let answer = line.call(path, message).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: the connection broke: {error}", what()));
        assert_fair(what, &answer);
        match answer.refusal().retry_after {
            Some(wait) if !answer.is_ok() => tokio::time::sleep(wait.max(WAIT_MIN)).await,
            _ => return answer,
        }
    }
    panic!("{}: asked to come again {TRIES_MAX} times", what());
}
