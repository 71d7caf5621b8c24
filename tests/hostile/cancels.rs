//! Ten thousand calls that their caller drops after 1 to 30 ms, reads and writes: a bystander is served meanwhile, and each
//! write, asked for again under its request id, has had or now gets exactly one effect.

use std::time::Duration;

use pointbridge_client::v1;
use prost::Message;
use tokio::task::JoinSet;

use crate::asks;
use crate::bystander::Bystander;
use crate::dice::Dice;
use crate::figures::{Meter, Row, print, print_head};
use crate::judge;
use crate::line::{ELSEWHERE, Identity, Line};
use crate::stage::{BABYCARE, MARKET, Stage};
use crate::state::Witness;

const ACCRUE: &str = "/pointbridge.v1.LedgerService/AccruePoints";
const BALANCE: &str = "/pointbridge.v1.LedgerService/GetBalance";
/// How many calls are to be cut short, about, and how many are made for that at most: on a quick machine some are answered.
const CUTS: usize = 10_000;
const CALLS_MAX: usize = 40_000;
/// How many of them are under way at a time, on how many connections: below what a partner may have.
const AT_A_TIME: usize = 192;
const LINES: usize = 48;
/// How many writes are asked for again at a time, and on how many connections.
const REPLAYS_AT_A_TIME: usize = 64;
const REPLAY_LINES: usize = 4;
/// The most resident memory, in MiB.
const PEAK_MIB_MAX: u64 = 512;

/// How a call that was to be cut short ended.
enum End {
    Answered,
    Cut,
    /// The hub had enough of the resets on this connection, and ended it.
    Broken(usize),
}

/// Sends a call on one of the lines and drops it.
async fn cut_short(at: usize, line: Line, path: &'static str, message: Vec<u8>, after: Duration) -> End {
    match tokio::time::timeout(after, line.call(path, &message)).await {
        Ok(Ok(answer)) => {
            judge::assert_fair(&|| path.to_owned(), &answer);
            End::Answered
        }
        Ok(Err(_)) => End::Broken(at),
        Err(_) => End::Cut,
    }
}

/// What the calls came to.
#[derive(Default)]
struct Storm {
    writes: Vec<Vec<u8>>,
    answered: usize,
    cut: usize,
    broken: usize,
}

impl Storm {
    async fn note(&mut self, end: End, enemy: &Identity, lines: &mut [Line]) {
        match end {
            End::Answered => self.answered += 1,
            End::Cut => self.cut += 1,
            End::Broken(at) => {
                self.broken += 1;
                lines[at] = enemy.line().await;
            }
        }
    }
}

/// Makes calls until ten thousand were cut short.
async fn storm(stage: &Stage, enemy: &Identity, lines: &mut [Line]) -> Storm {
    let mut dice = Dice::new(30);
    let read = asks::get_balance(&stage.li).encode_to_vec();
    let (mut storm, mut under_way) = (Storm::default(), JoinSet::new());
    for number in 0..CALLS_MAX {
        let after = Duration::from_micros(1_000 + dice.below(29_000));
        let (path, message) = if number % 2 == 0 {
            let write = asks::accrue(&stage.li, "1").encode_to_vec();
            storm.writes.push(write.clone());
            (ACCRUE, write)
        } else {
            (BALANCE, read.clone())
        };
        let at = number % lines.len();
        under_way.spawn(cut_short(at, lines[at].clone(), path, message, after));
        if under_way.len() >= AT_A_TIME {
            let end = under_way.join_next().await.unwrap().unwrap();
            storm.note(end, enemy, lines).await;
        }
        if storm.cut + under_way.len() >= CUTS {
            break;
        }
    }
    while let Some(end) = under_way.join_next().await {
        storm.note(end.unwrap(), enemy, lines).await;
    }
    storm
}

async fn connect(enemy: &Identity, count: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..count {
        lines.push(enemy.line().await);
    }
    lines
}

/// Asks for every write again, until it is served.
async fn replay(lines: &[Line], writes: Vec<Vec<u8>>) {
    let mut under_way = JoinSet::new();
    for (number, write) in writes.into_iter().enumerate() {
        let line = lines[number % lines.len()].clone();
        under_way.spawn(async move {
            let answer = judge::call(&line, ACCRUE, &write, &|| "a replay".to_owned()).await;
            assert!(answer.is_ok(), "{answer:?}");
        });
        if under_way.len() >= REPLAYS_AT_A_TIME {
            under_way.join_next().await.unwrap().unwrap();
        }
    }
    under_way.join_all().await;
}

async fn posted(stage: &Stage, line: &Line) -> i64 {
    let message = asks::get_balance(&stage.li).encode_to_vec();
    let answer = judge::call(line, BALANCE, &message, &|| "the balance".to_owned()).await;
    let balance = v1::GetBalanceResponse::decode(answer.message.as_slice()).unwrap().balance.unwrap();
    balance.posted.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_calls_cut_short_each_write_has_exactly_one_effect() {
    let mut stage = Stage::open().await;
    let enemy = stage.identity(MARKET).from(ELSEWHERE);
    let mut lines = connect(&enemy, LINES).await;
    let mut witness = Witness::of(&stage.hub.data.database()).await;
    let before = posted(&stage, &lines[0]).await;
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    let meter = Meter::begin(&stage);
    let storm = storm(&stage, &enemy, &mut lines).await;
    let (lasted, load) = (meter.elapsed(), meter.load(&stage));
    let experience = bystander.end().await;
    // The hub may be about to end any of those that calls were cut short on.
    let lines = connect(&enemy, REPLAY_LINES).await;
    let peak_mib = stage.hub.peak_mib();
    assert!(experience.failed.is_empty(), "the bystander failed: {:?}", experience.failed);
    let (done, sent) = (witness.look().await.requests, storm.writes.len());
    replay(&lines, storm.writes).await;
    let replayed = witness.look().await.requests - done;
    println!(
        "{} calls cut short in {lasted:?}, {} answered, {} lost with connections that the hub ended; of {sent} writes \
         {replayed} took effect only when asked again",
        storm.cut, storm.answered, storm.broken
    );
    let row = Row { attack: "Cancels".to_owned(), bursts: 1, cut: storm.broken, experience, load, peak_mib };
    print_head();
    print(&stage, &row).await;
    assert!(storm.cut > CUTS / 10, "only {} calls were cut short: the test proves little", storm.cut);
    assert_eq!(posted(&stage, &lines[0]).await - before, i64::try_from(sent).unwrap(), "one effect each");
    assert!(peak_mib < PEAK_MIB_MAX, "{peak_mib} MiB");
    witness.leave().await;
    stage.hub.assert_sound();
    stage.hub.settle().await;
}
