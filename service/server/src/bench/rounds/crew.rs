//! The driver's process and what is watched while it works: the time on processors of both ends, and the server's memory.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{interval, timeout};

use super::super::ground::Ground;
use super::super::order::{Exchanged, Load, Order, Quotes, Samples, Told};
use super::super::process::{Memory, Usage};
use super::ECHO;
use super::contestant::{Contestant, Turn, TurnKind};
use crate::child::{ChildProgram, Life, own_program};

/// How long an order may take. The longest is bounded by the life of quotes, two minutes.
const ORDER_MAX: Duration = Duration::from_mins(5);
/// How often the server's memory is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The driver.
pub(super) struct Crew {
    program: ChildProgram,
    pid: u32,
}

impl Crew {
    /// Starts the driver.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn start(ground: &Ground) -> anyhow::Result<Self> {
        let mut command = own_program()?;
        command.args(["bench", "driver", "--members"]).arg(ground.members());
        let program = ChildProgram::start(command, "the driver", ground.log("driver"), Life::WithParent)?;
        let pid = program.pid().context("the driver is gone")?;
        Ok(Self { program, pid })
    }

    /// Opens connections to a server.
    ///
    /// # Errors
    /// It cannot be reached.
    pub(super) async fn connect(
        &mut self,
        ground: &Ground,
        server: &str,
        endpoint: String,
        connections: usize,
    ) -> anyhow::Result<()> {
        let order = Order::Connect { server: server.to_owned(), endpoint, pki: ground.pki(), connections };
        self.obey(&order, None).await.map(drop)
    }

    /// The bytes of the last answers.
    ///
    /// # Errors
    /// The driver is gone.
    pub(super) async fn samples(&mut self) -> anyhow::Result<Samples> {
        match self.obey(&Order::Samples, None).await? {
            Told::Samples(samples) => Ok(samples),
            other => bail!("the driver told something else: {other:?}"),
        }
    }

    /// Gives a server its turn, with quotes ahead of it where it is a hub.
    ///
    /// # Errors
    /// A call was not answered with success.
    pub(super) async fn take_turn<'c>(
        &mut self,
        contestant: &'c mut Contestant,
        turn: Turn,
    ) -> anyhow::Result<&'c Contestant> {
        let server = contestant.name.to_owned();
        let is_hub = contestant.name != ECHO;
        if is_hub {
            let order =
                Order::Quote { server: server.clone(), count: turn.exchanges, connections: turn.connections };
            let Told::Quoted { micros } = self.obey(&order, None).await? else {
                bail!("no quotes were told")
            };
            if turn.kind == TurnKind::Round {
                contestant.quotes += u64::try_from(turn.exchanges)?;
                contestant.quote_micros += micros;
            }
        }
        let order = Order::Exchange(Load {
            series: series(contestant, turn),
            server,
            exchanges: turn.exchanges,
            connections: turn.connections,
            in_flight: turn.in_flight,
            quotes: if is_hub { Quotes::Fresh } else { Quotes::Used },
        });
        let before = (Usage::of(contestant.pid)?, Usage::of(self.pid)?);
        let found = self.exchanged(&order, contestant).await?;
        let used = (Usage::of(contestant.pid)?.since(&before.0), Usage::of(self.pid)?.since(&before.1));
        contestant.note(turn.kind, &found, &used.0, &used.1);
        Ok(contestant)
    }

    async fn exchanged(&mut self, order: &Order, contestant: &mut Contestant) -> anyhow::Result<Exchanged> {
        match self.obey(order, Some(contestant)).await {
            Ok(Told::Exchanged(found)) => Ok(found),
            Ok(other) => bail!("the driver told something else: {other:?}"),
            Err(error) => Err(error.context(format!("calling the {}", contestant.name))),
        }
    }

    /// Gives an order, looks at a server's memory until it is carried out, and answers what came of it.
    async fn obey(&mut self, order: &Order, mut watched: Option<&mut Contestant>) -> anyhow::Result<Told> {
        self.program.tell(&serde_json::to_string(order)?).await?;
        let mut looks = interval(LOOK_INTERVAL);
        let told = timeout(ORDER_MAX, async {
            loop {
                tokio::select! {
                    line = self.program.line() => return line,
                    _ = looks.tick() => {
                        if let Some(contestant) = watched.as_deref_mut() {
                            let memory = Memory::of(contestant.pid)?;
                            contestant.resident.push(memory.resident);
                            contestant.peak = memory.peak;
                        }
                    }
                }
            }
        });
        let line =
            told.await.with_context(|| format!("the driver took more than {} s", ORDER_MAX.as_secs()))??;
        match serde_json::from_str(&line)? {
            Told::Failed { what } => bail!(what),
            told => Ok(told),
        }
    }

    /// Ends the driver.
    ///
    /// # Errors
    /// It cannot be told to.
    pub(super) async fn leave(self) -> anyhow::Result<()> {
        self.program.dismiss().await
    }
}

/// Under which name times are gathered: those of a warm-up apart, because nobody asks for them.
fn series(contestant: &Contestant, turn: Turn) -> String {
    let part = match (turn.kind, contestant.exchanges_in_all) {
        (TurnKind::Alone, _) => "alone",
        (TurnKind::Round, 0) => "warm-up",
        (TurnKind::Round, _) => "rounds",
    };
    format!("{} {part}", contestant.name)
}

/// Starts the server that only answers, with these answers.
///
/// # Errors
/// It does not come up.
pub(super) async fn start_echo(ground: &Ground, samples: &Samples) -> anyhow::Result<(ChildProgram, String)> {
    std::fs::write(ground.answers(), serde_json::to_vec(samples)?)?;
    let mut command = own_program()?;
    command.args(["bench", "echo", "--data"]).arg(ground.data(super::HUB));
    command.arg("--answers").arg(ground.answers());
    let mut program = ChildProgram::start(command, ECHO, ground.log(ECHO), Life::WithParent)?;
    let address = program.address().await?;
    Ok((program, format!("https://{address}")))
}
