//! A well-behaved client of another partner, that goes on calling whatever happens beside it: it reads, it writes, and now
//! and then it connects anew. Each of its calls must be served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use tokio::task::JoinHandle;

use crate::asks;
use crate::hub::PATIENCE;
use crate::line::Identity;

const ACCRUE: &str = "/pointbridge.v1.LedgerService/AccruePoints";
const BALANCE: &str = "/pointbridge.v1.LedgerService/GetBalance";
/// How long it rests between two calls: a till is no flood.
const PAUSE: Duration = Duration::from_millis(4);
/// It connects anew after so many calls.
const CALLS_PER_CONNECTION: usize = 64;

/// What it met with.
#[derive(Debug, Default)]
pub(crate) struct Experience {
    /// How long each call that was served took.
    pub(crate) served: Vec<Duration>,
    /// What went wrong with the others.
    pub(crate) failed: Vec<String>,
    /// The writes that were acknowledged, with their answers.
    pub(crate) acknowledged: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Experience {
    /// The time within which so many of a hundred calls were served, in microseconds; 0 where none was.
    pub(crate) fn percentile(&self, of_hundred: usize) -> u128 {
        let mut times = self.served.clone();
        times.sort_unstable();
        times
            .get((times.len() * of_hundred / 100).min(times.len().saturating_sub(1)))
            .map_or(0, Duration::as_micros)
    }
}

/// A bystander at work.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    work: JoinHandle<Experience>,
}

impl Bystander {
    /// Begins to call, on a member of its own.
    pub(crate) fn begin(identity: Identity, member: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let served = Arc::new(AtomicUsize::new(0));
        let (asked, counted) = (Arc::clone(&stop), Arc::clone(&served));
        let work = tokio::spawn(async move { work(&identity, &member, &asked, &counted).await });
        Self { stop, served, work }
    }

    /// Waits until so many of its calls were served, or it gave up.
    pub(crate) async fn has_met(&self, calls: usize) {
        let met = async {
            while self.served.load(Ordering::Relaxed) < calls && !self.work.is_finished() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, met).await.expect("the bystander makes some calls within a minute");
    }

    /// Has it end after its call, and tell.
    pub(crate) async fn end(self) -> Experience {
        self.stop.store(true, Ordering::Relaxed);
        self.work.await.expect("the bystander could connect when it began")
    }
}

async fn work(identity: &Identity, member: &str, stop: &AtomicBool, served: &AtomicUsize) -> Experience {
    let mut experience = Experience::default();
    let read = asks::get_balance(member).encode_to_vec();
    let mut line = identity.line().await;
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let write = number % 2 == 0;
        let (path, message) =
            if write { (ACCRUE, asks::accrue(member, "1").encode_to_vec()) } else { (BALANCE, read.clone()) };
        let began = Instant::now();
        match line.call(path, &message).await {
            Ok(answer) if answer.is_ok() => {
                experience.served.push(began.elapsed());
                served.fetch_add(1, Ordering::Relaxed);
                if write {
                    experience.acknowledged.push((message, answer.message));
                }
            }
            Ok(answer) => experience.failed.push(format!("{path}: {:?}", answer.status)),
            Err(error) => {
                experience.failed.push(format!("{path}: {error}"));
                break;
            }
        }
        if number % CALLS_PER_CONNECTION == 0 {
            match identity.try_line().await {
                Ok(fresh) => line = fresh,
                Err(error) => {
                    experience.failed.push(format!("connecting: {error}"));
                    break;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    experience
}

#[test]
fn percentiles_are_of_what_was_served() {
    let served = (1..=200).map(Duration::from_micros).collect();
    let experience = Experience { served, ..Experience::default() };
    assert_eq!((experience.percentile(50), experience.percentile(99)), (101, 199));
    assert_eq!(Experience::default().percentile(99), 0);
}
