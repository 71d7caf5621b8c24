//! `pointbridge health`: whether the hub on this machine serves, for probes that can run a command and nothing else.
//!
//! It asks `/readyz` where metrics are served, so that a probe needs no certificate. Absent: a look at anything behind that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{DataArgs, out};
use crate::config::ConfigFile;

/// How long the answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Where the hub serves metrics and plain health. What pointbridge.toml says if nothing else does.
    #[arg(long, env = "POINTBRIDGE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
}

pub(super) async fn run(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let address = match args.metrics_listen {
        Some(address) => address,
        None => ConfigFile::read(&args.data.data)?.metrics_listen.context(
            "the hub serves no plain health: set metrics_listen, for example to 127.0.0.1:9464, and start it again",
        )?,
    };
    let address = reachable(address);
    let answer = timeout(ANSWER_MAX, ask(address)).await.map_err(anyhow::Error::from).flatten();
    let status = answer.with_context(|| format!("nobody answers at {address}: does the hub run?"))?;
    anyhow::ensure!(status.is_success(), "the hub does not serve yet, or is going down");
    out::line("the hub serves");
    Ok(ExitCode::SUCCESS)
}

/// Where a hub that listens on all addresses of its machine is reached from there.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn ask(address: SocketAddr) -> anyhow::Result<StatusCode> {
    let tcp = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
    let carrying = tokio::spawn(connection);
    let request = Request::get("/readyz").header(http::header::HOST, address.to_string());
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    carrying.abort();
    Ok(response.status())
}
