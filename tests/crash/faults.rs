//! A disk that takes no more: writes are refused and say so, reads go on, nothing is spoilt, and service is back by itself with
//! the room.
//!
//! First by the process's own limit of file sizes, which any user may set: every write beyond it fails as on a faulty disk, and
//! so do the hub's own logs. Then on a small file system that is really full, in a mount namespace of the hub's own, where
//! this machine lets its users have one; the figures say whether it did.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pointbridge::config::DATABASE_FILE;
use pointbridge_client::{Client, Refusal, v1};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tonic::Code;

use crate::alliance::{Alliance, connect, enrol};
use crate::asks;
use crate::figures::Figures;
use crate::harness::until;
use crate::images::{Image, open};
use crate::program::{Serving, run_well};
use crate::scene::balance;
use crate::small::Small;

/// Less than the log of any write, and more than what a hub says at its start.
const LIMIT_BYTES: u64 = 16 * 1024;
/// How many writes are tried while the fault lasts, and how often.
const TRIES: u32 = 60;
const TRY_EVERY: Duration = Duration::from_millis(50);
/// What a hub may burn at most while it can write nothing and nobody calls: half a processor.
const IDLE: Duration = Duration::from_secs(2);
const IDLE_TICKS_MAX: u64 = 100;
/// Lines per second and place at most, with some room: batches, and the sweeper.
const LINES_PER_SECOND_MAX: u64 = 3;
/// How soon normal service must be back.
const BACK_MAX: Duration = Duration::from_secs(30);

/// What was measured during a fault.
struct Ordeal {
    refused: Vec<v1::AccruePointsRequest>,
    reads: u32,
    back_after: Duration,
}

/// One membership, and what it had before the fault.
struct Subject<'a> {
    client: &'a Client,
    membership: &'a str,
    posted: u64,
}

impl Subject<'_> {
    fn accrual(&self) -> v1::AccruePointsRequest {
        asks::accrue(self.membership, "1")
    }

    async fn write(&self, request: &v1::AccruePointsRequest) -> Result<(), Refusal> {
        let answer = self.client.ledger().accrue_points(request.clone()).await;
        answer.map(|_| ()).map_err(|status| Refusal::from(&status))
    }

    async fn posted(&self) -> u64 {
        balance(self.client, self.membership).await[0].parse().unwrap()
    }

    /// Writes until it is refused: what room was left may take a few.
    async fn exhaust(&mut self) {
        for _ in 0..1_000 {
            match self.write(&self.accrual()).await {
                Ok(()) => self.posted += 1,
                Err(refusal) => return assert_full(&refusal),
            }
        }
        panic!("a disk without room takes a thousand writes");
    }

    /// Tries to write again and again: each try is refused, each read answers what was there before.
    async fn endure(&mut self) -> (Vec<v1::AccruePointsRequest>, u32) {
        let mut refused = Vec::new();
        let mut ticks = tokio::time::interval(TRY_EVERY);
        for _ in 0..TRIES {
            ticks.tick().await;
            let request = self.accrual();
            assert_full(&self.write(&request).await.expect_err("there is no room"));
            refused.push(request);
            assert_eq!(self.posted().await, self.posted, "a refused write left something");
        }
        (refused, TRIES)
    }

    /// Waits until writes are taken again, and asks again for what was refused: each takes effect once.
    async fn recover(&mut self, refused: &[v1::AccruePointsRequest]) -> Duration {
        let began = Instant::now();
        until("writes are taken again", async || self.write(&refused[0]).await.ok()).await;
        let back_after = began.elapsed();
        for request in refused {
            self.write(request).await.unwrap();
            self.write(request).await.unwrap();
        }
        self.posted += u64::try_from(refused.len()).unwrap();
        assert_eq!(self.posted().await, self.posted, "each refused write took effect once, when asked again");
        back_after
    }
}

fn assert_full(refusal: &Refusal) {
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::ResourceExhausted, "STORAGE_FULL"),
        "{refusal}"
    );
}

/// The limit of the size of files that a process writes; `None` for none.
fn limit_files(hub: &Serving, bytes: Option<u64>) {
    let process = Pid::from_raw(i32::try_from(hub.process()).unwrap());
    let before = prlimit(process, Resource::Fsize, Rlimit { current: bytes, maximum: None });
    before.expect("nobody may limit this process: run the tests as the user who owns it, without a hard limit of file sizes");
}

/// Processor time that a process used so far, in ticks of a hundredth of a second.
fn ticks(hub: &Serving) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", hub.process())).unwrap();
    // Behind the name in parentheses: state, parent, …; user and system time are the 12th and 13th from there.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn complaints(hub: &Serving) -> u64 {
    let lines = hub.logged().lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
    u64::try_from(lines).unwrap()
}

/// An exchange whose hold runs out during the fault, so that the sweeper has something to fail at.
async fn hold_briefly(alliance: &Alliance, client: &Client) -> String {
    let [market, airline] = &alliance.people[0];
    client.ledger().accrue_points(asks::accrue(airline, "1000")).await.unwrap();
    let quote = client.exchanges().quote_exchange(asks::quote(airline, market, "100")).await.unwrap();
    let token = quote.into_inner().quote.unwrap().quote_token;
    let answer = client.exchanges().prepare_exchange(asks::prepare(&token, "WEB-1")).await.unwrap();
    answer.into_inner().exchange.unwrap().exchange_id
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_written_reads_go_on_and_service_is_back_by_itself() {
    let (alliance, hub) = Alliance::found().await;
    let data = alliance.data();
    let clients = connect(&hub).await;
    let baby = &alliance.babies[0];
    let mut subject = Subject { client: &clients["babycare"], membership: baby, posted: 0 };
    let held = hold_briefly(&alliance, &clients["airline"]).await;

    limit_files(&hub, Some(LIMIT_BYTES));
    subject.exhaust().await;
    let (before, began) = (complaints(&hub), Instant::now());
    let (refused, reads) = subject.endure().await;
    let (lines, lasted) = (complaints(&hub) - before, began.elapsed());
    let idle = ticks(&hub);
    tokio::time::sleep(IDLE).await;
    let burnt = ticks(&hub) - idle;
    // Not even its log can be written any more.
    limit_files(&hub, Some(0));
    assert_full(&subject.write(&subject.accrual()).await.expect_err("there is no room"));
    assert_eq!(subject.posted().await, subject.posted);
    limit_files(&hub, None);
    let back_after = subject.recover(&refused).await;
    let swept = until("the hold that ran out is written off", async || {
        let answer = clients["airline"].exchanges().get_exchange(asks::get_exchange(&held)).await.unwrap();
        (answer.into_inner().exchange.unwrap().state() == v1::ExchangeState::Expired).then_some(())
    });
    swept.await;
    run_well(&["check", "--data", data.to_str().unwrap()]);
    hub.kill().await;
    let hub = Serving::start_logging(&data, "info").await;
    assert_eq!(balance(&connect(&hub).await["babycare"], baby).await[0], subject.posted.to_string());
    assert_eq!(hub.terminate().await.code(), Some(0));
    run_well(&["check", "--data", data.to_str().unwrap()]);

    let mut figures = Figures::new("crash-limit");
    note(&mut figures, &Ordeal { refused, reads, back_after });
    figures.note("complaints in the log during the fault", format!("{lines} in {} ms", lasted.as_millis()));
    figures.note(
        "processor time of the idle hub during the fault",
        format!("{burnt} ticks in {} s", IDLE.as_secs()),
    );
    figures.publish();
    assert!(back_after < BACK_MAX, "back after {back_after:?}");
    assert!(
        lines > 0 && lines <= LINES_PER_SECOND_MAX * (lasted.as_secs() + 2),
        "{lines} lines in {lasted:?}"
    );
    assert!(burnt <= IDLE_TICKS_MAX, "{burnt} ticks: the hub runs hot while it can write nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_is_told_and_service_is_back_by_itself() {
    let mut figures = Figures::new("crash-full");
    let Some(small) = Small::prepare() else {
        figures.note(
            "a full file system",
            "not shown: this machine lets this user mount none; the limit of file sizes stands for it",
        );
        return figures.publish();
    };
    let hub = small.serve().await;
    let (_, babies) = enrol(&hub).await;
    let clients = connect(&hub).await;
    let mut subject = Subject { client: &clients["babycare"], membership: &babies[0], posted: 0 };
    let folder = small.seen_through(&hub);
    let ballast = folder.join("ballast");
    fill(&ballast);
    subject.exhaust().await;
    let (refused, reads) = subject.endure().await;
    std::fs::remove_file(&ballast).unwrap();
    let back_after = subject.recover(&refused).await;
    // Nothing is under way: the files are those of a hub that was killed now.
    let image = Image::take(&folder.join(DATABASE_FILE));
    open(&image).await;
    assert_eq!(hub.terminate().await.code(), Some(0));
    note(&mut figures, &Ordeal { refused, reads, back_after });
    figures.publish();
    assert!(back_after < BACK_MAX, "back after {back_after:?}");
}

/// Writes a file until the file system has no room.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    let copied = io::copy(&mut io::repeat(0), &mut file);
    assert_eq!(copied.unwrap_err().kind(), io::ErrorKind::StorageFull);
}

fn note(figures: &mut Figures, ordeal: &Ordeal) {
    figures.note("writes refused with STORAGE_FULL, each done once when asked again", ordeal.refused.len());
    figures.note("reads answered during the fault", ordeal.reads);
    figures.note("writes taken again after", format!("{} ms", ordeal.back_after.as_millis()));
}
