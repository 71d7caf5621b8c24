//! The figures of the long form: how slow a bystander was beside an attack, and beside a neutral load that burns as much
//! processor time as attacker and hub did.
//!
//! The neutral load tells what a busy machine alone does to a till, so that the ratio of the two is the attack's own doing.

use std::time::{Duration, Instant};

use crate::bystander::{Bystander, Experience};
use crate::form::{Form, form};
use crate::hub::own_processor_time;
use crate::stage::{BABYCARE, Stage};

/// How long the neutral load goes on, and an attack in the long form.
pub(crate) const LONG: Duration = Duration::from_secs(10);
/// The slice of time in which a burning thread works and rests.
const SLICE: Duration = Duration::from_millis(10);

/// One attack, measured.
pub(crate) struct Row {
    pub(crate) attack: String,
    pub(crate) bursts: usize,
    /// Of how many bursts the hub ended the connection.
    pub(crate) cut: usize,
    pub(crate) experience: Experience,
    /// Processor time that attacker, bystander and hub used, in thousandths of a core.
    pub(crate) load: u32,
    pub(crate) peak_mib: u64,
}

/// A measurement under way.
pub(crate) struct Meter {
    began: Instant,
    used: Duration,
}

impl Meter {
    /// Begins to measure.
    pub(crate) fn begin(stage: &Stage) -> Self {
        stage.hub.forget_peak();
        Self { began: Instant::now(), used: stage.hub.processor_time() + own_processor_time() }
    }

    /// How long it has been measuring.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Processor time since it began, in thousandths of a core.
    pub(crate) fn load(&self, stage: &Stage) -> u32 {
        let used = (stage.hub.processor_time() + own_processor_time()).saturating_sub(self.used);
        u32::try_from(used.as_micros() / self.began.elapsed().as_millis().max(1)).unwrap()
    }
}

/// Burns processor time on threads of this process while a bystander calls; answers with what the bystander met.
async fn neutral(stage: &Stage, load: u32) -> Experience {
    let until = Instant::now() + LONG;
    let threads = load.div_ceil(1000).max(1);
    let share = SLICE * load / (1000 * threads);
    let burners: Vec<_> = (0..threads)
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
    tokio::time::sleep(LONG).await;
    let experience = bystander.end().await;
    for burner in burners {
        burner.join().unwrap();
    }
    experience
}

/// Prints the head of the table.
pub(crate) fn print_head() {
    println!(
        "| attack | bursts | cut off | calls | failed | p50 ms | p99 ms | neutral p99 ms | ratio | cores | peak MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

/// Prints an attack's row; in the long form after it has let the neutral load burn as much.
pub(crate) async fn print(stage: &Stage, row: &Row) {
    let beside =
        if form() == Form::Long { Some(neutral(stage, row.load).await.percentile(99).max(1)) } else { None };
    let hundredths = |number: u128| format!("{}.{:02}", number / 100, number % 100);
    let ms = |micros: u128| hundredths(micros / 10);
    let (p50, p99) = (row.experience.percentile(50), row.experience.percentile(99));
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        row.attack,
        row.bursts,
        row.cut,
        row.experience.served.len(),
        row.experience.failed.len(),
        ms(p50),
        ms(p99),
        beside.map_or_else(|| "-".to_owned(), ms),
        beside.map_or_else(|| "-".to_owned(), |beside| hundredths(p99 * 100 / beside)),
        hundredths(u128::from(row.load / 10)),
        row.peak_mib,
    );
}
