//! Every attack on one hub, one after the other, with a bystander beside each: its calls are served, the hub stays small,
//! and when the attack is over everything is as it was before.
//!
//! The long form repeats each attack for a while and compares the bystander's slowest hundredth with that beside a neutral
//! load: threads that do nothing but burn as much processor time as attacker and hub did.

use std::time::{Duration, Instant};

use crate::attacks::Attack;
use crate::bystander::{Bystander, Experience};
use crate::form::{Form, form};
use crate::hub::{Hub, own_processor_time};
use crate::line::{ELSEWHERE, Identity};
use crate::stage::{BABYCARE, MARKET, Stage};

/// The most resident memory that the hub may take under any attack, in MiB. A debug build at rest has about 40; connections
/// and streams at their bounds come on top.
const PEAK_MIB_MAX: u64 = 512;
/// How long the hub may take to be as before once an attack is over.
const RECOVERY: Duration = Duration::from_secs(30);
/// Files that may be open beyond those at the start: the database's readers open theirs when they are first needed.
const FILES_MORE: usize = 12;
/// How long an attack goes on in the long form, and the load that it is compared with.
const LONG_ATTACK: Duration = Duration::from_secs(20);
/// In the short form one burst is enough, but the bystander must have made some calls beside it.
const SHORT_ATTACK: Duration = Duration::from_millis(900);
/// The slice of time in which a burning thread works and rests.
const SLICE: Duration = Duration::from_millis(10);

/// What an attack did.
struct Row {
    attack: String,
    bursts: usize,
    cut: usize,
    experience: Experience,
    /// Processor time that attacker, bystander and hub used, per second.
    load: f64,
    peak_mib: u64,
}

/// Goes on with an attack until its time is over.
async fn assault(stage: &Stage, attack: Attack, enemy: &Identity) -> Row {
    let lasting = if form() == Form::Long { LONG_ATTACK } else { SHORT_ATTACK };
    stage.hub.forget_peak();
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    let (began, used) = (Instant::now(), stage.hub.processor_time() + own_processor_time());
    let (mut bursts, mut cut) = (0, 0);
    while bursts == 0 || began.elapsed() < lasting {
        cut += usize::from(attack.burst(enemy).await);
        bursts += 1;
    }
    let used = stage.hub.processor_time() + own_processor_time() - used;
    let load = used.as_secs_f64() / began.elapsed().as_secs_f64();
    let experience = bystander.end().await;
    Row { attack: format!("{attack:?}"), bursts, cut, experience, load, peak_mib: stage.hub.peak_mib() }
}

/// Holds that the hub is as before: it has given back what it had opened, and serves whoever attacked it.
async fn recovered(hub: &mut Hub, what: &str, files: usize, enemy: &Identity) {
    let began = Instant::now();
    while hub.files() > files + FILES_MORE {
        let open = hub.files();
        assert!(began.elapsed() < RECOVERY, "{what}: {open} files are open, {files} were at the start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let served = async {
        let line = enemy.line().await;
        line.call("/pointbridge.v1.PartnerService/ListPartners", &[]).await
    };
    let answer = tokio::time::timeout(RECOVERY, served).await.unwrap_or_else(|_| panic!("{what}: silence"));
    let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(answer.is_ok(), "{what}: {answer:?}");
    hub.assert_sound();
}

fn judge(row: &Row, attack: Attack) {
    let Row { experience, bursts, cut, .. } = row;
    assert!(experience.failed.is_empty(), "{attack:?}: the bystander failed: {:?}", experience.failed);
    assert!(experience.served.len() > 10, "{attack:?}: the bystander made {} calls", experience.served.len());
    assert!(row.peak_mib < PEAK_MIB_MAX, "{attack:?}: {} MiB", row.peak_mib);
    if attack.must_be_cut() {
        assert_eq!(cut, bursts, "{attack:?}: the hub let it go on");
    }
}

/// Burns processor time on threads of this process while a bystander calls; answers with what the bystander met.
async fn neutral(stage: &Stage, load: f64) -> Experience {
    let until = Instant::now() + LONG_ATTACK;
    let threads = load.ceil().max(1.0);
    let share = SLICE.mul_f64((load / threads).min(1.0));
    let burners: Vec<_> = (0..threads as usize)
        .map(|_| {
            std::thread::spawn(move || {
                while Instant::now() < until {
                    let slice = Instant::now();
                    while slice.elapsed() < share {
                        std::hint::spin_loop();
                    }
                    std::thread::sleep(SLICE.saturating_sub(slice.elapsed()));
                }
            })
        })
        .collect();
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    tokio::time::sleep(LONG_ATTACK).await;
    let experience = bystander.end().await;
    for burner in burners {
        burner.join().unwrap();
    }
    experience
}

fn print_head() {
    println!(
        "| attack | bursts | cut off | calls | failed | p50 ms | p99 ms | neutral p99 ms | ratio | cores | peak MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

fn print(row: &Row, neutral: Option<&Experience>) {
    let ms = |micros: u128| format!("{}.{:02}", micros / 1000, micros % 1000 / 10);
    let (p50, p99) = (row.experience.percentile(50), row.experience.percentile(99));
    let beside = neutral.map(|experience| experience.percentile(99).max(1));
    let hundredths = beside.map(|beside| p99 * 100 / beside);
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {} |",
        row.attack,
        row.bursts,
        row.cut,
        row.experience.served.len(),
        row.experience.failed.len(),
        ms(p50),
        ms(p99),
        beside.map_or_else(|| "-".to_owned(), ms),
        hundredths.map_or_else(|| "-".to_owned(), |ratio| format!("{}.{:02}", ratio / 100, ratio % 100)),
        row.load,
        row.peak_mib,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_every_flood_others_are_served_and_the_hub_stays_small_and_recovers() {
    let mut stage = Stage::open().await;
    let enemy = stage.identity(MARKET).from(ELSEWHERE);
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    tokio::time::sleep(SHORT_ATTACK).await;
    assert!(bystander.end().await.failed.is_empty());
    let files = stage.hub.files();
    print_head();
    for attack in Attack::ALL {
        let row = assault(&stage, attack, &enemy).await;
        recovered(&mut stage.hub, &row.attack, files, &enemy).await;
        let neutral = if form() == Form::Long { Some(neutral(&stage, row.load).await) } else { None };
        print(&row, neutral.as_ref());
        judge(&row, attack);
    }
    stage.hub.settle().await;
}
