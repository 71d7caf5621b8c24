//! The same for people: tables, and a sentence for each figure.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use super::order::Times;
use super::report::{CpuFound, HubFound, Report};

/// What was found, in tables.
pub(super) fn text(report: &Report) -> String {
    let mut sections = vec![load(report), rates(report), latencies(report), costs(report)];
    sections.extend(hubs(report).map(|(name, hub)| details(name, hub)));
    sections.push(alone(report));
    sections.push(figures(report));
    sections.join("\n\n")
}

fn hubs(report: &Report) -> impl Iterator<Item = (&'static str, &HubFound)> {
    let compared = report.compare.as_ref().map(|hub| ("compared hub", hub));
    std::iter::once(("hub", &report.hub)).chain(compared)
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

fn load(report: &Report) -> String {
    let load = &report.load;
    let mut text = format!(
        "pointbridge {} ({}), {} processors: {} connections × {} exchanges under way, {} rounds of {} exchanges, {} members",
        report.version,
        report.build,
        report.processors,
        load.connections,
        load.in_flight,
        load.rounds,
        load.exchanges_per_round,
        load.members
    );
    if report.build == "debug" {
        text.push_str("\nThis is a debug build: its figures mean nothing. Build with --release.");
    }
    text
}

fn rates(report: &Report) -> String {
    let mut rows = table(["server", "exchanges/s", "rounds, exchanges/s"]);
    let hubs = hubs(report).map(|(name, hub)| (name, hub.committed_per_second, &hub.rounds));
    let echo = ("echo (pairs of calls)", report.echo.pairs_per_second, &report.echo.rounds);
    for (name, rate, rounds) in hubs.chain([echo]) {
        let each: Vec<String> = rounds.iter().map(|round| round.per_second.to_string()).collect();
        rows.add_row([name.to_owned(), rate.to_string(), each.join(" ")]);
    }
    let mut text = rows.to_string();
    if let Some(change) = &report.change {
        text = format!(
            "{text}\nthe compared hub's rate is {} of the first one's, its time on processors {}",
            change.rate, change.server_cpu
        );
    }
    text
}

fn latencies(report: &Report) -> String {
    let mut rows = table(["times in µs", "call", "p50", "p99", "p999", "max"]);
    for (name, hub) in hubs(report) {
        add_times(&mut rows, name, &hub.times);
        add_times(&mut rows, &format!("{name}, one caller"), &hub.one_caller);
    }
    add_times(&mut rows, "echo", &report.echo.times);
    add_times(&mut rows, "echo, one caller", &report.echo.one_caller);
    rows.to_string()
}

fn add_times(rows: &mut Table, name: &str, times: &Times) {
    for (call, times) in [("prepare", times.prepare), ("commit", times.commit), ("both", times.both)] {
        let numbers = [times.p50, times.p99, times.p999, times.max].map(|micros| micros.to_string());
        rows.add_row([&[name.to_owned(), call.to_owned()], numbers.as_slice()].concat());
    }
}

fn costs(report: &Report) -> String {
    let mut rows =
        table(["time on processors", "server, s per 1,000", "driver, s per 1,000", "busy threads"]);
    let hubs = hubs(report).map(|(name, hub)| (name, &hub.cpu));
    for (name, cpu) in hubs.chain([("echo", &report.echo.cpu)]) {
        rows.add_row([
            name.to_owned(),
            cpu.server_seconds_per_1000.to_string(),
            cpu.client_seconds_per_1000.to_string(),
            threads(cpu),
        ]);
    }
    rows.to_string()
}

fn threads(cpu: &CpuFound) -> String {
    let told = cpu.server_threads.iter().map(|thread| format!("{} {}", thread.name, thread.processors));
    let driver = format!("(driver {})", cpu.client_processors);
    told.chain([driver]).collect::<Vec<_>>().join(", ")
}

fn details(name: &str, hub: &HubFound) -> String {
    let mebibytes = |bytes: u64| bytes.div_ceil(1024 * 1024);
    let quarters: Vec<String> =
        hub.memory.quarters_bytes.iter().map(|bytes| mebibytes(*bytes).to_string()).collect();
    let settings: Vec<String> = hub.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut rows = table([name, ""]);
    for (what, value) in [
        ("settings", settings.join(" ")),
        (
            "commands in a batch",
            format!(
                "mean {}, p50 {}, p90 {}, most {}, in {} batches",
                hub.batches.mean, hub.batches.p50, hub.batches.p90, hub.batches.max, hub.batches.batches
            ),
        ),
        (
            "memory",
            format!("peak {} MiB; by quarters {} MiB", mebibytes(hub.memory.peak_bytes), quarters.join(", ")),
        ),
        (
            "left in the database",
            format!(
                "{} bytes and {} rows per exchange",
                hub.database.bytes_per_exchange, hub.database.rows_per_exchange
            ),
        ),
        (
            "committed in the rounds",
            format!("{} as the driver counts, {} as the store does", hub.counts.driver, hub.counts.store),
        ),
        (
            "committed in all",
            format!(
                "{} as the driver counts, {} as the store does",
                hub.counts.driver_in_all, hub.counts.store_in_all
            ),
        ),
        ("check", format!("{} rows read, {} wrong", hub.check.rows, hub.check.findings)),
        ("quotes, not in the rounds", format!("{} per second", hub.quotes_per_second)),
    ] {
        rows.add_row([what, &value]);
    }
    rows.to_string()
}

fn alone(report: &Report) -> String {
    let mut rows = table(["the store without a transport", "exchanges/s", "statements each", "s per 1,000"]);
    for batches in &report.alone.batches {
        rows.add_row([
            format!("batches of {}", batches.commands),
            batches.per_second.to_string(),
            batches.statements_per_exchange.to_string(),
            batches.cpu_seconds_per_1000.to_string(),
        ]);
    }
    let engine = report.alone.engine_per_second.to_string();
    rows.add_row(["through the engine".to_owned(), engine, String::new(), String::new()]);
    let (commit, page) = (report.alone.small_commit, report.alone.page_sync);
    format!(
        "{rows}\na commit of one row: p50 {} µs, p99 {} µs · 4 KiB written and synced: p50 {} µs, p99 {} µs",
        commit.p50, commit.p99, page.p50, page.p99
    )
}

fn figures(report: &Report) -> String {
    let mut rows = table(["figure", "wanted", "measured", ""]);
    for figure in &report.figures {
        let mark = if figure.is_met { "✓" } else { "✗" };
        rows.add_row([figure.figure, &figure.wanted, &figure.measured, mark]);
    }
    rows.to_string()
}
