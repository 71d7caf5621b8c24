//! What a partner may ask for at a time, on the real program: who floods is refused and told when to come back, and everybody
//! else is served as if there were no flood.

use std::path::Path;
use std::time::Duration;

use pointbridge_client::{Client, Refusal, v1};
use prost::Message;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tonic::{Code, Request, Status};

use crate::asks;
use crate::harness::until;
use crate::program::{Serving, bootstrap, issue_partner};
use crate::raw::{begin, full};
use crate::scene::{balance, member, program};

/// The program with two partners that have a membership each.
struct Stage {
    folder: TempDir,
    hub: Serving,
    airline: Client,
    market: Client,
    /// The airline's.
    miles: String,
    /// The market's.
    points: String,
}

impl Stage {
    /// With these lines in its configuration.
    async fn open(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        bootstrap(folder.path());
        let file = folder.path().join("pointbridge.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{configuration}\n")).unwrap();
        for partner in ["airline", "market"] {
            issue_partner(folder.path(), partner);
        }
        let hub = Serving::start(folder.path()).await;
        let operator = hub.client("operator.wang").await;
        for code in ["airline", "market"] {
            operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
        }
        let airline = hub.client("partner.airline.partner.till-7").await;
        let market = hub.client("partner.market.partner.till-7").await;
        let miles = membership(&airline, "airline").await;
        let points = membership(&market, "market").await;
        Self { folder, hub, airline, market, miles, points }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

async fn membership(client: &Client, partner: &str) -> String {
    let program = program(client, asks::create_program(partner, "points", 0)).await;
    member(client, &program, "li").await
}

/// What a refusal said; it must be one of those that one partner alone causes.
fn limited(status: &Status) -> Refusal {
    let refusal = Refusal::from(status);
    let expected = ["RATE_LIMITED", "CONCURRENCY_LIMITED"];
    assert!(expected.contains(&refusal.reason.as_str()), "{status:?}");
    assert_eq!(refusal.code, Code::ResourceExhausted);
    assert!(refusal.retry_after.is_some_and(|after| !after.is_zero()), "{status:?}");
    refusal
}

/// Writes as fast as it can, many at a time, until it was refused so often; answers with what was refused for its rate.
async fn flood(client: Client, membership: String, refusals: usize) -> usize {
    let mut under_way = JoinSet::new();
    let (mut refused, mut of_rate) = (0, 0);
    while refused < refusals {
        while under_way.len() < 96 {
            let (client, request) = (client.clone(), asks::accrue(&membership, "1"));
            under_way.spawn(async move { client.ledger().accrue_points(request).await.map(drop) });
        }
        if let Err(status) = under_way.join_next().await.unwrap().unwrap() {
            refused += 1;
            of_rate += usize::from(limited(&status).is("RATE_LIMITED"));
        }
    }
    of_rate
}

#[tokio::test]
async fn who_floods_is_refused_and_a_well_behaved_partner_is_served_every_time() {
    let stage = Stage::open("rate_per_second = 50\nrate_burst = 150\ncalls_in_flight_max = 64").await;
    let flooding = tokio::spawn(flood(stage.airline.clone(), stage.miles.clone(), 2_000));
    let mut served = 0;
    while served < 60 || (!flooding.is_finished() && served < 120) {
        stage.market.ledger().accrue_points(asks::accrue(&stage.points, "1")).await.unwrap();
        balance(&stage.market, &stage.points).await;
        served += 2;
    }
    let of_rate = flooding.await.unwrap();
    assert!(of_rate > 0, "nothing was refused for its rate");
    eprintln!("{served} calls served beside 2000 refused ones, {of_rate} of them for their rate");
    assert_eq!(balance(&stage.market, &stage.points).await[0], (served / 2).to_string());
    let (folder, hub) = (stage.folder, stage.hub);
    assert_eq!(hub.terminate().await.code(), Some(0));
    drop(folder);
}

#[tokio::test]
async fn who_waits_as_long_as_it_is_told_is_let_through() {
    let stage = Stage::open("rate_per_second = 1\nrate_burst = 6").await;
    let accrue = async |request| stage.market.ledger().accrue_points(request).await;
    // One call after the other: nobody else takes the token that the caller waits for.
    let (mut done, mut waits) = (0, 0);
    while waits < 3 {
        assert!(done < 100, "100 calls passed where 6 may be made at once, and one a second");
        let request = asks::accrue(&stage.points, "1");
        if let Err(status) = accrue(request.clone()).await {
            let refusal = limited(&status);
            assert!(
                refusal.is("RATE_LIMITED") && refusal.retry_after <= Some(Duration::from_secs(1)),
                "{status:?}"
            );
            tokio::time::sleep(refusal.retry_after.unwrap()).await;
            accrue(request).await.expect("it waited as long as it was told");
            waits += 1;
        }
        done += 1;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let posted = balance(&stage.market, &stage.points).await[0].clone();
    assert_eq!(posted, done.to_string(), "what was refused was not done");
    assert_eq!(stage.hub.terminate().await.code(), Some(0));
}

/// A call whose message does not come until it is sent.
type Slow = (oneshot::Sender<Vec<u8>>, JoinHandle<Result<Vec<u8>, Status>>);

async fn slow(client: &Client) -> Slow {
    let (message, comes_later) = oneshot::channel();
    (message, begin(client, &full("LedgerService/AccruePoints"), comes_later).await)
}

/// Begins calls until one is refused for the calls under way; answers with those that wait.
async fn fill(client: &Client, most: usize) -> Vec<Slow> {
    let mut waiting = Vec::new();
    for _ in 0..most {
        let (message, mut call) = slow(client).await;
        // A refusal comes at once, a call that was let in waits for its message.
        match tokio::time::timeout(Duration::from_millis(500), &mut call).await {
            Err(_) => waiting.push((message, call)),
            Ok(refused) => {
                assert!(limited(&refused.unwrap().unwrap_err()).is("CONCURRENCY_LIMITED"));
                return waiting;
            }
        }
    }
    panic!("{most} calls are under way and none was refused");
}

#[tokio::test]
async fn calls_under_way_are_bounded_and_slow_ones_end_at_their_deadline() {
    let stage = Stage::open("calls_in_flight_max = 5").await;
    let mut waiting = fill(&stage.market, 6).await;
    assert_eq!(waiting.len(), 5);
    balance(&stage.airline, &stage.miles).await;
    let (message, call) = waiting.pop().unwrap();
    message.send(asks::accrue(&stage.points, "7").encode_to_vec()).unwrap();
    call.await.unwrap().unwrap();
    assert_eq!(balance(&stage.market, &stage.points).await[0], "7", "its place is free");
    // Cancelled by the client.
    let (_message, call) = waiting.pop().unwrap();
    call.abort();
    // Never sent: the hub's own deadline ends it.
    for (_message, call) in waiting {
        let status = call.await.unwrap().unwrap_err();
        let refusal = Refusal::from(&status);
        assert_eq!((refusal.code, refusal.reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        assert!(refusal.retry_after.is_some(), "{status:?}");
    }
    until("all places are free", async || {
        let again = fill(&stage.market, 6).await;
        (again.len() == 5).then_some(())
    })
    .await;
    assert_eq!(stage.hub.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_thousand_calls_with_deadlines_of_milliseconds_leave_nothing_stuck_and_each_is_done_once() {
    let stage = Stage::open("calls_in_flight_max = 8").await;
    let (mut calls, mut cut, mut requests) = (JoinSet::new(), 0, Vec::new());
    for number in 0_u64..1_000 {
        let (client, request) = (stage.market.clone(), asks::accrue(&stage.points, "1"));
        requests.push(request.clone());
        let mut hurried = Request::new(request);
        hurried.set_timeout(Duration::from_millis(1 + number % 30));
        calls.spawn(async move { client.ledger().accrue_points(hurried).await.map(drop) });
        if calls.len() >= 8 {
            cut += cut_short(calls.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(call) = calls.join_next().await {
        cut += cut_short(call.unwrap());
    }
    eprintln!("{cut} of 1000 calls were cut short");
    assert!(cut > 0, "no call was cut short: the test proves nothing");
    until("all places are free", async || {
        let again = fill(&stage.market, 9).await;
        (again.len() == 8).then_some(())
    })
    .await;
    for request in requests {
        until("a retry tells", async || retry(&stage.market, &request).await).await;
    }
    assert_eq!(balance(&stage.market, &stage.points).await[0], "1000", "one effect each");
    assert_eq!(stage.hub.terminate().await.code(), Some(0));
}

fn cut_short(answer: Result<(), Status>) -> u32 {
    let Err(status) = answer else { return 0 };
    let expected = [Code::DeadlineExceeded, Code::Cancelled, Code::ResourceExhausted];
    assert!(expected.contains(&status.code()), "{status:?}");
    1
}

/// Retries once; a refusal that says when to come back is none.
async fn retry(client: &Client, request: &v1::AccruePointsRequest) -> Option<()> {
    match client.ledger().accrue_points(request.clone()).await {
        Ok(_) => Some(()),
        Err(status) => {
            tokio::time::sleep(limited(&status).retry_after.unwrap()).await;
            None
        }
    }
}

#[tokio::test]
async fn a_flood_of_refusals_writes_few_lines_and_their_counts_add_up() {
    let stage = Stage::open("rate_per_second = 1\nrate_burst = 20").await;
    let mut refused = 0;
    for _ in 0..30 {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let (client, request) = (stage.market.clone(), asks::get_balance(&stage.points));
            calls.spawn(async move { client.ledger().get_balance(request).await.map(drop) });
        }
        while let Some(call) = calls.join_next().await {
            if let Err(status) = call.unwrap() {
                assert!(limited(&status).is("RATE_LIMITED"));
                refused += 1;
            }
        }
    }
    let log = stage.path().join("hub.log");
    assert_eq!(stage.hub.terminate().await.code(), Some(0));
    let text = std::fs::read_to_string(log).unwrap();
    let (mut lines, mut counted) = (0, 0);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = &line["fields"];
        if fields["reason"] == "RATE_LIMITED" {
            assert_eq!(fields["source"], "market", "{line}");
            lines += 1;
            counted += fields["left_out"].as_u64().unwrap() + u64::from(fields["message"] == "refused");
        }
    }
    eprintln!("{refused} refusals in {lines} lines");
    assert!(refused > 1_000, "{refused} calls were refused: the test proves nothing");
    assert_eq!(counted, refused, "every refusal is in one count");
    // One at once, one per ten seconds, the last one at the end: a minute on a busy machine has eight.
    assert!(lines <= 20, "{lines} lines:\n{text}");
}
