//! The real program: run for its answer, or left serving as a child process that ends with its owner.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use pointbridge_client::{Client, Config};
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
    let mut command = Command::new(path());
    for (name, _) in std::env::vars() {
        if name.starts_with("POINTBRIDGE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
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
        let log = data.join("hub.log");
        let folder = data.to_str().unwrap();
        let mut command = command(&["serve", "--data", folder, "--listen", "127.0.0.1:0", "--log", "debug"]);
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = lines.next_line().await.unwrap() else {
            panic!("the hub ended at once: {}", std::fs::read_to_string(&log).unwrap());
        };
        let address = line.strip_prefix(LISTENING).expect(&line).parse().unwrap();
        Self { child, address, data: data.to_owned(), log }
    }

    /// A client with the certificate of this name in the development CA's folder.
    pub(crate) async fn client(&self, certificate: &str) -> Client {
        let pki = self.data.join("pki");
        let config = Config {
            endpoint: format!("https://{}", self.address),
            ca_pem: pki.join("ca.pem"),
            certificate_pem: pki.join(format!("{certificate}.pem")),
            key_pem: pki.join(format!("{certificate}.key")),
            server_name: None,
        };
        Client::connect(&config).await.unwrap()
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to end, as a service manager does, and waits for that.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let process = self.child.id().expect("the hub runs").to_string();
        // The shell's own kill, so that nothing need be installed.
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &process]).status().unwrap();
        assert!(sent.success(), "the signal could not be sent");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the hub ends within a minute").unwrap()
    }
}
