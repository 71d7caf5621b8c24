//! The instruments: one for each row of [`names`], made once per process, and what is counted on them.
//!
//! One per process, as the log is. Until they are made nothing is counted and nothing is paid for. Attributes are made ahead
//! where their values are known: of methods and statuses, of batches, of each pair of partners once. Absent on purpose:
//! whatever is asked for only now and then (`watch`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use pointbridge_core::record::{Record, RecordKind};
use pointbridge_core::text::PartnerCode;
use pointbridge_engine::observer::{BatchSeen, Observer};
use pointbridge_store::StoreError;
use tonic::Code;

use super::names::{self, Kind, Metric};
use super::process;
use super::rows::Rows;
use crate::authz::TABLE;

/// Bounds of times, in seconds: from a commit on a fast disk to a caller's deadline.
const SECONDS: [f64; 15] =
    [0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Bounds of numbers of commands: a batch has 1,024 at most.
const COMMANDS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// Pairs of partners that are told apart: with five outcomes 1,280 rows, below the library's own bound of 2,000.
const PAIRS_MAX: usize = 256;
/// Stands for either partner of all further pairs.
const OTHERS: &str = "@others";
/// How an exchange's records are counted, in the order of [`outcome_index`].
const OUTCOMES: [&str; 5] = ["prepared", "committed", "aborted", "expired", "reversed"];
/// The codes of statuses by their number, under the names that the protocol gives them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The kinds of the store's failures.
const ERRORS: [&str; 6] = ["unavailable", "full", "conflict", "outcome_unknown", "broken", "schema"];

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
static CALLS: AtomicI64 = AtomicI64::new(0);
static CONNECTIONS: AtomicI64 = AtomicI64::new(0);
static ROWS: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| TABLE.iter().enumerate().map(|(index, row)| (row.method, index)).collect());

/// The instruments, once they are made.
#[must_use]
pub fn instruments() -> Option<&'static Instruments> {
    INSTRUMENTS.get()
}

/// Makes the instruments. A second call has no effect.
pub(super) fn make(meter: &Meter) {
    let _ = INSTRUMENTS.set(Instruments::new(meter).begin());
}

/// Something that is counted for as long as it is there.
#[derive(Debug)]
pub struct Present(&'static AtomicI64);

impl Present {
    fn of(count: &'static AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// A call.
    #[must_use]
    pub fn call() -> Self {
        Self::of(&CALLS)
    }

    /// A connection.
    #[must_use]
    pub fn connection() -> Self {
        Self::of(&CONNECTIONS)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A method's row in the table of rights; `None` for what the hub does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(Option<usize>);

impl Method {
    /// Of a call's path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self(ROWS.get(path).copied())
    }

    /// Its path, or `unknown`: never what a caller made up.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.0.and_then(|row| TABLE.get(row)).map_or("unknown", |row| row.method)
    }

    /// Its name as signals have it: service and method, without the slash before it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let path = self.path();
        path.strip_prefix('/').unwrap_or(path)
    }
}

/// A status' name in the protocol.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    CODES.get(code_index(code)).copied().unwrap_or("UNKNOWN")
}

fn code_index(code: Code) -> usize {
    usize::try_from(i32::from(code)).unwrap_or(usize::MAX)
}

/// The instruments, and attributes that are made ahead.
pub struct Instruments {
    rpc: Histogram<f64>,
    /// By row (the last is of unknown methods), then by code.
    rpc_attributes: Vec<Vec<[KeyValue; 3]>>,
    refusals: Counter<u64>,
    handshakes: Counter<u64>,
    connections_refused: Counter<u64>,
    queue_wait: Histogram<f64>,
    shed: Counter<u64>,
    batch_commands: Histogram<u64>,
    batch_duration: Histogram<f64>,
    batch_outcomes: [[KeyValue; 1]; 3],
    reruns: Counter<u64>,
    store_errors: Counter<u64>,
    exchanges: Counter<u64>,
    pairs: Mutex<Pairs>,
    /// What is measured only now and then.
    pub(super) gauges: Gauges,
}

/// What `watch` measures.
pub(super) struct Gauges {
    pub(super) ready: Gauge<u64>,
    pub(super) queue: Gauge<u64>,
    pub(super) holds_open: Gauge<i64>,
    pub(super) holds_oldest_age: Gauge<f64>,
    pub(super) sweeper_lag: Gauge<f64>,
    pub(super) store_size: Rows,
    pub(super) certificate_remaining: Rows,
    pub(super) build: Gauge<u64>,
}

type PairAttributes = [[KeyValue; 3]; 5];

#[derive(Default)]
struct Pairs {
    known: HashMap<PartnerCode, HashMap<PartnerCode, PairAttributes>>,
    count: usize,
}

impl Pairs {
    /// The attributes of a pair; of all others together where there are too many.
    fn of(&mut self, source: &PartnerCode, destination: &PartnerCode) -> PairAttributes {
        if let Some(found) = self.known.get(source).and_then(|others| others.get(destination)) {
            return found.clone();
        }
        if self.count >= PAIRS_MAX {
            return pair_attributes(OTHERS, OTHERS);
        }
        self.count = self.count.saturating_add(1);
        let made = pair_attributes(source.as_str(), destination.as_str());
        self.known.entry(source.clone()).or_default().insert(destination.clone(), made.clone());
        made
    }
}

fn pair_attributes(source: &str, destination: &str) -> PairAttributes {
    // Shared texts: a copy of an attribute counts a reference and copies no bytes.
    let (source, destination): (Arc<str>, Arc<str>) = (source.into(), destination.into());
    OUTCOMES.map(|outcome| {
        [
            KeyValue::new(names::OUTCOME, outcome),
            KeyValue::new(names::SOURCE, Arc::clone(&source)),
            KeyValue::new(names::DESTINATION, Arc::clone(&destination)),
        ]
    })
}

const fn outcome_index(kind: RecordKind) -> Option<usize> {
    match kind {
        RecordKind::ExchangePrepared => Some(0),
        RecordKind::ExchangeCommitted => Some(1),
        RecordKind::ExchangeAborted => Some(2),
        RecordKind::ExchangeExpired => Some(3),
        RecordKind::ExchangeReversed => Some(4),
        _ => None,
    }
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        observe_process(meter);
        Self {
            rpc: seconds(meter, &names::RPC_DURATION),
            rpc_attributes: rpc_attributes(),
            refusals: counter(meter, &names::REFUSALS),
            handshakes: counter(meter, &names::TLS_HANDSHAKES),
            connections_refused: counter(meter, &names::CONNECTIONS_REFUSED),
            queue_wait: seconds(meter, &names::QUEUE_WAIT),
            shed: counter(meter, &names::QUEUE_SHED),
            batch_commands: commands(meter, &names::BATCH_COMMANDS),
            batch_duration: seconds(meter, &names::BATCH_DURATION),
            batch_outcomes: ["written", "unchanged", "failed"]
                .map(|one| [KeyValue::new(names::OUTCOME, one)]),
            reruns: counter(meter, &names::BATCH_RERUNS),
            store_errors: counter(meter, &names::STORE_ERRORS),
            exchanges: counter(meter, &names::EXCHANGES),
            pairs: Mutex::default(),
            gauges: Gauges {
                ready: gauge_of_numbers(meter, &names::READY),
                queue: gauge_of_numbers(meter, &names::QUEUE_COMMANDS),
                holds_open: gauge_of_integers(meter, &names::HOLDS_OPEN),
                holds_oldest_age: gauge_of_seconds(meter, &names::HOLDS_OLDEST_AGE),
                sweeper_lag: gauge_of_seconds(meter, &names::SWEEPER_LAG),
                store_size: Rows::of(meter, &names::STORE_SIZE),
                certificate_remaining: Rows::of(meter, &names::CERTIFICATE_REMAINING),
                build: gauge_of_numbers(meter, &names::BUILD_INFO),
            },
        }
    }

    /// Begins at zero what happens seldom, so that the first time shows as a rise.
    fn begin(self) -> Self {
        for count in [&self.shed, &self.reruns] {
            count.add(0, &[]);
        }
        for (operation, kind) in ["write", "read"].into_iter().flat_map(|one| ERRORS.map(|kind| (one, kind)))
        {
            self.store_errors
                .add(0, &[KeyValue::new(names::OPERATION, operation), KeyValue::new(names::ERROR, kind)]);
        }
        self
    }

    /// A call was answered, or its caller went away.
    pub fn call_ended(&self, method: Method, code: Code, took: Duration) {
        let rows = method.0.and_then(|row| self.rpc_attributes.get(row)).or(self.rpc_attributes.last());
        if let Some(attributes) = rows.and_then(|codes| codes.get(code_index(code))) {
            self.rpc.record(took.as_secs_f64(), attributes);
        }
    }

    /// A call was not answered with OK. `reason` is one of a fixed number of texts.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.add(1, &[KeyValue::new(names::REASON, reason)]);
    }

    /// A TLS handshake ended so. `outcome` is one of a fixed number of texts.
    pub fn handshake(&self, outcome: &'static str) {
        self.handshakes.add(1, &[KeyValue::new(names::OUTCOME, outcome)]);
    }

    /// A connection was cut. `reason` is one of a fixed number of texts.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.add(1, &[KeyValue::new(names::REASON, reason)]);
    }

    /// The store failed.
    pub fn store_failed(&self, operation: &'static str, error: &StoreError) {
        let attributes =
            [KeyValue::new(names::OPERATION, operation), KeyValue::new(names::ERROR, kind_of(error))];
        self.store_errors.add(1, &attributes);
    }

    fn exchange_written(&self, record: &Record) {
        let Some(outcome) = outcome_index(record.kind) else { return };
        let leg = record.exchange().and_then(|exchange| exchange.legs.first());
        let ends = leg.map(|leg| (&leg.source.partner, &leg.destination.partner));
        let reversed = record.reversal().and_then(|reversal| reversal.legs.first());
        let ends = ends.or(reversed.map(|leg| (&leg.source.partner, &leg.destination.partner)));
        let Some((source, destination)) = ends else { return };
        let pair = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).of(source, destination);
        if let Some(attributes) = pair.get(outcome) {
            self.exchanges.add(1, attributes);
        }
    }
}

/// Counts what the engine tells, once there are instruments.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineWatch;

impl Observer for EngineWatch {
    fn waited(&self, how_long: Duration) {
        if let Some(all) = instruments() {
            all.queue_wait.record(how_long.as_secs_f64(), &[]);
        }
    }

    fn shed(&self) {
        if let Some(all) = instruments() {
            all.shed.add(1, &[]);
        }
    }

    fn batch_ended(&self, batch: &BatchSeen<'_>) {
        let Some(all) = instruments() else { return };
        let [written, unchanged, failed] = &all.batch_outcomes;
        let outcome = match &batch.outcome {
            Ok(one) if one.anything => written,
            Ok(_) => unchanged,
            Err(error) => {
                all.store_failed("write", error);
                failed
            }
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        all.batch_commands.record(number(batch.commands), &[]);
        all.batch_duration.record(batch.took.as_secs_f64(), outcome);
        all.reruns.add(number(batch.reruns), &[]);
        for record in batch.outcome.as_ref().map_or(&[][..], |one| one.exchanges) {
            all.exchange_written(record);
        }
    }
}

const fn kind_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Full(_) => "full",
        StoreError::Conflict(_) => "conflict",
        StoreError::OutcomeUnknown(_) => "outcome_unknown",
        StoreError::Broken(_) => "broken",
        StoreError::Schema(_) => "schema",
    }
}

fn rpc_attributes() -> Vec<Vec<[KeyValue; 3]>> {
    let of_method = |name: &'static str| {
        let attributes = |code: &'static str| {
            [
                KeyValue::new(names::RPC_SYSTEM, "grpc"),
                KeyValue::new(names::RPC_METHOD, name),
                KeyValue::new(names::RPC_STATUS, code),
            ]
        };
        CODES.into_iter().map(attributes).collect()
    };
    let rows = (0..TABLE.len()).map(|row| Method(Some(row)).name());
    rows.chain([Method(None).name()]).map(of_method).collect()
}

/// Reads a number of the process.
type Read = fn() -> Option<u64>;

/// What is read when it is asked for.
fn observe_process(meter: &Meter) {
    for (metric, count) in [(&names::RPC_ACTIVE, &CALLS), (&names::CONNECTIONS_OPEN, &CONNECTIONS)] {
        let gauge = meter.i64_observable_gauge(metric.name).with_unit(metric.unit);
        let read = |out: &dyn opentelemetry::metrics::AsyncInstrument<i64>| {
            out.observe(count.load(Ordering::Relaxed), &[]);
        };
        gauge.with_description(metric.meaning).with_callback(read).build();
    }
    let cpu = meter.f64_observable_counter(names::PROCESS_CPU.name).with_unit(names::PROCESS_CPU.unit);
    let modes = ["user", "system"].map(|mode| [KeyValue::new(names::CPU_MODE, mode)]);
    let read_cpu = move |out: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
        for (time, mode) in process::cpu_times().into_iter().flatten().zip(&modes) {
            out.observe(time.as_secs_f64(), mode);
        }
    };
    cpu.with_description(names::PROCESS_CPU.meaning).with_callback(read_cpu).build();
    let began = std::time::Instant::now();
    let uptime = meter.f64_observable_gauge(names::PROCESS_UPTIME.name).with_unit(names::PROCESS_UPTIME.unit);
    let uptime = uptime.with_description(names::PROCESS_UPTIME.meaning);
    uptime.with_callback(move |out| out.observe(began.elapsed().as_secs_f64(), &[])).build();
    let numbers: [(&Metric, Read); 2] =
        [(&names::PROCESS_MEMORY, process::resident_bytes), (&names::PROCESS_FILES, process::open_files)];
    for (metric, read) in numbers {
        let gauge = meter.u64_observable_gauge(metric.name).with_unit(metric.unit);
        let callback = move |out: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            if let Some(number) = read() {
                out.observe(number, &[]);
            }
        };
        gauge.with_description(metric.meaning).with_callback(callback).build();
    }
}

fn seconds(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    debug_assert_eq!(metric.kind, Kind::Histogram);
    let builder = meter.f64_histogram(metric.name).with_unit(metric.unit).with_description(metric.meaning);
    builder.with_boundaries(SECONDS.to_vec()).build()
}

fn commands(meter: &Meter, metric: &Metric) -> Histogram<u64> {
    debug_assert_eq!(metric.kind, Kind::Histogram);
    let builder = meter.u64_histogram(metric.name).with_unit(metric.unit).with_description(metric.meaning);
    builder.with_boundaries(COMMANDS.to_vec()).build()
}

fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    debug_assert_eq!(metric.kind, Kind::Counter);
    meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.meaning).build()
}

fn gauge_of_numbers(meter: &Meter, metric: &Metric) -> Gauge<u64> {
    meter.u64_gauge(metric.name).with_unit(metric.unit).with_description(metric.meaning).build()
}

fn gauge_of_integers(meter: &Meter, metric: &Metric) -> Gauge<i64> {
    meter.i64_gauge(metric.name).with_unit(metric.unit).with_description(metric.meaning).build()
}

fn gauge_of_seconds(meter: &Meter, metric: &Metric) -> Gauge<f64> {
    meter.f64_gauge(metric.name).with_unit(metric.unit).with_description(metric.meaning).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_caller_made_up_stands_in_no_signal() {
        assert_eq!(
            Method::of("/pointbridge.v1.PartnerService/WhoAmI").name(),
            "pointbridge.v1.PartnerService/WhoAmI"
        );
        assert_eq!(Method::of("/member/13800138000").name(), "unknown");
        assert_eq!((code_name(Code::Ok), code_name(Code::Unauthenticated)), ("OK", "UNAUTHENTICATED"));
    }

    #[test]
    fn pairs_beyond_the_bound_are_counted_together() {
        let mut pairs = Pairs::default();
        let code = |number: usize| -> PartnerCode { PartnerCode::new(format!("partner-{number}")).unwrap() };
        for number in 0..PAIRS_MAX {
            assert_eq!(pairs.of(&code(number), &code(0))[1][1].value.as_str(), format!("partner-{number}"));
        }
        assert_eq!(pairs.of(&code(PAIRS_MAX), &code(0))[0][1].value.as_str(), OTHERS);
        assert_eq!(pairs.of(&code(3), &code(0))[0][1].value.as_str(), "partner-3");
        assert_eq!(pairs.count, PAIRS_MAX);
    }
}
