//! Bystanders: clients that go on reading, writing and connecting while something is done to the hub, and count what fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pointbridge_client::{Client, Config};
use tokio::task::JoinHandle;

use crate::asks;
use crate::program::Serving;
use crate::scene::{member, program};

/// After so many calls a bystander connects anew, so that handshakes meet what is going on too.
const CALLS_PER_CONNECTION: usize = 10;

/// A client's files beside an authority's.
pub(crate) fn config(hub: &Serving, hubs_authority: &Path, pki: &Path, stem: &str) -> Config {
    Config {
        endpoint: format!("https://{}", hub.address()),
        ca_pem: hubs_authority.to_owned(),
        certificate_pem: pki.join(format!("{stem}.pem")),
        key_pem: pki.join(format!("{stem}.key")),
        server_name: None,
    }
}

/// What became of a bystander's calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Calls that were answered as they should be.
    pub(crate) good: usize,
    /// How often it connected.
    pub(crate) connections: usize,
    /// What failed, in words.
    pub(crate) failed: Vec<String>,
}

/// A bystander at work.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Tally>,
}

impl Bystander {
    /// Begins to call, with a membership that it credits a point at a time.
    pub(crate) fn start(config: Config, membership: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut tally = Tally::default();
            while !stopped.load(Ordering::Relaxed) {
                tally.connections += 1;
                match Client::bare(&config).await {
                    Ok(client) => call(&client, &membership, &mut tally).await,
                    Err(error) => tally.failed.push(error.to_string()),
                }
            }
            tally
        });
        Self { stop, task }
    }

    /// Ends it.
    pub(crate) async fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn call(client: &Client, membership: &str, tally: &mut Tally) {
    for turn in 0..CALLS_PER_CONNECTION {
        let answer = if turn % 2 == 0 {
            client.ledger().accrue_points(asks::accrue(membership, "1")).await.map(drop)
        } else {
            client.ledger().get_balance(asks::get_balance(membership)).await.map(drop)
        };
        match answer {
            Ok(()) => tally.good += 1,
            Err(status) => tally.failed.push(status.to_string()),
        }
    }
}

/// Holds that no bystander's call failed, and prints how many there were.
pub(crate) async fn assert_unharmed(what: &str, bystanders: Vec<Bystander>) {
    let (mut good, mut connections) = (0, 0);
    for bystander in bystanders {
        let tally = bystander.end().await;
        assert!(tally.failed.is_empty(), "{what}: {} failed: {:?}", tally.failed.len(), tally.failed);
        assert!(tally.good >= CALLS_PER_CONNECTION, "{what}: hardly anybody called: {tally:?}");
        (good, connections) = (good + tally.good, connections + tally.connections);
    }
    eprintln!("{what}: 0 of {good} calls of bystanders failed, over {connections} connections");
}

/// Registers a partner with a program without decimals and a member; answers with the membership.
pub(crate) async fn settle_in(operator: &Client, partner: &Client, code: &str) -> String {
    operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    let points = program(partner, asks::create_program(code, "points", 0)).await;
    member(partner, &points, "ms/li").await
}

/// Puts a file in another's place in one step.
pub(crate) fn replace(path: &Path, text: &str) {
    let mut beside: PathBuf = path.to_owned();
    beside.set_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}
