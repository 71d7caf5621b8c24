//! The hub is told to end while it is attacked: it ends well and in time, and every write that it acknowledged is there when
//! it comes back.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::attacks::{Attack, WITHHELD, begun_calls};
use crate::bystander::Bystander;
use crate::hub::Hub;
use crate::judge;
use crate::line::{ELSEWHERE, Identity};
use crate::stage::{BABYCARE, MARKET, Stage};

const ACCRUE: &str = "/pointbridge.v1.LedgerService/AccruePoints";
/// How long the hub may take to end.
const END_MAX: Duration = Duration::from_secs(35);
/// Connections on which calls are begun and never ended, until after the hub's end.
const CONNECTIONS_HELD: usize = 16;
/// How many calls, half of them writes, the bystander has made before the hub is told to end.
const CALLS_BEFORE: usize = 100;
/// What goes on meanwhile, each again and again.
const ATTACKS: [Attack; 5] =
    [Attack::RapidReset, Attack::PingFlood, Attack::SilentTcp, Attack::StalledHandshake, Attack::HeaderBomb];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_told_to_end_under_attack_ends_in_time_and_loses_nothing_acknowledged() {
    let stage = Stage::open().await;
    let enemy = stage.identity(MARKET).from(ELSEWHERE);
    let held = begun_calls(&enemy, CONNECTIONS_HELD, &[], WITHHELD).await.unwrap();
    let mut attackers = JoinSet::new();
    for attack in ATTACKS {
        let enemy = enemy.clone();
        attackers.spawn(async move {
            loop {
                attack.burst(&enemy).await;
                // A port that is closed answers at once.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
    let bystander = Bystander::begin(stage.identity(BABYCARE), stage.ids[2].clone());
    bystander.has_met(CALLS_BEFORE).await;
    let (ended, took, data) = stage.hub.terminate().await;
    attackers.shutdown().await;
    drop(held);
    let experience = bystander.end().await;
    println!("ended after {took:?} with {ended}; {} writes were acknowledged", experience.acknowledged.len());
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(took <= END_MAX, "{took:?}");
    assert!(
        experience.acknowledged.len() >= CALLS_BEFORE / 2 - 1,
        "{} writes",
        experience.acknowledged.len()
    );

    data.assert_books_hold();
    let hub = Hub::start(data).await;
    let line = Identity::read(&hub.data.pki(), BABYCARE, hub.address).line().await;
    for (write, answer) in experience.acknowledged {
        let again = judge::call(&line, ACCRUE, &write, &|| "an acknowledged write".to_owned()).await;
        assert!(again.is_ok() && again.message == answer, "the answer is another one now: {again:?}");
    }
    hub.settle().await;
}
