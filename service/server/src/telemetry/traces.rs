//! Traces: which calls are traced, their spans, and how spans leave the hub.
//!
//! A call is traced where its caller traces it, as `traceparent` says (<https://www.w3.org/TR/trace-context/>), up to fifty a
//! second of all callers together; or else one in so many. That is decided before anything is made, so that a call that is not traced pays for the decision only. Spans
//! wait in a queue with a bound and are sent by a thread of their own: where nobody takes them they are dropped, and no call
//! ever waits. Absent on purpose: `tracestate`, and baggage: what callers write freely is in no signal.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use pointbridge_store::trace::TARGET;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::instruments::Method;
use crate::status::GOLDEN;

/// Of how many calls a part is given in the configuration.
pub const MILLION: u32 = 1_000_000;
/// Spans that wait to be sent, of about 1 KiB each; more are dropped, and told in the log.
const SPANS_WAITING_MAX: usize = 8_192;
const SPANS_PER_EXPORT_MAX: usize = 512;
const EXPORT_INTERVAL: Duration = Duration::from_secs(2);
/// How long one sending may take.
pub(super) const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// Requests that a batch names, and batches that a request names.
const LINKS_MAX: u32 = 128;

/// Calls that are traced in a second because their callers trace them, of all callers together. Without a bound any caller could
/// have the hub make spans of everything; with it, those beyond are drawn like calls whose callers say nothing.
const ASKED_PER_SECOND_MAX: u32 = 50;

/// How many of 2³² calls are traced; unset where none are, whatever their callers say.
static PART: OnceLock<u64> = OnceLock::new();
static CALLS: AtomicU32 = AtomicU32::new(0);
static ASKED: Mutex<Option<Asked>> = Mutex::new(None);

/// Has calls traced from now on: so many of a million, and those that their callers trace.
pub(super) fn start(per_million: u32) {
    let part = (u64::from(per_million.min(MILLION)) << u32::BITS) / u64::from(MILLION);
    let _ = PART.set(part);
}

/// Sends spans to a collector. Must be called within a tokio runtime.
pub(super) fn provider(endpoint: &str, resource: Resource) -> anyhow::Result<SdkTracerProvider> {
    let exporter =
        SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build()?;
    let bounds = BatchConfigBuilder::default()
        .with_max_queue_size(SPANS_WAITING_MAX)
        .with_max_export_batch_size(SPANS_PER_EXPORT_MAX)
        .with_scheduled_delay(EXPORT_INTERVAL)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(bounds).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        // Spans are made of what is traced and of nothing else.
        .with_sampler(Sampler::AlwaysOn)
        .with_max_links_per_span(LINKS_MAX)
        .with_resource(resource)
        .build())
}

/// The span of a call; a disabled one where it is not traced.
pub(super) fn of_call(method: Method, headers: &HeaderMap) -> Span {
    let Some(part) = PART.get() else { return Span::none() };
    let parent = headers.contains_key(Parent::HEADER).then(|| {
        TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), &Parent(headers))
    });
    let parent = parent.filter(|context| context.span().span_context().is_valid());
    let is_traced = match &parent {
        Some(context) if !context.span().span_context().is_sampled() => false,
        Some(_) if has_room(Instant::now()) => true,
        _ => is_drawn(*part, CALLS.fetch_add(1, Ordering::Relaxed)),
    };
    if !is_traced {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "call",
        otel.name = method.name(),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method.name(),
        rpc.response.status_code = Empty,
        error.r#type = Empty,
        pointbridge.reason = Empty,
    );
    if let Some(context) = parent {
        // Without anybody who collects spans there is nothing to be a child of.
        let _ = span.set_parent(context);
    }
    span
}

/// Whether one more call may be traced because its caller asks for it.
fn has_room(now: Instant) -> bool {
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    asked.get_or_insert_with(|| Asked::since(now)).has_room(now)
}

/// The calls of a second that were traced because their callers asked for it.
struct Asked {
    since: Instant,
    count: u32,
}

impl Asked {
    fn since(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Whether there is room for one more, which it then takes.
    fn has_room(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::since(now);
        }
        let has_room = self.count < ASKED_PER_SECOND_MAX;
        self.count += u32::from(has_room);
        has_room
    }
}

/// Whether the call of this number is one of `part` in 2³²: multiples of the golden ratio fill any part evenly, and need no
/// randomness.
fn is_drawn(part: u64, number: u32) -> bool {
    u64::from(number.wrapping_mul(GOLDEN)) < part
}

/// The caller's own span, in its one header.
struct Parent<'a>(&'a HeaderMap);

impl Parent<'_> {
    const HEADER: &'static str = "traceparent";
}

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == Self::HEADER { self.0.get(Self::HEADER)?.to_str().ok() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![Self::HEADER]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_was_asked_for_is_traced() {
        for (per_million, expected) in [(0, 0..=0), (10_000, 990..=1_010), (MILLION, 100_000..=100_000)] {
            let part = (u64::from(per_million) << 32) / u64::from(MILLION);
            let drawn = (0..100_000).filter(|number| is_drawn(part, *number)).count();
            assert!(expected.contains(&drawn), "{per_million} per million: {drawn} of 100,000");
        }
    }

    #[test]
    fn callers_have_so_many_calls_traced_a_second_and_no_more() {
        let began = Instant::now();
        let mut asked = Asked::since(began);
        let mut taken = |millis| {
            let now = began + Duration::from_millis(millis);
            (0..1_000).filter(|_| asked.has_room(now)).count()
        };
        assert_eq!([taken(0), taken(999), taken(1_000), taken(1_001), taken(60_000)], [50, 0, 50, 0, 50]);
    }

    #[test]
    fn a_caller_says_which_span_it_is_in_and_nothing_else() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap(),
        );
        headers.insert("tracestate", "vendor=secret".parse().unwrap());
        let read = TraceContextPropagator::new()
            .extract_with_context(&opentelemetry::Context::new(), &Parent(&headers));
        let span = read.span().span_context().clone();
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(span.is_sampled() && span.is_remote());
        assert_eq!(span.trace_state().header(), "");
    }
}
