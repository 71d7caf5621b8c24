//! Signals: logs, metrics and traces, and where they go.
//!
//! | signal | where |
//! | --- | --- |
//! | logs | standard error, one line an event |
//! | metrics | `metrics_listen`, for Prometheus; `otlp_endpoint`, every 15 s |
//! | traces | `otlp_endpoint` |
//!
//! What is not asked for is not made, and costs next to nothing. No signal holds anything of a person: names of methods, partner
//! codes, counts and times. Whoever takes signals may be slow or gone: they are then dropped, and the hub goes on. OTLP goes to
//! a collector beside the hub, without TLS: that one sends it on. Absent on purpose: a way to switch any redaction off.

pub mod call;
pub mod endpoint;
pub mod instruments;
mod logs;
pub mod names;
mod process;
mod rows;
mod traces;
pub mod watch;

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::Registry;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use logs::{LogFormat, filter_mistake};
pub use traces::MILLION;

use self::endpoint::Endpoint;

/// What is logged where nothing else is asked for.
pub const FILTER_DEFAULT: &str = "info";
/// How many of a million calls are traced where nothing else is asked for: one in a hundred.
pub const TRACES_PER_MILLION_DEFAULT: u32 = 10_000;
/// Between two sendings of metrics.
const METRICS_INTERVAL: Duration = Duration::from_secs(15);
/// How long what is left to send may take once the hub ends.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is logged.
    pub log: Option<String>,
    /// How.
    pub log_format: LogFormat,
    /// Where metrics and plain health are served.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector, as `http://address:port`.
    pub otlp_endpoint: Option<String>,
    /// How many of a million calls are traced, beside those that their callers trace.
    pub traces_per_million: u32,
}

/// Signals that were started.
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    meter: Option<SdkMeterProvider>,
    endpoint: Option<Endpoint>,
}

impl Telemetry {
    /// Starts what is asked for. Must be called within a tokio runtime, once per process.
    ///
    /// # Errors
    /// Where a setting cannot be used or a port not be taken, with what to do.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let otlp = settings.otlp_endpoint.as_deref();
        let tracer = otlp.map(|collector| traces::provider(collector, resource())).transpose()?;
        let spans = tracer.as_ref().map(|provider| provider.tracer("pointbridge"));
        logs::start(settings.log.as_deref(), settings.log_format, spans)?;
        if tracer.is_some() {
            traces::start(settings.traces_per_million);
        }
        let registry = Registry::new();
        let endpoint = match settings.metrics_listen {
            Some(address) => Some(Endpoint::bind(address, registry.clone()).await?),
            None => None,
        };
        let meter = meter(endpoint.is_some().then_some(registry), otlp)?;
        if let Some(meter) = &meter {
            instruments::make(&meter.meter("pointbridge"));
        }
        Ok(Self { tracer, meter, endpoint })
    }

    /// The endpoint for metrics and plain health, where one was asked for; once.
    pub fn take_endpoint(&mut self) -> Option<Endpoint> {
        self.endpoint.take()
    }

    /// Sends what is left, for two seconds at most.
    pub async fn stop(self) {
        let Self { tracer, meter, .. } = self;
        let (done, is_done) = oneshot::channel();
        // A thread of its own, because sending waits, and the runtime waits for its own threads when it ends.
        std::thread::spawn(move || {
            let _ = tracer.map(|tracer| tracer.shutdown_with_timeout(FLUSH_MAX));
            let _ = meter.map(|meter| meter.shutdown_with_timeout(FLUSH_MAX));
            let _ = done.send(());
        });
        if timeout(FLUSH_MAX, is_done).await.is_err() {
            tracing::warn!("the last signals were not taken in time and are lost");
        }
    }
}

/// Counts, where somebody is there to read: over Prometheus, OTLP, or both.
fn meter(registry: Option<Registry>, otlp: Option<&str>) -> anyhow::Result<Option<SdkMeterProvider>> {
    if registry.is_none() && otlp.is_none() {
        return Ok(None);
    }
    let mut builder = SdkMeterProvider::builder().with_resource(resource());
    if let Some(registry) = registry {
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry);
        builder = builder.with_reader(exporter.scope_info_enabled(false).build()?);
    }
    if let Some(collector) = otlp {
        let exporter = MetricExporter::builder().with_tonic().with_endpoint(collector);
        let exporter = exporter.with_timeout(traces::EXPORT_TIMEOUT).build()?;
        let reader = PeriodicReader::builder(exporter).with_interval(METRICS_INTERVAL);
        builder = builder.with_reader(reader.build());
    }
    Ok(Some(builder.build()))
}

/// Who sends signals: nothing of the machine, whose name may tell more than anybody should know.
fn resource() -> Resource {
    let attributes = [
        KeyValue::new("service.namespace", "pointbridge"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    Resource::builder_empty().with_service_name("pointbridge").with_attributes(attributes).build()
}
