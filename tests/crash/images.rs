//! Images of the files in the middle of the load, with their unsynced tails cut, zeroed or spoilt: what was acknowledged is in
//! every one of them.
//!
//! SIGKILL cannot show that a sync is missing, because the system keeps what was written. Here the hub is stopped (SIGSTOP) in
//! the middle of a burst and its files are copied. Whatever it had acknowledged when the burst began was synced, so that it must
//! survive the loss of every byte of the log that was written since, from any byte on; and what it had acknowledged when it was
//! stopped must survive the loss of what lies behind the last commit. That every commit is synced is not seen from here: the
//! store reads back from SQLite at its start that it is, and refuses to start otherwise.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::HEXLOWER;
use pointbridge::config::DATABASE_FILE;
use pointbridge_store_sqlite::{Options, SqliteStore, system_clock};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::alliance::{Alliance, connect};
use crate::diary::{Acknowledged, Diary};
use crate::dice::Dice;
use crate::figures::Figures;
use crate::harness::{PATIENCE, until};
use crate::load::{Board, run, writers};
use crate::program::Serving;
use crate::verdict::assert_repeated;
use crate::wal::{self, Extent};

/// How many times the hub is stopped; each stop gives one image as it is and one with a spoilt tail.
const STOPS: usize = 12;
/// A burst is stopped so long after one of its calls went out at most.
const BURST_MICROS_MAX: u64 = 40_000;

/// What happens to the bytes of the log that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    Cut,
    Zeroed,
    Spoilt,
}

/// The files of a stopped hub.
pub(crate) struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Image {
    pub(crate) fn take(database: &Path) -> Self {
        let log = std::fs::read(wal::path(database)).unwrap_or_default();
        Self { database: std::fs::read(database).unwrap(), log }
    }

    /// The image with its log harmed from `from` on.
    fn harmed(&self, harm: Harm, from: usize, dice: &mut Dice) -> Self {
        let mut log = self.log.clone();
        match harm {
            Harm::Cut => log.truncate(from),
            Harm::Zeroed => log[from..].fill(0),
            Harm::Spoilt => {
                log[from..].iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).unwrap());
            }
        }
        Self { database: self.database.clone(), log }
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let database = folder.join(DATABASE_FILE);
        std::fs::write(&database, &self.database).unwrap();
        std::fs::write(wal::path(&database), &self.log).unwrap();
        database
    }
}

/// Opens an image, proves its books, and answers with the ids of the requests that it holds.
pub(crate) async fn open(image: &Image) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = image.write(folder.path());
    let options = Options {
        path: path.clone(),
        clock: system_clock().unwrap(),
        statement_hook: None,
        readers: 1,
        migrate: false,
    };
    let store = SqliteStore::open(options).await.unwrap();
    let report = pointbridge_check::run(&store).await.unwrap();
    assert!(report.is_clean(), "{:#}", report.to_json());
    store.close().await;
    let pool =
        SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let sound: String = sqlx::query("pragma integrity_check").fetch_one(&pool).await.unwrap().get(0);
    assert_eq!(sound, "ok");
    let rows = sqlx::query("select request_id from request").fetch_all(&pool).await.unwrap();
    pool.close().await;
    rows.iter().map(|row| HEXLOWER.encode(&row.get::<Vec<u8>, _>(0))).collect()
}

fn ids(acknowledged: &[Acknowledged]) -> BTreeSet<String> {
    acknowledged.iter().map(|one| one.call.request_id()).collect()
}

fn assert_holds(found: &BTreeSet<String>, acknowledged: &BTreeSet<String>, what: &str) {
    let lost: Vec<&String> = acknowledged.difference(found).collect();
    assert!(lost.is_empty(), "{what}: {} of {} acknowledged are lost", lost.len(), acknowledged.len());
}

/// What is counted over all images.
#[derive(Default)]
struct Tally {
    images: usize,
    bytes_lost: usize,
    commits_lost: usize,
    harms: BTreeSet<Harm>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_every_image_whatever_became_of_the_unsynced_tail() {
    let (alliance, hub) = Alliance::found().await;
    let diary = Arc::new(Diary::create(&alliance.beside("diary")));
    let database = alliance.data().join(DATABASE_FILE);
    let seed = u64::from(std::process::id());
    let mut dice = Dice::new(seed);
    let mut writers = writers(&alliance, seed);
    let clients = connect(&hub).await;
    let mut tally = Tally::default();
    for stop in 0..STOPS {
        let board = Arc::new(Board::default());
        // Nothing is under way: all that the log holds was acknowledged, and so was synced.
        let (before, synced) = (diary.read(), wal::extent(&database));
        let mut running = run(writers, &clients, &board, &diary);
        let _ = tokio::time::timeout(PATIENCE, board.sent.notified()).await;
        tokio::task::block_in_place(|| {
            std::thread::sleep(Duration::from_micros(dice.below(BURST_MICROS_MAX)));
        });
        let (acknowledged, image) = stopped(&hub, &diary, &database).await;
        board.enough.store(true, Ordering::SeqCst);
        writers = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (writer, unanswered, _) = ended.unwrap();
            assert!(unanswered.is_none(), "a hub that was stopped for a moment lost a call: {unanswered:?}");
            writers.push(writer);
        }
        let harm = [Harm::Cut, Harm::Zeroed, Harm::Spoilt][stop % 3];
        inspect(&image, (ids(&before), synced), ids(&acknowledged), harm, (&mut dice, &mut tally)).await;
    }
    for one in diary.read() {
        assert_repeated(&one, &clients).await;
    }
    assert_eq!(hub.terminate().await.code(), Some(0));
    publish(&tally, diary.read().len());
}

/// Stops the hub, copies its files, and lets it go on; answers with what was acknowledged before, too.
async fn stopped(hub: &Serving, diary: &Diary, database: &Path) -> (Vec<Acknowledged>, Image) {
    let process = Pid::from_raw(i32::try_from(hub.process()).unwrap()).unwrap();
    let acknowledged = diary.read();
    kill_process(process, Signal::STOP).unwrap();
    until("every thread of the hub stands still", async || all_stand(hub.process()).then_some(())).await;
    let image = tokio::task::block_in_place(|| Image::take(database));
    kill_process(process, Signal::CONT).unwrap();
    (acknowledged, image)
}

/// Whether no thread of a process runs: the letter behind its name in parentheses says so.
fn all_stand(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut states =
        threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap());
    states.all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
}

/// Opens an image as it is, with the bytes behind its last commit harmed, and with a random part of the burst harmed.
async fn inspect(
    image: &Image,
    (before, synced): (BTreeSet<String>, Extent),
    acknowledged: BTreeSet<String>,
    harm: Harm,
    (dice, tally): (&mut Dice, &mut Tally),
) {
    let whole = open(image).await;
    assert_holds(&whole, &acknowledged, "the image as it is");
    let extent = Extent::of(&image.log);
    let tailless = image.harmed(harm, extent.committed, dice);
    assert_holds(&open(&tailless).await, &acknowledged, "the image without what lies behind the last commit");
    // A log that began again has moved all earlier commits into the database, and synced that.
    let floor = if extent.salts == synced.salts { synced.committed } else { 0 };
    let room = extent.written.saturating_sub(floor);
    let from = floor + usize::try_from(dice.below(u64::try_from(room).unwrap() + 1)).unwrap();
    let found = open(&image.harmed(harm, from, dice)).await;
    assert_holds(&found, &before, &format!("the image, {harm:?} from byte {from} of {}", image.log.len()));
    tally.images += 3;
    tally.bytes_lost += extent.written - from;
    tally.commits_lost += usize::from(found.len() < whole.len());
    tally.harms.insert(harm);
}

fn publish(tally: &Tally, acknowledged: usize) {
    let mut figures = Figures::new("crash-images");
    figures.note("images opened, each with its books proved and its pages checked", tally.images);
    figures.note("kinds of harm to what was not synced", format!("{:?}", tally.harms));
    figures.note("bytes of log lost in all", tally.bytes_lost);
    figures.note("images in which a commit that nobody had to keep was lost", tally.commits_lost);
    figures.note("acknowledged answers", acknowledged);
    figures.publish();
    assert!(tally.images >= 20 && tally.commits_lost > 0, "nothing was lost: the test proves nothing");
}
