//! A server that takes turns, and what came of them.

use anyhow::Context;

use super::super::Options;
use super::super::order::{Exchanged, Samples, Times};
use super::super::process::CpuTime;
use super::super::report::{MemoryFound, Round, median, per_second};
use crate::child::ChildProgram;

/// What a turn is for. Its numbers do not tell: a round may be of one caller, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnKind {
    /// Part of a round, or the warm-up before all of them: it counts for the rate.
    Round,
    /// One caller alone, for the times that nobody else has a part in.
    Alone,
}

/// A turn: what it is for, how much, over how many connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) kind: TurnKind,
    pub(super) exchanges: usize,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
}

impl Turn {
    /// A turn over everything that was asked for.
    pub(super) fn of(options: &Options, exchanges: usize) -> Self {
        let Options { connections, in_flight, .. } = *options;
        Self { kind: TurnKind::Round, exchanges, connections, in_flight }
    }

    /// A turn of one caller alone.
    pub(super) const fn alone(exchanges: usize) -> Self {
        Self { kind: TurnKind::Alone, exchanges, connections: 1, in_flight: 1 }
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

    /// Notes what came of a turn.
    pub(super) fn note(&mut self, kind: TurnKind, found: &Exchanged, server: &CpuTime, client: &CpuTime) {
        let (exchanges, micros) = (found.committed, found.micros);
        self.exchanges_in_all += exchanges;
        if kind == TurnKind::Alone {
            self.one_caller = found.times;
            return;
        }
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

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;
    use crate::child::Life;

    fn found(committed: u64) -> Exchanged {
        Exchanged { committed, micros: 1_000_000, began_at: 0, ended_at: 1, times: Times::default() }
    }

    #[tokio::test]
    async fn a_round_of_one_caller_counts_as_a_round() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let program = ChildProgram::start(Command::new("cat"), "cat", log, Life::WithParent).unwrap();
        let mut contestant = Contestant::new("hub", program).unwrap();
        let cpu = CpuTime::default();
        let alone = Turn::alone(7);
        let round = Turn { kind: TurnKind::Round, ..alone };
        contestant.note(round.kind, &found(40), &cpu, &cpu);
        contestant.note(alone.kind, &found(7), &cpu, &cpu);
        assert_eq!((contestant.rate(), contestant.exchanges(), contestant.exchanges_in_all), (40, 40, 47));
    }
}
