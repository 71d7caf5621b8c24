//! Every metric that the hub exports: its name, kind, unit, attributes and meaning, once.
//!
//! Instruments are made from these rows and from nothing else, `deploy/TELEMETRY.md` shows them, and tests compare both
//! with what a running hub exports. Names, units and attributes follow OpenTelemetry's conventions where there is one
//! (rpc, process, error); what is the hub's own begins with `pointbridge.`. Absent on purpose: anything of a person. A
//! partner's code is the finest that a signal says.

use std::fmt::Write as _;

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts anew with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// Its one word, which is Prometheus' too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name over OTLP.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its unit, in the notation of UCUM: `s`, `By`, `d`, or what is counted, in braces.
    pub unit: &'static str,
    /// The attributes that it always has.
    pub attributes: &'static [&'static str],
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

impl Metric {
    /// Its name on the Prometheus endpoint. Of a histogram this is the family's: its rows end in `_bucket`, `_sum` and
    /// `_count`.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "d" => "_days",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

/// The table as Markdown, as it stands in `deploy/TELEMETRY.md`.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("| OpenTelemetry | Prometheus | kind | unit | attributes | meaning |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for metric in ALL {
        let attributes: Vec<String> = metric.attributes.iter().map(|name| format!("`{name}`")).collect();
        let (name, prometheus, kind) = (metric.name, metric.prometheus(), metric.kind.as_str());
        let (unit, attributes, meaning) = (metric.unit, attributes.join(", "), metric.meaning);
        let row =
            writeln!(text, "| `{name}` | `{prometheus}` | {kind} | {unit} | {attributes} | {meaning} |");
        // A text takes whatever is written to it.
        row.unwrap_or_default();
    }
    text
}

/// Makes the rows, and the list of all of them.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $constant:ident = $kind:ident $name:literal [$unit:literal] ($($attribute:expr),*);)*) => {
        $($(#[doc = $doc])+ pub const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            attributes: &[$($attribute),*],
            meaning: concat!($($doc),+).trim_ascii(),
        };)*

        /// All of them, in the order of the table.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

/// The system of remote calls: always `grpc`.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// The method with its service: `pointbridge.v1.ExchangeService/PrepareExchange`; `unknown` for what the hub does not have.
pub const RPC_METHOD: &str = "rpc.method";
/// The status by its name: `OK`, `FAILED_PRECONDITION`.
pub const RPC_STATUS: &str = "rpc.response.status_code";
/// Why a call was refused: a reason of the interface, or the status' own words where there is none.
pub const REASON: &str = "pointbridge.reason";
/// How it ended.
pub const OUTCOME: &str = "pointbridge.outcome";
/// The code of the partner whose points leave.
pub const SOURCE: &str = "pointbridge.source.partner";
/// The code of the partner where points arrive.
pub const DESTINATION: &str = "pointbridge.destination.partner";
/// The kind of a failure.
pub const ERROR: &str = "error.type";
/// What the store was asked for: `write`, `read`.
pub const OPERATION: &str = "pointbridge.store.operation";
/// Which of the store's files: `database`, `log`.
pub const FILE: &str = "pointbridge.store.file";
/// What it is: `server`, `authority`, `crl`.
pub const CERTIFICATE_KIND: &str = "pointbridge.certificate.kind";
/// Whose: the hub's, or the name of the authority.
pub const CERTIFICATE_NAME: &str = "pointbridge.certificate.name";
/// The hub's version.
pub const VERSION: &str = "service.version";
/// Whether what the hub does counts: `live`, `test`.
pub const ENVIRONMENT: &str = "deployment.environment.name";
/// What the processor did: `user`, `system`.
pub const CPU_MODE: &str = "cpu.mode";

metrics! {
    /// Time from a call's first bytes to its answer, of unary calls and beginnings of streams.
    RPC_DURATION = Histogram "rpc.server.call.duration" ["s"] (RPC_SYSTEM, RPC_METHOD, RPC_STATUS);
    /// 1 while the hub serves, 0 from the moment that it is asked to stop.
    READY = Gauge "pointbridge.ready" ["{hub}"] ();
    /// Calls under way.
    RPC_ACTIVE = Gauge "pointbridge.rpc.active" ["{call}"] ();
    /// Calls that were not answered with OK, by reason.
    REFUSALS = Counter "pointbridge.refusals" ["{call}"] (REASON);
    /// TLS handshakes that ended: OK, HANDSHAKE_FAILED, HANDSHAKE_SLOW, PROTOCOL_MISSING.
    TLS_HANDSHAKES = Counter "pointbridge.tls.handshakes" ["{handshake}"] (OUTCOME);
    /// Connections open, handshakes included.
    CONNECTIONS_OPEN = Gauge "pointbridge.connections.open" ["{connection}"] ();
    /// Connections cut before anybody could be answered, by reason: ADDRESS_BUSY, HANDSHAKES_FULL, HUB_FULL, PARTNER_FULL, and those of handshakes.
    CONNECTIONS_REFUSED = Counter "pointbridge.connections.refused" ["{connection}"] (REASON);
    /// Commands that wait to be written.
    QUEUE_COMMANDS = Gauge "pointbridge.queue.commands" ["{command}"] ();
    /// How long a command waited until its first batch began.
    QUEUE_WAIT = Histogram "pointbridge.queue.wait.duration" ["s"] ();
    /// Commands refused with OVERLOADED because no place was left to wait in.
    QUEUE_SHED = Counter "pointbridge.queue.shed" ["{command}"] ();
    /// Commands of a batch.
    BATCH_COMMANDS = Histogram "pointbridge.batch.commands" ["{command}"] ();
    /// Time that a batch took, from its reading to its commit: written, unchanged, failed.
    BATCH_DURATION = Histogram "pointbridge.batch.duration" ["s"] (OUTCOME);
    /// Commands that had to be decided once more, in the next batch.
    BATCH_RERUNS = Counter "pointbridge.batch.reruns" ["{command}"] ();
    /// Failures of the store: unavailable, full, conflict, outcome_unknown, broken, schema.
    STORE_ERRORS = Counter "pointbridge.store.errors" ["{error}"] (OPERATION, ERROR);
    /// Size of the store's files.
    STORE_SIZE = Gauge "pointbridge.store.size" ["By"] (FILE);
    /// Exchanges by what became of them: prepared, committed, aborted, expired, reversed (a part counts as one). Pairs beyond 256 count as `@others`.
    EXCHANGES = Counter "pointbridge.exchanges" ["{exchange}"] (OUTCOME, SOURCE, DESTINATION);
    /// Holds that are neither committed, called off nor written off.
    HOLDS_OPEN = Gauge "pointbridge.holds.open" ["{hold}"] ();
    /// Time since the oldest open hold was made; 0 where there is none.
    HOLDS_OLDEST_AGE = Gauge "pointbridge.holds.oldest.age" ["s"] ();
    /// How long the most overdue hold is over and still open; 0 where none is.
    SWEEPER_LAG = Gauge "pointbridge.sweeper.lag" ["s"] ();
    /// Whole days until the hub's certificate, an authority or its revocation list is over; below 0 once it is.
    CERTIFICATE_REMAINING = Gauge "pointbridge.certificate.remaining" ["d"] (CERTIFICATE_KIND, CERTIFICATE_NAME);
    /// Always 1; its attributes say what runs.
    BUILD_INFO = Gauge "pointbridge.build.info" ["{build}"] (VERSION, ENVIRONMENT);
    /// Processor time of the process.
    PROCESS_CPU = Counter "process.cpu.time" ["s"] (CPU_MODE);
    /// Memory of the process that is in use and resident.
    PROCESS_MEMORY = Gauge "process.memory.usage" ["By"] ();
    /// Time since the process began to count.
    PROCESS_UPTIME = Gauge "process.uptime" ["s"] ();
    /// Files and sockets that the process has open.
    PROCESS_FILES = Gauge "process.unix.file_descriptor.count" ["{file_descriptor}"] ();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_distinct_and_of_the_right_form() {
        let names: BTreeSet<String> = ALL.iter().map(Metric::prometheus).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let is_good = |name: &str| name.chars().all(|one| one.is_ascii_lowercase() || "._".contains(one));
            assert!(is_good(metric.name) && metric.attributes.iter().all(|name| is_good(name)), "{metric:?}");
            assert!(!metric.unit.is_empty() && metric.meaning.ends_with('.'), "{metric:?}");
        }
    }

    #[test]
    fn the_page_for_operators_shows_the_table_as_it_is() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/TELEMETRY.md");
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.contains(&table()), "put this table into {}:\n{}", page.display(), table());
    }
}
