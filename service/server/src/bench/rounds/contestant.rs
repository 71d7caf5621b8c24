//! A server that takes turns, and what came of them.

use anyhow::Context;

use super::super::Options;
use super::super::order::{Exchanged, Samples, Times};
use super::super::process::CpuTime;
use super::super::report::{MemoryFound, Round, median, per_second};
use crate::child::ChildProgram;

/// A turn: how much, over how many connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) exchanges: usize,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
}

impl Turn {
    /// A turn over everything that was asked for.
    pub(super) fn of(options: &Options) -> Self {
        Self { exchanges: 0, connections: options.connections, in_flight: options.in_flight }
    }

    /// Whether it is that of one caller alone.
    pub(super) fn is_alone(&self) -> bool {
        self.connections == 1 && self.in_flight == 1
    }
}

/// A server.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) pid: u32,
    program: ChildProgram,
    /// The answers that it gives, if it is the echo.
    pub(super) samples: Option<Samples>,
    pub(super) rounds: Vec<Round>,
    /// From when to when its rounds went, microseconds since 1970.
    pub(super) spans: Vec<(i64, i64)>,
    pub(super) times: Times,
    pub(super) one_caller: Times,
    pub(super) server_cpu: CpuTime,
    pub(super) client_cpu: CpuTime,
    pub(super) exchanges_in_all: u64,
    pub(super) quotes: u64,
    pub(super) quote_micros: u64,
    /// What was resident while the rounds went, in order.
    pub(super) resident: Vec<u64>,
    pub(super) peak: u64,
}

impl Contestant {
    /// A server that is up.
    ///
    /// # Errors
    /// It has ended already.
    pub(super) fn new(name: &'static str, program: ChildProgram) -> anyhow::Result<Self> {
        let pid = program.pid().with_context(|| format!("the {name} is gone"))?;
        Ok(Self {
            name,
            pid,
            program,
            samples: None,
            rounds: Vec::new(),
            spans: Vec::new(),
            times: Times::default(),
            one_caller: Times::default(),
            server_cpu: CpuTime::default(),
            client_cpu: CpuTime::default(),
            exchanges_in_all: 0,
            quotes: 0,
            quote_micros: 0,
            resident: Vec::new(),
            peak: 0,
        })
    }

    /// Notes a turn of everything that was asked for.
    pub(super) fn note(&mut self, found: &Exchanged, server: &CpuTime, client: &CpuTime) {
        let (exchanges, micros) = (found.committed, found.micros);
        self.rounds.push(Round { exchanges, micros, per_second: per_second(exchanges, micros) });
        self.spans.push((found.began_at, found.ended_at));
        self.times = found.times;
        self.server_cpu.add(server);
        self.client_cpu.add(client);
    }

    /// Begins anew, as behind the warm-up; what counts in all goes on.
    pub(super) fn forget_rounds(&mut self) {
        self.rounds.clear();
        self.spans.clear();
        self.resident.clear();
        (self.server_cpu, self.client_cpu) = (CpuTime::default(), CpuTime::default());
    }

    /// Exchanges of the rounds.
    pub(super) fn exchanges(&self) -> u64 {
        self.rounds.iter().map(|round| round.exchanges).sum()
    }

    /// Time of the rounds.
    pub(super) fn micros(&self) -> u64 {
        self.rounds.iter().map(|round| round.micros).sum()
    }

    /// Exchanges per second, of the round in the middle.
    pub(super) fn rate(&self) -> u64 {
        median(self.rounds.iter().map(|round| round.per_second).collect())
    }

    /// Its memory in the rounds.
    pub(super) fn memory(&self) -> MemoryFound {
        let mut quarters_bytes = [0; 4];
        let each = self.resident.len().div_ceil(quarters_bytes.len()).max(1);
        for (most, quarter) in quarters_bytes.iter_mut().zip(self.resident.chunks(each)) {
            *most = quarter.iter().copied().max().unwrap_or_default();
        }
        MemoryFound { peak_bytes: self.peak, quarters_bytes }
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// It does not end in order.
    pub(super) async fn stop(mut self) -> anyhow::Result<Self> {
        self.program.stop().await?;
        Ok(self)
    }
}
