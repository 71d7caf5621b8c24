//! What an answer to hostile bytes may be, whatever the method: served, or refused with a known reason, under the code that
//! the reason belongs to, with a sentence; and never as the hub's own fault.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use pointbridge_client::Refusal;
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

/// The reasons and the codes that the interface's own file prints for them, such as `INVALID_ARGUMENT`.
static PRINTED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/pointbridge/v1/error.proto");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut printed, mut code) = (BTreeMap::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("// ") {
            code = code.or_else(|| comment.split_once(". ").map(|(code, _)| code.to_owned()));
        } else if let Some((name, _)) =
            line.strip_prefix("ERROR_REASON_").and_then(|line| line.split_once(" = "))
        {
            printed.extend(code.take().map(|code| (name.to_owned(), code)));
        } else {
            code = None;
        }
    }
    assert!(printed.len() > 50, "almost no reasons were read: {printed:?}");
    printed
});

/// The name of a code as the interface prints it.
fn name(code: Code) -> String {
    let letters = format!("{code:?}");
    let mut name = String::new();
    for letter in letters.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Holds that an answer is one that a caller may get.
pub(crate) fn assert_fair(what: &Describe<'_>, answer: &Answer) {
    assert_eq!(answer.http, StatusCode::OK, "{}: {answer:?}", what());
    if answer.is_ok() {
        return;
    }
    let Refusal { code: said, reason, message, .. } = answer.refusal();
    let Some(printed) = PRINTED.get(&reason) else { panic!("{}: no known reason: {answer:?}", what()) };
    assert_eq!(&name(said), printed, "{}: the code of {reason}: {answer:?}", what());
    assert_ne!(printed, "INTERNAL", "{}: {answer:?}", what());
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

#[test]
fn codes_are_read_as_the_interface_prints_them() {
    assert_eq!(PRINTED.get("VALIDATION_FAILED"), Some(&name(Code::InvalidArgument)));
    assert_eq!(PRINTED.get("MALFORMED_MESSAGE"), Some(&name(Code::InvalidArgument)));
    assert_eq!(PRINTED.get("INTERNAL"), Some(&name(Code::Internal)));
    assert_eq!(PRINTED.get("NOT_SERVED"), Some(&name(Code::Unimplemented)));
}
