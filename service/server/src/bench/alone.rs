//! The store without a transport: batches of a fixed size, the engine on top, one small commit, and the disk under it.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context;
use pointbridge_core::canonical::{self, Domain};
use pointbridge_core::command::{CommitExchange, Context as CommandContext, Envelope, PrepareExchange};
use pointbridge_core::exchange::References;
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::quote::Claims;
use pointbridge_core::text::Reference;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, Footprint};
use pointbridge_engine::{Engine, Options as EngineOptions};
use pointbridge_store::Store;
use pointbridge_store_sqlite::system_clock;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::batches::{ask, carry_out, till};
use super::members::Alliance;
use super::report::per_second;
use super::times::{Spread, micros};
use crate::hub::draw_seed;

/// How long the claims that are made here last: longer than any run.
const CLAIMS_SECONDS: u32 = 3600;
/// How many points each exchange takes.
const SOURCE_MINOR: i64 = 10;
/// What is written before each sync of the anchor: a page.
const PAGE: [u8; 4096] = [7; 4096];

/// The exchanges of an alliance, one after the other, as quotes would describe them.
pub(super) struct Supply {
    alliance: Alliance,
    epoch: u32,
    expires_at: Timestamp,
    next: AtomicUsize,
}

impl Supply {
    /// Exchanges in a store of this epoch.
    ///
    /// # Errors
    /// The machine's clock cannot be used.
    pub(super) fn new(alliance: Alliance, epoch: u32) -> anyhow::Result<Self> {
        let expires_at = system_clock()?().plus_seconds(CLAIMS_SECONDS);
        Ok(Self { alliance, epoch, expires_at, next: AtomicUsize::new(0) })
    }

    fn claims(&self) -> anyhow::Result<Claims> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pair = self.alliance.members.ids_in_turn(number).context("no members")?;
        let [first, second] = &self.alliance.partners;
        let is_first = number.is_multiple_of(2);
        let (initiator, source, destination) =
            if is_first { (first, pair.0, pair.1) } else { (second, pair.1, pair.0) };
        Ok(Claims {
            exchange_id: ExchangeId::new(Uuid::now_v7()),
            initiator: initiator.clone(),
            epoch: self.epoch,
            agreement_id: self.alliance.agreement_id,
            agreement_version: self.alliance.agreement_version,
            source,
            destination,
            source_minor: SOURCE_MINOR,
            expires_at: self.expires_at,
        })
    }
}

fn prepare(claims: &Claims) -> anyhow::Result<PrepareExchange> {
    Ok(PrepareExchange {
        token_hash: canonical::hash(Domain::QuoteToken, &claims.to_bytes()),
        references: References {
            order: Reference::new(format!("order-{}", claims.exchange_id))?,
            store: Some(Reference::new("store-12")?),
            till: Some(Reference::new("till-3")?),
        },
        claims: Some(claims.clone()),
    })
}

/// Prepares and commits `exchanges` in batches of `commands`, and tells how long the store took, in microseconds. Envelopes
/// are made outside of that time.
///
/// # Errors
/// The store failed.
pub(super) async fn batched<S: Store>(
    store: &S,
    supply: &Supply,
    exchanges: usize,
    commands: usize,
) -> anyhow::Result<u64> {
    let mut spent = 0;
    let mut left = exchanges;
    while left > 0 {
        let (mut prepares, mut commits) = (Vec::new(), Vec::new());
        for _ in 0..commands.min(left) {
            let claims = supply.claims()?;
            let caller = till(&claims.initiator);
            prepares.push(ask(&caller, prepare(&claims)?)?);
            commits.push(ask(&caller, CommitExchange { exchange_id: claims.exchange_id })?);
        }
        left -= prepares.len();
        let began = Instant::now();
        carry_out(store, &prepares).await?;
        carry_out(store, &commits).await?;
        spent += micros(began.elapsed());
    }
    Ok(spent)
}

/// Prepares and commits `exchanges` through the engine, `in_flight` at a time, and tells the rate per second.
///
/// # Errors
/// The store failed, or a command was refused.
pub(super) async fn through_engine<S: Store>(
    store: Arc<S>,
    supply: &Arc<Supply>,
    exchanges: usize,
    in_flight: usize,
) -> anyhow::Result<u64> {
    let (engine, running) = pointbridge_engine::start(store, EngineOptions::new(Arc::new(draw_seed)));
    let left = Arc::new(AtomicU64::new(u64::try_from(exchanges)?));
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        callers.spawn(submit(engine.clone(), Arc::clone(supply), Arc::clone(&left)));
    }
    let mut failed = None;
    while let Some(ended) = callers.join_next().await {
        failed = failed.or(ended?.err());
    }
    let rate = per_second(u64::try_from(exchanges)?, micros(began.elapsed()));
    drop(engine);
    running.drain().await;
    failed.map_or(Ok(rate), Err)
}

async fn submit(engine: Engine, supply: Arc<Supply>, left: Arc<AtomicU64>) -> anyhow::Result<()> {
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let claims = supply.claims()?;
        let caller = till(&claims.initiator);
        let envelope = |command| {
            let context = CommandContext { caller: caller.clone(), seed: draw_seed() };
            Envelope::new(context, Uuid::now_v7(), false, command)
        };
        engine.submit(envelope(Box::new(prepare(&claims)?))?).await?;
        engine.submit(envelope(Box::new(CommitExchange { exchange_id: claims.exchange_id }))?).await?;
    }
    Ok(())
}

/// Times commits of one row: the smallest transaction that the store makes last.
///
/// # Errors
/// The store failed.
pub(super) async fn small_commits<S: Store>(
    store: &S,
    alliance: &Alliance,
    count: usize,
    spread: &mut Spread,
) -> anyhow::Result<()> {
    let [first, _] = &alliance.partners;
    for _ in 0..count {
        let began = Instant::now();
        let footprint = Footprint::default();
        store
            .transact(&footprint, |_| {
                // Nobody holds anything in this copy: the row says what it said.
                let mut changes = Changes::default();
                changes.live_holds.insert(first.clone(), 0);
                (changes, ())
            })
            .await?;
        spread.add_since(began);
    }
    Ok(())
}

/// Times writes of one page that are made to last, each at the end of a growing file, as a log's are.
///
/// # Errors
/// The file cannot be written.
pub(super) fn page_syncs(path: &Path, count: usize, spread: &mut Spread) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.seek(SeekFrom::End(0))?;
    for _ in 0..count {
        let began = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        spread.add_since(began);
    }
    Ok(())
}
