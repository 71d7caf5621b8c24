//! The real program: run for its answer, or left serving as a child process that ends with its owner.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use pointbridge_client::{Client, Config, ConnectError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::harness::{PATIENCE, TRUST_DOMAIN};

/// What the program prints before its address.
const LISTENING: &str = "listening on ";

/// The program beside this test, where cargo puts both.
pub(crate) fn path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path =
        test.ancestors().nth(2).expect("tests are built in a folder of the build's").join("pointbridge");
    assert!(path.is_file(), "{} is missing: build it with `cargo build -p pointbridge`", path.display());
    path
}

/// The program with these arguments, and nothing of ours in its environment.
fn command(arguments: &[&str]) -> Command {
    command_of(&path(), arguments)
}

/// Another program, with these arguments and nothing of ours in its environment.
pub(crate) fn command_of(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if name.starts_with("POINTBRIDGE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The command that serves a data folder on a free port.
pub(crate) fn serve(data: &Path) -> Command {
    command(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"])
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Runs the program and holds that it ends well; answers with what it printed.
pub(crate) fn run_well(arguments: &[&str]) -> String {
    let output = run(arguments);
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{complained}", output.status);
    said
}

/// Runs the program and holds that it ends with `code`; answers with what it complained of.
pub(crate) fn run_ill(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}\n{complaint}", text(&output.stdout));
    complaint
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program speaks UTF-8")
}

/// Makes a data folder for the operator wang.
pub(crate) fn bootstrap(data: &Path) -> String {
    let data = data.to_str().unwrap();
    run_well(&["bootstrap", "--data", data, "--trust-domain", TRUST_DOMAIN, "--operator", "wang"])
}

/// Issues a certificate for a partner's till-7.
pub(crate) fn issue_partner(data: &Path, code: &str) -> String {
    let pki = data.join("pki");
    run_well(&["pki", "partner", "--dir", pki.to_str().unwrap(), "--code", code, "--subject", "till-7"])
}

/// The program, serving.
pub(crate) struct Serving {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    data: PathBuf,
    /// Where its standard error goes.
    log: PathBuf,
}

impl Serving {
    /// Serves a data folder on a free port, logging in detail, and waits until it is ready.
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_logging(data, "debug").await
    }

    /// The same, with a filter of what is logged.
    pub(crate) async fn start_logging(data: &Path, filter: &str) -> Self {
        let mut command = serve(data);
        command.args(["--log", filter, "--lame-duck-seconds", "0"]);
        Self::start_by(command, data).await
    }

    /// The same, with more arguments, and as long a lame duck as they say.
    pub(crate) async fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut command = serve(data);
        command.args(["--log", "debug"]).args(arguments);
        Self::start_by(command, data).await
    }

    /// The same, by a command that ends in the program serving this folder.
    pub(crate) async fn start_by(mut command: Command, data: &Path) -> Self {
        let log = data.join("hub.log");
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = lines.next_line().await.unwrap() else {
            panic!("the hub ended at once: {}", std::fs::read_to_string(&log).unwrap());
        };
        let address = line.strip_prefix(LISTENING).expect(&line).parse().unwrap();
        Self { child, address, data: data.to_owned(), log }
    }

    /// Runs a command that would serve, and holds that it ends at once with code 1; answers with what it complained of. A hub
    /// that serves all the same ends with the panic.
    pub(crate) async fn assert_refused(mut command: Command) -> String {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap();
        assert_eq!(first, None, "the hub serves");
        let output = child.wait_with_output().await.unwrap();
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        complaint
    }

    /// A client with the certificate of this name in the development CA's folder.
    pub(crate) async fn client(&self, certificate: &str) -> Client {
        let pki = self.data.join("pki");
        self.client_from(&pki, certificate, &pki.join("ca.pem")).await.unwrap()
    }

    /// A client with the certificate of this name in a folder, that knows the hub by these authorities.
    pub(crate) async fn client_from(
        &self,
        folder: &Path,
        certificate: &str,
        ca_pem: &Path,
    ) -> Result<Client, ConnectError> {
        let config = Config {
            endpoint: format!("https://{}", self.address),
            ca_pem: ca_pem.to_owned(),
            certificate_pem: folder.join(format!("{certificate}.pem")),
            key_pem: folder.join(format!("{certificate}.key")),
            server_name: None,
        };
        Client::bare(&config).await
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id().expect("the hub runs")
    }

    /// Ends it without warning (SIGKILL), and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    /// Waits for it to end by itself; answers with its log, too.
    pub(crate) async fn end_with_log(self) -> (String, ExitStatus) {
        let log = self.log.clone();
        let ended = self.ended().await;
        (std::fs::read_to_string(log).unwrap(), ended)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends it a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process().to_string();
        // The shell's own kill, so that nothing need be installed.
        let sent = Command::new("sh").args(["-c", "kill -\"$1\" \"$0\"", &process, name]).status().unwrap();
        assert!(sent.success(), "the signal could not be sent");
    }

    /// Asks it to end, as a service manager does, and waits for that.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the hub ends within a minute").unwrap()
    }
}
