//! The hub is killed under load again and again: acknowledged means durable, and what was not answered happens once.
//!
//! A kill comes a few random milliseconds after a random call went out, so that kills meet calls on their way in, in the
//! queue, in their transaction, in the commit's sync, and on their way out. After each, everything that was acknowledged
//! since the last one, and a sample of what was before, is fetched, compared, and asked for again; at the end all of it.
//!
//! `POINTBRIDGE_CRASH_KILLS` says how many kills (50), `POINTBRIDGE_CRASH_SEED` what is thrown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pointbridge::config::DATABASE_FILE;
use tokio::task::JoinSet;

use crate::alliance::{Alliance, Clients, connect};
use crate::asks;
use crate::diary::{Acknowledged, Diary};
use crate::dice::Dice;
use crate::figures::Figures;
use crate::harness::PATIENCE;
use crate::load::{Board, Unanswered, Writer, run, writers};
use crate::program::{Serving, run_well};
use crate::starts::run_and_kill;
use crate::verdict::{Books, Depth, Fate, assert_kept, read_books, settle};
use crate::wal;

const KILLS: u64 = 50;
/// The load runs alone for so long at most before a kill is thought of.
const WARM_MILLIS_MAX: u64 = 200;
/// A kill comes so long after a call went out at most: a call takes about so long.
const DELAY_MICROS_MAX: u64 = 8_000;
/// One start in so many is killed on its way, at most so long after it began.
const START_KILLED_ONE_IN: u64 = 4;
const START_MILLIS_MAX: u64 = 200;
/// How long one start may take on a machine that others use too, and how long half of them take at most.
const READY_MAX: Duration = Duration::from_secs(30);
const READY_MEDIAN_MAX: Duration = Duration::from_secs(5);
/// How many answers of earlier runs are asked for again after each kill.
const SAMPLE: usize = 10;
/// After every so many kills the hub's own proof runs; it reads everything, so that a long trial has it more rarely.
const CHECK_EVERY: u64 = 5;
const CHECKS_MAX: u64 = 100;
/// How many verdicts are asked for at a time.
const LANES: usize = 8;

/// A number from the environment, or the usual one.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// What is counted over all kills.
#[derive(Default)]
struct Tally {
    kills: u64,
    in_flight: u64,
    in_transaction: u64,
    after_commit: u64,
    unanswered: u64,
    had: u64,
    had_not: u64,
    refused: u64,
    ready: Vec<Duration>,
    checks: u64,
    starts: u64,
}

impl Tally {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Had => self.had += 1,
            Fate::HadNot => self.had_not += 1,
            Fate::Refused => self.refused += 1,
        }
    }
}

/// The alliance, its load and its judge.
struct Trial {
    alliance: Alliance,
    diary: Arc<Diary>,
    board: Arc<Board>,
    dice: Dice,
    /// Everything acknowledged so far.
    acknowledged: Vec<Acknowledged>,
    tally: Tally,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_every_kill_and_what_was_not_answered_happens_once() {
    let began = Instant::now();
    let seed = setting("POINTBRIDGE_CRASH_SEED", u64::from(std::process::id()));
    let kills = setting("POINTBRIDGE_CRASH_KILLS", KILLS);
    println_seed(seed);
    let (alliance, mut hub) = Alliance::found().await;
    let diary = Arc::new(Diary::create(&alliance.beside("diary")));
    let mut writers = writers(&alliance, seed);
    let mut trial = Trial {
        alliance,
        diary,
        board: Arc::default(),
        dice: Dice::new(seed),
        acknowledged: Vec::new(),
        tally: Tally::default(),
    };
    let mut clients = connect(&hub).await;
    for _ in 0..kills {
        let (idle, unanswered, fresh) = trial.load_and_kill(hub, writers, &clients).await;
        (hub, clients) = trial.restart().await;
        writers = trial.judge(idle, unanswered, fresh, &clients).await;
        if trial.tally.kills.is_multiple_of(CHECK_EVERY.max(kills / CHECKS_MAX)) {
            trial.check();
        }
    }
    trial.judge_all(&clients).await;
    trial.check();
    assert_eq!(hub.terminate().await.code(), Some(0));
    trial.check();
    trial.publish(seed, began.elapsed());
}

/// The seed is told before anything can fail.
#[expect(clippy::print_stdout, reason = "whoever repeats a failed run needs it")]
fn println_seed(seed: u64) {
    println!("POINTBRIDGE_CRASH_SEED={seed}");
}

impl Trial {
    /// Lets the writers write, and kills the hub in the middle of it.
    async fn load_and_kill(
        &mut self,
        hub: Serving,
        writers: Vec<Writer>,
        clients: &Clients,
    ) -> (Vec<Writer>, BTreeMap<usize, Unanswered>, Vec<Acknowledged>) {
        let mut running = run(writers, clients, &self.board, &self.diary);
        tokio::time::sleep(Duration::from_millis(self.dice.below(WARM_MILLIS_MAX))).await;
        let _ = tokio::time::timeout(PATIENCE, self.board.sent.notified()).await;
        let delay = Duration::from_micros(self.dice.below(DELAY_MICROS_MAX));
        tokio::task::block_in_place(|| std::thread::sleep(delay));
        let killed_at = Instant::now();
        hub.kill().await;
        let (mut idle, mut lost, mut fresh) = (Vec::new(), BTreeMap::new(), Vec::new());
        while let Some(ended) = running.join_next().await {
            let (writer, unanswered, acknowledged) = ended.unwrap();
            if let Some(unanswered) = unanswered {
                lost.insert(idle.len(), unanswered);
            }
            idle.push(writer);
            fresh.extend(acknowledged);
        }
        let tally = &mut self.tally;
        tally.kills += 1;
        tally.in_flight += u64::from(lost.values().any(|lost| lost.sent_at < killed_at));
        let extent = wal::extent(&self.alliance.data().join(DATABASE_FILE));
        tally.in_transaction += u64::from(extent.written > extent.committed);
        tally.unanswered += u64::try_from(lost.len()).unwrap();
        (idle, lost, fresh)
    }

    /// Starts the hub again, some times after a start that is killed, and measures until it answers a partner.
    async fn restart(&mut self) -> (Serving, Clients) {
        if self.dice.one_in(START_KILLED_ONE_IN) {
            let data = self.alliance.data();
            let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
            let after = Duration::from_millis(self.dice.below(START_MILLIS_MAX));
            tokio::task::block_in_place(|| run_and_kill(&arguments, after));
            self.tally.starts += 1;
        }
        let began = Instant::now();
        let hub =
            tokio::time::timeout(READY_MAX, Serving::start_logging(&self.alliance.data(), "info")).await;
        let hub = hub.expect("the hub starts again");
        let clients = connect(&hub).await;
        let (partner, membership) = self.alliance.memberships()[0];
        clients[partner].ledger().get_balance(asks::get_balance(membership)).await.unwrap();
        self.tally.ready.push(began.elapsed());
        (hub, clients)
    }

    /// Judges what the last run left: what was not answered first, then what was acknowledged.
    async fn judge(
        &mut self,
        mut writers: Vec<Writer>,
        lost: BTreeMap<usize, Unanswered>,
        fresh: Vec<Acknowledged>,
        clients: &Clients,
    ) -> Vec<Writer> {
        let books = read_books(&self.alliance, clients, Depth::Newest).await;
        assert_all_kept(fresh.iter().cloned(), clients, &books).await;
        let sample: Vec<Acknowledged> = (0..SAMPLE.min(self.acknowledged.len()))
            .map(|_| self.dice.pick(&self.acknowledged).clone())
            .collect();
        self.acknowledged.extend(fresh);
        let mut had = false;
        for (place, unanswered) in lost {
            let (fate, acknowledged) = settle(&unanswered, clients, &self.diary).await;
            self.tally.count(fate);
            had |= fate == Fate::Had;
            if let Some(acknowledged) = acknowledged {
                writers[place].learn(&acknowledged.call, &acknowledged.answer);
                self.acknowledged.push(acknowledged);
            }
        }
        self.tally.after_commit += u64::from(had);
        for old in &sample {
            crate::verdict::assert_repeated(old, clients).await;
        }
        writers
    }

    /// Judges everything that was ever acknowledged, as the diary on the disk has it, and that nothing else happened.
    async fn judge_all(&mut self, clients: &Clients) {
        let kept = self.diary.read();
        assert_eq!(kept.len(), self.acknowledged.len(), "the diary and what was counted");
        let books = read_books(&self.alliance, clients, Depth::All).await;
        let made = |service: &str| kept.iter().filter(|one| one.call.method.starts_with(service)).count();
        assert_eq!(
            books.len(),
            made("LedgerService/"),
            "one posting per acknowledged accrual and adjustment"
        );
        assert_all_kept(kept.into_iter(), clients, &books).await;
    }

    /// The hub's own proof, beside the hub where it serves.
    fn check(&mut self) {
        run_well(&["check", "--data", self.alliance.data().to_str().unwrap()]);
        self.tally.checks += 1;
    }

    fn publish(&mut self, seed: u64, took: Duration) {
        let tally = &mut self.tally;
        tally.ready.sort();
        let median = tally.ready[tally.ready.len() / 2];
        let worst = tally.ready[tally.ready.len() - 1];
        let mut figures = Figures::new("crash-kills");
        figures.note("seed", seed);
        figures.note("kills (SIGKILL)", tally.kills);
        figures.note("of them with a write sent and not answered", tally.in_flight);
        figures.note("of them after a commit and before its answer", tally.after_commit);
        figures.note("of them in the middle of a transaction's frames", tally.in_transaction);
        figures.note("acknowledged answers, all there and the same again", self.acknowledged.len());
        figures.note("refusals by the rules", self.board.refused.load(Ordering::SeqCst));
        figures.note("calls without an answer", tally.unanswered);
        figures.note("of them had taken effect before the replay", tally.had);
        figures.note("of them took effect with the replay", tally.had_not);
        figures.note("of them refused at the replay, without effect", tally.refused);
        figures.note("starts killed on their way, beside those", tally.starts);
        figures.note("ready again, median", format!("{} ms", median.as_millis()));
        figures.note("ready again, worst", format!("{} ms", worst.as_millis()));
        figures.note("proofs of the books", tally.checks);
        figures.note("whole test", format!("{} s", took.as_secs()));
        figures.publish();
        assert!(tally.in_flight * 5 >= tally.kills * 4, "too few kills met a write in flight");
        assert!(tally.had > 0 && tally.had_not > 0, "the kills met one side of the commit only");
        assert!(median < READY_MEDIAN_MAX, "ready again after {median:?}");
    }
}

async fn assert_all_kept(kept: impl Iterator<Item = Acknowledged>, clients: &Clients, books: &Books) {
    let books = Arc::new(books.clone());
    let mut lanes = JoinSet::new();
    for one in kept {
        if lanes.len() >= LANES {
            lanes.join_next().await.unwrap().unwrap();
        }
        let (clients, books) = (clients.clone(), Arc::clone(&books));
        lanes.spawn(async move { assert_kept(&one, &clients, &books).await });
    }
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
}
