//! Starts that are killed: a folder whose making was cut short anywhere is made whole by making it again.

use std::path::Path;
use std::time::Duration;

use crate::dice::Dice;
use crate::figures::Figures;
use crate::harness::TRUST_DOMAIN;
use crate::program::{Serving, bootstrap, command_of, path, run_well};

/// How often the making of a hub is killed.
const KILLS: u64 = 12;
/// It takes so long at most before it is killed; the whole of it takes about half of that.
const DELAY_MILLIS_MAX: u64 = 400;

/// Runs the program and kills it (SIGKILL) after a while; answers whether it was still running.
pub(crate) fn run_and_kill(arguments: &[&str], after: Duration) -> bool {
    let mut command = command_of(&path(), arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_running
}

async fn assert_serves(data: &Path) {
    let hub = Serving::start_logging(data, "info").await;
    hub.client("operator.wang").await;
    assert_eq!(hub.terminate().await.code(), Some(0));
    run_well(&["check", "--data", data.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_that_was_killed_anywhere_is_finished_by_another_one() {
    let mut dice = Dice::new(u64::from(std::process::id()));
    let mut cut_short = 0;
    for number in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        let text = data.to_str().unwrap();
        let arguments = ["bootstrap", "--data", text, "--trust-domain", TRUST_DOMAIN, "--operator", "wang"];
        // Evenly spread, with some chance around each place.
        let delay = DELAY_MILLIS_MAX * number / KILLS + dice.below(DELAY_MILLIS_MAX / KILLS);
        cut_short += u64::from(run_and_kill(&arguments, Duration::from_millis(delay)));
        bootstrap(&data);
        assert_serves(&data).await;
    }
    let mut figures = Figures::new("crash-bootstrap");
    figures.note("bootstraps killed, each finished by another one", format!("{cut_short} of {KILLS}"));
    figures.publish();
    assert!(cut_short > 0, "none was killed in the middle");
}
