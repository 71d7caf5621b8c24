//! The real hub as a child process: bootstrapped, started, asked for its proof, stopped.
//!
//! It is this very program with other arguments, so that nothing needs to be installed. It gets a process group of its
//! own: an interrupt from the keyboard reaches the demo alone, which then stops the hub in order. What is absent: any
//! look into the hub's data; the demo speaks to it as everybody does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pointbridge_client::{Client, Config};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::script::Actor;
use crate::peer::{Principal, TrustDomain};
use crate::pki::{Ca, LeafRequest};

/// The trust domain of the demo's certificates; example domains belong to nobody.
const TRUST_DOMAIN: &str = "alliance.example";
/// The operator's subject, as `bootstrap` gets it.
pub(super) const OPERATOR_SUBJECT: &str = "ops-1";
/// Days for which a kept hub's partners can go on.
const CERTIFICATE_DAYS: u32 = 30;
/// What the hub prints before its address when it is ready.
const READY: &str = "listening on ";
const START_MAX: Duration = Duration::from_secs(30);
/// The hub itself gives up after 35 s.
const STOP_MAX: Duration = Duration::from_secs(40);
/// Lines of the hub's log that an error repeats.
const LOG_LINES_SHOWN: usize = 12;

/// A certificate of the demo and the authority that the hub's own one is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A running hub.
pub(super) struct HubProcess {
    child: Child,
    /// Held open: a hub that writes to a closed pipe would fail.
    _stdout: Lines<BufReader<ChildStdout>>,
    /// `127.0.0.1:port`.
    pub(super) address: String,
    data: PathBuf,
    ca: Ca,
}

impl HubProcess {
    /// Makes keys, database and certificates in a folder and starts the hub on a free port.
    ///
    /// With `outlives` the hub is not ended when the demo ends in whatever way.
    ///
    /// # Errors
    /// The folder is in use already, or the hub does not come up; the error repeats what it said.
    pub(super) async fn start(data: &Path, outlives: bool) -> anyhow::Result<Self> {
        let arguments = ["--trust-domain", TRUST_DOMAIN, "--operator", OPERATOR_SUBJECT];
        let made = own_program("bootstrap", data)?.args(arguments).output().await?;
        ensure!(made.status.success(), "bootstrap failed: {}", words_of(&made));
        let log_path = data.join("hub.log");
        let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
        let mut child = own_program("serve", data)?
            .args(["--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(!outlives)
            .spawn()
            .context("cannot start the hub")?;
        let stdout = child.stdout.take().context("the hub has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let Ok(Ok(Some(address))) = timeout(START_MAX, ready(&mut lines)).await else {
            // It may be up by half; nobody would stop it later.
            child.kill().await.ok();
            bail!("the hub did not come up; the end of its log:\n{}", end_of(&log_path));
        };
        Ok(Self { child, _stdout: lines, address, data: data.to_owned(), ca: Ca::open(&data.join("pki"))? })
    }

    /// The certificate of an actor, issued when it is asked for the first time.
    ///
    /// # Errors
    /// The principal is malformed, or the files cannot be written.
    pub(super) fn identity(&self, actor: Actor) -> anyhow::Result<Identity> {
        let principal = Principal::from_path(actor.principal, &TrustDomain::parse(TRUST_DOMAIN)?)?;
        let request = LeafRequest::client(principal, CERTIFICATE_DAYS);
        let at = |extension: &str| self.ca.folder().join(format!("{}.{extension}", request.file_stem));
        let (certificate, key) = (at("pem"), at("key"));
        if !certificate.exists() {
            self.ca.issue(&request)?;
        }
        Ok(Identity { authority: self.ca.folder().join("ca.pem"), certificate, key })
    }

    /// Connects an actor over mutual TLS.
    ///
    /// # Errors
    /// There is no certificate for it, or the hub cannot be reached.
    pub(super) async fn connect(&self, actor: Actor) -> anyhow::Result<Client> {
        let Identity { authority: ca_pem, certificate: certificate_pem, key: key_pem } =
            self.identity(actor)?;
        let endpoint = format!("https://{}", self.address);
        let config = Config { endpoint, ca_pem, certificate_pem, key_pem, server_name: None };
        Ok(Client::connect(&config).await?)
    }

    /// The hub's process id; `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the hub to end, and waits for it.
    ///
    /// # Errors
    /// It does not end in time (then it is killed), or it ends with another code than 0.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
            ensure!(sent.success(), "the hub (process {pid}) could not be told to end");
        }
        let Ok(ended) = timeout(STOP_MAX, self.child.wait()).await else {
            self.child.kill().await.ok();
            bail!("the hub did not end within {} s and was killed", STOP_MAX.as_secs());
        };
        let status = ended?;
        let log = self.data.join("hub.log");
        ensure!(status.success(), "the hub ended with {status}; the end of its log:\n{}", end_of(&log));
        Ok(())
    }
}

/// Runs `check` over the data of a hub, which may be running.
///
/// # Errors
/// It gives no JSON; the error repeats what it said.
pub(super) async fn check(data: &Path) -> anyhow::Result<Value> {
    let output = own_program("check", data)?.arg("--json").output().await?;
    let report = serde_json::from_slice(&output.stdout);
    let mut report: Value =
        report.with_context(|| format!("check gave no JSON ({}): {}", output.status, words_of(&output)))?;
    if let Some(report) = report.as_object_mut() {
        report.insert("exit_code".to_owned(), output.status.code().into());
    }
    Ok(report)
}

fn own_program(command: &str, data: &Path) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut own = Command::new(program);
    own.arg(command).arg("--data").arg(data);
    // Settings of the user's own hub are none of the demo's.
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"POINTBRIDGE_"))
    {
        own.env_remove(name);
    }
    Ok(own)
}

/// The address that the hub prints when it is ready; `None` where it ends before.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> std::io::Result<Option<String>> {
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix(READY) {
            return Ok(Some(address.trim().to_owned()));
        }
    }
    Ok(None)
}

fn words_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(LOG_LINES_SHOWN);
    lines.into_iter().skip(end).collect::<Vec<_>>().join("\n")
}
