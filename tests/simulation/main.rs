//! A simulation: random commands from a seed, through the reference store and a database at once, which must agree on all.
//!
//! After every batch both give the same answers, to the byte; at the end both hold the same rows, and the independent check
//! finds nothing. A failure names its seed; `POINTBRIDGE_SEED=<seed>` runs that one alone.
//!
//! Absent on purpose: faults of the machine, which need a process to kill.
#![cfg(test)]

mod acts;
mod cast;
#[path = "../postgres/cluster.rs"]
mod cluster;
mod dice;

use std::sync::Arc;

use pointbridge_core::command::{Answer, Envelope};
use pointbridge_core::ids::WindowId;
use pointbridge_core::rejection::Reason;
use pointbridge_core::time::Timestamp;
use pointbridge_store::{AuditRow, ExchangeFilter, Page, Scope, Store, Views};
use pointbridge_store_sqlite::{Options, SqliteStore};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::Hub;
use pointbridge_tests::memory::{FirstWindow, MemoryStore};
use pointbridge_tests::script::run;

use cast::Cast;
use dice::Dice;

/// The seeds of every run.
const SEEDS: [u64; 4] = [1, 2, 3, 5];
/// Batches per seed.
const BATCHES: usize = 60;
/// The most commands of a batch.
const BATCH_COMMANDS_MAX: u64 = 24;

#[tokio::test]
async fn both_stores_agree_on_everything() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |seed: u64, clock: &Clock| {
        let options = Options {
            path: folder.path().join(format!("{seed}.db")),
            clock: clock.reader(),
            statement_hook: None,
            readers: 1,
            migrate: true,
        };
        SqliteStore::open(options).await.unwrap()
    };
    let named = named();
    let (mut reversed, mut spent) = (0, 0);
    for seed in named.map_or_else(|| SEEDS.to_vec(), |seed| vec![seed]) {
        let clock = Clock::default();
        let outcomes = play(seed, open(seed, &clock).await, clock).await;
        reversed += outcomes.reversed;
        spent += outcomes.spent;
    }
    let is_dull = named.is_none() && (reversed < 30 || spent < 1);
    assert!(!is_dull, "{reversed} reversed, {spent} too late: too dull plays");
}

/// Fewer plays than on the other database: what is compared are the dialects, and each way there and back takes its time.
#[tokio::test]
async fn the_reference_and_postgres_agree_on_everything() {
    for seed in named().map_or_else(|| SEEDS[..2].to_vec(), |seed| vec![seed]) {
        let clock = Clock::default();
        let (store, _database) = cluster::store(clock.reader(), None).await;
        play(seed, store, clock).await;
    }
}

fn named() -> Option<u64> {
    std::env::var("POINTBRIDGE_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"))
}

async fn play<S: Store>(seed: u64, database: S, clock: Clock) -> Outcomes {
    // Shown with a failure only.
    eprintln!("POINTBRIDGE_SEED={seed}");
    let memory = MemoryStore::with_window(clock.reader(), first_window(&database).await);
    let hub = Hub::new(memory, clock);
    let mut dice = Dice::new(seed);
    let mut cast = Cast::default();
    let mut outcomes = Outcomes::default();
    for step in 0..acts::OPENING_STEPS {
        let batch = acts::opening(&hub, &cast, step);
        cast.learn(&batch, &both(&hub, &database, &batch).await);
    }
    for _ in 0..BATCHES {
        acts::pass_time(&mut dice, &hub.clock);
        let mut batch = Vec::new();
        for _ in 0..=dice.below(BATCH_COMMANDS_MAX) {
            batch.extend(acts::act(&mut dice, &hub, &cast));
        }
        batch.extend(acts::what_is_due(&mut dice, &hub).await);
        let answers = both(&hub, &database, &batch).await;
        outcomes.count(&answers);
        cast.learn(&batch, &answers);
        compare_views(&mut dice, &hub.store, &database, &cast).await;
    }
    finish(&hub, &database).await;
    outcomes.check();
    outcomes
}

/// The window that the database made for itself.
async fn first_window(database: &impl Store) -> FirstWindow {
    let mut window = None;
    let mut visit = |row| {
        if let AuditRow::Window { window_id, opens_at, .. } = row {
            window = Some((window_id, opens_at));
        }
    };
    database.audit(&mut visit).await.unwrap();
    let (window_id, opens_at) = window.expect("a new database has its first window");
    let window_id: WindowId = window_id.parse().unwrap();
    FirstWindow { window_id, opens_at: Timestamp::from_micros(opens_at).unwrap() }
}

/// Runs a batch through both stores.
async fn both(hub: &Hub<MemoryStore>, database: &impl Store, batch: &[Arc<Envelope>]) -> Vec<Answer> {
    let expected = hub.try_run(batch).await;
    let found = run(database, batch).await;
    assert_eq!(expected, found, "the reference on the left");
    found.unwrap()
}

/// Compares what is read about a few things.
async fn compare_views(dice: &mut Dice, memory: &MemoryStore, database: &impl Store, cast: &Cast) {
    assert_eq!(memory.due(5).await, database.due(5).await);
    let member = dice.pick(&cast.members);
    let scope = if dice.one_in(2) { Scope::All } else { Scope::Partner(dice.pick(&cast.partners).clone()) };
    let id = member.id;
    let size = 1 + u32::try_from(dice.below(20)).unwrap();
    assert_eq!(memory.balance(&scope, id).await, database.balance(&scope, id).await);
    let page = Page { after: None, size };
    assert_eq!(memory.lots(&scope, id, &page).await, database.lots(&scope, id, &page).await);
    let page = Page { after: None, size };
    assert_eq!(memory.postings(&scope, id, &page).await, database.postings(&scope, id, &page).await);
    let page = Page { after: None, size };
    assert_eq!(memory.consents(&scope, id, &page).await, database.consents(&scope, id, &page).await);
    let other = dice.pick(&cast.members).id;
    assert_eq!(memory.quote(&scope, id, other).await, database.quote(&scope, id, other).await);
    let filter = ExchangeFilter { membership_id: Some(id), ..ExchangeFilter::default() };
    let page = Page { after: cast.exchanges.last().map(|made| made.id), size };
    assert_eq!(
        memory.exchanges(&scope, &filter, &page).await,
        database.exchanges(&scope, &filter, &page).await
    );
    if let Some(made) = cast.exchanges.last() {
        assert_eq!(memory.exchange(&scope, made.id).await, database.exchange(&scope, made.id).await);
        let before = &cast.exchanges[cast.exchanges.len() / 2];
        assert_eq!(memory.exchange(&scope, before.id).await, database.exchange(&scope, before.id).await);
    }
}

/// Lets time end what is open, compares every row, and lets the check look at both.
async fn finish(hub: &Hub<MemoryStore>, database: &impl Store) {
    hub.clock.move_by(4000);
    loop {
        let batch = acts::all_that_is_due(hub).await;
        if batch.is_empty() {
            break;
        }
        both(hub, database, &batch).await;
    }
    let mut found = Vec::new();
    database.audit(&mut |row| found.push(row)).await.unwrap();
    let expected = hub.rows().await;
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "the reference on the left");
    }
    assert_eq!(expected.len(), found.len());
    for report in [pointbridge_check::run(&hub.store).await, pointbridge_check::run(database).await] {
        let report = report.unwrap();
        assert!(report.is_clean(), "{:#}", report.to_json());
    }
}

/// What a play came to, so that one in which nothing happens does not pass.
#[derive(Default)]
struct Outcomes {
    done: usize,
    refused: usize,
    /// Reversals that were done, and those that came too late for the points.
    reversed: usize,
    spent: usize,
}

impl Outcomes {
    fn count(&mut self, answers: &[Answer]) {
        self.done += answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
        self.refused += answers.iter().filter(|answer| matches!(answer, Answer::Refused(_))).count();
        let is_reversal =
            |answer: &&Answer| matches!(answer, Answer::Done(record) if record.reversal().is_some());
        self.reversed += answers.iter().filter(is_reversal).count();
        let is_spent = |answer: &&Answer| matches!(answer, Answer::Refused(refusal) if refusal.reason == Reason::PointsSpent);
        self.spent += answers.iter().filter(is_spent).count();
    }

    fn check(&self) {
        let (done, refused) = (self.done, self.refused);
        assert!(done > BATCHES * 2 && refused > BATCHES, "{done} done, {refused} refused: too dull a play");
    }
}
