//! The rounds: each server has its turn in each of them, so that what else the machine does meets all alike.

mod contestant;
mod crew;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use pointbridge_store_sqlite::{SqliteStore, StatementHook};

use self::contestant::{Contestant, Turn};
use self::crew::Crew;
use super::alone::{Supply, batched, page_syncs, small_commits, through_engine};
use super::books::Books;
use super::ground::{Ground, HubSetting};
use super::members::Alliance;
use super::order::Samples;
use super::process::Usage;
use super::report::{
    AloneFound, BatchesFound, Change, CheckFound, Counts, CpuFound, DatabaseFound, EchoFound, HubFound,
    LoadAsked, MessageBytes, Report, median, per_second, ratio, seconds_per_1000,
};
use super::times::Spread;
use super::{Length, Options, Progress, verdict};

/// The hubs' names, which are also those of their data folders.
const HUB: &str = "hub";
const COMPARED: &str = "compared-hub";
/// The server that only answers.
const ECHO: &str = "echo";
/// A copy of the data for the store alone, and one for small commits while the rounds go on.
const ALONE: &str = "store-alone";
const SMALL: &str = "store-small";

/// Exchanges of one caller in each round: a few tenths of a second.
const ONE_CALLER_EXCHANGES: usize = 100;
/// Small commits, and synced pages, in each round.
const SMALL_COMMITS: usize = 100;
/// Sizes of the batches of the store alone.
const BATCH_COMMANDS: [usize; 3] = [64, 512, 4_096];
/// Exchanges that each size is measured with, at most: two of the largest batches.
const ALONE_EXCHANGES_MAX: usize = 8_192;
/// Exchanges of one round, at most, so that quotes are not over before they are used.
const EXCHANGES_MAX: u64 = 400_000;

/// Runs everything and tells what was found.
///
/// # Errors
/// A process does not start, a call is not answered with success, or a store failed.
pub(super) async fn run(options: &Options, folder: &Path, progress: &Progress) -> anyhow::Result<Report> {
    progress.say(format!("making {} members", options.members));
    let (ground, alliance) = Ground::make(folder, options.members).await?;
    for name in [ALONE, SMALL] {
        ground.copy(name)?;
    }
    let rows_before = check(&ground, HUB).await?.rows;
    let bytes_before = ground.database_bytes(HUB)?;
    progress.say("starting the hub");
    let mut course = Course::start(options, ground, progress).await?;
    let small = course.ground.open(SMALL, None).await?;
    let mut spreads = (Spread::new()?, Spread::new()?);
    for number in 0..options.rounds {
        course.round(number).await?;
        progress.say("small commits and pages");
        small_commits(&small, &alliance, SMALL_COMMITS, &mut spreads.0).await?;
        page_syncs(&course.ground.data("page-sync"), SMALL_COMMITS, &mut spreads.1)?;
    }
    small.close().await;
    let Course { ground, hubs, echo, crew, exchanges, .. } = course;
    crew.leave().await?;
    let echo = echo.stop().await?;
    let before = Before { rows: rows_before, bytes: bytes_before };
    let mut found = Vec::new();
    for (contestant, settings) in hubs {
        progress.say("counting and checking");
        found.push(hub_found(&ground, contestant.stop().await?, settings, &before).await?);
    }
    progress.say("the store alone");
    let alone = alone(&ground, alliance, options, exchanges, &spreads).await?;
    let mut found = found.into_iter();
    let hub = found.next().context("no hub")?;
    let compare = found.next();
    let echo = echo_found(echo);
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        processors: std::thread::available_parallelism()?.get(),
        load: LoadAsked {
            connections: options.connections,
            in_flight: options.in_flight,
            rounds: options.rounds,
            exchanges_per_round: exchanges,
            members: options.members,
        },
        change: compare.as_ref().map(|other| change(&hub, other)),
        exchanges_per_echo: ratio(hub.committed_per_second, echo.pairs_per_second),
        hub,
        compare,
        echo,
        alone,
        figures: Vec::new(),
    };
    report.figures = verdict::figures(&report);
    Ok(report)
}

/// The servers, the driver, and how long a round is.
struct Course<'a> {
    options: &'a Options,
    progress: &'a Progress,
    ground: Ground,
    hubs: Vec<(Contestant, Vec<HubSetting>)>,
    echo: Contestant,
    crew: Crew,
    exchanges: usize,
}

impl<'a> Course<'a> {
    /// Starts everything, and warms it up.
    async fn start(options: &'a Options, ground: Ground, progress: &'a Progress) -> anyhow::Result<Self> {
        let mut crew = Crew::start(&ground)?;
        let mut hubs = Vec::new();
        let wanted = [(HUB, Some(&options.hub_settings)), (COMPARED, compared(options))];
        if !options.compare_settings.is_empty() {
            ground.copy(COMPARED)?;
        }
        for (name, settings) in wanted {
            let Some(settings) = settings else { continue };
            let (program, endpoint) = ground.serve(name, settings).await?;
            crew.connect(&ground, name, endpoint, options.connections).await?;
            hubs.push((Contestant::new(name, program)?, settings.clone()));
        }
        let mut rate = 0;
        for (hub, _) in &mut hubs {
            progress.say(format!("warming up the {}", hub.name));
            let warmup = Turn::of(options, options.warmup);
            rate = crew.take_turn(hub, warmup).await?.rate();
            hub.forget_rounds();
        }
        let exchanges = match options.length {
            Length::Exchanges(exchanges) => exchanges,
            Length::Seconds(seconds) => {
                usize::try_from(rate.saturating_mul(u64::try_from(seconds)?).clamp(1, EXCHANGES_MAX))?
            }
        };
        let samples = crew.samples().await?;
        let (program, endpoint) = crew::start_echo(&ground, &samples).await?;
        crew.connect(&ground, ECHO, endpoint, options.connections).await?;
        let mut echo = Contestant::new(ECHO, program)?;
        echo.samples = Some(samples);
        progress.say("warming up the echo");
        crew.take_turn(&mut echo, Turn::of(options, options.warmup)).await?;
        echo.forget_rounds();
        Ok(Self { options, progress, ground, hubs, echo, crew, exchanges })
    }

    /// Everybody's turn; every other round begins at the other end.
    async fn round(&mut self, number: usize) -> anyhow::Result<()> {
        let Self { options, progress, hubs, echo, crew, exchanges, .. } = self;
        let mut contestants: Vec<&mut Contestant> = hubs.iter_mut().map(|(hub, _)| hub).collect();
        contestants.push(echo);
        if !number.is_multiple_of(2) {
            contestants.reverse();
        }
        for contestant in contestants {
            progress.say(format!("round {} of {}: {}", number + 1, options.rounds, contestant.name));
            let turn = Turn::of(options, *exchanges);
            crew.take_turn(contestant, turn).await?;
            crew.take_turn(contestant, Turn::alone(ONE_CALLER_EXCHANGES.min(*exchanges))).await?;
        }
        Ok(())
    }
}

fn compared(options: &Options) -> Option<&Vec<HubSetting>> {
    Some(&options.compare_settings).filter(|settings| !settings.is_empty())
}

/// The database before the first exchange.
struct Before {
    rows: u64,
    bytes: u64,
}

async fn hub_found(
    ground: &Ground,
    hub: Contestant,
    settings: Vec<HubSetting>,
    before: &Before,
) -> anyhow::Result<HubFound> {
    let bytes = ground.database_bytes(hub.name)?;
    let store = ground.open(hub.name, None).await?;
    let books = Books::read(&store).await;
    store.close().await;
    let books = books?;
    let check = check(ground, hub.name).await?;
    let in_all = books.committed_in_all();
    let counts = Counts {
        driver: hub.exchanges(),
        store: hub.spans.iter().map(|(from, to)| books.committed(*from, *to)).sum(),
        driver_in_all: hub.exchanges_in_all,
        store_in_all: in_all,
    };
    Ok(HubFound {
        settings: settings.into_iter().collect(),
        committed_per_second: hub.rate(),
        quotes_per_second: per_second(hub.quotes, hub.quote_micros),
        times: hub.times,
        one_caller: hub.one_caller,
        batches: books.sizes(&hub.spans),
        cpu: CpuFound::of(&hub.server_cpu, &hub.client_cpu, hub.exchanges(), hub.micros()),
        memory: hub.memory(),
        counts,
        database: DatabaseFound {
            bytes_per_exchange: bytes.saturating_sub(before.bytes).checked_div(in_all).unwrap_or_default(),
            rows_per_exchange: ratio(check.rows.saturating_sub(before.rows), in_all).round_dp(2),
        },
        check,
        rounds: hub.rounds,
    })
}

fn echo_found(echo: Contestant) -> EchoFound {
    let Samples { prepare_request_bytes, commit_request_bytes, prepare_answer, commit_answer } =
        echo.samples.clone().unwrap_or_default();
    EchoFound {
        pairs_per_second: echo.rate(),
        times: echo.times,
        one_caller: echo.one_caller,
        cpu: CpuFound::of(&echo.server_cpu, &echo.client_cpu, echo.exchanges(), echo.micros()),
        bytes: MessageBytes {
            prepare_request: prepare_request_bytes,
            // Two hexadecimal digits are a byte.
            prepare_answer: prepare_answer.len() / 2,
            commit_request: commit_request_bytes,
            commit_answer: commit_answer.len() / 2,
        },
        rounds: echo.rounds,
    }
}

fn change(hub: &HubFound, other: &HubFound) -> Change {
    let cpu = [hub, other].map(|found| found.cpu.server_seconds_per_1000);
    Change {
        rate: ratio(other.committed_per_second, hub.committed_per_second),
        server_cpu: cpu[1].checked_div(cpu[0]).unwrap_or_default().round_dp(3),
    }
}

/// Runs the check over a database that no program has open.
async fn check(ground: &Ground, name: &str) -> anyhow::Result<CheckFound> {
    let store = ground.open(name, None).await?;
    let report = pointbridge_check::run(&store).await;
    store.close().await;
    let report = report?;
    let findings = report.invariants.iter().map(|invariant| invariant.findings_total).sum();
    Ok(CheckFound { rows: report.rows, findings })
}

async fn alone(
    ground: &Ground,
    alliance: Alliance,
    options: &Options,
    exchanges: usize,
    (small_commit, page_sync): &(Spread, Spread),
) -> anyhow::Result<AloneFound> {
    let statements = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&statements);
    let hook: StatementHook = Arc::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let store = Arc::new(ground.open(ALONE, Some(hook)).await?);
    let supply = Arc::new(Supply::new(alliance, store.epoch().await?)?);
    let own = std::process::id();
    let mut batches = Vec::new();
    for commands in BATCH_COMMANDS {
        // A batch is never smaller than it is said to be.
        let count = exchanges.clamp(commands, ALONE_EXCHANGES_MAX);
        let count = count - count.checked_rem(commands).unwrap_or_default();
        let (before, used) = (statements.load(Ordering::Relaxed), Usage::of(own)?);
        let mut rates = Vec::new();
        for _ in 0..options.rounds {
            rates.push(per_second(u64::try_from(count)?, batched(&*store, &supply, count, commands).await?));
        }
        let made = u64::try_from(count * options.rounds)?;
        batches.push(BatchesFound {
            commands,
            per_second: median(rates),
            statements_per_exchange: ratio(statements.load(Ordering::Relaxed) - before, made),
            cpu_seconds_per_1000: seconds_per_1000(Usage::of(own)?.since(&used).nanos(), made),
        });
    }
    let mut rates = Vec::new();
    let in_flight = options.connections * options.in_flight;
    for _ in 0..options.rounds {
        let count = exchanges.min(ALONE_EXCHANGES_MAX);
        rates.push(through_engine(Arc::clone(&store), &supply, count, in_flight).await?);
    }
    close(store).await?;
    let found = check(ground, ALONE).await?;
    ensure!(found.findings == 0, "the store alone left {} rows that are wrong", found.findings);
    Ok(AloneFound {
        batches,
        engine_per_second: median(rates),
        small_commit: small_commit.percentiles(),
        page_sync: page_sync.percentiles(),
    })
}

async fn close(store: Arc<SqliteStore>) -> anyhow::Result<()> {
    Arc::into_inner(store).context("the store is still in use")?.close().await;
    Ok(())
}
