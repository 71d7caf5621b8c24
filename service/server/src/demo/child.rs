//! The real hub as a child process: bootstrapped, started, asked for its proof, stopped.
//!
//! What is absent: any look into the hub's data; the demo speaks to it as everybody does.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use pointbridge_client::{Client, Config};
use serde_json::Value;
use tokio::process::Command;

use super::script::Actor;
use crate::child::{self, ChildProgram, Life, words_of};
use crate::peer::{Principal, TrustDomain};
use crate::pki::{Ca, LeafRequest};

/// The trust domain of the demo's certificates; example domains belong to nobody.
const TRUST_DOMAIN: &str = "alliance.example";
/// The operator's subject, as `bootstrap` gets it.
pub(super) const OPERATOR_SUBJECT: &str = "ops-1";
/// Days for which a kept hub's partners can go on.
const CERTIFICATE_DAYS: u32 = 30;

/// A certificate of the demo and the authority that the hub's own one is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A running hub.
pub(super) struct HubProcess {
    program: ChildProgram,
    /// `127.0.0.1:port`.
    pub(super) address: String,
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
        let mut command = own_program("serve", data)?;
        command.args(["--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"]);
        let life = if outlives { Life::Outlives } else { Life::WithParent };
        let mut program = ChildProgram::start(command, "the hub", data.join("hub.log"), life)?;
        let address = program.address().await?;
        Ok(Self { program, address, ca: Ca::open(&data.join("pki"))? })
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
        self.program.pid()
    }

    /// Asks the hub to end, and waits for it.
    ///
    /// # Errors
    /// It does not end in time (then it is killed), or it ends with another code than 0.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.program.stop().await
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
    let mut own = child::own_program()?;
    own.arg(command).arg("--data").arg(data);
    Ok(own)
}
