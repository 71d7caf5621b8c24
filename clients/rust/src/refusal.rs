//! What the hub said when it refused, read out of a gRPC status and its details.
//!
//! A program decides by [`Refusal::reason`], never by the sentence: the reason is stable, the sentence is for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pointbridge_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The domain of the hub's own reasons.
const DOMAIN: &str = "pointbridge";

/// Under which name a status tells the request id that this client filled in.
pub(crate) const REQUEST_ID_KEY: &str = "pointbridge-request-id";

/// One field that broke a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the request, such as `terms.directions[0].rate.give`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC status code.
    pub code: Code,
    /// The stable reason, such as `INSUFFICIENT_POINTS`; empty where the hub gave none, as when it was not reached.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// What else the hub said about the reason, by name; and the [`request_id`](Self::request_id) that this client filled in.
    pub metadata: BTreeMap<String, String>,
    /// The fields that broke a rule, in the request's order.
    pub violations: Vec<Violation>,
    /// How long to wait before the same call may succeed; `None` where waiting does not help or is not known to.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the hub refused for this reason.
    #[must_use]
    pub fn is(&self, reason: &str) -> bool {
        self.reason == reason
    }

    /// The reason as the API's enum has it, for a `match`; `None` where the hub gave none, or one that is newer than this
    /// client: then decide by [`code`](Self::code).
    ///
    /// ```
    /// use pointbridge_client::{ErrorReason, Refusal};
    ///
    /// fn advice(refusal: &Refusal) -> &'static str {
    ///     match refusal.error_reason() {
    ///         Some(ErrorReason::InsufficientPoints) => "too few points",
    ///         Some(ErrorReason::QuoteExpired | ErrorReason::HoldExpired) => "ask for a new quote",
    ///         _ if refusal.is_retryable() => "try again with the same request id",
    ///         _ => "ask a person",
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn error_reason(&self) -> Option<ErrorReason> {
        ErrorReason::from_info_reason(&self.reason)
    }

    /// Whether the same request, sent later with the same request id, may succeed, or tells what became of it. By then this
    /// client has sent it again itself as often as its deadline and the shared policy allowed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let is_open = matches!(self.code, Code::Unavailable | Code::Aborted | Code::DeadlineExceeded);
        is_open || self.retry_after.is_some()
    }

    /// The request id under which the call went out, where the client had filled it in: to send the same call again, give it
    /// this one. `None` where the caller gave one, and for calls that have none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.metadata.get(REQUEST_ID_KEY).map(String::as_str)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        let (reason, mut metadata): (String, BTreeMap<String, String>) = status
            .get_details_error_info()
            .filter(|info| info.domain == DOMAIN)
            .map(|info| (info.reason, info.metadata.into_iter().collect()))
            .unwrap_or_default();
        if let Some(id) = status.metadata().get(REQUEST_ID_KEY).and_then(|id| id.to_str().ok()) {
            metadata.insert(REQUEST_ID_KEY.to_owned(), id.to_owned());
        }
        let violations = status.get_details_bad_request().map(|request| request.field_violations);
        Self {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata,
            violations: violations
                .unwrap_or_default()
                .into_iter()
                .map(|violation| Violation { field: violation.field, description: violation.description })
                .collect(),
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(out, "{}: {}", self.code, self.message)?;
        } else {
            write!(out, "{}: {}", self.reason, self.message)?;
        }
        // The first one is often what the sentence says already.
        for violation in
            self.violations.iter().filter(|violation| !self.message.contains(&violation.description))
        {
            write!(out, "; {}: {}", violation.field, violation.description)?;
        }
        match self.retry_after {
            Some(delay) => write!(out, " (try again in {} ms)", delay.as_millis()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn details(domain: &str) -> ErrorDetails {
        let mut details = ErrorDetails::new();
        let metadata = HashMap::from([("available".to_owned(), "60".to_owned())]);
        details.set_error_info("INSUFFICIENT_POINTS", domain, metadata);
        details
    }

    #[test]
    fn every_detail_is_read() {
        let mut details = details("pointbridge");
        details.add_bad_request_violation("amount", "is above the balance");
        details.add_bad_request_violation("reference", "is empty");
        details.set_retry_info(Some(Duration::from_millis(250)));
        let status = Status::with_error_details(Code::FailedPrecondition, "too few points", details);
        let refusal = Refusal::from(&status);
        assert_eq!(refusal.code, Code::FailedPrecondition);
        assert!(refusal.is("INSUFFICIENT_POINTS"));
        assert_eq!(refusal.metadata.get("available").map(String::as_str), Some("60"));
        let fields: Vec<&str> = refusal.violations.iter().map(|found| found.field.as_str()).collect();
        assert_eq!(fields, ["amount", "reference"]);
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(250)));
        assert_eq!(
            refusal.to_string(),
            "INSUFFICIENT_POINTS: too few points; amount: is above the balance; reference: is empty \
             (try again in 250 ms)"
        );
    }

    #[test]
    fn a_status_without_details_is_told_by_its_code() {
        let refusal = Refusal::from(&Status::unavailable("nobody answers"));
        assert_eq!(refusal.reason, "");
        assert_eq!(refusal.retry_after, None);
        assert!(refusal.violations.is_empty() && refusal.metadata.is_empty());
        assert!(refusal.to_string().ends_with(": nobody answers"), "{refusal}");
    }

    #[test]
    fn a_reason_of_another_domain_is_not_the_hubs() {
        let status = Status::with_error_details(Code::Internal, "a proxy", details("proxy.example"));
        assert_eq!(Refusal::from(&status).reason, "");
    }

    #[test]
    fn damaged_details_are_left_out() {
        let status = Status::with_details(Code::Internal, "damaged", vec![0xff; 8].into());
        assert_eq!(Refusal::from(&status).reason, "");
    }
}
