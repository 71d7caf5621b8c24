//! Every attack on one hub, one after the other, with a bystander beside each: its calls are served, the hub stays small,
//! and when the attack is over everything is as it was before.
//!
//! The long form repeats each attack for a while, and compares the bystander beside it with one beside a neutral load.

use std::time::{Duration, Instant};

use crate::attacks::Attack;
use crate::bystander::Bystander;
use crate::figures::{LONG, Meter, Row, print, print_head};
use crate::form::{Form, form};
use crate::hub::Hub;
use crate::line::{ELSEWHERE, Identity};
use crate::stage::{BABYCARE, MARKET, Stage};

/// The most resident memory that the hub may take under any attack, in MiB. A debug build at rest has about 40; connections
/// and streams at their bounds come on top.
const PEAK_MIB_MAX: u64 = 512;
/// How long the hub may take to be as before once an attack is over.
const RECOVERY: Duration = Duration::from_secs(30);
/// Files that may be open beyond those at the start: the database's readers open theirs when they are first needed.
const FILES_MORE: usize = 12;
/// In the short form one burst is enough, but the bystander must have made some calls beside it.
const SHORT: Duration = Duration::from_millis(600);
const CALLS_MIN: usize = 20;

/// Goes on with an attack until its time is over.
async fn assault(stage: &Stage, attack: Attack, enemy: &Identity) -> Row {
    let lasting = if form() == Form::Long { LONG } else { SHORT };
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    bystander.has_met(1).await;
    let meter = Meter::begin(stage);
    let (mut bursts, mut cut) = (0, 0);
    while bursts == 0 || meter.elapsed() < lasting {
        cut += usize::from(attack.burst(enemy).await);
        bursts += 1;
    }
    let load = meter.load(stage);
    bystander.has_met(CALLS_MIN).await;
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
    assert!(
        experience.served.len() >= CALLS_MIN,
        "{attack:?}: the bystander made {} calls",
        experience.served.len()
    );
    assert!(row.peak_mib < PEAK_MIB_MAX, "{attack:?}: {} MiB", row.peak_mib);
    if attack.must_be_cut() {
        assert_eq!(cut, bursts, "{attack:?}: the hub let it go on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_every_flood_others_are_served_and_the_hub_stays_small_and_recovers() {
    let mut stage = Stage::open().await;
    let enemy = stage.identity(MARKET).from(ELSEWHERE);
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    bystander.has_met(CALLS_MIN).await;
    assert!(bystander.end().await.failed.is_empty());
    let files = stage.hub.files();
    print_head();
    for attack in Attack::chosen() {
        let row = assault(&stage, attack, &enemy).await;
        recovered(&mut stage.hub, &row.attack, files, &enemy).await;
        print(&stage, &row).await;
        judge(&row, attack);
    }
    stage.hub.settle().await;
}
