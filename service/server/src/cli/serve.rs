//! `pointbridge serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::sourced::{Said, Sourced};
use super::{DataArgs, EXIT_BROKEN, out, take_limit_of_file_sizes};
use crate::config::{ConfigFile, Environment};
use crate::manager;
use crate::serve::{Breakage, Ready, STOP_MAX, Stopped, Tweaks};
use crate::telemetry::endpoint::Readiness;
use crate::telemetry::{LogFormat, Telemetry};

#[derive(Debug, Clone, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Address and port to listen on; port 0 takes a free one. 127.0.0.1:7443 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<Said<SocketAddr>>,
    /// The trust domain that every client certificate's SPIFFE id must have.
    #[arg(long, env = "POINTBRIDGE_TRUST_DOMAIN", value_name = "DOMAIN")]
    trust_domain: Option<String>,
    /// The hub's certificate chain, PEM. <DATA>/pki/server.pem if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_CERTIFICATE", value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The hub's private key, PEM, readable by its owner only. <DATA>/pki/server.key if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// The CAs whose client certificates are taken, PEM. <DATA>/pki/ca.pem if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_CLIENT_CA", value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// The revocation lists of those CAs, PEM. <DATA>/pki/crl.pem if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_CLIENT_CRL", value_name = "FILE")]
    client_crl: Option<PathBuf>,
    /// A CA that may be without a revocation list, by the SHA-256 fingerprint of its certificate; several with commas.
    #[arg(long, env = "POINTBRIDGE_ALLOW_CA_WITHOUT_CRL", value_name = "HEX", value_delimiter = ',')]
    allow_ca_without_crl: Option<Vec<String>>,
    /// How long to go on serving once told to stop, while health says NOT_SERVING: 0 to 20 s, 5 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_LAME_DUCK_SECONDS", value_name = "SECONDS")]
    lame_duck_seconds: Option<Said<u64>>,
    /// What to log: error, warn, info, debug, or levels by module.
    #[arg(long, env = "POINTBRIDGE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look: json or text. json if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<Said<LogFormat>>,
    /// Address and port to serve metrics and plain health on, without TLS. Not served if nothing says so.
    #[arg(long, env = "POINTBRIDGE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<Said<SocketAddr>>,
    /// The OpenTelemetry collector beside the hub, as http://ADDRESS:PORT. Nothing is sent if nothing says so.
    #[arg(long, env = "POINTBRIDGE_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// How many of a million calls are traced, 10000 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_TRACES_PER_MILLION", value_name = "CALLS")]
    traces_per_million: Option<Said<u32>>,
    /// Whether callers may list services by reflection, as grpcurl does. On if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_REFLECTION", value_name = "BOOL")]
    reflection: Option<Said<bool>>,
    /// How many calls each partner may make per second in the long run, 2000 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_RATE_PER_SECOND", value_name = "CALLS")]
    rate_per_second: Option<Said<u32>>,
    /// How many calls each partner may make at once after a rest, 4000 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_RATE_BURST", value_name = "CALLS")]
    rate_burst: Option<Said<u32>>,
    /// How many calls each partner may have under way, 256 if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_CALLS_IN_FLIGHT_MAX", value_name = "CALLS")]
    calls_in_flight_max: Option<Said<u32>>,
    /// Whether what the hub does counts, as it tells its callers: live or test. live if nothing else says so.
    #[arg(long, env = "POINTBRIDGE_ENVIRONMENT", value_name = "ENVIRONMENT")]
    environment: Option<Said<Environment>>,
    /// Move the hub's clock, for rehearsals; loopback addresses only.
    #[arg(long, hide = true, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_seconds: i64,
    /// End connections at this age, for rehearsals.
    #[arg(long, hide = true)]
    connection_age_seconds: Option<u64>,
}

impl ServeArgs {
    /// What flags and environment say, and what of it cannot be used, each with its key.
    pub(super) fn settings(&self) -> anyhow::Result<(ConfigFile, Vec<String>)> {
        let args = self.clone();
        let mut wrong = Vec::new();
        let settings = ConfigFile {
            listen: usable("listen", args.listen, &mut wrong),
            trust_domain: args.trust_domain,
            certificate: args.certificate.map(std::path::absolute).transpose()?,
            key: args.key.map(std::path::absolute).transpose()?,
            client_ca: args.client_ca.map(std::path::absolute).transpose()?,
            client_crl: args.client_crl.map(std::path::absolute).transpose()?,
            allow_ca_without_crl: args.allow_ca_without_crl,
            lame_duck_seconds: usable("lame_duck_seconds", args.lame_duck_seconds, &mut wrong),
            log: args.log,
            log_format: usable("log_format", args.log_format, &mut wrong),
            metrics_listen: usable("metrics_listen", args.metrics_listen, &mut wrong),
            otlp_endpoint: args.otlp_endpoint,
            traces_per_million: usable("traces_per_million", args.traces_per_million, &mut wrong),
            reflection: usable("reflection", args.reflection, &mut wrong),
            rate_per_second: usable("rate_per_second", args.rate_per_second, &mut wrong),
            rate_burst: usable("rate_burst", args.rate_burst, &mut wrong),
            calls_in_flight_max: usable("calls_in_flight_max", args.calls_in_flight_max, &mut wrong),
            environment: usable("environment", args.environment, &mut wrong),
        };
        Ok((settings, wrong))
    }
}

/// What was said, where it can be used; else that becomes a mistake.
fn usable<T>(key: &str, said: Option<Said<T>>, wrong: &mut Vec<String>) -> Option<T> {
    match said?.0 {
        Ok(value) => Some(value),
        Err(what) => {
            wrong.push(format!("{key}: {what}"));
            None
        }
    }
}

pub(super) async fn run(given: Sourced<ServeArgs>) -> anyhow::Result<ExitCode> {
    let config = given.effective()?.config?;
    let args = given.args;
    let mut signals = Telemetry::start(&config.signals).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Taken, so that such a write fails like one on a full disk, and the hub goes on reading.
    let _too_large = take_limit_of_file_sizes()?;
    let tweaks = Tweaks {
        clock_offset_seconds: args.clock_offset_seconds,
        connection_age: args.connection_age_seconds.map(Duration::from_secs),
    };
    let readiness = Readiness::default();
    // Before everything that may take its time, such as bringing the database up to date: probes see a process that lives.
    if let Some(endpoint) = signals.take_endpoint() {
        tracing::info!(address = %endpoint.address, "metrics and plain health are served");
        readiness.set(false);
        tokio::spawn(endpoint.serve(readiness.clone()));
    }
    let ready = Ready::prepare(config, tweaks).await?.telling(readiness);
    out::line(format_args!("listening on {}", ready.address));
    manager::tell_ready(ready.address);
    let living = tokio::spawn(manager::show_life());
    let trust = ready.trust();
    let reloading = tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            trust.read_now();
        }
    });
    let breakage = ready.breakage();
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        manager::tell_stopping();
        end_hard_in_time(breakage);
    };
    let stopped = ready.serve(stop).await?;
    reloading.abort();
    living.abort();
    signals.stop().await;
    Ok(match stopped {
        Stopped::Asked | Stopped::Hard => ExitCode::SUCCESS,
        Stopped::Broken(_) => ExitCode::from(EXIT_BROKEN),
    })
}

/// Ends the process in time even where the runtime hangs, in a system call on a dead disk, say. Whatever was acknowledged is on
/// disk by then, so that this is an orderly end too, unless an invariant broke.
fn end_hard_in_time(breakage: Breakage) {
    std::thread::spawn(move || {
        std::thread::sleep(STOP_MAX);
        tracing::warn!("the hub did not end by itself in time: it ends hard");
        std::process::exit(hard_exit(&breakage).into());
    });
}

/// The code of a hard end.
fn hard_exit(breakage: &Breakage) -> u8 {
    if breakage.is_known() { EXIT_BROKEN } else { 0 }
}
