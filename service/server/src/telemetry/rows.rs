//! Gauges with rows that come and go: certificates, files.
//!
//! A plain gauge tells a row's last number for as long as the process lives, so that an authority that was removed long ago
//! would still run out. These are read when they are asked for, and have the rows of now only.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::names::Metric;

/// The rows of a gauge.
#[derive(Clone, Default)]
pub(super) struct Rows(Arc<Mutex<Vec<Row>>>);

/// A number, and what it is of.
pub(super) type Row = (i64, Vec<KeyValue>);

impl Rows {
    /// The rows of a metric, which has none yet.
    pub(super) fn of(meter: &Meter, metric: &Metric) -> Self {
        let rows = Self::default();
        let told = rows.clone();
        let gauge = meter.i64_observable_gauge(metric.name).with_unit(metric.unit);
        let gauge = gauge.with_description(metric.meaning).with_callback(move |out| {
            for (number, attributes) in told.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                out.observe(*number, attributes);
            }
        });
        gauge.build();
        rows
    }

    /// These are the rows from now on, and no others.
    pub(super) fn set(&self, rows: Vec<Row>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider;

    use super::*;
    use crate::telemetry::names;

    #[test]
    fn a_row_that_is_not_there_any_more_is_not_told_any_more() {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
        let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(exporter).build();
        let rows = Rows::of(&provider.meter("test"), &names::CERTIFICATE_REMAINING);
        let told = || {
            let families = registry.gather();
            let certificates = families.iter().filter(|one| one.name().contains("certificate"));
            certificates.map(|family| family.get_metric().len()).sum::<usize>()
        };
        let row = |days, name: &'static str| (days, vec![KeyValue::new(names::CERTIFICATE_NAME, name)]);
        rows.set(vec![row(9, "old"), row(90, "new")]);
        assert_eq!(told(), 2);
        rows.set(vec![row(90, "new")]);
        assert_eq!(told(), 1);
    }
}
