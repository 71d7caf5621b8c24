//! The driver: a process of its own that calls a server as partners do, over mutual TLS, and tells how long it took.
//!
//! It takes orders from standard input and answers on standard output. Requests are made before the time is taken; while
//! it is taken, a caller does nothing but call. Absent: retries. Whatever is not answered with success fails the order.

mod callers;
mod quoting;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, ensure};
use data_encoding::HEXLOWER;
use pointbridge_client::v1::exchange_service_client::ExchangeServiceClient;
use pointbridge_client::{Client, Config};

use self::callers::{Answers, Connection, Items};
use self::quoting::Tokens;
use super::members::Members;
use super::order::{Exchanged, Load, Order, PARTNERS, Quotes, SUBJECT, Samples, Told};
use super::times::Series;

/// Orders from a server's name to what is kept of it.
#[derive(Default)]
struct Server {
    connections: Vec<Connection>,
    /// Quotes that were not used yet, by partner.
    fresh: [Tokens; 2],
}

struct Driver {
    members: Arc<Members>,
    servers: BTreeMap<String, Server>,
    /// Quotes that were used, by partner.
    used: [Tokens; 2],
    series: BTreeMap<String, Series>,
    samples: Samples,
}

/// Takes orders until there are no more.
///
/// # Errors
/// The file of members cannot be read, or standard input or output is closed in the middle of an order.
pub async fn run(members: &Path) -> anyhow::Result<()> {
    let mut driver = Driver {
        members: Arc::new(Members::read(members)?),
        servers: BTreeMap::new(),
        used: Default::default(),
        series: BTreeMap::new(),
        samples: Samples::default(),
    };
    loop {
        let mut line = String::new();
        let read = tokio::task::block_in_place(|| std::io::stdin().lock().read_line(&mut line))?;
        if read == 0 {
            return Ok(());
        }
        let order: Order = serde_json::from_str(&line).context("an order that is none")?;
        let told = match driver.carry_out(order).await {
            Ok(told) => told,
            Err(error) => Told::Failed { what: format!("{error:#}") },
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", serde_json::to_string(&told)?)?;
        stdout.flush()?;
    }
}

impl Driver {
    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Told> {
        match order {
            Order::Connect { server, endpoint, pki, connections } => {
                let connections = connect(&endpoint, &pki, connections).await?;
                self.servers.insert(server, Server { connections, ..Server::default() });
                Ok(Told::Done)
            }
            Order::Quote { server, count, connections } => {
                let server = self.servers.get_mut(&server).context("no such server")?;
                let chosen = server.connections.get(..connections).context("not so many connections")?;
                let (tokens, micros) = quoting::quote(chosen, &self.members, count).await?;
                for (kept, new) in server.fresh.iter_mut().zip(tokens) {
                    kept.extend(new);
                }
                Ok(Told::Quoted { micros })
            }
            Order::Exchange(load) => self.exchange(&load).await.map(Told::Exchanged),
            Order::Samples => Ok(Told::Samples(self.samples.clone())),
        }
    }

    async fn exchange(&mut self, load: &Load) -> anyhow::Result<Exchanged> {
        let Load { exchanges, connections, in_flight, .. } = *load;
        let server = self.servers.get_mut(&load.server).context("no such server")?;
        let chosen = server.connections.get(..connections).context("not so many connections")?;
        let shares = shares(exchanges, chosen);
        let mut items = Vec::new();
        for ((share, fresh), used) in shares.into_iter().zip(&mut server.fresh).zip(&mut self.used) {
            let tokens = match load.quotes {
                Quotes::Fresh => {
                    let kept = fresh.len().checked_sub(share).context("not so many quotes")?;
                    let taken = fresh.split_off(kept);
                    used.clone_from(&taken);
                    taken
                }
                Quotes::Used => used.iter().cycle().take(share).cloned().collect(),
            };
            ensure!(tokens.len() == share, "no quotes");
            items.push(Items::of(tokens));
        }
        if let Some(item) = items.first().and_then(Items::sample) {
            self.samples.prepare_request_bytes = item.0;
            self.samples.commit_request_bytes = item.1;
        }
        let began_at = now()?;
        let outcome = callers::call(chosen, items, in_flight).await?;
        let ended_at = now()?;
        self.keep(outcome.answers);
        let series = match self.series.remove(&load.series) {
            Some(series) => series,
            None => Series::new()?,
        };
        let series = self.series.entry(load.series.clone()).or_insert(series);
        series.extend(&outcome.timings);
        Ok(Exchanged {
            committed: u64::try_from(outcome.timings.len())?,
            micros: outcome.micros,
            began_at,
            ended_at,
            times: series.times(),
        })
    }

    fn keep(&mut self, answers: Option<Answers>) {
        if let Some(Answers { prepare, commit }) = answers {
            self.samples.prepare_answer = HEXLOWER.encode(&prepare);
            self.samples.commit_answer = HEXLOWER.encode(&commit);
        }
    }
}

/// How many of so many are each partner's: as many as it has of the connections.
fn shares(count: usize, connections: &[Connection]) -> [usize; 2] {
    let second = connections.iter().filter(|connection| connection.party == 1).count();
    let of_second = (count * second).checked_div(connections.len()).unwrap_or_default();
    [count - of_second, of_second]
}

async fn connect(endpoint: &str, pki: &Path, count: usize) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for party in (0..PARTNERS.len()).cycle().take(count) {
        let code = PARTNERS.get(party).context("no such partner")?;
        let stem = format!("partner.{code}.partner.{SUBJECT}");
        let config = Config {
            endpoint: endpoint.to_owned(),
            ca_pem: pki.join("ca.pem"),
            certificate_pem: pki.join(format!("{stem}.pem")),
            key_pem: pki.join(format!("{stem}.key")),
            server_name: None,
        };
        // The bare connection: whatever else the client does for a call is not what is measured.
        let channel = Client::bare(&config).await?.channel();
        connections.push(Connection { party, client: ExchangeServiceClient::new(channel) });
    }
    Ok(connections)
}

/// Microseconds since 1970, on the clock that the hub decides by.
fn now() -> anyhow::Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_micros())?)
}
