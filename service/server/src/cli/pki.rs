//! `pointbridge pki`: a CA for development and small alliances.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::out;
use crate::peer::{Principal, TrustDomain};
use crate::pki::{Ca, Issued, LeafRequest};

/// How long certificates live if nobody says otherwise. Short, because a stolen one is good until then.
const DAYS_DEFAULT: u32 = 30;

#[derive(Debug, Args)]
pub(super) struct PkiArgs {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Debug, Args)]
struct Folder {
    /// The CA's folder.
    #[arg(long, env = "POINTBRIDGE_PKI", default_value = "pointbridge-data/pki", value_name = "FOLDER")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Leaf {
    /// How long it is good for.
    #[arg(long, default_value_t = DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
    /// The names of its files, without the ending.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Replace a certificate and key that are there already.
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Subcommand)]
enum PkiCommand {
    /// Make a CA: ca.pem for everybody, ca.key for nobody but you.
    Init {
        #[command(flatten)]
        folder: Folder,
        /// The trust domain that stands in every certificate, for example alliance.example.
        #[arg(long, value_name = "DOMAIN")]
        trust_domain: String,
    },
    /// Issue a certificate for a partner's system, or for a partner's finance people.
    Partner {
        #[command(flatten)]
        folder: Folder,
        /// The partner's code.
        #[arg(long)]
        code: String,
        /// What it may do: partner for systems, finance for reading the partner's own books.
        #[arg(long, default_value = "partner", value_parser = ["partner", "finance"])]
        role: String,
        /// Which system or person, for example till-7.
        #[arg(long)]
        subject: String,
        #[command(flatten)]
        leaf: Leaf,
    },
    /// Issue a certificate for one of the operator's people or systems.
    Operator {
        #[command(flatten)]
        folder: Folder,
        /// Which one, for example wang.
        #[arg(long)]
        subject: String,
        #[command(flatten)]
        leaf: Leaf,
    },
    /// Issue a certificate for an auditor, who reads everything and changes nothing.
    Auditor {
        #[command(flatten)]
        folder: Folder,
        /// Which one, for example li.
        #[arg(long)]
        subject: String,
        #[command(flatten)]
        leaf: Leaf,
    },
    /// Issue a certificate for the hub itself.
    Server {
        #[command(flatten)]
        folder: Folder,
        /// A DNS name or IP address that clients reach it by; may be given several times.
        #[arg(long = "host", required = true, value_name = "NAME")]
        hosts: Vec<String>,
        #[command(flatten)]
        leaf: Leaf,
    },
}

pub(super) fn run(args: &PkiArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        PkiCommand::Init { folder, trust_domain } => {
            let ca = Ca::init(&folder.dir, &TrustDomain::parse(trust_domain)?)?;
            out::line(format_args!("a CA for {} is in {}", ca.trust_domain(), ca.folder().display()));
        }
        PkiCommand::Partner { folder, code, role, subject, leaf } => {
            issue(folder, leaf, &format!("partner/{code}/{role}/{subject}"))?;
        }
        PkiCommand::Operator { folder, subject, leaf } => {
            issue(folder, leaf, &format!("operator/{subject}"))?;
        }
        PkiCommand::Auditor { folder, subject, leaf } => issue(folder, leaf, &format!("auditor/{subject}"))?,
        PkiCommand::Server { folder, hosts, leaf } => {
            let request = LeafRequest::server(hosts, leaf.days);
            report(&Ca::open(&folder.dir)?.issue(&shaped(request, leaf))?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn issue(folder: &Folder, leaf: &Leaf, path: &str) -> anyhow::Result<()> {
    let ca = Ca::open(&folder.dir)?;
    let principal = Principal::from_path(path, ca.trust_domain())?;
    let uri = principal.uri();
    let issued = ca.issue(&shaped(LeafRequest::client(principal, leaf.days), leaf))?;
    out::line(&uri);
    report(&issued);
    Ok(())
}

fn shaped(request: LeafRequest, leaf: &Leaf) -> LeafRequest {
    let request = match &leaf.name {
        Some(name) => request.named(name),
        None => request,
    };
    if leaf.replace { request.replacing() } else { request }
}

fn report(issued: &Issued) {
    let mut table = out::table(["what", "file"]);
    table.add_row(["certificate", &issued.certificate_pem.display().to_string()]);
    table.add_row(["private key", &issued.key_pem.display().to_string()]);
    table.add_row(["CA", &issued.ca_pem.display().to_string()]);
    out::line(table);
}
