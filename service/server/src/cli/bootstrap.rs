//! `pointbridge bootstrap`: a hub from nothing, and the way back when the only operator's certificate is lost.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use pointbridge_store_sqlite::SqliteStore;

use super::{DataArgs, out};
use crate::config::{CONFIG_FILE, ConfigFile, DATABASE_FILE, PKI_FOLDER};
use crate::keys::{KEY_RING_FILE, KeyRing};
use crate::peer::{Principal, TrustDomain};
use crate::pki::{self, CRL_DAYS_DEFAULT, CRL_PEM, Ca, LeafRequest};
use crate::secret_file;

/// How long the development CA's own certificates live.
const SERVER_DAYS: u32 = 365;
const OPERATOR_DAYS: u32 = 90;

#[derive(Debug, Args)]
pub(super) struct BootstrapArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The trust domain that stands in every certificate, for example alliance.example.
    #[arg(long, value_name = "DOMAIN")]
    trust_domain: String,
    /// The first operator's name in certificates and records, for example wang.
    #[arg(long, value_name = "SUBJECT")]
    operator: String,
    /// A DNS name or IP address that clients reach the hub by; may be given several times.
    #[arg(long = "host", value_name = "NAME", default_values_t = ["localhost".to_owned(), "127.0.0.1".to_owned()])]
    hosts: Vec<String>,
    /// Make a new certificate and key for this operator even if both are there.
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(args: &BootstrapArgs) -> anyhow::Result<ExitCode> {
    let data = &args.data.data;
    let trust_domain = TrustDomain::parse(&args.trust_domain)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.with_context(|| format!("the data folder {} cannot be made", data.display()))?;

    let mut table = out::table(["what", "where", "state"]);
    let mut note = |what: &str, path: &Path, is_new: bool| {
        table.add_row([what, &path.display().to_string(), if is_new { "new" } else { "kept" }]);
    };
    let keys = data.join(KEY_RING_FILE);
    let database = data.join(DATABASE_FILE);
    let is_new = !keys.exists();
    anyhow::ensure!(
        !is_new || !database.exists(),
        "{} is missing and {} is there: put back the keys of this database, because link codes and quotes of new ones \
         would be worth nothing in it",
        keys.display(),
        database.display()
    );
    if is_new {
        KeyRing::create(data)?
    } else {
        KeyRing::load(data)?
    };
    note("secret keys", &keys, is_new);

    let is_new = !database.exists();
    SqliteStore::migrate(&database).await?;
    note("database", &database, is_new);

    let pki = data.join(PKI_FOLDER);
    secret_file::create_folder(&pki)?;
    let (ca, is_new) = authority(&pki, &trust_domain)?;
    note("development CA", &pki, is_new);
    // A folder from before there were lists gets its own here.
    let is_new = ca.complete(CRL_DAYS_DEFAULT)? || is_new;
    note("revocation list", &pki.join(CRL_PEM), is_new);

    let server = pki.join("server.pem");
    let request = LeafRequest::server(&args.hosts, SERVER_DAYS);
    ca.settle(&request.file_stem)?;
    let is_new = !server.exists();
    if is_new {
        // A key without its certificate is worth nothing, and in nobody's way.
        ca.issue(&request.replacing())?;
    }
    note("hub certificate", &server, is_new);
    let config = data.join(CONFIG_FILE);
    note("configuration", &config, write_config(&config, &trust_domain)?);

    let principal = Principal::from_path(&format!("operator/{}", args.operator), &trust_domain)?;
    let request = LeafRequest::client(principal, OPERATOR_DAYS);
    ca.settle(&request.file_stem)?;
    let file = |ending: &str| pki.join(format!("{}.{ending}", request.file_stem));
    let certificate = file("pem");
    let is_new = args.replace || !certificate.exists() || !file("key").exists();
    if is_new {
        ca.issue(&request.replacing())?;
    }
    note("operator certificate", &certificate, is_new);
    out::line(table);
    out::line(format_args!("start the hub with: pointbridge serve --data {}", data.display()));
    Ok(ExitCode::SUCCESS)
}

/// The development CA of the folder, made where there is none. Answers whether it was.
fn authority(pki: &Path, trust_domain: &TrustDomain) -> anyhow::Result<(Ca, bool)> {
    let is_new = !pki.join("ca.key").exists();
    let ca = if is_new { Ca::init(pki, trust_domain)? } else { Ca::open(pki)? };
    anyhow::ensure!(
        ca.trust_domain().as_str() == trust_domain.as_str(),
        "the CA in {} is for the trust domain {}: give that one, or name another folder with --data",
        pki.display(),
        ca.trust_domain().as_str()
    );
    Ok((ca, is_new))
}

/// Writes the configuration file, unless there is one. Answers whether it did.
///
/// It is written beside its place and renamed onto it: a file that was cut off would be kept for ever.
fn write_config(path: &Path, trust_domain: &TrustDomain) -> anyhow::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let config = ConfigFile { trust_domain: Some(trust_domain.as_str().to_owned()), ..ConfigFile::default() };
    pki::replace_public(path, &toml::to_string(&config)?)?;
    Ok(true)
}
