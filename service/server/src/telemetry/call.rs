//! What is counted and traced of one call, from its first bytes to its answer.
//!
//! A call whose caller goes away before there is an answer counts as CANCELLED. Absent on purpose: who called. A refusal is
//! logged with its party (`gate`); metrics and spans say the method only.

use std::time::{Duration, Instant};

use http::HeaderMap;
use tonic::{Code, Status};
use tracing::Span;

use super::instruments::{Method, Present, code_name, instruments};
use super::traces;
use crate::status;

/// A call under way.
#[derive(Debug)]
pub struct Call {
    method: Method,
    began: Instant,
    span: Span,
    is_ended: bool,
    _present: Present,
}

impl Call {
    /// A call that begins now.
    #[must_use]
    pub fn begin(path: &str, headers: &HeaderMap) -> Self {
        let method = Method::of(path);
        let span = traces::of_call(method, headers);
        Self { method, began: Instant::now(), span, is_ended: false, _present: Present::call() }
    }

    /// The method's path, or `unknown`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.method.path()
    }

    /// How long it took so far.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// Its span; a disabled one where it is not traced.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The call is answered with this status; with OK where there is none.
    pub fn end(mut self, status: Option<&Status>) {
        self.tell(status.map_or(Code::Ok, Status::code), status);
    }

    fn tell(&mut self, code: Code, status: Option<&Status>) {
        self.is_ended = true;
        let refused = status.filter(|_| code != Code::Ok);
        let reason =
            refused.filter(|_| instruments().is_some() || !self.span.is_disabled()).map(status::reason_of);
        if let Some(all) = instruments() {
            all.call_ended(self.method, code, self.took());
            if let Some(reason) = reason {
                all.refused(reason);
            }
        }
        if self.span.is_disabled() {
            return;
        }
        self.span.record("rpc.response.status_code", code_name(code));
        if let Some(reason) = reason {
            self.span.record("pointbridge.reason", reason);
        }
        if code != Code::Ok {
            self.span.record("error.type", code_name(code));
        }
        if is_of_the_hub(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_ended {
            self.tell(Code::Cancelled, None);
        }
    }
}

/// Whether a status of this code is the server's failure, by the conventions of traces.
const fn is_of_the_hub(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
