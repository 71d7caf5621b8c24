//! Logs: one line an event, on standard error, with the trace and the span that it happened in.
//!
//! No line holds a member's identifier, a reference, an amount or a token: lines are made of fixed texts, methods, partner
//! codes, counts and times.

use std::fmt;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::trace::SdkTracer;
use pointbridge_store::trace::TARGET;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, format};
use tracing_subscriber::fmt::{FmtContext, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::FILTER_DEFAULT;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// Plain text, for eyes.
    Text,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::config::choice(text)
    }
}

/// What is wrong with a filter, as a mistake of the configuration's key `log`.
#[must_use]
pub fn filter_mistake(filter: &str) -> Option<String> {
    let error = EnvFilter::try_new(filter).err()?;
    Some(format!("log: {error}; write a level such as info or debug, or levels by module"))
}

/// Starts logging, and hands spans to a tracer where there is one. A second call has no effect.
///
/// # Errors
/// Where the filter cannot be read, with the place that is wrong.
pub(super) fn start(filter: Option<&str>, form: LogFormat, tracer: Option<SdkTracer>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(FILTER_DEFAULT)).map_err(|error| {
        anyhow::anyhow!("the log filter cannot be read: {error}; use a level such as info or debug")
    })?;
    let filter = filter.and(filter_fn(|metadata| metadata.target() != TARGET));
    // A line that cannot be written, as on a full disk, is lost: complaining of it on the same stream would end the process.
    let lines = layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match form {
        LogFormat::Json => lines.json().event_format(Traced(format().json())).with_filter(filter).boxed(),
        LogFormat::Text => {
            lines.with_ansi(false).event_format(Traced(format().with_ansi(false))).with_filter(filter).boxed()
        }
    };
    let mut layers = vec![lines];
    if let Some(tracer) = tracer {
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        let only_ours = filter_fn(is_traced).with_max_level_hint(LevelFilter::INFO);
        layers.push(spans.with_filter(only_ours).boxed());
    }
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(())
}

/// Spans are handed on; events are for the log alone.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Adds the current trace and span to a line.
struct Traced<F>(F);

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let span = opentelemetry::Context::map_current(|current| current.span().span_context().clone());
        if !span.is_valid() {
            return self.0.format_event(ctx, out, event);
        }
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        out.write_str(&with_span(line.trim_end(), &span))
    }
}

fn with_span(line: &str, span: &SpanContext) -> String {
    let (trace, span) = (span.trace_id(), span.span_id());
    match line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(fields) => format!("{{{fields},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}\n"),
        None => format!("{line} trace_id={trace} span_id={span}\n"),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_line_says_where_in_a_trace_it_stands() {
        let (trace, span) = (TraceId::from(1_u128), SpanId::from(2_u64));
        let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default());
        let json: serde_json::Value =
            serde_json::from_str(&with_span("{\"level\":\"INFO\"}", &span)).unwrap();
        assert_eq!(json["trace_id"], "00000000000000000000000000000001");
        assert_eq!(
            (json["span_id"].as_str(), json["level"].as_str()),
            (Some("0000000000000002"), Some("INFO"))
        );
        assert!(with_span("INFO serving", &span).starts_with("INFO serving trace_id=0000"));
    }
}
