//! A serving hub: store, engine and gRPC server put together, and taken apart again in order.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pointbridge_core::time::Timestamp;
use pointbridge_engine::{Options as EngineOptions, Running};
use pointbridge_proto::v1::agreement_service_server::AgreementServiceServer;
use pointbridge_proto::v1::approval_service_server::ApprovalServiceServer;
use pointbridge_proto::v1::exchange_service_server::ExchangeServiceServer;
use pointbridge_proto::v1::ledger_service_server::LedgerServiceServer;
use pointbridge_proto::v1::member_service_server::MemberServiceServer;
use pointbridge_proto::v1::partner_service_server::PartnerServiceServer;
use pointbridge_store::Store;
use pointbridge_store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::acceptor::{self, Limits};
use crate::authz::TABLE;
use crate::config::{Config, DATABASE_FILE, Environment};
use crate::gate::Gate;
use crate::hub::{Hub, draw_seed};
use crate::keys::KeyRing;
use crate::limits::{Allowance, MESSAGE_BYTES_MAX};
use crate::refusals;
use crate::rpc::Services;
use crate::tls;

/// The largest question about health and services: names.
const QUESTION_BYTES_MAX: usize = 16 * 1024;
/// The largest answer: 4 MiB. A page of 500 exchanges has about 1 MiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Calls at a time on one connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 100;
/// What a client may send ahead on one stream, and on one connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Metadata of one call.
const HEADER_BYTES_MAX: u32 = 8 * 1024;
/// Streams that a client may open and reset before they were looked at.
const PENDING_RESETS_MAX: usize = 20;
/// Streams that the hub itself may reset on one connection, because of what the client sent, before it ends the connection.
const LOCAL_RESETS_MAX: usize = 128;
/// A silent connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection's certificate is looked at once, when it is made: after so long the client must make another.
const CONNECTION_AGE: Duration = Duration::from_mins(15);
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(30);
/// How long calls under way may take once the hub goes down. Then it ends hard: what was acknowledged is on disk.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// How a hub stopped serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked it to, and nothing was left open.
    Asked,
    /// Somebody asked it to, and calls were still under way when its time was over.
    Hard,
    /// An invariant turned out broken.
    Broken(String),
}

/// What a hub is started with beside its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tweaks {
    /// Added to the host's clock. For rehearsals on the loopback only.
    pub clock_offset_seconds: i64,
}

/// A hub that is ready, and the address that it listens on.
pub struct Ready {
    listener: TcpListener,
    store: Arc<SqliteStore>,
    keys: Arc<KeyRing>,
    connections: acceptor::Options,
    reflection: bool,
    environment: Environment,
    allowance: Allowance,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Ready {
    /// Reads keys and certificates, opens the database, brings its schema up to date, and takes the port.
    ///
    /// # Errors
    /// Where one of these fails, with what to do.
    pub async fn prepare(config: Config, tweaks: Tweaks) -> anyhow::Result<Self> {
        if tweaks.clock_offset_seconds != 0 && !config.listen.ip().is_loopback() {
            anyhow::bail!("the clock can only be moved on a loopback address: {} is not one", config.listen);
        }
        pointbridge_proto::validate::ready()
            .map_err(|error| anyhow::anyhow!("the interface's own rules cannot be used: {error}"))?;
        let keys = Arc::new(KeyRing::load(&config.data)?);
        let connections = acceptor::Options {
            tls: tls::server_config(&config.tls)?,
            trust_domain: config.trust_domain,
            limits: Limits::default(),
        };
        let offset = tweaks.clock_offset_seconds.saturating_mul(1_000_000);
        let clock = pointbridge_store_sqlite::system_clock()?;
        let clock = Arc::new(move || moved(clock(), offset));
        let options = pointbridge_store_sqlite::Options {
            path: config.data.join(DATABASE_FILE),
            clock,
            statement_hook: None,
            readers: 4,
            migrate: true,
        };
        let store = SqliteStore::open(options).await.context("the database cannot be opened")?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {}: is another program there? choose another address with --listen",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            store: Arc::new(store),
            keys,
            connections,
            reflection: config.reflection,
            environment: config.environment,
            allowance: config.allowance,
            address,
        })
    }

    /// Serves until `stop` resolves, or an invariant turns out broken.
    ///
    /// # Errors
    /// Where keys or certificates cannot be used, or the transport fails.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> anyhow::Result<Stopped> {
        let Self { listener, store, keys, connections, reflection, environment, allowance, address } = self;
        let (engine, running) =
            pointbridge_engine::start(Arc::clone(&store), EngineOptions::new(Arc::new(draw_seed)));
        let (reporter, health) = tonic_health::server::health_reporter();
        let hub = Arc::new(Hub::new(Arc::clone(&store), engine, keys, environment));
        let services = Services::new(Arc::clone(&hub));
        let health = health.max_decoding_message_size(QUESTION_BYTES_MAX);
        let routes = with_reflection(routes(&services).add_service(health), reflection)?;
        drop(services);
        tell_health(&reporter, ServingStatus::Serving).await;

        let (go_down, going_down) = watch::channel(false);
        let incoming = acceptor::incoming(listener, connections, going_down.clone());
        let mut asked = going_down;
        let server = builder()
            .layer(Gate::new(hub, allowance))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, async move {
                let _ = asked.wait_for(|down| *down).await;
            });
        tracing::info!(%address, "serving");
        let mut transport = tokio::spawn(server);
        let telling = tokio::spawn(tell_refusals());
        let broken = wait(&running, stop).await;
        telling.abort();
        tracing::info!("going down");
        tell_health(&reporter, ServingStatus::NotServing).await;
        let _ = go_down.send(true);
        if let Some(what) = broken {
            tracing::error!(
                what,
                "an invariant is broken: the hub ends and must be looked at before it serves again"
            );
            return Ok(Stopped::Broken(what));
        }
        // Ends the streams of those who watch: they have been told.
        for service in services_by_name() {
            reporter.clone().clear_service_status(service).await;
        }
        let ended = tokio::time::timeout(DRAIN_MAX, &mut transport).await;
        transport.abort();
        running.drain().await;
        refusals::tell_all();
        // Calls that outlived the drain still hold the store; SQLite's log is then read at the next start.
        if let Some(store) = Arc::into_inner(store) {
            store.close().await;
        }
        match ended {
            Ok(end) => end?.context("the transport failed").map(|()| Stopped::Asked),
            Err(_) => Ok(Stopped::Hard),
        }
    }
}

/// The hub as a whole, and each of its services.
fn services_by_name() -> impl Iterator<Item = &'static str> {
    let names = TABLE.iter().filter_map(|row| row.method.strip_prefix('/')?.split('/').next());
    let ours: BTreeSet<&str> = names.filter(|name| name.starts_with("pointbridge.")).collect();
    std::iter::once("").chain(ours)
}

async fn tell_health(reporter: &HealthReporter, status: ServingStatus) {
    for service in services_by_name() {
        reporter.set_service_status(service, status).await;
    }
}

/// Has the counts of refusals told that came after the last line of their kind, for as long as it is run.
async fn tell_refusals() {
    let mut ticks = tokio::time::interval(refusals::INTERVAL);
    loop {
        ticks.tick().await;
        refusals::tell_left_out();
    }
}

/// Waits for somebody to ask for an end (`None`) or for an invariant to break (what it was).
async fn wait(running: &Running, stop: impl Future<Output = ()>) -> Option<String> {
    tokio::select! {
        () = stop => None,
        what = running.broken() => Some(what),
    }
}

fn moved(now: Timestamp, offset_micros: i64) -> Timestamp {
    now.micros().checked_add(offset_micros).and_then(Timestamp::from_micros).unwrap_or(now)
}

fn builder() -> Server {
    Server::builder()
        .max_connection_age(CONNECTION_AGE)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

/// Sets the bounds of messages on a service.
macro_rules! bounded {
    ($server:ident, $services:expr) => {
        $server::new($services.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX)
    };
}

fn routes<S: Store>(services: &Services<S>) -> Routes {
    Routes::new(bounded!(PartnerServiceServer, services))
        .add_service(bounded!(AgreementServiceServer, services))
        .add_service(bounded!(ApprovalServiceServer, services))
        .add_service(bounded!(MemberServiceServer, services))
        .add_service(bounded!(LedgerServiceServer, services))
        .add_service(bounded!(ExchangeServiceServer, services))
}

/// Adds reflection in both versions, with the messages of error details, so that grpcurl prints them.
fn with_reflection(routes: Routes, is_on: bool) -> anyhow::Result<Routes> {
    if !is_on {
        return Ok(routes);
    }
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pointbridge_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1()?.max_decoding_message_size(QUESTION_BYTES_MAX);
    let v1alpha = builder().build_v1alpha()?.max_decoding_message_size(QUESTION_BYTES_MAX);
    Ok(routes.add_service(v1).add_service(v1alpha))
}
