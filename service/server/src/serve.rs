//! A serving hub: store, engine and gRPC server put together, and taken apart again in order.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use pointbridge_core::time::Timestamp;
use pointbridge_engine::{Engine, Options as EngineOptions, Running};
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
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Layer;

use crate::acceptor::{self, Limits};
use crate::authz::TABLE;
use crate::config::{Config, DATABASE_FILE, Environment};
use crate::gate::Gate;
use crate::hub::{Hub, draw_seed};
use crate::keys::KeyRing;
use crate::limits::{Allowance, MESSAGE_BYTES_MAX};
use crate::refusals;
use crate::rpc::Services;
use crate::telemetry::endpoint::Readiness;
use crate::telemetry::instruments::EngineWatch;
use crate::telemetry::watch::{self as signals, Watched};
use crate::transport;
use crate::trust::{self, Trust};

/// The largest question about health and services: names.
const QUESTION_BYTES_MAX: usize = 16 * 1024;
/// The largest answer: 4 MiB. A page of 500 exchanges has about 1 MiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the lame duck and then calls under way may take, together, once the hub goes down. Then it ends hard: what was
/// acknowledged is on disk.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// How long the writes that wait may then take, and the store to close.
const ENGINE_DRAIN_MAX: Duration = Duration::from_secs(3);
const STORE_CLOSE_MAX: Duration = Duration::from_secs(1);
/// When a hub that was asked to stop has ended, whatever happens: all of the above and half a second.
pub const STOP_MAX: Duration = Duration::from_millis(34_500);

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

/// Whether an invariant is known to be broken, for whoever ends the process while the hub cannot answer.
#[derive(Debug, Clone, Default)]
pub struct Breakage(Arc<OnceLock<watch::Receiver<Option<String>>>>);

impl Breakage {
    /// Whether one is. None is as long as nothing is served.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.get().is_some_and(|broken| broken.borrow().is_some())
    }

    /// Follows the engine that is served with. A hub has one, so that a second one is never asked for.
    fn follow(&self, running: &Running) {
        let _ = self.0.set(running.is_broken());
    }
}

/// What a hub is started with beside its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tweaks {
    /// Added to the host's clock. For rehearsals on the loopback only.
    pub clock_offset_seconds: i64,
    /// How old connections get, instead of a quarter of an hour. For rehearsals only.
    pub connection_age: Option<Duration>,
}

/// A hub that is ready, and the address that it listens on.
pub struct Ready {
    listener: TcpListener,
    store: Arc<SqliteStore>,
    keys: Arc<KeyRing>,
    connections: acceptor::Options,
    times: transport::Options,
    lame_duck: Duration,
    reflection: bool,
    environment: Environment,
    allowance: Allowance,
    breakage: Breakage,
    readiness: Readiness,
    database: PathBuf,
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
            trust: Trust::load(config.tls)?,
            trust_domain: config.trust_domain,
            limits: Limits::default(),
        };
        let offset = tweaks.clock_offset_seconds.saturating_mul(1_000_000);
        let clock = pointbridge_store_sqlite::system_clock()?;
        let clock = Arc::new(move || moved(clock(), offset));
        let database = config.data.join(DATABASE_FILE);
        let options = pointbridge_store_sqlite::Options {
            path: database.clone(),
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
            times: transport::Options {
                age: tweaks.connection_age.unwrap_or(transport::Options::default().age),
                ..transport::Options::default()
            },
            lame_duck: config.lame_duck,
            reflection: config.reflection,
            environment: config.environment,
            allowance: config.allowance,
            breakage: Breakage::default(),
            readiness: Readiness::default(),
            database,
            address,
        })
    }

    /// What the hub trusts; it can be told to read its files at once.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.connections.trust)
    }

    /// Whether an invariant is broken, as it becomes known while the hub serves and ends.
    #[must_use]
    pub fn breakage(&self) -> Breakage {
        self.breakage.clone()
    }

    /// Says in `readiness` from now on whether the hub serves, for whoever is asked from outside.
    #[must_use]
    pub fn telling(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Serves until `stop` resolves, or an invariant turns out broken.
    ///
    /// Once asked to stop, the hub says NOT_SERVING and serves on for the lame duck's time, so that load balancers turn away
    /// first. Then it takes no new connection and no new call, ends streams, and lets calls under way end.
    ///
    /// # Errors
    /// Where keys or certificates cannot be used.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> anyhow::Result<Stopped> {
        let Self {
            listener,
            store,
            keys,
            connections,
            times,
            lame_duck,
            reflection,
            environment,
            allowance,
            breakage,
            readiness,
            database,
            address,
        } = self;
        let (engine, running) = start_engine(&store, &breakage);
        let trust = Arc::clone(&connections.trust);
        let watched =
            Watched { store: Arc::clone(&store), engine: engine.clone(), trust, database, environment };
        let (reporter, health) = tonic_health::server::health_reporter();
        let hub = Arc::new(Hub::new(Arc::clone(&store), engine, keys, environment));
        let services = Services::new(Arc::clone(&hub));
        let health = health.max_decoding_message_size(QUESTION_BYTES_MAX);
        let routes = with_reflection(routes(&services).add_service(health), reflection)?;
        drop(services);
        tell_health(&reporter, &readiness, ServingStatus::Serving).await;

        let (go_down, going_down) = watch::channel(false);
        let reloading = tokio::spawn(trust::keep_current(Arc::clone(&connections.trust)));
        let incoming = acceptor::incoming(listener, connections, going_down.clone());
        let gated = Gate::new(hub, allowance).layer(routes.prepare());
        let mut transport = tokio::spawn(transport::serve(incoming, gated, times, going_down));
        tracing::info!(%address, "serving");
        let mut telling = tell(watched);
        let mut broken = wait(&running, stop).await;
        telling.shutdown().await;
        tracing::info!("going down");
        tell_health(&reporter, &readiness, ServingStatus::NotServing).await;
        if broken.is_none() {
            broken = wait(&running, tokio::time::sleep(lame_duck)).await;
        }
        let _ = go_down.send(true);
        reloading.abort();
        let mut is_whole = false;
        if broken.is_none() {
            end_watching(&reporter).await;
            let end = tokio::time::timeout(DRAIN_MAX.saturating_sub(lame_duck), &mut transport);
            broken = wait(&running, async { is_whole = end.await.is_ok() }).await;
        }
        transport.abort();
        if broken.is_none() {
            let (is_finished, what) = finish(running, store).await;
            (is_whole, broken) = (is_finished && is_whole, what);
        }
        refusals::tell_all();
        Ok(stopped(is_whole, broken))
    }
}

/// Has told what is told now and then, for as long as the tasks are run.
fn tell<S: Store>(watched: Watched<S>) -> JoinSet<()> {
    let mut telling = JoinSet::new();
    telling.spawn(tell_refusals());
    telling.spawn(signals::run(watched));
    telling
}

fn start_engine(store: &Arc<SqliteStore>, breakage: &Breakage) -> (Engine, Running) {
    let options =
        EngineOptions { observer: Arc::new(EngineWatch), ..EngineOptions::new(Arc::new(draw_seed)) };
    let (engine, running) = pointbridge_engine::start(Arc::clone(store), options);
    breakage.follow(&running);
    (engine, running)
}

/// How the hub stopped. What is broken goes before everything else.
fn stopped(is_whole: bool, broken: Option<String>) -> Stopped {
    let Some(what) = broken else { return if is_whole { Stopped::Asked } else { Stopped::Hard } };
    tracing::error!(
        what,
        "an invariant is broken: the hub ends and must be looked at before it serves again"
    );
    Stopped::Broken(what)
}

/// Lets the writes that wait end, and closes the store. Answers whether there was time for it, and what turned out broken, by
/// the last of those writes too.
async fn finish(running: Running, store: Arc<SqliteStore>) -> (bool, Option<String>) {
    let broken = running.is_broken();
    let mut is_whole = tokio::time::timeout(ENGINE_DRAIN_MAX, running.drain()).await.is_ok();
    // Calls that outlived the drain still hold the store; SQLite's log is then read at the next start.
    if let Some(store) = Arc::into_inner(store) {
        is_whole &= tokio::time::timeout(STORE_CLOSE_MAX, store.close()).await.is_ok();
    }
    let what = broken.borrow().clone();
    (is_whole, what)
}

/// The hub as a whole, and each of its services.
fn services_by_name() -> impl Iterator<Item = &'static str> {
    let names = TABLE.iter().filter_map(|row| row.method.strip_prefix('/')?.split('/').next());
    let ours: BTreeSet<&str> = names.filter(|name| name.starts_with("pointbridge.")).collect();
    std::iter::once("").chain(ours)
}

async fn tell_health(reporter: &HealthReporter, readiness: &Readiness, status: ServingStatus) {
    readiness.set(status == ServingStatus::Serving);
    for service in services_by_name() {
        reporter.set_service_status(service, status).await;
    }
}

/// Ends the streams of those who watch health: they have been told.
async fn end_watching(reporter: &HealthReporter) {
    for service in services_by_name() {
        reporter.clone().clear_service_status(service).await;
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

/// Waits for somebody to ask for an end (`None`) or for an invariant to break (what it was), which counts where both happen.
async fn wait(running: &Running, stop: impl Future<Output = ()>) -> Option<String> {
    tokio::select! {
        biased;
        what = running.broken() => Some(what),
        () = stop => None,
    }
}

fn moved(now: Timestamp, offset_micros: i64) -> Timestamp {
    now.micros().checked_add(offset_micros).and_then(Timestamp::from_micros).unwrap_or(now)
}

/// Sets the bounds of messages on a service.
macro_rules! bounded {
    ($server:ident, $services:expr) => {
        $server::new($services.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX)
    };
}

/// The hub's own services, by the paths of their methods, without the gate before them.
#[must_use]
pub fn routes<S: Store>(services: &Services<S>) -> Routes {
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

#[cfg(test)]
mod tests;
