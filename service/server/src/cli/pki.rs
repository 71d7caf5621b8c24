//! `pointbridge pki`: a CA for development and small alliances.
//!
//! Here is what may be asked; [`report`] is what is answered. Absent: what a command does; that is the CA's own.

mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::out;
use crate::peer::{Principal, TrustDomain};
use crate::pki::{self, CRL_DAYS_DEFAULT, Ca, Inspection, KeyChoice, LeafRequest, Reason, Target, Usage};

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
    /// Make a CA: ca.pem for everybody, ca.key for nobody but you, and an empty revocation list.
    Init {
        #[command(flatten)]
        folder: Folder,
        /// How many days the revocation list is good for; `pki crl` signs the next one.
        #[arg(long, default_value_t = CRL_DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=825))]
        crl_days: u32,
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
    /// Renew a certificate: the same names, a fresh key, the same files, both replaced in one go.
    ///
    /// The old certificate stays good until it ends. A hub that serves takes its new pair within seconds.
    Renew(Renew),
    /// Revoke a certificate for ever, by its file, its serial number, or whom it names.
    ///
    /// Writes crl.pem anew; a hub that serves takes it within seconds, on open connections, too.
    Revoke(Revoke),
    /// Sign the revocation list anew, so that it does not end; once a day by a timer.
    ///
    /// A hub lets nobody in by a CA whose list has ended.
    Crl {
        #[command(flatten)]
        folder: Folder,
        /// How many days it is good for; without it, as many as the last one.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=825))]
        days: Option<u32>,
        /// Only show what is on it.
        #[arg(long, conflicts_with = "days")]
        show: bool,
        /// With --show: one JSON array instead of a table.
        #[arg(long, requires = "show")]
        json: bool,
    },
    /// Take the client certificates of another CA, too, and bring its revocation list up to date.
    Import {
        #[command(flatten)]
        folder: Folder,
        /// The other CA's certificate, PEM.
        #[arg(value_name = "CA.PEM")]
        ca: PathBuf,
        /// Its revocation list, PEM; give it again with a newer one whenever there is one.
        #[arg(long, value_name = "FILE")]
        crl: Option<PathBuf>,
    },
    /// Take a CA's client certificates no longer: the end of a change of CA.
    ///
    /// Deletes the key of a CA that `rotate-ca` replaced.
    Remove {
        #[command(flatten)]
        folder: Folder,
        /// Its file, or the beginning of its fingerprint as `inspect` shows it: at least 8 digits.
        #[arg(value_name = "CA.PEM|FINGERPRINT")]
        authority: String,
    },
    /// Begin a change of CA: a new one signs from now on, the old one is still taken.
    ///
    /// Then renew the partners' certificates, hand them out with hub-ca.pem, renew the hub's own, and remove the old CA.
    RotateCa {
        #[command(flatten)]
        folder: Folder,
    },
    /// Show what stands in a PEM file or in a folder of them, and what the hub would say to it.
    ///
    /// Whether a partner is registered or suspended stands in the hub's database, and is not looked at.
    Inspect {
        #[command(flatten)]
        folder: Folder,
        /// A certificate, revocation list or key, or a folder.
        #[arg(value_name = "FILE|FOLDER")]
        path: PathBuf,
        /// Print one JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[group(id = "renewed", required = true, multiple = false, args = ["file", "all"])]
struct Renew {
    #[command(flatten)]
    folder: Folder,
    /// The certificate; its key lies beside it.
    #[arg(value_name = "FILE.PEM")]
    file: Option<PathBuf>,
    /// Each certificate of the CA's folder that is not revoked.
    #[arg(long)]
    all: bool,
    /// With --all: only those that end within so many days.
    #[arg(long, requires = "all", value_name = "N")]
    within_days: Option<u32>,
    /// With --all: only those of clients, or of servers.
    #[arg(long, requires = "all", value_name = "WHOSE")]
    only: Option<Only>,
    /// How many days it is good for; without it, as many as before.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: Option<u32>,
    /// Keep the key.
    #[arg(long)]
    keep_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Clients.
    Client,
    /// Servers.
    Server,
}

#[derive(Debug, Args)]
#[group(id = "revoked", required = true, multiple = false, args = ["file", "serial", "principal"])]
struct Revoke {
    #[command(flatten)]
    folder: Folder,
    /// The certificate.
    #[arg(value_name = "FILE.PEM")]
    file: Option<PathBuf>,
    /// Its serial number, hexadecimal, with or without colons.
    #[arg(long, value_name = "HEX")]
    serial: Option<String>,
    /// Whom it names, for example partner/airline/partner/till-7: every certificate of it.
    #[arg(long, value_name = "PATH")]
    principal: Option<String>,
    /// Why; it stands on the list.
    #[arg(long, default_value = "unspecified")]
    reason: Reason,
}

pub(super) fn run(args: &PkiArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        PkiCommand::Init { folder, crl_days, trust_domain } => {
            let ca = Ca::init_for(&folder.dir, &TrustDomain::parse(trust_domain)?, *crl_days)?;
            out::line(format_args!("a CA for {} is in {}", ca.trust_domain(), ca.folder().display()));
            out::line(format_args!(
                "its revocation list is good for {crl_days} days: `pointbridge pki crl` renews it"
            ));
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
            report::issued(&Ca::open(&folder.dir)?.issue(&shaped(request, leaf))?);
        }
        PkiCommand::Renew(args) => return renew(args),
        PkiCommand::Revoke(args) => {
            report::revoked(&Ca::open(&args.folder.dir)?.revoke(&target(args), args.reason)?);
        }
        PkiCommand::Crl { folder, days, show, json } => crl(&folder.dir, *days, *show, *json)?,
        PkiCommand::Import { folder, ca, crl } => {
            report::imported(&pki::import(&folder.dir, ca, crl.as_deref())?);
        }
        PkiCommand::Remove { folder, authority } => {
            report::removed(&pki::remove(&folder.dir, authority)?, &folder.dir);
        }
        PkiCommand::RotateCa { folder } => {
            let (_, rotated) = Ca::open(&folder.dir)?.rotate()?;
            report::rotated(&rotated, &folder.dir);
        }
        PkiCommand::Inspect { folder, path, json } => {
            let inspection = Inspection::of(path, &folder.dir)?;
            if *json {
                out::line(serde_json::to_string_pretty(&inspection.findings)?);
            } else {
                report::inspected(&inspection, path.is_dir());
            }
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
    report::issued(&issued);
    Ok(())
}

fn shaped(request: LeafRequest, leaf: &Leaf) -> LeafRequest {
    let request = match &leaf.name {
        Some(name) => request.named(name),
        None => request,
    };
    if leaf.replace { request.replacing() } else { request }
}

/// Renews what it can; one certificate that cannot be renewed keeps none of the others from it.
fn renew(args: &Renew) -> anyhow::Result<ExitCode> {
    let ca = Ca::open(&args.folder.dir)?;
    let usage = args.only.map(|only| if only == Only::Client { Usage::Client } else { Usage::Server });
    let files = match &args.file {
        Some(file) => vec![file.clone()],
        None => ca.renewable(args.within_days, usage)?,
    };
    let key = if args.keep_key { KeyChoice::Keep } else { KeyChoice::Fresh };
    let (mut renewed, mut failed) = (Vec::new(), Vec::new());
    for file in files {
        match ca.renew(&file, args.days, key) {
            Ok(one) => renewed.push(one),
            Err(error) => failed.push(error),
        }
    }
    report::renewed(&renewed);
    for error in &failed {
        out::error(&anyhow::anyhow!("{error}"));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn target(args: &Revoke) -> Target {
    match (&args.file, &args.serial) {
        (Some(file), _) => Target::File(file.clone()),
        (None, Some(serial)) => Target::Serial(serial.clone()),
        (None, None) => Target::Principal(args.principal.clone().unwrap_or_default()),
    }
}

fn crl(folder: &Path, days: Option<u32>, show: bool, json: bool) -> anyhow::Result<()> {
    if !show {
        report::crl_signed(&Ca::open(folder)?.renew_crl(days)?, folder);
        return Ok(());
    }
    let lists = pki::lists(folder)?;
    if json {
        out::line(serde_json::to_string_pretty(&report::lists_as_json(&lists))?);
    } else {
        report::lists(&lists, folder);
    }
    Ok(())
}
