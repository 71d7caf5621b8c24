//! The real program as a child process, watched from the outside: its memory, its open files, its processor time, its log.
//!
//! What is read is what the system says of the process (`/proc`), so that no promise of the hub's own is taken for granted.
//! Absent on purpose: a hub inside the test's process, whose memory could not be told from the test's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// The trust domain of the alliance.
const TRUST_DOMAIN: &str = "alliance.example";
/// What the program prints before its address.
const LISTENING: &str = "listening on ";
/// Names another program than the one beside the test, such as a release build.
const PROGRAM: &str = "POINTBRIDGE_BIN";
/// Processor time is counted in hundredths of a second by the system.
const TICKS_PER_SECOND: u64 = 100;
/// How long something that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The program to test.
fn program() -> PathBuf {
    let path = std::env::var_os(PROGRAM).map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            test.ancestors().nth(2).expect("tests are built in a folder of the build's").join("pointbridge")
        },
        PathBuf::from,
    );
    assert!(path.is_file(), "{} is missing: build it with `cargo build -p pointbridge`", path.display());
    path
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POINTBRIDGE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end and holds that it ends well; answers with what it printed.
pub(crate) fn run(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{complained}", output.status);
    said
}

/// A data folder, with a certificate for each principal that tests act as.
pub(crate) struct Data(TempDir);

impl Data {
    /// A new one for the operator wang, with certificates for these partners' tills.
    pub(crate) fn bootstrap(partners: &[&str]) -> Self {
        let data = Self(tempfile::tempdir().unwrap());
        let folder = data.text();
        run(&["bootstrap", "--data", &folder, "--trust-domain", TRUST_DOMAIN, "--operator", "wang"]);
        let pki = data.pki().to_str().unwrap().to_owned();
        for code in partners {
            run(&["pki", "partner", "--dir", &pki, "--code", code, "--subject", "till-7"]);
        }
        run(&["pki", "partner", "--dir", &pki, "--code", "market", "--role", "finance", "--subject", "zhou"]);
        run(&["pki", "auditor", "--dir", &pki, "--subject", "li"]);
        data
    }

    fn text(&self) -> String {
        self.0.path().to_str().unwrap().to_owned()
    }

    /// The folder of the certificates.
    pub(crate) fn pki(&self) -> PathBuf {
        self.0.path().join("pki")
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().join("pointbridge.db")
    }

    /// Holds that the books add up, as the program's own proof says.
    pub(crate) fn assert_books_hold(&self) {
        let report: serde_json::Value =
            serde_json::from_str(&run(&["check", "--data", &self.text(), "--json"])).unwrap();
        assert_eq!(report["clean"], true, "{report:#}");
    }
}

/// The program, serving.
pub(crate) struct Hub {
    child: Child,
    process: u32,
    log: PathBuf,
    /// Its data folder.
    pub(crate) data: Data,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Hub {
    /// Serves a data folder on a free port and waits until it is ready.
    pub(crate) async fn start(data: Data) -> Self {
        let log = data.0.path().join("hub.log");
        let mut command = command(&["serve", "--data", &data.text(), "--listen", "127.0.0.1:0"]);
        let writer = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        command.stdout(Stdio::piped()).stderr(writer);
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = lines.next_line().await.unwrap() else {
            panic!("the hub ended at once: {}", std::fs::read_to_string(&log).unwrap());
        };
        let address = line.strip_prefix(LISTENING).expect(&line).parse().unwrap();
        let process = child.id().expect("the hub runs");
        Self { child, process, log, data, address }
    }

    fn of_the_system(&self, file: &str) -> String {
        let path = Path::new("/proc").join(self.process.to_string()).join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("the hub is gone ({error}): {}", std::fs::read_to_string(&self.log).unwrap())
        })
    }

    /// Forgets the most memory that the process has had so far.
    pub(crate) fn forget_peak(&self) {
        let path = Path::new("/proc").join(self.process.to_string()).join("clear_refs");
        // Where the system forbids it, the peak is that of the whole run: a bound that holds holds then too.
        let _ = std::fs::write(path, "5");
    }

    /// The most resident memory since the peak was forgotten, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = self.of_the_system("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM is told");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }

    /// How many files and sockets it has open.
    pub(crate) fn files(&self) -> usize {
        let path = Path::new("/proc").join(self.process.to_string()).join("fd");
        std::fs::read_dir(path).expect("the hub runs").count()
    }

    /// The processor time that it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(&self.of_the_system("stat"))
    }

    /// Holds that the process lives, never panicked, and never called anything its own fault.
    pub(crate) fn assert_sound(&mut self) {
        if let Some(ended) = self.child.try_wait().unwrap() {
            panic!("the hub ended by itself ({ended}): {}", self.logged());
        }
        for line in self.logged().lines() {
            let is_fault = line.contains("panicked") || line.contains("ERROR") || line.contains("\"failed\"");
            assert!(!is_fault, "the hub says that it is at fault: {line}");
        }
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Asks it to end, as a service manager does, and waits for that; answers with how it ended and how long it took.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, Duration, Data) {
        let began = Instant::now();
        // The shell's own kill, so that nothing need be installed.
        let kill = ["-c", "kill -TERM \"$0\"", &self.process.to_string()];
        assert!(Command::new("sh").args(kill).status().unwrap().success(), "the signal could not be sent");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        (ended.expect("the hub ends within a minute").unwrap(), began.elapsed(), self.data)
    }

    /// Ends it in order, and holds that it did and that the books add up.
    pub(crate) async fn settle(mut self) {
        self.assert_sound();
        let (ended, _, data) = self.terminate().await;
        assert_eq!(ended.code(), Some(0));
        data.assert_books_hold();
    }
}

/// The processor time of this test's own process.
pub(crate) fn own_processor_time() -> Duration {
    processor_time(&std::fs::read_to_string("/proc/self/stat").unwrap())
}

/// User and system time out of a line of `/proc/<process>/stat`.
fn processor_time(stat: &str) -> Duration {
    let (_, behind_name) = stat.rsplit_once(')').expect("the name stands in brackets");
    let ticks: u64 =
        behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

#[test]
fn processor_time_is_read_whatever_the_name_of_the_process() {
    let stat = "7 (a) b) S 1 1 1 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 1 0 1";
    assert_eq!(processor_time(stat), Duration::from_secs(2));
}
